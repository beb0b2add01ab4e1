#pragma once

#include "agent/kube/inventory/inventory_parts.h"

int nodes_set(struct inventory *inventory, const struct kube_object *object, int64_t now_ns);

/* A record of the table of nodes is gone. */
void nodes_remove(struct inventory *inventory, uint32_t node);

/* How many ranges all nodes have, and the ranges as prefixes of awaited addresses. */
size_t nodes_count_ranges(const struct inventory *inventory);
void nodes_copy_ranges(const struct inventory *inventory, struct prefix *prefixes_out);
