#pragma once

#include "exporters/byte_writer.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A bounded queue of frames in a directory of its own, which survives the process: what was read
 * but not said to be done is read again after a restart. Written without waiting for the disk: it
 * survives the death of the process, not that of the machine. When it is full, the oldest unread
 * segment goes. One thread appends, one reads.
 */
struct spool;

/* Longest error text, terminator included. */
#define SPOOL_ERROR_SIZE 256

/* What a spool held when it was opened. */
struct spool_found {
    uint64_t items;
    uint64_t bytes;
    uint64_t damaged; /* frames that could not be read, at least */
};

/* Makes the directory where it is missing. NULL and one line: it cannot be used, or another process
 * uses it. */
struct spool *spool_open(const char *path, uint64_t max_bytes, struct spool_found *found_out,
                         char error_out[static SPOOL_ERROR_SIZE]);
void spool_close(struct spool *spool);

/* What is not in it any more, headers of frames included as in all its bytes. */
struct spool_loss {
    uint64_t items;
    uint64_t bytes;
};

#define SPOOL_FRAME_HEADER_SIZE 12

struct spool_result {
    struct spool_loss dropped; /* what made room */
    int status; /* 0, or -errno: the frame was not written; -ENOSPC: its place is in use */
};

/* Appends one frame of so many items. */
struct spool_result spool_append(struct spool *spool, const struct byte_writer *bytes,
                                 uint32_t items);

/* Appends the bytes of the next frame to `out`. Returns its items, 0 when there is none. What could
 * not be read any more is skipped and added to `damaged`. */
uint64_t spool_read(struct spool *spool, struct byte_writer *out, struct spool_loss *damaged);

/* Everything that was read is done: it will not be read again. */
void spool_done(struct spool *spool);
