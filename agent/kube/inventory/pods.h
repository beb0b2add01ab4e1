#pragma once

#include "agent/kube/inventory/inventory_parts.h"

int pods_set(struct inventory *inventory, const struct kube_object *object, int64_t now_ns);

/* A record of the table of pods is gone. */
void pods_remove(struct inventory *inventory, uint32_t pod);

/* The pod of this name; 0: none. */
uint32_t pods_find(const struct inventory *inventory, uint32_t namespace, uint32_t name);

/* What the API server knows the pod by beside its name. */
uint64_t pods_uid(struct slice uid);

static inline struct pod *pods_at(const struct inventory *inventory, uint32_t pod)
{
    return table_at(&inventory->pods, pod);
}
