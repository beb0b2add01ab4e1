#pragma once

#include "exporters/delivery/spool.h"

#include <stdint.h>

/*
 * One file of a spool: frames behind each other, each a header (length, items, CRC-32 of both and
 * of the bytes; little endian) and its bytes.
 */
struct spool_segment {
    uint64_t number; /* its name; later ones are larger */
    uint64_t bytes;  /* of whole frames */
    uint64_t items;  /* in these */
};

/* More in one frame is damage: what is written is never that large. */
#define SPOOL_FRAME_MAX (UINT32_C(64) << 20)

/* "0000000000000001.spool", terminator included. */
#define SPOOL_SEGMENT_NAME_SIZE 24
void spool_segment_name(uint64_t number, char name[static SPOOL_SEGMENT_NAME_SIZE]);

/* The number in such a name; 0: it is none. */
uint64_t spool_segment_number(const char *name);

/* Opens a segment in a directory for appending or for reading. Returns the descriptor or -errno. */
int spool_segment_create(int directory, uint64_t number);
int spool_segment_open(int directory, uint64_t number);

/* Appends one frame; after an error the file ends with the frame before. Returns 0 or -errno. */
int spool_segment_append(struct spool_segment *segment, int fd, const struct byte_writer *bytes,
                         uint32_t items);

/* Appends the bytes of the frame at `*offset` to `out` and moves on. Returns its items, 0 at the
 * end, or -errno; -EBADMSG: damaged, or cut off. */
int64_t spool_segment_read(int fd, uint64_t *offset, struct byte_writer *out);

/* Fills in the bytes and items of whole frames from `offset` on. True: nothing is behind them. */
bool spool_segment_scan(struct spool_segment *segment, int fd, uint64_t offset);
