#include "agent/kube/inventory/services.h"

#include "agent/kube/inventory/holders.h"
#include "agent/kube/inventory/owners.h"
#include "agent/kube/inventory/pods.h"
#include "agent/kube/inventory/ports.h"
#include "agent/kube/inventory/sites.h"
#include "agent/kube/inventory/slices.h"

#include <errno.h>

/*
 * A service's address is called what is behind it when that is one workload. Whatever may change
 * that puts the service on the list of stale ones; each is looked at once for the next directory,
 * however many of its endpoints changed. A record that neither a service nor a slice needs any more
 * goes then, too.
 */

uint32_t services_find(const struct inventory *inventory, uint32_t namespace, uint32_t name)
{
    uint32_t hash = holders_hash(namespace, name);
    uint32_t index = 0;
    while ((index = table_find(&inventory->services, hash, index)) != 0) {
        const struct service *service = services_at(inventory, index);
        if (service->namespace == namespace && service->name == name) {
            return index;
        }
    }
    return 0;
}

void services_note(struct inventory *inventory, uint32_t index)
{
    struct service *service = services_at(inventory, index);
    inventory->changed = true;
    if (!service->stale) {
        service->stale = true;
        service->next_stale = inventory->stale_services;
        inventory->stale_services = index;
    }
}

uint32_t services_get(struct inventory *inventory, uint32_t namespace, uint32_t name)
{
    uint32_t index = services_find(inventory, namespace, name);
    if (index != 0) {
        return index;
    }
    index = table_add(&inventory->services, holders_hash(namespace, name));
    if (index != 0) {
        struct service *service = services_at(inventory, index);
        texts_acquire(inventory_texts(inventory), namespace);
        texts_acquire(inventory_texts(inventory), name);
        service->namespace = namespace;
        service->name = name;
        services_note(inventory, index);
    }
    return index;
}

void services_note_endpoint(struct inventory *inventory, uint32_t slice)
{
    services_note(inventory, slices_at(inventory, slice)->service);
}

/* Their slices' addresses may be called by the service's name. */
static void touch_endpoints(struct inventory *inventory, const struct service *service)
{
    for (uint32_t at = service->slices; at != 0;) {
        const struct endpoint_slice *slice = slices_at(inventory, at);
        sites_touch_claims(inventory, slice->claims);
        at = slice->next_of_service;
    }
}

void services_note_namespace(struct inventory *inventory, uint32_t namespace)
{
    uint32_t index = 0;
    while ((index = table_next(&inventory->services, index)) != 0) {
        const struct service *service = services_at(inventory, index);
        if (service->namespace == namespace) {
            services_note(inventory, index);
            touch_endpoints(inventory, service);
        }
    }
}

uint32_t services_name(struct inventory *inventory, uint32_t index)
{
    const struct service *service = services_at(inventory, index);
    const uint32_t texts[NAME_PARTS] = {
        [NAME_NAMESPACE] = owners_namespace(inventory, service->namespace),
        [NAME_SERVICE] = service->name,
        [NAME_CALLED_NAMESPACE] = service->namespace,
        [NAME_CALLED] = service->name,
        [NAME_KIND] = inventory->kinds[OWNER_SERVICE],
    };
    return name_store_name(inventory->store, texts);
}

uint32_t services_name_of(struct inventory *inventory, uint32_t index, uint32_t workload)
{
    const struct service *service = services_at(inventory, index);
    const struct name *name = name_store_at(inventory->store, workload);
    const uint32_t texts[NAME_PARTS] = {
        [NAME_NAMESPACE] = name->say.texts[NAME_NAMESPACE],
        [NAME_SERVICE] = name->say.texts[NAME_SERVICE],
        [NAME_CALLED_NAMESPACE] = service->namespace,
        [NAME_CALLED] = service->name,
        [NAME_KIND] = name->say.texts[NAME_KIND],
    };
    return name_store_name(inventory->store, texts);
}

bool services_before(const struct inventory *inventory, uint32_t first, uint32_t second)
{
    const struct service *a = services_at(inventory, first);
    const struct service *b = services_at(inventory, second);
    const struct texts *texts = inventory_texts(inventory);
    int order = texts_compare(texts, a->namespace, b->namespace);
    return (order != 0 ? order : texts_compare(texts, a->name, b->name)) < 0;
}

static bool has_node_port(const struct inventory *inventory, const struct service *service)
{
    uint32_t cell = service->ports;
    while (cell != 0 && ports_at(inventory, cell)->node_port == 0) {
        cell = ports_at(inventory, cell)->next;
    }
    return cell != 0;
}

static int renew_places(struct inventory *inventory, uint32_t index,
                        const struct kube_service *object, int64_t now_ns)
{
    struct service *service = services_at(inventory, index);
    bool outside = object->external_name;
    bool had_node_port = has_node_port(inventory, service);
    int renewed =
        ports_renew(inventory, &service->ports, object->ports, outside ? 0 : object->port_count);
    if (renewed != 0) {
        sites_touch_claims(inventory, service->claims);
        if (had_node_port || has_node_port(inventory, service)) {
            inventory->node_ports_stale = true;
            inventory->changed = true;
        }
    }
    const struct claim claim = {
        .kind = KUBE_SERVICE, .object = index & CLAIM_OBJECTS, .since_ns = now_ns};
    int status = sites_renew(inventory, &service->claims, &claim, object->addresses,
                             outside ? 0 : object->address_count);
    return renewed < 0 ? renewed : status;
}

int services_set(struct inventory *inventory, const struct kube_object *object, int64_t now_ns)
{
    struct texts *texts = inventory_texts(inventory);
    uint32_t namespace = 0;
    uint32_t name = 0;
    int status = -ENOMEM;
    if (texts_intern(texts, object->meta.namespace, &namespace) &&
        texts_intern(texts, object->meta.name, &name)) {
        uint32_t index = services_get(inventory, namespace, name);
        if (index != 0) {
            services_at(inventory, index)->known = true;
            services_at(inventory, index)->round = inventory->rounds[KUBE_SERVICE];
            status = renew_places(inventory, index, &object->service, now_ns);
        }
    }
    texts_release(texts, namespace);
    texts_release(texts, name);
    return status;
}

void services_remove(struct inventory *inventory, uint32_t index)
{
    struct service *service = services_at(inventory, index);
    if (has_node_port(inventory, service)) {
        inventory->node_ports_stale = true;
    }
    service->known = false;
    sites_drop_rest(inventory, &service->claims);
    ports_drop(inventory, &service->ports);
    services_note(inventory, index);
}

/* The one workload (a name) behind the service; 0: none or several. */
static uint32_t find_workload(const struct inventory *inventory, const struct service *service)
{
    uint32_t workload = 0;
    for (uint32_t slice = service->slices; slice != 0;) {
        const struct endpoint_slice *part = slices_at(inventory, slice);
        for (uint32_t at = part->claims; at != 0;) {
            const struct claim *claim = sites_claim(inventory, at);
            uint32_t pod = sites_pod(inventory, claim->site);
            enum slices_endpoint endpoint = slices_pod_of(inventory, claim, &pod);
            if (endpoint != SLICES_STALE) {
                uint32_t name =
                    pod == 0 ? 0 : owners_at(inventory, pods_at(inventory, pod)->group)->name;
                if (name == 0 || (workload != 0 && workload != name)) {
                    return 0;
                }
                workload = name;
            }
            at = claim->next_of_object;
        }
        slice = part->next_of_service;
    }
    return workload;
}

static int renew_face(struct inventory *inventory, uint32_t index)
{
    struct service *service = services_at(inventory, index);
    uint32_t workload = find_workload(inventory, service);
    uint32_t face = workload == 0 ? services_name(inventory, index)
                                  : services_name_of(inventory, index, workload);
    if (face == 0) {
        return -ENOMEM;
    }
    if (face != service->face) {
        sites_touch_claims(inventory, service->claims);
        inventory->node_ports_stale |= has_node_port(inventory, service);
    }
    name_store_release_name(inventory->store, service->face);
    service->face = face;
    return 0;
}

static void forget(struct inventory *inventory, uint32_t index)
{
    const struct service *service = services_at(inventory, index);
    name_store_release_name(inventory->store, service->face);
    texts_release(inventory_texts(inventory), service->namespace);
    texts_release(inventory_texts(inventory), service->name);
    table_remove(&inventory->services, index);
}

int services_refresh(struct inventory *inventory)
{
    while (inventory->stale_services != 0) {
        uint32_t index = inventory->stale_services;
        struct service *service = services_at(inventory, index);
        inventory->stale_services = service->next_stale;
        service->stale = false;
        if (!service->known && service->slices == 0) {
            forget(inventory, index);
        } else if (renew_face(inventory, index) != 0) {
            services_note(inventory, index);
            return -ENOMEM;
        }
    }
    return 0;
}
