#include "agent/kube/inventory/slices.h"

#include "agent/kube/inventory/holders.h"
#include "agent/kube/inventory/owners.h"
#include "agent/kube/inventory/pods.h"
#include "agent/kube/inventory/ports.h"
#include "agent/kube/inventory/services.h"
#include "agent/kube/inventory/sites.h"

#include <errno.h>

uint32_t slices_find(const struct inventory *inventory, uint32_t namespace, uint32_t name)
{
    uint32_t hash = holders_hash(namespace, name);
    uint32_t index = 0;
    while ((index = table_find(&inventory->slices, hash, index)) != 0) {
        const struct endpoint_slice *slice = slices_at(inventory, index);
        if (slice->namespace == namespace && slice->name == name) {
            return index;
        }
    }
    return 0;
}

/* Whether the claimant is the pod that the endpoint says it is. */
static bool is_target(const struct inventory *inventory, const struct pod *pod,
                      const struct claim *endpoint)
{
    return pod->name == endpoint->target && owners_at(inventory, pod->group)->namespace ==
                                                slices_at(inventory, endpoint->object)->namespace;
}

/* The pod on the host's network that the endpoint names, if the address is its. */
static uint32_t find_on_host(const struct inventory *inventory, const struct claim *endpoint)
{
    uint32_t namespace = slices_at(inventory, endpoint->object)->namespace;
    uint32_t pod = pods_find(inventory, namespace, endpoint->target);
    if (pod == 0 || !pods_at(inventory, pod)->host_network) {
        return 0;
    }
    uint32_t at = pods_at(inventory, pod)->claims;
    while (at != 0 && sites_claim(inventory, at)->site != endpoint->site) {
        at = sites_claim(inventory, at)->next_of_object;
    }
    return at != 0 ? pod : 0;
}

/* Pods on the host's network share its address, so an endpoint is one of them only by name. */
enum slices_endpoint slices_pod_of(const struct inventory *inventory, const struct claim *endpoint,
                                   uint32_t *pod)
{
    if (*pod != 0) {
        return endpoint->target == 0 || is_target(inventory, pods_at(inventory, *pod), endpoint)
                   ? SLICES_POD
                   : SLICES_STALE;
    }
    *pod = endpoint->target == 0 ? 0 : find_on_host(inventory, endpoint);
    return *pod != 0 ? SLICES_POD : SLICES_ALONE;
}

bool slices_have(const struct inventory *inventory, const struct claim *endpoint, uint16_t port)
{
    return port != 0 && ports_have(inventory, slices_at(inventory, endpoint->object)->ports, port);
}

bool slices_cover(const struct inventory *inventory, const struct claim *endpoint, uint16_t port)
{
    return slices_at(inventory, endpoint->object)->ports == 0 ||
           slices_have(inventory, endpoint, port);
}

static void leave_service(struct inventory *inventory, uint32_t index)
{
    struct endpoint_slice *slice = slices_at(inventory, index);
    if (slice->service == 0) {
        return;
    }
    sites_drop_rest(inventory, &slice->claims);
    services_note(inventory, slice->service);
    uint32_t *at = &services_at(inventory, slice->service)->slices;
    while (*at != index) {
        at = &slices_at(inventory, *at)->next_of_service;
    }
    *at = slice->next_of_service;
    slice->service = 0;
}

static int join_service(struct inventory *inventory, uint32_t index, struct slice name)
{
    struct endpoint_slice *slice = slices_at(inventory, index);
    uint32_t text = 0;
    if (!texts_intern(inventory_texts(inventory), name, &text)) {
        return -ENOMEM;
    }
    uint32_t service = services_get(inventory, slice->namespace, text);
    texts_release(inventory_texts(inventory), text);
    if (service != 0 && service != slice->service) {
        leave_service(inventory, index);
        slice->service = service;
        slice->next_of_service = services_at(inventory, service)->slices;
        services_at(inventory, service)->slices = index;
        services_note(inventory, service);
    }
    return service != 0 ? 0 : -ENOMEM;
}

void slices_remove(struct inventory *inventory, uint32_t index)
{
    leave_service(inventory, index);
    struct endpoint_slice *slice = slices_at(inventory, index);
    ports_drop(inventory, &slice->ports);
    texts_release(inventory_texts(inventory), slice->namespace);
    texts_release(inventory_texts(inventory), slice->name);
    table_remove(&inventory->slices, index);
}

static int keep_endpoint(struct inventory *inventory, uint32_t index,
                         const struct kube_endpoint *endpoint)
{
    struct claim claim = {.kind = KUBE_ENDPOINT_SLICE, .object = index & CLAIM_OBJECTS};
    uint32_t target = 0;
    if (!texts_intern(inventory_texts(inventory), endpoint->pod, &target)) {
        return -ENOMEM;
    }
    claim.target = target;
    int status = 0;
    for (size_t i = 0; i < endpoint->address_count && status == 0; i++) {
        status = sites_keep(inventory, &slices_at(inventory, index)->claims, &claim,
                            &endpoint->addresses[i]);
    }
    texts_release(inventory_texts(inventory), target);
    return status;
}

static int renew_places(struct inventory *inventory, uint32_t index,
                        const struct kube_endpoint_slice *object)
{
    struct endpoint_slice *slice = slices_at(inventory, index);
    int renewed = ports_renew_plain(inventory, &slice->ports, object->ports, object->port_count);
    if (renewed != 0) {
        sites_touch_claims(inventory, slice->claims);
    }
    int status = renewed < 0 ? renewed : 0;
    for (size_t i = 0; i < object->endpoint_count && status == 0; i++) {
        status = keep_endpoint(inventory, index, &object->endpoints[i]);
    }
    sites_drop_rest(inventory, &slice->claims);
    return status;
}

/* The record, made when there is none. 0: out of memory. */
static uint32_t get_slice(struct inventory *inventory, uint32_t namespace, uint32_t name)
{
    uint32_t index = slices_find(inventory, namespace, name);
    if (index != 0) {
        return index;
    }
    index = table_add(&inventory->slices, holders_hash(namespace, name));
    if (index != 0) {
        struct endpoint_slice *slice = slices_at(inventory, index);
        texts_acquire(inventory_texts(inventory), namespace);
        texts_acquire(inventory_texts(inventory), name);
        slice->namespace = namespace;
        slice->name = name;
    }
    return index;
}

/* Without a service a slice names nobody. */
static int set_slice(struct inventory *inventory, uint32_t index, const struct kube_object *object)
{
    slices_at(inventory, index)->round = inventory->rounds[KUBE_ENDPOINT_SLICE];
    if (object->meta.slice_service.length == 0) {
        leave_service(inventory, index);
        return 0;
    }
    int status = join_service(inventory, index, object->meta.slice_service);
    return status != 0 ? status : renew_places(inventory, index, &object->endpoint_slice);
}

int slices_set(struct inventory *inventory, const struct kube_object *object)
{
    struct texts *texts = inventory_texts(inventory);
    uint32_t namespace = 0;
    uint32_t name = 0;
    int status = -ENOMEM;
    if (texts_intern(texts, object->meta.namespace, &namespace) &&
        texts_intern(texts, object->meta.name, &name)) {
        uint32_t index = get_slice(inventory, namespace, name);
        if (index != 0) {
            status = set_slice(inventory, index, object);
        }
    }
    texts_release(texts, namespace);
    texts_release(texts, name);
    return status;
}
