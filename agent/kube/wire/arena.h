#pragma once

#include <stddef.h>

/*
 * Memory for one message: allocations are a pointer moved on and are all given back at once. What
 * a message may take is bounded, however it is made: past the bound there is NULL.
 */
struct arena;

/* NULL: out of memory. */
struct arena *arena_new(size_t limit_bytes);
void arena_free(struct arena *arena);

/* Room for `size` bytes (0 too), aligned for any type; undefined content. NULL: none is left. */
void *arena_take(struct arena *arena, size_t size);

/* Gives everything back; keeps one block of a common size. */
void arena_reset(struct arena *arena);
