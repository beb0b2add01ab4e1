#pragma once

#include "agent/kube/inventory/inventory_parts.h"

/*
 * What pods are named by: their annotations and labels, and the workload that owns them, through
 * its replica sets and jobs where those are known.
 */

/* The group of pods that this one is in, with a reference. 0: out of memory. */
uint32_t owners_group(struct inventory *inventory, const struct kube_meta *meta);
void owners_release_group(struct inventory *inventory, uint32_t group);

/* A replica set, job or namespace. Returns 0 or -ENOMEM. */
int owners_set(struct inventory *inventory, const struct kube_object *object);

/* A record of the table of this kind is gone. */
void owners_remove(struct inventory *inventory, enum kube_kind kind, uint32_t holder);

/* Before a directory is made: makes stale what the pods of renamed groups are at. Returns 0 or
 * -ENOMEM, and then it has to be called again. */
int owners_refresh(struct inventory *inventory);

/* The name that all of the namespace's services have for their namespace (a text). */
uint32_t owners_namespace(const struct inventory *inventory, uint32_t namespace);

static inline struct group *owners_at(const struct inventory *inventory, uint32_t group)
{
    return table_at(&inventory->groups, group);
}
