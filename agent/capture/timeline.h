#pragma once

#include "agent/capture/capture_file.h"
#include "agent/capture/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Several capture files as one timeline: each next frame is the earliest of all files' next ones;
 * with equal times that of the file named first. */
struct timeline;

/* Looks into all files, in this order. NULL and one line when one of them cannot be opened. Regular
 * files are opened again when their time has come, so any number of them may be given. */
struct timeline *timeline_open(char *const *paths, size_t count,
                               char error_out[static CAPTURE_FILE_ERROR_SIZE]);
void timeline_close(struct timeline *timeline);

/* The next frame, which lives until the next call, as its bytes do. NULL: every file is at its end
 * or broken. */
const struct frame *timeline_next(struct timeline *timeline);

/* Calls back with the line of each file that was broken; returns how many were. */
size_t timeline_errors(const struct timeline *timeline,
                       void (*report)(void *context, const char *line), void *context);

/* Bytes read and to be read of all files; a size of 0: not known (standard input). */
uint64_t timeline_position(const struct timeline *timeline);
uint64_t timeline_size(const struct timeline *timeline);
