#pragma once

#include "agent/base/slab.h"
#include "agent/tcp/flow.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * All flows of a worker: found by interface, addresses and ports, and kept in two lists, oldest
 * first. Flows that never carried payload (and those that linger after their end) have a share of
 * their own, so a SYN flood pushes out only its like.
 */
struct flow_slot {
    uint32_t hash;
    uint32_t index; /* in the slab plus one; 0: free */
};

struct flow_list {
    struct flow *first;
    struct flow *last;
    uint32_t count;
    uint32_t limit;
};

struct flow_table {
    struct slab flows;
    struct flow_slot *slots;
    uint32_t slot_mask;
    uint64_t seed[2]; /* peers choose addresses and ports; they do not know this */
    struct flow_list lists[FLOW_LISTS];
};

/* Room for `limit` flows, a quarter of them without payload; each with `user_size` bytes. Returns
 * 0 or -errno. */
int flow_table_init(struct flow_table *table, uint32_t limit, size_t user_size);
void flow_table_fini(struct flow_table *table);

/* The key of a segment's flow, and the side that sent it. */
struct flow_key flow_key_of(const struct segment *segment, unsigned *side_out);

/* NULL: there is none. */
struct flow *flow_table_find(const struct flow_table *table, const struct flow_key *key);

/* A new, zeroed flow in the empty list; call flow_table_victim first. NULL: full. */
struct flow *flow_table_insert(struct flow_table *table, const struct flow_key *key,
                               int64_t now_ns);

/* The flow to close and remove before another enters this list; NULL: there is room. */
struct flow *flow_table_victim(struct flow_table *table, enum flow_list_name list);

/* Puts the flow at the end of a list. */
void flow_table_list(struct flow_table *table, struct flow *flow, enum flow_list_name list,
                     int64_t now_ns);

void flow_table_remove(struct flow_table *table, struct flow *flow);
