#pragma once

#include <stddef.h>

/*
 * Bytes that end flush against a page that cannot be read: whoever reads behind them, if only one
 * byte, dies at once. With AddressSanitizer or without.
 */
struct guarded {
    char *mapping;
    size_t mapping_size;
    size_t capacity;
};

void guarded_init(struct guarded *guarded, size_t capacity);
void guarded_fini(struct guarded *guarded);

/* A copy of at most `capacity` bytes; the last copy's place is taken. */
const char *guarded_copy(struct guarded *guarded, const char *bytes, size_t length);
