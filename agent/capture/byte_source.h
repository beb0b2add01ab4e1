#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The content of a file or of standard input from front to back, gzip undone, through one buffer
 * of fixed size: a peek hands out a pointer into the buffer, so a record that lies in it whole is
 * never copied.
 */
struct byte_source {
    const uint8_t *at; /* the next byte of the content */
    size_t left;       /* bytes buffered from there */
    uint64_t offset;   /* of `at` in the content */
    bool finished;     /* nothing follows what is buffered */
    char fault[128];   /* why it finished early; "" for a clean end */

    uint8_t *buffer;
    struct gunzip *gunzip; /* NULL: stored plainly */
    int descriptor;
    bool owns_descriptor;
    uint64_t stored_position;
    uint64_t stored_size; /* 0: not known */
};

/* Longest run that can be peeked: the largest record with its header and options. */
#define BYTE_SOURCE_PEEK_MAX ((size_t)1536 << 10)

/* Opens a file, "-" for standard input. Returns 0 or -errno. */
int byte_source_open(struct byte_source *source, const char *path);
void byte_source_close(struct byte_source *source);

/* Reads on until `length` bytes are buffered; see byte_source_peek. */
const uint8_t *byte_source_fill(struct byte_source *source, size_t length);

/* The next `length` (at most BYTE_SOURCE_PEEK_MAX) bytes, not consumed, or NULL when fewer follow;
 * `left` then says how many do. The pointer lives until the next peek. */
static inline const uint8_t *byte_source_peek(struct byte_source *source, size_t length)
{
    return length <= source->left ? source->at : byte_source_fill(source, length);
}

/* Consumes bytes that a peek returned. */
static inline void byte_source_skip(struct byte_source *source, size_t length)
{
    source->at += length;
    source->left -= length;
    source->offset += length;
}

/* Consumes any number of bytes; false when fewer follow. */
bool byte_source_discard(struct byte_source *source, uint64_t length);
