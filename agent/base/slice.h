#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* A run of bytes that somebody else owns; not terminated, may hold any byte. */
struct slice {
    const char *data;
    size_t length;
};

/* A slice over a string literal or any terminated string. The string stays the caller's. */
static inline struct slice slice_of(const char *string)
{
    return (struct slice){string, strlen(string)};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}
