#include "agent/kube/inventory/pods.h"

#include "agent/kube/inventory/holders.h"
#include "agent/kube/inventory/owners.h"
#include "agent/kube/inventory/ports.h"
#include "agent/kube/inventory/sites.h"

#include <errno.h>

uint64_t pods_uid(struct slice uid)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < uid.length; i++) {
        hash = (hash ^ (uint8_t)uid.data[i]) * 0x100000001b3u;
    }
    return hash;
}

uint32_t pods_find(const struct inventory *inventory, uint32_t namespace, uint32_t name)
{
    uint32_t hash = holders_hash(namespace, name);
    uint32_t index = 0;
    while ((index = table_find(&inventory->pods, hash, index)) != 0) {
        const struct pod *pod = pods_at(inventory, index);
        if (pod->name == name && owners_at(inventory, pod->group)->namespace == namespace) {
            return index;
        }
    }
    return 0;
}

void pods_remove(struct inventory *inventory, uint32_t index)
{
    struct pod *pod = pods_at(inventory, index);
    sites_drop_rest(inventory, &pod->claims);
    ports_drop(inventory, &pod->ports);
    texts_release(inventory_texts(inventory), pod->name);
    texts_release(inventory_texts(inventory), pod->node);
    owners_release_group(inventory, pod->group);
    table_remove(&inventory->pods, index);
}

/* The pod's record, made when there is none. 0: out of memory. */
static uint32_t get_pod(struct inventory *inventory, uint32_t group, uint32_t name)
{
    uint32_t namespace = owners_at(inventory, group)->namespace;
    uint32_t index = pods_find(inventory, namespace, name);
    if (index != 0) {
        return index;
    }
    index = table_add(&inventory->pods, holders_hash(namespace, name));
    if (index != 0) {
        struct pod *pod = pods_at(inventory, index);
        texts_acquire(inventory_texts(inventory), name);
        pod->name = name;
        owners_at(inventory, group)->references++;
        pod->group = group;
    }
    return index;
}

/* Takes the node's reference over, not the group's. Returns whether others see a difference. */
static bool renew_record(struct inventory *inventory, struct pod *pod, uint32_t group,
                         uint32_t node)
{
    bool changed = holders_replace_text(inventory, &pod->node, node);
    if (pod->group != group) {
        changed = true;
        owners_at(inventory, group)->references++;
        owners_release_group(inventory, pod->group);
        pod->group = group;
    }
    return changed;
}

/* Everything but the record itself. A pod that finished has no address any more. */
static int renew_places(struct inventory *inventory, uint32_t index, const struct kube_pod *object,
                        int64_t now_ns)
{
    struct pod *pod = pods_at(inventory, index);
    size_t addresses = object->finished ? 0 : object->address_count;
    size_t ports = object->host_network ? object->port_count : 0;
    bool moved = pod->host_network != object->host_network;
    pod->host_network = object->host_network;
    int renewed = ports_renew_plain(inventory, &pod->ports, object->ports, ports);
    if (moved || renewed != 0) {
        sites_touch_claims(inventory, pod->claims);
    }
    const struct claim claim = {
        .kind = KUBE_POD, .object = index & CLAIM_OBJECTS, .since_ns = now_ns};
    int status = sites_renew(inventory, &pod->claims, &claim, object->addresses, addresses);
    return renewed < 0 ? renewed : status;
}

/* Takes the node's reference over, not the group's. */
static int renew_pod(struct inventory *inventory, uint32_t index, const struct kube_object *object,
                     uint32_t group, uint32_t node, int64_t now_ns)
{
    struct pod *pod = pods_at(inventory, index);
    uint64_t uid = pods_uid(object->meta.uid);
    if (pod->uid != uid) { /* another pod of the same name */
        sites_drop_rest(inventory, &pod->claims);
        pod->uid = uid;
    }
    pod->round = inventory->rounds[KUBE_POD];
    if (renew_record(inventory, pod, group, node)) {
        sites_touch_claims(inventory, pod->claims);
    }
    return renew_places(inventory, index, &object->pod, now_ns);
}

int pods_set(struct inventory *inventory, const struct kube_object *object, int64_t now_ns)
{
    struct texts *texts = inventory_texts(inventory);
    uint32_t name = 0;
    uint32_t node = 0;
    uint32_t index = 0;
    uint32_t group = owners_group(inventory, &object->meta);
    if (group != 0 && texts_intern(texts, object->meta.name, &name) &&
        texts_intern(texts, object->pod.node, &node)) {
        index = get_pod(inventory, group, name);
    }
    int status = -ENOMEM;
    if (index != 0) {
        status = renew_pod(inventory, index, object, group, node, now_ns);
    } else {
        texts_release(texts, node);
    }
    texts_release(texts, name);
    owners_release_group(inventory, group);
    return status;
}
