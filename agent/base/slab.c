#include "agent/base/slab.h"

#include <errno.h>
#include <stdalign.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define SLAB_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLAB_POISONS 1
#endif
#endif
#ifdef SLAB_POISONS
#include <sanitizer/asan_interface.h>
#define POISON(object, size) ASAN_POISON_MEMORY_REGION(object, size)
#define UNPOISON(object, size) ASAN_UNPOISON_MEMORY_REGION(object, size)
#else
#define POISON(object, size) ((void)(object), (void)(size))
#define UNPOISON(object, size) ((void)(object), (void)(size))
#endif

struct free_object {
    struct free_object *next;
};

static size_t rounded_up(size_t size, size_t to)
{
    return (size + to - 1) / to * to;
}

int slab_init(struct slab *slab, size_t object_size, uint32_t capacity)
{
    if (object_size < sizeof(struct free_object)) {
        object_size = sizeof(struct free_object);
    }
    object_size = rounded_up(object_size, alignof(max_align_t));
    size_t region_size = object_size * (capacity == 0 ? 1 : capacity);
    void *region = mmap(NULL, region_size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED) {
        return -ENOMEM;
    }
    POISON(region, region_size);
    *slab = (struct slab){.region = region,
                          .object_size = object_size,
                          .region_size = region_size,
                          .capacity = capacity};
    return 0;
}

void slab_fini(struct slab *slab)
{
    if (slab->region != NULL) {
        UNPOISON(slab->region, slab->region_size);
        munmap(slab->region, slab->region_size);
    }
    *slab = (struct slab){0};
}

void *slab_take(struct slab *slab)
{
    struct free_object *object = slab->free_list;
    if (object != NULL) {
        UNPOISON(object, slab->object_size);
        slab->free_list = object->next;
    } else if (slab->touched < slab->capacity) {
        object = (void *)((char *)slab->region + slab->object_size * slab->touched);
        UNPOISON(object, slab->object_size);
        slab->touched++;
    } else {
        slab->refused++;
        return NULL;
    }
    slab->used++;
    return object;
}

void slab_give(struct slab *slab, void *object)
{
    if (object == NULL) {
        return;
    }
    struct free_object *freed = object;
    freed->next = slab->free_list;
    slab->free_list = freed;
    slab->used--;
    POISON(object, slab->object_size);
}
