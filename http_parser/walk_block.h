#pragma once

#include "http_parser/walk_marks.h"

#include <stddef.h>
#include <string.h>

/* Blocks of a head, one after the other: loaded, and checked for being plain (walk.h). */
#define HTTP_ALWAYS_INLINE static inline __attribute__((always_inline))

/* What a block leaves open for the next one. */
struct http_walk_carry {
    uint64_t starts_line;  /* 1: the block's first byte is a field line's first */
    uint64_t in_name;      /* 1: a name goes on in the block */
    uint64_t after_return; /* 1: the byte before it is CR */
};

/* At most 64 bytes. Less, at the end, are loaded together with those before them, whose marks are
 * shifted out, or copied where there are none. */
struct http_walk_block {
    const char *at;
    const char *loaded;
    unsigned shift;
    struct http_marks marks;
};

HTTP_ALWAYS_INLINE void http_walk_load(struct http_walk_block *block, const char *bytes,
                                       const char *end, char *copy, http_marker *mark)
{
    size_t length = (size_t)(end - block->at);
    block->loaded = block->at;
    block->shift = 0;
    if (length < HTTP_BLOCK_LENGTH && end - bytes >= HTTP_BLOCK_LENGTH) {
        block->loaded = end - HTTP_BLOCK_LENGTH;
        block->shift = HTTP_BLOCK_LENGTH - (unsigned)length;
    } else if (length < HTTP_BLOCK_LENGTH) {
        memset(copy, 'x', HTTP_BLOCK_LENGTH);
        memcpy(copy, block->at, length);
        block->loaded = copy;
    }
    block->marks = mark(block->loaded);
    block->marks.feeds >>= block->shift;
    block->marks.returns >>= block->shift;
    block->marks.breaks >>= block->shift;
}

/* Whether all bytes among `kept` are plain but for the names' ends, which are found. */
HTTP_ALWAYS_INLINE bool http_walk_check(struct http_walk_carry *carry,
                                        const struct http_walk_block *block, uint64_t starts,
                                        uint64_t kept, http_odd_marker *mark_odd,
                                        uint64_t *name_ends_out)
{
    const struct http_marks *marks = &block->marks;
    /* one is added where a name begins and is carried to where it ends */
    uint64_t sum;
    carry->in_name = __builtin_add_overflow(~marks->breaks, starts | carry->in_name, &sum);
    *name_ends_out = sum & marks->breaks & kept;
    uint64_t odd = (marks->returns << 1 | carry->after_return) & ~marks->feeds;
    if (__builtin_expect(marks->has_odd, false))
        odd |= mark_odd(block->loaded) >> block->shift;
    carry->after_return = marks->returns >> (HTTP_BLOCK_LENGTH - 1);
    carry->starts_line = marks->feeds >> (HTTP_BLOCK_LENGTH - 1);
    return (odd & kept) == 0;
}
