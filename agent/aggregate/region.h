#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * What the tables of a shard are made of: zeroed memory reserved at the start, whose pages cost
 * nothing until they are written, and open-addressed indexes of 32-bit entries (0 is empty).
 */

/* NULL: no room. `count` 0 is fine. */
void *region_reserve(size_t count, size_t size);
void region_free(void *region, size_t count, size_t size);

/* Size of an index for this many entries: a power of two, at most half full. */
uint32_t region_index_size(uint32_t capacity);

/* Empties a position of an index and closes the hole behind it; `hash_of` says where an entry
 * belongs. */
void region_index_remove(uint32_t *index, uint32_t index_size, uint32_t position,
                         uint32_t (*hash_of)(const void *context, uint32_t entry),
                         const void *context);

/* One step of a hash: the halves of a product, folded, so that every bit of the value reaches all
 * bits of the result. The constant is 2^64 divided by the golden ratio, made odd. */
static inline uint64_t region_fold(uint64_t value)
{
    const uint64_t odd = 0x9e3779b97f4a7c15U;
    uint64_t high = value * odd;
    high ^= high >> 32;
    return high * odd;
}
