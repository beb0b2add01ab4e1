#pragma once

#include "agent/base/slab.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The beginning of a message head whose end has not come yet. */
struct partial {
    size_t length;
    size_t capacity;
    uint64_t offset;      /* of the first byte in the stream */
    uint64_t peer_offset; /* what its sender had received by then */
    int64_t time_ns;
    char bytes[];
};

/* Buffers for partial heads in two sizes: most heads that are cut are short, the long ones are rare
 * and bounded by what is accepted as a head at all. */
struct partial_store {
    struct slab small;
    struct slab large;
    size_t max_head_bytes;
};

/* Returns 0 or -ENOMEM. */
int partial_store_init(struct partial_store *store, uint64_t bytes, size_t max_head_bytes);
void partial_store_fini(struct partial_store *store);

/* Adds bytes behind what `*partial` (NULL: nothing yet) holds, moving it to a larger buffer where
 * needed, as many as the bound leaves room for. Returns how many; 0: none, or no buffer is free,
 * counted, and `*partial` is unchanged. */
size_t partial_append(struct partial_store *store, struct partial **partial, const char *bytes,
                      size_t length);

/* Gives it back and sets it to NULL. */
void partial_drop(struct partial_store *store, struct partial **partial);
