#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * A block is 64 bytes, and a mark of it is a bit of a word, the first byte's lowest. Making marks
 * is all that differs between processors.
 */
#define HTTP_BLOCK_LENGTH 64

struct http_marks {
    uint64_t feeds;   /* LF */
    uint64_t returns; /* CR */
    uint64_t breaks;  /* in no name; not CR, nor what has_odd tells of */
    bool has_odd;     /* among the bytes are control characters other than TAB, CR and LF */
};

/* Of the block at `at`; the second marks the characters that has_odd tells of. */
typedef struct http_marks http_marker(const char *at);
typedef uint64_t http_odd_marker(const char *at);

/*
 * A byte's class is what the entries of its low and of its high four bits have in common: no bit
 * for what is in no name, bytes from 0x80 among it. Of the token characters (RFC 9110 section
 * 5.6.2) that nobody uses in names, `^|~ have none: heads with them are odd, which costs time only.
 * CR has the highest bit.
 */
#define HTTP_CLASS_ODD 0x70

static const uint8_t http_class_low[16] = {0x3a, 0x3f, 0x3e, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
                                           0x3e, 0x2e, 0x2d, 0x35, 0x34, 0xa5, 0x35, 0x7c};
static const uint8_t http_class_high[16] = {0x90, 0x20, 0x01, 0x02, 0x04, 0x08, 0x04, 0x48};
