#pragma once

#include "agent/kube/inventory/inventory_parts.h"

/*
 * Where the objects of all kinds meet: addresses, and who claims them. What changes at an address
 * makes its shard stale, and the services that have endpoints there.
 */

/* One object's addresses are renewed: those that are kept, then the rest is dropped. `claims` is
 * the head of the object's list. A claim differs from another by its kind, object, address and, of
 * endpoints, its target; it keeps its age. Returns 0 or -ENOMEM. */
int sites_keep(struct inventory *inventory, uint32_t *claims, const struct claim *claim,
               const struct address *address);
void sites_drop_rest(struct inventory *inventory, uint32_t *claims);

/* All of these addresses, which became the object's now if they are new. */
int sites_renew(struct inventory *inventory, uint32_t *claims, const struct claim *claim,
                const struct address *addresses, size_t count);

void sites_touch(struct inventory *inventory, uint32_t site);

/* Touches all addresses of an object. */
void sites_touch_claims(struct inventory *inventory, uint32_t claims);

/* The pod that has the address alone: the newest that is not on the host's network. 0: none. */
uint32_t sites_pod(const struct inventory *inventory, uint32_t site);

static inline struct claim *sites_claim(const struct inventory *inventory, uint32_t claim)
{
    return pool_at(&inventory->claims, claim);
}

static inline struct site *sites_at(const struct inventory *inventory, uint32_t site)
{
    return table_at(&inventory->sites, site);
}
