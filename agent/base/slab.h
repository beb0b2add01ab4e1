#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Objects of one size from one region that is reserved at the start: taking and giving back never
 * calls malloc, and the region's pages cost memory only once they are used. A full slab refuses and
 * counts. One thread uses a slab; another may read its counters only through what that thread
 * publishes.
 */
struct slab {
    void *region;
    void *free_list;
    size_t object_size;
    size_t region_size;
    uint32_t capacity;
    uint32_t used;
    uint32_t touched; /* objects ever handed out: those behind were never written */
    uint64_t refused;
};

/* Reserves room for `capacity` objects. Returns 0 or -ENOMEM. */
int slab_init(struct slab *slab, size_t object_size, uint32_t capacity);
void slab_fini(struct slab *slab);

/* An object with undefined content, or NULL (counted in `refused`) when all are in use. */
void *slab_take(struct slab *slab);

/* Gives back what slab_take returned; NULL is fine. */
void slab_give(struct slab *slab, void *object);

/* The place of an object that is in use, stable while it is; and back. */
static inline uint32_t slab_index(const struct slab *slab, const void *object)
{
    return (uint32_t)((size_t)((const char *)object - (const char *)slab->region) /
                      slab->object_size);
}

static inline void *slab_at(const struct slab *slab, uint32_t index)
{
    return (char *)slab->region + slab->object_size * index;
}

/* Whether the object lies in this slab's region. */
static inline bool slab_owns(const struct slab *slab, const void *object)
{
    uintptr_t at = (uintptr_t)object;
    return at >= (uintptr_t)slab->region && at - (uintptr_t)slab->region < slab->region_size;
}
