#pragma once

#include "agent/base/address.h"
#include "agent/kube/directory/perfect_hash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * The addresses of one family whose hashes begin alike, and who is there; immutable, shared by
 * successive directories.
 */
#define SHARD_BITS 9 /* of the hash; a directory has so many shards for each family */
#define SHARDS (1u << SHARD_BITS)

struct shard;

/* Who is at an address; all references are to names of the directory's store. */
struct shard_place {
    int64_t since_ns;
    uint32_t role;
    uint32_t pod;
    uint32_t node;
    uint16_t port; /* 0: all for which there is no other place */
    uint8_t pod_length;
    uint8_t node_length;
};

struct shard_row {
    struct address address;
    struct shard_place place;
};

/* Random: who writes services or slices chooses addresses, and must not know which collide. */
struct shard_seed {
    uint64_t words[2];
};

/* Its first half is what the inventory's sites are found by: those of a shard follow each other. */
static inline uint64_t shard_hash(const struct address *address, const struct shard_seed *seed)
{
    uint64_t words[2];
    memcpy(words, address->bytes, sizeof(words));
    __extension__ unsigned __int128 product = words[0] ^ seed->words[0];
    product *= words[1] ^ seed->words[1];
    uint64_t hash = (uint64_t)product ^ (uint64_t)(product >> 64);
    hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
    return hash ^ hash >> 32;
}

static inline uint32_t shard_of(uint64_t hash)
{
    return (uint32_t)(hash >> (64 - SHARD_BITS));
}

/* The rows of an address follow each other, the one for port 0 first. Held once. NULL: out of
 * memory. */
struct shard *shard_new(const struct shard_row *rows, size_t count, bool ipv4,
                        const struct shard_seed *seed);

/* Any thread. The last release frees it; NULL is fine. */
void shard_acquire(struct shard *shard);
void shard_release(struct shard *shard);

/* Where its addresses are, in memory of the shard's or in a copy of that. */
struct perfect_hash shard_index(const struct shard *shard);

/* Any thread: the place of the port or of all others, NULL when nobody knows the address. */
const struct shard_place *shard_find(const struct shard *shard, const struct perfect_hash *index,
                                     const struct endpoint *endpoint, uint64_t hash);

/* All places, in any order: the next one from `*at`, which begins with 0 and moves on; NULL: no
 * more. */
const struct shard_place *shard_next(const struct shard *shard, uint32_t *at);
