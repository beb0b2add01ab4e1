#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A bar on standard error that shows how far a long file is read; silent unless standard error is a
 * terminal and the file is long. */
struct progress {
    uint64_t total;
    uint64_t drawn_permille;
    bool shown;
};

/* `total` in bytes; 0: not known, no bar. */
struct progress progress_start(uint64_t total);

/* Draws when the bar has moved. */
void progress_update(struct progress *progress, uint64_t done);

/* Removes the bar. */
void progress_end(struct progress *progress);
