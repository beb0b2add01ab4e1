#include "agent/kube/directory/pool.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_RECORDS (1u << POOL_CHUNK_BITS)
#define LINE 64

void pool_init(struct pool *pool, size_t record_size)
{
    pool->record_size = record_size;
}

void pool_fini(struct pool *pool)
{
    for (size_t i = 0; i < POOL_CHUNKS && pool->chunks[i] != NULL; i++) {
        free(pool->chunks[i]);
        pool->chunks[i] = NULL;
    }
}

/* A record's first word links it to the next free one. */
static uint32_t take_free(struct pool *pool)
{
    uint32_t index = pool->free;
    char *record = pool_at(pool, index);
    memcpy(&pool->free, record, sizeof(pool->free));
    memset(record, 0, pool->record_size);
    return index;
}

/* Zeroed, from the start of a line of the cache: so a record of a line's size is in one. */
static char *take_lines(size_t size)
{
    char *memory = aligned_alloc(LINE, size);
    if (memory != NULL) {
        memset(memory, 0, size);
    }
    return memory;
}

static char *new_chunk(struct pool *pool)
{
    size_t size = CHUNK_RECORDS * pool->record_size;
    if (pool->room != NULL && *pool->room < size) {
        return NULL;
    }
    char *chunk = pool->record_size % LINE == 0 ? take_lines(size) : calloc(1, size);
    if (chunk != NULL && pool->room != NULL) {
        *pool->room -= size;
    }
    return chunk;
}

uint32_t pool_take(struct pool *pool)
{
    if (pool->free != 0) {
        return take_free(pool);
    }
    uint32_t index = pool->touched + 1;
    uint32_t chunk = index >> POOL_CHUNK_BITS;
    if (chunk >= POOL_CHUNKS) {
        return 0;
    }
    if (pool->chunks[chunk] == NULL) {
        pool->chunks[chunk] = new_chunk(pool);
        if (pool->chunks[chunk] == NULL) {
            return 0;
        }
    }
    pool->touched = index;
    return index;
}

void pool_give(struct pool *pool, uint32_t index)
{
    if (index != 0) {
        memcpy(pool_at(pool, index), &pool->free, sizeof(pool->free));
        pool->free = index;
    }
}
