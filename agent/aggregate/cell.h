#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Numbers with one writer and any number of readers. The writer reads its own values plainly and
 * stores with release; readers load with acquire. With the sequence number of a record (see
 * series_table.h) around several cells, a reader that saw any new cell also sees that the record
 * changed. On x86-64 all of these are plain moves.
 */
static inline void cell_set(uint64_t *cell, uint64_t value)
{
    __atomic_store_n(cell, value, __ATOMIC_RELEASE);
}

static inline void cell_add(uint64_t *cell, uint64_t amount)
{
    cell_set(cell, *cell + amount);
}

static inline uint64_t cell_get(const uint64_t *cell)
{
    return __atomic_load_n(cell, __ATOMIC_ACQUIRE);
}

static inline void cell_set_all(uint64_t *cells, const uint64_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cell_set(&cells[i], values[i]);
    }
}

static inline void cell_get_all(const uint64_t *cells, uint64_t *values_out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        values_out[i] = cell_get(&cells[i]);
    }
}
