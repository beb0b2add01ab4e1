#pragma once

#include "agent/kube/directory/directory_parts.h"
#include "agent/kube/inventory/inventory.h"
#include "agent/kube/inventory/records.h"

enum owner_kind { /* kinds that have a meaning here, as texts */
    OWNER_DEPLOYMENT,
    OWNER_REPLICA_SET,
    OWNER_JOB,
    OWNER_POD,
    OWNER_NODE,
    OWNER_SERVICE,
    OWNER_KINDS
};

/* For the files that keep the records; inventory.h is for all others. */
struct inventory {
    struct name_store *store;
    struct table pods;
    struct table groups;
    struct table services;
    struct table slices;
    struct table holders[KUBE_KINDS]; /* of nodes, namespaces, replica sets and jobs */
    struct table sites;
    struct pool claims;
    struct pool ports;
    struct pool ranges;
    uint32_t kinds[OWNER_KINDS];
    uint16_t rounds[KUBE_KINDS];
    bool name_by_app_label;
    size_t room; /* bytes that records and texts may still take */

    /* What has to be done for the next directory. */
    bool changed;
    bool groups_stale;
    bool pods_renamed;
    bool prefixes_stale;
    bool node_ports_stale;
    uint32_t stale_services;
    bool shards_stale[DIRECTORY_FAMILIES][SHARDS];

    struct directory_parts parts;  /* of the last directory, or newer */
    struct prefix *fixed_prefixes; /* configured names and ranges */
    size_t fixed_count;
    uint64_t port_seen[65536 / 64]; /* of the address whose ports are collected */
    struct shard_row *rows;         /* of the shard that is being made */
    size_t row_count;
    size_t row_capacity;
};

static inline struct texts *inventory_texts(const struct inventory *inventory)
{
    return &inventory->store->texts;
}
