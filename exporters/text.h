#pragma once

#include <stddef.h>
#include <string.h>

/* A run of bytes that the producer owns; not terminated. */
struct text {
    const char *data;
    size_t length;
};

static inline struct text text_of(const char *string)
{
    return (struct text){string, strlen(string)};
}
