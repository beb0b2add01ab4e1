#pragma once

#include <stddef.h>

/*
 * Bytes that end flush against a page that cannot be read, or begin behind one: whoever reads
 * behind or before them, if only one byte, dies at once. With AddressSanitizer or without.
 */
struct guarded {
    char *mapping; /* the bytes that can be read */
    size_t capacity;
    size_t page;
};

void guarded_init(struct guarded *guarded, size_t capacity);
void guarded_fini(struct guarded *guarded);

/* A copy of at most `capacity` bytes; the last copy's place is taken. */
const char *guarded_copy(struct guarded *guarded, const char *bytes, size_t length);

/* The same, flush with the page before. */
const char *guarded_copy_front(struct guarded *guarded, const char *bytes, size_t length);
