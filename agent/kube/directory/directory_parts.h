#pragma once

#include "agent/kube/directory.h"
#include "agent/kube/directory/name_store.h"
#include "agent/kube/directory/port_table.h"
#include "agent/kube/directory/prefix_table.h"
#include "agent/kube/directory/shard.h"

/* What a directory is made of, each shared with others; for who makes directories. */
enum directory_family {
    DIRECTORY_IPV4,
    DIRECTORY_IPV6,
    DIRECTORY_FAMILIES
};

struct directory_parts {
    struct name_store *store;
    struct prefix_table *prefixes;
    struct port_table *node_ports;
    struct shard *shards[DIRECTORY_FAMILIES][SHARDS]; /* NULL: nobody there */
};

struct directory_shard {
    struct perfect_hash index; /* in the directory's `indexes` */
    struct shard *shard;       /* NULL: nobody there */
};

struct directory {
    struct shard_seed seed; /* the store's */
    struct name_store *store;
    struct prefix_table *prefixes;
    struct port_table *node_ports;
    struct name_epoch *epoch;
    bool any_shard;
    bool any_whole[DIRECTORY_FAMILIES]; /* prefixes that are whole addresses */
    uint32_t readers; /* counted by the source that published it, under its lock */
    struct directory_shard shards[DIRECTORY_FAMILIES][SHARDS];
    uint8_t indexes[];
};

/* A directory that holds all of the parts, beside who gave them. NULL: out of memory. */
struct directory *directory_assemble(const struct directory_parts *parts);

/* Names the configured entries and makes prefixes of them. False: out of memory. */
bool directory_name_entries(struct name_store *store, const struct directory_entry *entries,
                            size_t count, struct prefix *prefixes_out);
