#include "agent/kube/inventory/sites.h"

#include "agent/kube/inventory/pods.h"
#include "agent/kube/inventory/services.h"

#include <errno.h>

/*
 * A claim is linked in two lists: that of its object, and that of its address, which begins with
 * the newest. So an address that passes from pod to pod is the newest claimant's, whatever comes
 * later about the former one, and is again the former's when the newest lets go first.
 *
 * Whoever may write endpoint slices may write the same address into all of them, and what is done
 * at an address takes time with each claim there. So there are no more endpoints than a real
 * address ever has; further ones name nobody until their slice is told again.
 */
#define ENDPOINTS_MAX 1024

void sites_touch(struct inventory *inventory, uint32_t index)
{
    const struct site *site = sites_at(inventory, index);
    enum directory_family family =
        address_is_ipv4(&site->address) ? DIRECTORY_IPV4 : DIRECTORY_IPV6;
    inventory->shards_stale[family][shard_of((uint64_t)site->link.hash << 32)] = true;
    inventory->changed = true;
    for (uint32_t at = site->claims; at != 0;) {
        const struct claim *claim = sites_claim(inventory, at);
        if (claim->kind == KUBE_ENDPOINT_SLICE) {
            services_note_endpoint(inventory, claim->object);
        }
        at = claim->next_at_site;
    }
}

void sites_touch_claims(struct inventory *inventory, uint32_t claims)
{
    while (claims != 0) {
        const struct claim *claim = sites_claim(inventory, claims);
        sites_touch(inventory, claim->site);
        claims = claim->next_of_object;
    }
}

static uint32_t find_site(const struct inventory *inventory, const struct address *address,
                          uint32_t hash)
{
    uint32_t index = 0;
    while ((index = table_find(&inventory->sites, hash, index)) != 0 &&
           !address_equal(&sites_at(inventory, index)->address, address)) {
    }
    return index;
}

static uint32_t get_site(struct inventory *inventory, const struct address *address)
{
    uint32_t hash = (uint32_t)(shard_hash(address, &inventory->store->seed) >> 32);
    uint32_t index = find_site(inventory, address, hash);
    if (index == 0) {
        index = table_add(&inventory->sites, hash);
        if (index != 0) {
            sites_at(inventory, index)->address = *address;
        }
    }
    return index;
}

static void leave_site(struct inventory *inventory, uint32_t site)
{
    if (sites_at(inventory, site)->claims == 0) {
        table_remove(&inventory->sites, site);
    }
}

static bool same_claim(const struct claim *a, const struct claim *b)
{
    return a->kind == b->kind && a->object == b->object &&
           (a->kind != KUBE_ENDPOINT_SLICE || a->target == b->target);
}

/* The claim, or NULL and how many of endpoints there are. */
static struct claim *find_claim(const struct inventory *inventory, uint32_t site,
                                const struct claim *wanted, unsigned *endpoints_out)
{
    *endpoints_out = 0;
    for (uint32_t at = sites_at(inventory, site)->claims; at != 0;) {
        struct claim *claim = sites_claim(inventory, at);
        if (same_claim(claim, wanted)) {
            return claim;
        }
        *endpoints_out += claim->kind == KUBE_ENDPOINT_SLICE;
        at = claim->next_at_site;
    }
    return NULL;
}

int sites_keep(struct inventory *inventory, uint32_t *claims, const struct claim *claim,
               const struct address *address)
{
    uint32_t site = get_site(inventory, address);
    if (site == 0) {
        return -ENOMEM;
    }
    unsigned endpoints = 0;
    struct claim *known = find_claim(inventory, site, claim, &endpoints);
    if (known != NULL) {
        known->kept = 1;
        return 0;
    }
    if (claim->kind == KUBE_ENDPOINT_SLICE && endpoints >= ENDPOINTS_MAX) {
        return 0;
    }
    uint32_t index = pool_take(&inventory->claims);
    if (index == 0) {
        leave_site(inventory, site);
        return -ENOMEM;
    }
    struct claim *made = sites_claim(inventory, index);
    *made = *claim;
    made->kept = 1;
    made->site = site;
    made->next_of_object = *claims;
    *claims = index;
    made->next_at_site = sites_at(inventory, site)->claims;
    sites_at(inventory, site)->claims = index;
    if (claim->kind == KUBE_ENDPOINT_SLICE) {
        texts_acquire(inventory_texts(inventory), claim->target);
    }
    sites_touch(inventory, site);
    return 0;
}

/* The claim is in no list of its object's any more. */
static void drop_claim(struct inventory *inventory, uint32_t index)
{
    const struct claim *claim = sites_claim(inventory, index);
    uint32_t site = claim->site;
    sites_touch(inventory, site);
    uint32_t *at = &sites_at(inventory, site)->claims;
    while (*at != index) {
        at = &sites_claim(inventory, *at)->next_at_site;
    }
    *at = claim->next_at_site;
    if (claim->kind == KUBE_ENDPOINT_SLICE) {
        texts_release(inventory_texts(inventory), claim->target);
    }
    pool_give(&inventory->claims, index);
    leave_site(inventory, site);
}

void sites_drop_rest(struct inventory *inventory, uint32_t *claims)
{
    while (*claims != 0) {
        uint32_t index = *claims;
        struct claim *claim = sites_claim(inventory, index);
        if (claim->kept != 0) {
            claim->kept = 0;
            claims = &claim->next_of_object;
        } else {
            *claims = claim->next_of_object;
            drop_claim(inventory, index);
        }
    }
}

int sites_renew(struct inventory *inventory, uint32_t *claims, const struct claim *claim,
                const struct address *addresses, size_t count)
{
    int status = 0;
    for (size_t i = 0; i < count && status == 0; i++) {
        status = sites_keep(inventory, claims, claim, &addresses[i]);
    }
    sites_drop_rest(inventory, claims);
    return status;
}

uint32_t sites_pod(const struct inventory *inventory, uint32_t site)
{
    for (uint32_t at = sites_at(inventory, site)->claims; at != 0;) {
        const struct claim *claim = sites_claim(inventory, at);
        if (claim->kind == KUBE_POD && !pods_at(inventory, claim->object)->host_network) {
            return claim->object;
        }
        at = claim->next_at_site;
    }
    return 0;
}
