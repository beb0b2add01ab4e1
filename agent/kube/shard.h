#pragma once

#include "agent/base/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

uint32_t shard_hash(const struct address *address);

static inline uint32_t shard_of(uint32_t hash)
{
    return hash >> (32 - SHARD_BITS);
}

/* The rows of an address follow each other, the one for port 0 first. Held once. NULL: out of
 * memory. */
struct shard *shard_new(const struct shard_row *rows, size_t count, bool ipv4);

/* Any thread. The last release frees it; NULL is fine. */
void shard_acquire(struct shard *shard);
void shard_release(struct shard *shard);

/* Any thread: the place of the port or of all others, NULL when nobody knows the address. */
const struct shard_place *shard_find(const struct shard *shard, const struct endpoint *endpoint,
                                     uint32_t hash);

/* All places, in any order. */
const struct shard_place *shard_places(const struct shard *shard, size_t *count_out);
