#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A run of the caller's bytes; not terminated, may hold any byte. An absent value has data NULL. */
struct http_slice {
    const char *data;
    size_t length;
};
