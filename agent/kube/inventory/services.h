#pragma once

#include "agent/kube/inventory/inventory_parts.h"

/*
 * Services, and the endpoint slices that say who is behind them. Either may come first: a service
 * has a record while it or one of its slices is known.
 */
int services_set(struct inventory *inventory, const struct kube_object *object, int64_t now_ns);

/* The service itself is gone; its slices may stay. */
void services_remove(struct inventory *inventory, uint32_t service);
uint32_t services_find(const struct inventory *inventory, uint32_t namespace, uint32_t name);

/* The record, made when there is none; stale. 0: out of memory. */
uint32_t services_get(struct inventory *inventory, uint32_t namespace, uint32_t name);

/* Its face may have to change: a slice's endpoint did, or what its namespace is called. */
void services_note(struct inventory *inventory, uint32_t service);
void services_note_endpoint(struct inventory *inventory, uint32_t slice);
void services_note_namespace(struct inventory *inventory, uint32_t namespace);

/* Before a directory is made: gives the stale ones their faces, which makes their addresses stale.
 * Returns 0 or -ENOMEM, and then it has to be called again. */
int services_refresh(struct inventory *inventory);

/* The name, with a reference, of the service itself or of what a workload (a name) is in front of
 * which it stands. 0: out of memory. */
uint32_t services_name(struct inventory *inventory, uint32_t service);
uint32_t services_name_of(struct inventory *inventory, uint32_t service, uint32_t workload);

/* Whether the first is before the second: by namespace, then name. */
bool services_before(const struct inventory *inventory, uint32_t first, uint32_t second);

static inline struct service *services_at(const struct inventory *inventory, uint32_t service)
{
    return table_at(&inventory->services, service);
}
