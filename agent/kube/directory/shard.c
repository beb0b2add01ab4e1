#include "agent/kube/directory/shard.h"

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>

/*
 * Nothing is ever added, so addresses have a perfect hash: a look-up computes the one slot where an
 * address can be, and waits for one line of the slots' memory. What it computes that from is an
 * index of a byte and a half for each address. A directory has copies of all its shards' indexes
 * side by side: so they stay in the cache, and unknown addresses do not get further than these.
 *
 * Behind the slots lie rows for single ports, as lists, and the addresses that are homeless in the
 * index.
 */
#define LINE 64

struct slot {
    struct shard_place place;
    uint32_t key;  /* IPv4's address; of IPv6's the end, the whole is in `keys` */
    uint32_t next; /* row for a single port of the same address; 0: none */
};

static_assert(LINE % sizeof(struct slot) == 0, "a slot lies in one line");

struct shard {
    struct perfect_hash index;
    struct address *keys; /* NULL: IPv4 */
    uint32_t rows;        /* slots, and what lies behind them */
    atomic_uint holders;
    alignas(LINE) struct slot slots[]; /* then keys and index */
};

/* What is known of the rows while a shard is made of them. */
struct plan {
    const struct shard_row *rows;
    uint32_t count;
    uint32_t addresses;
    uint32_t homeless;
    uint32_t *firsts; /* of each address the first row, and one more */
    uint64_t *hashes;
    uint32_t *places;
    uint8_t *pilots;
};

/* The bits that chose the shard are alike for all in it. */
static uint64_t rest_of(uint64_t hash)
{
    return hash << SHARD_BITS | hash >> (64 - SHARD_BITS);
}

static uint32_t key_of(const struct address *address)
{
    uint32_t key = 0;
    memcpy(&key, address->bytes + sizeof(address->bytes) - sizeof(key), sizeof(key));
    return key;
}

static inline bool is_at(const struct shard *shard, uint32_t at, const struct address *address)
{
    return shard->slots[at].key == key_of(address) &&
           (shard->keys == NULL || address_equal(&shard->keys[at], address));
}

static void plan_fini(struct plan *plan)
{
    free(plan->firsts);
    free(plan->hashes);
    free(plan->places);
    free(plan->pilots);
}

static bool plan_init(struct plan *plan, const struct shard_row *rows, size_t count)
{
    *plan = (struct plan){.rows = rows};
    if (count > PERFECT_HASH_MOST) {
        return false;
    }
    plan->count = (uint32_t)count;
    struct perfect_hash most = perfect_hash_shape(plan->count);
    plan->firsts = calloc(count + 1, sizeof(*plan->firsts));
    plan->hashes = calloc(count + 1, sizeof(*plan->hashes));
    plan->places = calloc(count + 1, sizeof(*plan->places));
    plan->pilots = calloc(1, perfect_hash_size(&most));
    return plan->firsts != NULL && plan->hashes != NULL && plan->places != NULL &&
           plan->pilots != NULL;
}

static bool plan_make(struct plan *plan, const struct shard_seed *seed)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct address *address = &plan->rows[i].address;
        if (i == 0 || !address_equal(address, &plan->rows[i - 1].address)) {
            plan->hashes[plan->addresses] = rest_of(shard_hash(address, seed));
            plan->firsts[plan->addresses++] = i;
        }
    }
    plan->firsts[plan->addresses] = plan->count;
    if (!perfect_hash_seek(plan->hashes, plan->addresses, plan->pilots, plan->places)) {
        return false;
    }
    for (uint32_t i = 0; i < plan->addresses; i++) {
        plan->homeless += plan->places[i] == PERFECT_HASH_HOMELESS;
    }
    return true;
}

/* One piece of memory. */
static struct shard *allocate(const struct plan *plan, bool ipv4)
{
    struct perfect_hash index = perfect_hash_shape(plan->addresses);
    size_t rows = (size_t)index.places + plan->count - plan->addresses + plan->homeless;
    size_t keys = ipv4 ? 0 : rows * sizeof(struct address);
    size_t size = sizeof(struct shard) + rows * sizeof(struct slot) + keys;
    size_t whole = (size + perfect_hash_size(&index) + LINE - 1) / LINE * LINE;
    char *memory = aligned_alloc(LINE, whole);
    if (memory == NULL) {
        return NULL;
    }
    memset(memory, 0, size);
    memcpy(memory + size, plan->pilots, perfect_hash_size(&index));
    index.pilots = (uint8_t *)memory + size;
    struct shard *shard = (void *)memory;
    shard->index = index;
    shard->rows = (uint32_t)rows;
    atomic_init(&shard->holders, 1);
    if (!ipv4) {
        shard->keys = (void *)(shard->slots + rows);
    }
    return shard;
}

static void put_row(struct shard *shard, uint32_t at, const struct shard_row *row)
{
    shard->slots[at].place = row->place;
    shard->slots[at].key = key_of(&row->address);
    if (shard->keys != NULL) {
        shard->keys[at] = row->address;
    }
}

/* Puts an address at its place, and what has none behind the slots, up to the new end. */
static uint32_t put_address(struct shard *shard, const struct plan *plan, uint32_t number,
                            uint32_t end)
{
    uint32_t at = plan->places[number];
    if (at == PERFECT_HASH_HOMELESS) {
        at = end++;
    }
    put_row(shard, at, &plan->rows[plan->firsts[number]]);
    for (uint32_t row = plan->firsts[number] + 1; row < plan->firsts[number + 1]; row++) {
        put_row(shard, end, &plan->rows[row]);
        shard->slots[at].next = end;
        at = end++;
    }
    return end;
}

struct shard *shard_new(const struct shard_row *rows, size_t count, bool ipv4,
                        const struct shard_seed *seed)
{
    struct plan plan;
    struct shard *shard = NULL;
    if (plan_init(&plan, rows, count) && plan_make(&plan, seed)) {
        shard = allocate(&plan, ipv4);
    }
    if (shard != NULL) {
        uint32_t end = shard->index.places;
        for (uint32_t i = 0; i < plan.addresses; i++) {
            end = put_address(shard, &plan, i, end);
        }
    }
    plan_fini(&plan);
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

struct perfect_hash shard_index(const struct shard *shard)
{
    return shard->index;
}

/* Of the rows of a homeless address the first is the one for all ports. */
static uint32_t find_homeless(const struct shard *shard, const struct address *address)
{
    uint32_t at = shard->index.places;
    while (at < shard->rows && (shard->slots[at].place.port != 0 || !is_at(shard, at, address))) {
        at++;
    }
    return at < shard->rows ? at : PERFECT_HASH_ABSENT;
}

const struct shard_place *shard_find(const struct shard *shard, const struct perfect_hash *index,
                                     const struct endpoint *endpoint, uint64_t hash)
{
    uint32_t at = perfect_hash_find(index, rest_of(hash));
    if (at == PERFECT_HASH_HOMELESS) {
        at = find_homeless(shard, &endpoint->address);
    }
    if (at == PERFECT_HASH_ABSENT || !is_at(shard, at, &endpoint->address)) {
        return NULL;
    }
    const struct slot *others = &shard->slots[at];
    if (endpoint->port != 0) {
        for (uint32_t next = others->next; next != 0; next = shard->slots[next].next) {
            if (shard->slots[next].place.port == endpoint->port) {
                return &shard->slots[next].place;
            }
        }
    }
    return &others->place;
}

const struct shard_place *shard_next(const struct shard *shard, uint32_t *at)
{
    const uint8_t *tags = shard->index.pilots + shard->index.groups;
    while (*at < shard->index.places && tags[*at] == 0) {
        (*at)++;
    }
    return *at < shard->rows ? &shard->slots[(*at)++].place : NULL;
}
