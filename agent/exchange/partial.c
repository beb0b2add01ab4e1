#include "agent/exchange/partial.h"

#include <string.h>

/* A head cut at a segment's end seldom exceeds two Ethernet segments. */
#define SMALL_BYTES 4096
/* The share of the memory that goes to small buffers: many slow clients, few long heads. */
#define SMALL_SHARE 2

int partial_store_init(struct partial_store *store, uint64_t bytes, size_t max_head_bytes)
{
    uint64_t small = bytes / SMALL_SHARE / SMALL_BYTES;
    uint64_t large_size = sizeof(struct partial) + max_head_bytes;
    uint64_t large = (bytes - bytes / SMALL_SHARE) / large_size;
    *store = (struct partial_store){.max_head_bytes = max_head_bytes};
    int status = slab_init(&store->small, SMALL_BYTES, small < 4 ? 4 : (uint32_t)small);
    if (status == 0) {
        status = slab_init(&store->large, large_size, large < 4 ? 4 : (uint32_t)large);
    }
    if (status != 0) {
        partial_store_fini(store);
    }
    return status;
}

void partial_store_fini(struct partial_store *store)
{
    slab_fini(&store->small);
    slab_fini(&store->large);
}

static struct partial *take(struct partial_store *store, size_t length)
{
    bool small = length <= SMALL_BYTES - sizeof(struct partial);
    struct partial *partial = slab_take(small ? &store->small : &store->large);
    if (partial != NULL) {
        partial->capacity = small ? SMALL_BYTES - sizeof(struct partial)
                                  : store->large.object_size - sizeof(struct partial);
        partial->length = 0;
    }
    return partial;
}

static void give(struct partial_store *store, struct partial *partial)
{
    bool small = slab_owns(&store->small, partial);
    slab_give(small ? &store->small : &store->large, partial);
}

size_t partial_append(struct partial_store *store, struct partial **partial, const char *bytes,
                      size_t length)
{
    struct partial *old = *partial;
    size_t held = old == NULL ? 0 : old->length;
    size_t room = store->max_head_bytes - held;
    size_t added = length < room ? length : room;
    struct partial *target = old;
    if (added == 0) {
        store->large.refused++;
        return 0;
    }
    if (old == NULL || old->capacity - held < added) {
        target = take(store, held + added);
        if (target == NULL) {
            return 0;
        }
    }
    if (old != NULL && target != old) {
        target->offset = old->offset;
        target->peer_offset = old->peer_offset;
        target->time_ns = old->time_ns;
        memcpy(target->bytes, old->bytes, held);
        give(store, old);
    }
    memcpy(target->bytes + held, bytes, added);
    target->length = held + added;
    *partial = target;
    return added;
}

void partial_drop(struct partial_store *store, struct partial **partial)
{
    if (*partial != NULL) {
        give(store, *partial);
        *partial = NULL;
    }
}
