#pragma once

#include "agent/kube/inventory/inventory_parts.h"

/* Who an endpoint's address is. */
enum slices_endpoint {
    SLICES_POD,   /* a known pod */
    SLICES_ALONE, /* nobody that is known by another name */
    SLICES_STALE  /* it was a pod's whose address is another's now */
};

int slices_set(struct inventory *inventory, const struct kube_object *object);

/* A record of the table of endpoint slices is gone. */
void slices_remove(struct inventory *inventory, uint32_t slice);
uint32_t slices_find(const struct inventory *inventory, uint32_t namespace, uint32_t name);

/* `endpoint` is a claim of an endpoint slice; `pod` the one that has the address alone, or 0, and
 * becomes that of the endpoint. */
enum slices_endpoint slices_pod_of(const struct inventory *inventory, const struct claim *endpoint,
                                   uint32_t *pod);

/* Whether the slice is of this port, by name. */
bool slices_have(const struct inventory *inventory, const struct claim *endpoint, uint16_t port);

/* The same, or of every port, as for port 0. */
bool slices_cover(const struct inventory *inventory, const struct claim *endpoint, uint16_t port);

static inline struct endpoint_slice *slices_at(const struct inventory *inventory, uint32_t slice)
{
    return table_at(&inventory->slices, slice);
}
