#pragma once

#include "agent/kube/directory/pool.h"

/*
 * Records found by a hash, which the caller makes and compares: a chain for each value of the
 * hash's first bits, so all records of a range of hashes lie in neighbouring chains. Every record
 * begins with a struct table_link. One thread.
 */
struct table_link {
    uint32_t next;
    uint32_t hash;
};

struct table {
    struct pool pool;
    uint32_t *heads;
    unsigned bits; /* 1 << bits heads, once there are any */
    uint32_t count;
};

/* Of a table that is all zeros. */
void table_init(struct table *table, size_t record_size);
void table_fini(struct table *table);

/* A record of zeros but for its link; 0: out of memory. */
uint32_t table_add(struct table *table, uint32_t hash);
void table_remove(struct table *table, uint32_t index);

/* Takes the record out of its chain, not out of the pool: it can be read, no longer be found. */
void table_unlink(struct table *table, uint32_t index);

/* Visits all records, from `index` 0 until 0; the one before may be removed meanwhile, none added.
 */
uint32_t table_next(const struct table *table, uint32_t index);

static inline void *table_at(const struct table *table, uint32_t index)
{
    return pool_at(&table->pool, index);
}

static inline const struct table_link *table_link(const struct table *table, uint32_t index)
{
    return table_at(table, index);
}

static inline uint32_t table_chain(const struct table *table, uint32_t hash)
{
    return table->bits == 0 ? 0 : hash >> (32 - table->bits);
}

/* The record after `index`, or with 0 the first, that has this hash; 0: no more. */
static inline uint32_t table_find(const struct table *table, uint32_t hash, uint32_t index)
{
    if (table->heads == NULL) {
        return 0;
    }
    index = index == 0 ? table->heads[table_chain(table, hash)] : table_link(table, index)->next;
    while (index != 0 && table_link(table, index)->hash != hash) {
        index = table_link(table, index)->next;
    }
    return index;
}

/* Mixes one more number into a hash. */
static inline uint32_t table_hash(uint32_t hash, uint32_t number)
{
    uint64_t mixed = ((uint64_t)hash << 32 | number) * 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ mixed >> 29) * 0xd6e8feb86659fd93u;
    return (uint32_t)(mixed >> 32);
}
