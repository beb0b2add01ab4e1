#include "agent/kube/directory/shard.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>

/*
 * Nothing is ever added, so there is no free space: keys are sorted by bucket, `starts` tells where
 * each bucket begins, and places lie in the order of their keys. With two keys to a bucket a miss
 * reads two words of `starts` and a line of keys; IPv4's keys take four bytes, which keeps all
 * that a search touches of a large cluster in the cache. A place is read on a hit only.
 */
#define KEYS_PER_BUCKET 2
#define IPV4_SIZE 4
#define IPV6_SIZE 16

struct shard {
    atomic_uint holders;
    uint32_t count;
    uint32_t buckets;
    bool ipv4;
    struct shard_place *places;
    uint8_t *keys;
    uint32_t *starts; /* one more than buckets */
};

/* The bits of the hash that did not choose the shard. */
static uint32_t bucket_of(const struct shard *shard, uint32_t hash)
{
    uint32_t rest = hash << SHARD_BITS;
    return (uint32_t)((uint64_t)rest * shard->buckets >> 32);
}

static size_t key_size(const struct shard *shard)
{
    return shard->ipv4 ? IPV4_SIZE : IPV6_SIZE;
}

static const uint8_t *key_of(const struct shard *shard, const struct address *address)
{
    return address->bytes + (shard->ipv4 ? IPV6_SIZE - IPV4_SIZE : 0);
}

/* One piece of memory, and what a search reads at its front: for that, one page is looked up. */
static struct shard *allocate(size_t count, bool ipv4)
{
    size_t buckets = count / KEYS_PER_BUCKET + 1;
    size_t starts = (buckets + 1) * sizeof(uint32_t);
    size_t keys = count * (ipv4 ? IPV4_SIZE : IPV6_SIZE);
    size_t front = sizeof(struct shard) + starts + keys;
    front = (front + alignof(struct shard_place) - 1) & ~(alignof(struct shard_place) - 1);
    char *memory =
        count >= UINT32_MAX ? NULL : calloc(1, front + count * sizeof(struct shard_place));
    if (memory == NULL) {
        return NULL;
    }
    struct shard *shard = (void *)memory;
    atomic_init(&shard->holders, 1);
    shard->count = (uint32_t)count;
    shard->buckets = (uint32_t)buckets;
    shard->ipv4 = ipv4;
    shard->starts = (void *)(memory + sizeof(*shard));
    shard->keys = (void *)(memory + sizeof(*shard) + starts);
    shard->places = (void *)(memory + front);
    return shard;
}

/* A counting sort; it keeps the order of rows in a bucket, so those of an address stay together. */
struct shard *shard_new(const struct shard_row *rows, size_t count, bool ipv4)
{
    struct shard *shard = allocate(count, ipv4);
    if (shard == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        shard->starts[bucket_of(shard, shard_hash(&rows[i].address))]++;
    }
    uint32_t end = 0;
    for (uint32_t bucket = 0; bucket <= shard->buckets; bucket++) {
        end += shard->starts[bucket];
        shard->starts[bucket] = end;
    }
    for (size_t i = count; i-- > 0;) {
        uint32_t at = --shard->starts[bucket_of(shard, shard_hash(&rows[i].address))];
        shard->places[at] = rows[i].place;
        memcpy(shard->keys + at * key_size(shard), key_of(shard, &rows[i].address),
               key_size(shard));
    }
    return shard;
}

void shard_acquire(struct shard *shard)
{
    atomic_fetch_add(&shard->holders, 1);
}

void shard_release(struct shard *shard)
{
    if (shard != NULL && atomic_fetch_sub(&shard->holders, 1) == 1) {
        free(shard);
    }
}

/* With a constant size the comparison is one or two instructions. */
static inline bool key_equal(const struct shard *shard, uint32_t at, const struct address *address)
{
    return shard->ipv4
               ? memcmp(shard->keys + (size_t)at * IPV4_SIZE,
                        address->bytes + IPV6_SIZE - IPV4_SIZE, IPV4_SIZE) == 0
               : memcmp(shard->keys + (size_t)at * IPV6_SIZE, address->bytes, IPV6_SIZE) == 0;
}

const struct shard_place *shard_find(const struct shard *shard, const struct endpoint *endpoint,
                                     uint32_t hash)
{
    uint32_t bucket = bucket_of(shard, hash);
    uint32_t at = shard->starts[bucket];
    uint32_t end = shard->starts[bucket + 1];
    __builtin_prefetch(&shard->places[at]); /* its line comes while the keys do */
    while (at < end && !key_equal(shard, at, &endpoint->address)) {
        at++;
    }
    if (at == end) {
        return NULL;
    }
    const struct shard_place *others = &shard->places[at];
    if (endpoint->port == 0) {
        return others;
    }
    while (++at < end && key_equal(shard, at, &endpoint->address)) {
        if (shard->places[at].port == endpoint->port) {
            return &shard->places[at];
        }
    }
    return others;
}

const struct shard_place *shard_places(const struct shard *shard, size_t *count_out)
{
    *count_out = shard->count;
    return shard->places;
}
