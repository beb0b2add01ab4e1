#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Records of one size that are named by their index, from 1; 0 is none. They live in chunks that
 * never move, so others may read a record while more are taken. One thread takes and gives.
 */
#define POOL_CHUNK_BITS 12
#define POOL_CHUNKS 4096

struct pool {
    size_t record_size;
    uint32_t touched; /* records that were ever taken */
    uint32_t free;    /* the first of those that were given back */
    size_t *room;     /* bytes that chunks may still take, of several pools; NULL: any number */
    char *chunks[POOL_CHUNKS];
};

/* Of a pool that is all zeros. `record_size` is a multiple of the record's alignment, from 4. */
void pool_init(struct pool *pool, size_t record_size);
void pool_fini(struct pool *pool);

/* A record of zeros; 0: out of memory. */
uint32_t pool_take(struct pool *pool);

/* Gives back what pool_take returned; 0 is fine. */
void pool_give(struct pool *pool, uint32_t index);

/* With a size that the compiler knows: as quick as an array. */
static inline void *pool_at_size(const struct pool *pool, uint32_t index, size_t record_size)
{
    const uint32_t mask = (1u << POOL_CHUNK_BITS) - 1;
    return pool->chunks[index >> POOL_CHUNK_BITS] + (index & mask) * record_size;
}

static inline void *pool_at(const struct pool *pool, uint32_t index)
{
    return pool_at_size(pool, index, pool->record_size);
}
