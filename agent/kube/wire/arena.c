#include "agent/kube/wire/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

/*
 * A list of blocks, newest first. The first block holds every ordinary object and stays; a larger
 * object gets further ones, which a reset frees, so that one big object is not paid for forever.
 */
#define FIRST_BLOCK_SIZE ((size_t)256 << 10)

struct block {
    struct block *older;
    size_t size;
    alignas(max_align_t) uint8_t bytes[];
};

struct arena {
    struct block *newest;
    size_t used;  /* of the newest block */
    size_t taken; /* by all blocks */
    size_t limit;
};

static struct block *add_block(struct arena *arena, size_t size)
{
    if (size > arena->limit - arena->taken) {
        return NULL;
    }
    struct block *block = malloc(sizeof(*block) + size);
    if (block == NULL) {
        return NULL;
    }
    *block = (struct block){.older = arena->newest, .size = size};
    arena->newest = block;
    arena->used = 0;
    arena->taken += size;
    return block;
}

struct arena *arena_new(size_t limit_bytes)
{
    struct arena *arena = calloc(1, sizeof(*arena));
    if (arena == NULL) {
        return NULL;
    }
    arena->limit = limit_bytes;
    size_t first = limit_bytes < FIRST_BLOCK_SIZE ? limit_bytes : FIRST_BLOCK_SIZE;
    if (add_block(arena, first) == NULL) {
        free(arena);
        return NULL;
    }
    return arena;
}

void arena_free(struct arena *arena)
{
    if (arena == NULL) {
        return;
    }
    while (arena->newest != NULL) {
        struct block *older = arena->newest->older;
        free(arena->newest);
        arena->newest = older;
    }
    free(arena);
}

/* Blocks double, so that their number stays small; the last one may be just what is left. */
static struct block *grow(struct arena *arena, size_t size)
{
    size_t left = arena->limit - arena->taken;
    size_t wanted = arena->newest->size * 2;
    if (wanted < size) {
        wanted = size;
    }
    return add_block(arena, wanted > left && size <= left ? left : wanted);
}

void *arena_take(struct arena *arena, size_t size)
{
    const size_t unit = alignof(max_align_t);
    if (size > arena->limit) {
        return NULL;
    }
    /* No two allocations share an address. */
    size_t rounded = size == 0 ? unit : (size + unit - 1) / unit * unit;
    if (rounded > arena->newest->size - arena->used && grow(arena, rounded) == NULL) {
        return NULL;
    }
    void *taken = arena->newest->bytes + arena->used;
    arena->used += rounded;
    return taken;
}

void arena_reset(struct arena *arena)
{
    while (arena->newest->older != NULL) {
        struct block *older = arena->newest->older;
        arena->taken -= arena->newest->size;
        free(arena->newest);
        arena->newest = older;
    }
    arena->used = 0;
}
