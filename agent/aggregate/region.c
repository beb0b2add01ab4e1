#include "agent/aggregate/region.h"

#include <stdbool.h>
#include <sys/mman.h>

/* The largest power of two of 32 bits: indexes do not grow beyond it. */
#define INDEX_SIZE_MAX (UINT32_C(1) << 31)

static size_t bytes_of(size_t count, size_t size)
{
    return (count == 0 ? 1 : count) * size;
}

void *region_reserve(size_t count, size_t size)
{
    if (count > SIZE_MAX / 2 / size) {
        return NULL;
    }
    void *region = mmap(NULL, bytes_of(count, size), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return region == MAP_FAILED ? NULL : region;
}

void region_free(void *region, size_t count, size_t size)
{
    if (region != NULL) {
        munmap(region, bytes_of(count, size));
    }
}

uint32_t region_index_size(uint32_t capacity)
{
    uint32_t size = 16;
    while (size / 2 < capacity && size < INDEX_SIZE_MAX) {
        size *= 2;
    }
    return size;
}

/* Whether an entry at `position` may be moved to the hole before it: its home is not between. */
static bool may_fill(uint32_t home, uint32_t hole, uint32_t position, uint32_t mask)
{
    return ((position - home) & mask) >= ((position - hole) & mask);
}

void region_index_remove(uint32_t *index, uint32_t index_size, uint32_t position,
                         uint32_t (*hash_of)(const void *context, uint32_t entry),
                         const void *context)
{
    uint32_t mask = index_size - 1;
    uint32_t hole = position;
    index[hole] = 0;
    for (uint32_t i = (hole + 1) & mask; index[i] != 0; i = (i + 1) & mask) {
        if (may_fill(hash_of(context, index[i]) & mask, hole, i, mask)) {
            index[hole] = index[i];
            index[i] = 0;
            hole = i;
        }
    }
}
