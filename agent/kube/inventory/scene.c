#include "agent/kube/inventory/scene.h"

#include "agent/kube/inventory/holders.h"
#include "agent/kube/inventory/owners.h"
#include "agent/kube/inventory/pods.h"
#include "agent/kube/inventory/ports.h"
#include "agent/kube/inventory/services.h"
#include "agent/kube/inventory/sites.h"
#include "agent/kube/inventory/slices.h"

#include <errno.h>
#include <stdlib.h>

/*
 * At a port, the first of these that is there:
 *   1. a service whose address and port it is;
 *   2. the pod that has the address alone;
 *   3. a pod on the host's network that declares the port, or that an endpoint names there;
 *   4. an endpoint that is nobody known, by its service.
 * At all other ports: that pod; the node whose address it is; the service of an endpoint. Else
 * nobody is known at an address that is the cluster's. A pod is called by the one service that
 * covers it there; a slice of every port covers, it does not claim ports. Where several would do
 * and nothing says which, the first by name does: the order in which the API server tells things
 * decides nothing but whose an address is.
 */

/* The services that cover a pod at a port. */
struct cover {
    uint32_t service;
    bool several;
};

struct scene scene_of(const struct inventory *inventory, uint32_t site)
{
    struct scene scene = {.site = site, .pod = sites_pod(inventory, site)};
    for (uint32_t at = sites_at(inventory, site)->claims; at != 0 && scene.node == 0;) {
        const struct claim *claim = sites_claim(inventory, at);
        if (claim->kind == KUBE_NODE) {
            scene.node = claim->object;
            scene.node_since_ns = claim->since_ns;
        }
        at = claim->next_at_site;
    }
    return scene;
}

static struct cover find_cover(const struct inventory *inventory, const struct scene *scene,
                               uint32_t pod, uint16_t port)
{
    struct cover cover = {.service = 0};
    for (uint32_t at = sites_at(inventory, scene->site)->claims; at != 0 && !cover.several;) {
        const struct claim *claim = sites_claim(inventory, at);
        at = claim->next_at_site;
        uint32_t behind = scene->pod;
        if (claim->kind != KUBE_ENDPOINT_SLICE || !slices_cover(inventory, claim, port) ||
            slices_pod_of(inventory, claim, &behind) != SLICES_POD || behind != pod) {
            continue;
        }
        uint32_t service = slices_at(inventory, claim->object)->service;
        cover.several = cover.service != 0 && cover.service != service;
        cover.service = service;
    }
    return cover;
}

/* When the address became the pod's. */
static int64_t since(const struct inventory *inventory, const struct scene *scene, uint32_t pod)
{
    uint32_t at = pods_at(inventory, pod)->claims;
    while (at != 0 && sites_claim(inventory, at)->site != scene->site) {
        at = sites_claim(inventory, at)->next_of_object;
    }
    return at == 0 ? 0 : sites_claim(inventory, at)->since_ns;
}

static int answer_pod(struct inventory *inventory, const struct scene *scene, uint32_t index,
                      uint16_t port, struct scene_answer *answer_out)
{
    const struct pod *pod = pods_at(inventory, index);
    uint32_t name = owners_at(inventory, pod->group)->name;
    struct cover cover = find_cover(inventory, scene, index, port);
    if (cover.service != 0 && !cover.several) {
        name = services_name_of(inventory, cover.service, name);
    } else {
        name_store_acquire_name(inventory->store, name);
    }
    *answer_out = (struct scene_answer){.name = name,
                                        .pod = pod->name,
                                        .node = pod->node,
                                        .since_ns = since(inventory, scene, index)};
    return name == 0 ? -ENOMEM : 1;
}

/* A claim of the service that stands at the address and port. */
static const struct claim *find_service(const struct inventory *inventory,
                                        const struct scene *scene, uint16_t port)
{
    const struct claim *found = NULL;
    for (uint32_t at = sites_at(inventory, scene->site)->claims; at != 0;) {
        const struct claim *claim = sites_claim(inventory, at);
        if (claim->kind == KUBE_SERVICE &&
            ports_have(inventory, services_at(inventory, claim->object)->ports, port) &&
            (found == NULL || services_before(inventory, claim->object, found->object))) {
            found = claim;
        }
        at = claim->next_at_site;
    }
    return found;
}

static bool pod_before(const struct inventory *inventory, uint32_t first, uint32_t second)
{
    const struct pod *a = pods_at(inventory, first);
    const struct pod *b = pods_at(inventory, second);
    int order = texts_compare(inventory_texts(inventory), owners_at(inventory, a->group)->namespace,
                              owners_at(inventory, b->group)->namespace);
    return (order != 0 ? order : texts_compare(inventory_texts(inventory), a->name, b->name)) < 0;
}

/* The pod on the host's network that answers there. 0: none. */
static uint32_t find_host_pod(const struct inventory *inventory, const struct scene *scene,
                              uint16_t port)
{
    uint32_t named = 0;
    for (uint32_t at = sites_at(inventory, scene->site)->claims; at != 0;) {
        const struct claim *claim = sites_claim(inventory, at);
        at = claim->next_at_site;
        uint32_t pod = 0;
        if (claim->kind == KUBE_POD &&
            ports_have(inventory, pods_at(inventory, claim->object)->ports, port)) {
            return claim->object;
        }
        if (claim->kind == KUBE_ENDPOINT_SLICE && slices_have(inventory, claim, port) &&
            slices_pod_of(inventory, claim, &pod) == SLICES_POD &&
            (named == 0 || pod_before(inventory, pod, named))) {
            named = pod;
        }
    }
    return named;
}

static bool endpoint_before(const struct inventory *inventory, const struct claim *first,
                            const struct claim *second)
{
    uint32_t a = slices_at(inventory, first->object)->service;
    uint32_t b = slices_at(inventory, second->object)->service;
    return a != b ? services_before(inventory, a, b)
                  : texts_compare(inventory_texts(inventory), first->target, second->target) < 0;
}

/* The endpoint there behind which nobody is known; of any port when `port` is 0. */
static const struct claim *find_alone(const struct inventory *inventory, const struct scene *scene,
                                      uint16_t port)
{
    const struct claim *found = NULL;
    for (uint32_t at = sites_at(inventory, scene->site)->claims; at != 0;) {
        const struct claim *claim = sites_claim(inventory, at);
        at = claim->next_at_site;
        uint32_t pod = scene->pod;
        if (claim->kind == KUBE_ENDPOINT_SLICE &&
            (port == 0 || slices_have(inventory, claim, port)) &&
            slices_pod_of(inventory, claim, &pod) == SLICES_ALONE &&
            (found == NULL || endpoint_before(inventory, claim, found))) {
            found = claim;
        }
    }
    return found;
}

static int answer_alone(struct inventory *inventory, const struct claim *endpoint,
                        struct scene_answer *answer_out)
{
    uint32_t service = slices_at(inventory, endpoint->object)->service;
    *answer_out =
        (struct scene_answer){.name = services_name(inventory, service), .pod = endpoint->target};
    return answer_out->name == 0 ? -ENOMEM : 1;
}

static uint32_t node_text(const struct inventory *inventory, const struct scene *scene)
{
    return scene->node == 0 ? 0 : holders_at(inventory, KUBE_NODE, scene->node)->name;
}

int scene_ask(struct inventory *inventory, const struct scene *scene, uint16_t port,
              struct scene_answer *answer_out)
{
    const struct claim *claim = find_service(inventory, scene, port);
    if (claim != NULL) {
        uint32_t face = services_at(inventory, claim->object)->face;
        name_store_acquire_name(inventory->store, face);
        *answer_out = (struct scene_answer){
            .name = face, .node = node_text(inventory, scene), .since_ns = claim->since_ns};
        return 1;
    }
    if (scene->pod != 0) {
        return answer_pod(inventory, scene, scene->pod, port, answer_out);
    }
    uint32_t pod = find_host_pod(inventory, scene, port);
    if (pod != 0) {
        return answer_pod(inventory, scene, pod, port, answer_out);
    }
    claim = find_alone(inventory, scene, port);
    return claim == NULL ? 0 : answer_alone(inventory, claim, answer_out);
}

static int answer_node(struct inventory *inventory, const struct scene *scene,
                       struct scene_answer *answer_out)
{
    uint32_t node = node_text(inventory, scene);
    const uint32_t texts[NAME_PARTS] = {
        [NAME_SERVICE] = node, [NAME_CALLED] = node, [NAME_KIND] = inventory->kinds[OWNER_NODE]};
    *answer_out = (struct scene_answer){.name = name_store_name(inventory->store, texts),
                                        .node = node,
                                        .since_ns = scene->node_since_ns};
    return answer_out->name == 0 ? -ENOMEM : 1;
}

/* Of the newest service there. */
static int64_t service_since(const struct inventory *inventory, const struct scene *scene)
{
    uint32_t at = sites_at(inventory, scene->site)->claims;
    while (at != 0 && sites_claim(inventory, at)->kind != KUBE_SERVICE) {
        at = sites_claim(inventory, at)->next_at_site;
    }
    return at == 0 ? 0 : sites_claim(inventory, at)->since_ns;
}

int scene_ask_others(struct inventory *inventory, const struct scene *scene,
                     struct scene_answer *answer_out)
{
    int status = 0;
    const struct claim *alone = NULL;
    if (scene->pod != 0) {
        status = answer_pod(inventory, scene, scene->pod, 0, answer_out);
    } else if (scene->node != 0) {
        status = answer_node(inventory, scene, answer_out);
    } else if ((alone = find_alone(inventory, scene, 0)) != NULL) {
        status = answer_alone(inventory, alone, answer_out);
    } else {
        *answer_out = (struct scene_answer){.since_ns = service_since(inventory, scene)};
    }
    return status < 0 ? status : 0;
}

static size_t collect(struct inventory *inventory, uint32_t list, uint16_t *ports, size_t count)
{
    for (; list != 0 && count < SCENE_PORTS; list = ports_at(inventory, list)->next) {
        uint16_t port = ports_at(inventory, list)->port;
        uint64_t bit = (uint64_t)1 << port % 64;
        if (port != 0 && (inventory->port_seen[port / 64] & bit) == 0) {
            inventory->port_seen[port / 64] |= bit;
            ports[count++] = port;
        }
    }
    return count;
}

static uint32_t ports_of(const struct inventory *inventory, const struct claim *claim)
{
    switch ((enum kube_kind)claim->kind) {
    case KUBE_POD:
        return pods_at(inventory, claim->object)->ports;
    case KUBE_SERVICE:
        return services_at(inventory, claim->object)->ports;
    case KUBE_ENDPOINT_SLICE:
        return slices_at(inventory, claim->object)->ports;
    case KUBE_REPLICA_SET:
    case KUBE_JOB:
    case KUBE_NODE:
    case KUBE_NAMESPACE:
    case KUBE_KINDS:
        break;
    }
    return 0;
}

static int compare_ports(const void *a, const void *b)
{
    return *(const uint16_t *)a - *(const uint16_t *)b;
}

size_t scene_ports(struct inventory *inventory, const struct scene *scene,
                   uint16_t ports_out[static SCENE_PORTS])
{
    size_t count = 0;
    for (uint32_t at = sites_at(inventory, scene->site)->claims; at != 0;) {
        const struct claim *claim = sites_claim(inventory, at);
        count = collect(inventory, ports_of(inventory, claim), ports_out, count);
        at = claim->next_at_site;
    }
    for (size_t i = 0; i < count; i++) {
        inventory->port_seen[ports_out[i] / 64] = 0;
    }
    if (count > 1) {
        qsort(ports_out, count, sizeof(*ports_out), compare_ports);
    }
    return count;
}
