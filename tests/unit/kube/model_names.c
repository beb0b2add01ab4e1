#include "tests/unit/kube/model.h"

#include <stdio.h>

struct naming {
    const char *namespace;
    const char *service;
    const char *called_namespace;
    const char *called;
    const char *kind;
};

struct answer {
    struct naming naming;
    const char *pod;
    const char *node;
    int64_t since_ns;
};

/* An endpoint of a slice. */
struct endpoint_at {
    const struct model_object *slice;
    const char *target;
};

#define EACH(model, object, wanted)                                                                \
    for (const struct model_object *object = (model)->objects;                                     \
         object < (model)->objects + MODEL_OBJECTS; object++)                                      \
        if (object->present && object->kind == (wanted))

static const struct model_object *find_owner(const struct model *model, enum kube_kind kind,
                                             const char *namespace, const char *name)
{
    EACH(model, object, kind)
    {
        if (model_same(object->owner.name, name) &&
            (kind == KUBE_NAMESPACE || model_same(object->owner.namespace, namespace))) {
            return object;
        }
    }
    return NULL;
}

static const char *called_namespace(const struct model *model, const char *namespace)
{
    const struct model_object *found = find_owner(model, KUBE_NAMESPACE, NULL, namespace);
    return found != NULL && found->owner.service_namespace != NULL ? found->owner.service_namespace
                                                                   : namespace;
}

/* Replica sets here are called "w-1": the Deployment's name is what is before the hash. */
static const char *without_hash(const char *name, const char *hash)
{
    static char text[32];
    size_t length = strlen(name);
    size_t end = hash == NULL ? 0 : strlen(hash);
    if (end == 0 || length < end + 2 || name[length - end - 1] != '-' ||
        strcmp(name + length - end, hash) != 0) {
        return NULL;
    }
    snprintf(text, sizeof(text), "%.*s", (int)(length - end - 1), name);
    return model_same(text, "w") ? "w" : NULL;
}

static void name_by_owner(const struct model *model, const struct pod_text *pod,
                          struct naming *naming)
{
    naming->kind = pod->owner_kind;
    naming->service = pod->owner;
    bool replica_set = model_same(pod->owner_kind, "ReplicaSet");
    if (!replica_set && !model_same(pod->owner_kind, "Job")) {
        return;
    }
    const struct model_object *owner =
        find_owner(model, replica_set ? KUBE_REPLICA_SET : KUBE_JOB, pod->namespace, pod->owner);
    const char *deployment = without_hash(pod->owner, pod->hash);
    /* A replica set that says what its name says leaves it to the pod's label. */
    const char *told = owner == NULL ? NULL : without_hash(owner->owner.name, owner->owner.hash);
    bool plain = told != NULL && model_same(owner->owner.owner_kind, "Deployment") &&
                 model_same(owner->owner.owner, told);
    if (owner != NULL && !(replica_set && plain)) {
        if (owner->owner.owner != NULL) {
            naming->kind = owner->owner.owner_kind;
            naming->service = owner->owner.owner;
        }
    } else if (replica_set && deployment != NULL) {
        naming->kind = "Deployment";
        naming->service = deployment;
    }
}

static struct naming naming_of_pod(const struct model *model, const struct model_object *object)
{
    const struct pod_text *pod = &object->pod;
    struct naming naming = {.kind = "Pod", .service = pod->name};
    if (pod->owner != NULL && !model_same(pod->owner_kind, "Node")) {
        name_by_owner(model, pod, &naming);
    }
    if (pod->service_name != NULL) {
        naming.service = pod->service_name;
    }
    naming.namespace = pod->service_namespace != NULL ? pod->service_namespace
                                                      : called_namespace(model, pod->namespace);
    naming.called_namespace = naming.namespace;
    naming.called = naming.service;
    return naming;
}

/* The newest pod with the address that is or is not on the host's network. */
static const struct model_object *pod_at(const struct model *model, const char *address)
{
    const struct model_object *found = NULL;
    EACH(model, object, KUBE_POD)
    {
        const struct model_claim *claim = model_claim(object, address);
        if (claim != NULL && !object->pod.host_network &&
            (found == NULL || claim->number > model_claim(found, address)->number)) {
            found = object;
        }
    }
    return found;
}

static bool is_pod(const struct model_object *pod, const struct endpoint_at *endpoint)
{
    return model_same(pod->pod.name, endpoint->target) &&
           model_same(pod->pod.namespace, endpoint->slice->slice.namespace);
}

/* Whether the endpoint counts; the pod that it is, or NULL. */
static bool resolve(const struct model *model, const struct endpoint_at *endpoint,
                    const char *address, const struct model_object **pod_out)
{
    const struct model_object *alone = pod_at(model, address);
    *pod_out = alone;
    if (alone != NULL) {
        return endpoint->target == NULL || is_pod(alone, endpoint);
    }
    EACH(model, object, KUBE_POD)
    {
        if (model_claim(object, address) != NULL && is_pod(object, endpoint)) {
            *pod_out = object;
        }
    }
    return true;
}

static bool has_port(const struct model_object *slice, uint16_t port)
{
    bool found = false;
    for (size_t i = 0; i < OBJECT_PORTS && slice->slice.ports[i] != 0; i++) {
        found |= slice->slice.ports[i] == port;
    }
    return found;
}

/* The endpoints at an address, one by one; begins with a zeroed position. */
struct position {
    size_t object;
    size_t endpoint;
};

static bool next_endpoint(const struct model *model, const char *address, struct position *position,
                          struct endpoint_at *endpoint_out)
{
    for (; position->object < MODEL_OBJECTS; position->object++, position->endpoint = 0) {
        const struct model_object *object = &model->objects[position->object];
        bool named =
            object->present && object->kind == KUBE_ENDPOINT_SLICE && object->slice.service != NULL;
        while (named && position->endpoint < OBJECT_ENDPOINTS) {
            size_t at = position->endpoint++;
            if (model_same(object->slice.endpoints[at].address, address)) {
                *endpoint_out = (struct endpoint_at){object, object->slice.endpoints[at].pod};
                return true;
            }
        }
    }
    return false;
}

static void cover(const struct model *model, const struct model_object *pod, const char *address,
                  uint16_t port, struct naming *naming)
{
    const struct slice_text *only = NULL;
    struct position position = {0};
    struct endpoint_at endpoint;
    while (next_endpoint(model, address, &position, &endpoint)) {
        const struct model_object *behind = NULL;
        if ((endpoint.slice->slice.ports[0] != 0 && !has_port(endpoint.slice, port)) ||
            !resolve(model, &endpoint, address, &behind) || behind != pod) {
            continue;
        }
        const struct slice_text *slice = &endpoint.slice->slice;
        if (only != NULL && (!model_same(only->service, slice->service) ||
                             !model_same(only->namespace, slice->namespace))) {
            return;
        }
        only = slice;
    }
    if (only != NULL) {
        naming->called_namespace = only->namespace;
        naming->called = only->service;
    }
}

static struct answer answer_pod(const struct model *model, const struct model_object *pod,
                                const char *address, uint16_t port)
{
    struct answer answer = {.naming = naming_of_pod(model, pod),
                            .pod = pod->pod.name,
                            .node = pod->pod.node,
                            .since_ns = model_claim(pod, address)->since_ns};
    cover(model, pod, address, port, &answer.naming);
    return answer;
}

static struct naming naming_of_service(const struct model *model, const char *namespace,
                                       const char *name)
{
    return (struct naming){called_namespace(model, namespace), name, namespace, name, "Service"};
}

/* What is behind the service when that is one workload. */
static struct naming face(const struct model *model, const struct service_text *service)
{
    struct naming plain = naming_of_service(model, service->namespace, service->name);
    struct naming behind = {.service = NULL};
    EACH(model, slice, KUBE_ENDPOINT_SLICE)
    {
        bool its = model_same(slice->slice.service, service->name) &&
                   model_same(slice->slice.namespace, service->namespace);
        for (size_t i = 0; its && i < OBJECT_ENDPOINTS; i++) {
            const char *address = slice->slice.endpoints[i].address;
            const struct endpoint_at endpoint = {slice, slice->slice.endpoints[i].pod};
            const struct model_object *pod = NULL;
            if (address == NULL || !resolve(model, &endpoint, address, &pod)) {
                continue;
            }
            if (pod == NULL) {
                return plain;
            }
            struct naming naming = naming_of_pod(model, pod);
            if (behind.service != NULL && (!model_same(behind.namespace, naming.namespace) ||
                                           !model_same(behind.service, naming.service) ||
                                           !model_same(behind.kind, naming.kind))) {
                return plain;
            }
            behind = naming;
        }
    }
    if (behind.service == NULL) {
        return plain;
    }
    behind.called_namespace = service->namespace;
    behind.called = service->name;
    return behind;
}

static int compare(const char *namespace, const char *name, const char *other_namespace,
                   const char *other_name)
{
    int order = strcmp(namespace, other_namespace);
    return order != 0 ? order : strcmp(name, other_name);
}

/* The first service by name that has the address and port, or with none the node port. */
static const struct model_object *service_at(const struct model *model, const char *address,
                                             uint16_t port)
{
    const struct model_object *found = NULL;
    EACH(model, object, KUBE_SERVICE)
    {
        bool has = false;
        for (size_t i = 0; i < OBJECT_PORTS && object->service.ports[i].port != 0; i++) {
            const struct kube_service_port *one = &object->service.ports[i];
            has |= (address != NULL ? one->port : one->node_port) == port;
        }
        has &= !object->service.external_name;
        has &= address == NULL || model_claim(object, address) != NULL;
        if (has && (found == NULL || compare(object->service.namespace, object->service.name,
                                             found->service.namespace, found->service.name) < 0)) {
            found = object;
        }
    }
    return found;
}

static const struct model_object *node_at(const struct model *model, const char *address)
{
    const struct model_object *found = NULL;
    EACH(model, object, KUBE_NODE)
    {
        const struct model_claim *claim = model_claim(object, address);
        if (claim != NULL &&
            (found == NULL || claim->number > model_claim(found, address)->number)) {
            found = object;
        }
    }
    return found;
}

static bool declares(const struct model_object *pod, uint16_t port)
{
    bool found = false;
    for (size_t i = 0; i < OBJECT_PORTS && pod->pod.ports[i] != 0; i++) {
        found |= pod->pod.ports[i] == port;
    }
    return found;
}

static const struct model_object *host_pod_at(const struct model *model, const char *address,
                                              uint16_t port)
{
    const struct model_object *found = NULL;
    EACH(model, object, KUBE_POD)
    {
        const struct model_claim *claim = model_claim(object, address);
        if (claim != NULL && declares(object, port) &&
            (found == NULL || claim->number > model_claim(found, address)->number)) {
            found = object;
        }
    }
    struct position position = {0};
    struct endpoint_at endpoint;
    const struct model_object *named = NULL;
    while (next_endpoint(model, address, &position, &endpoint)) {
        const struct model_object *pod = NULL;
        if (has_port(endpoint.slice, port) && resolve(model, &endpoint, address, &pod) &&
            pod != NULL &&
            (named == NULL || compare(pod->pod.namespace, pod->pod.name, named->pod.namespace,
                                      named->pod.name) < 0)) {
            named = pod;
        }
    }
    return found != NULL ? found : named;
}

/* The first by name of the endpoints that are nobody known; of any port with 0. */
static bool answer_alone(const struct model *model, const char *address, uint16_t port,
                         struct answer *answer_out)
{
    struct position position = {0};
    struct endpoint_at endpoint;
    const struct slice_text *found = NULL;
    const char *target = "";
    while (next_endpoint(model, address, &position, &endpoint)) {
        const struct model_object *pod = NULL;
        if ((port != 0 && !has_port(endpoint.slice, port)) ||
            !resolve(model, &endpoint, address, &pod) || pod != NULL) {
            continue;
        }
        const struct slice_text *slice = &endpoint.slice->slice;
        const char *its = endpoint.target != NULL ? endpoint.target : "";
        int order = found == NULL ? -1
                                  : compare(slice->namespace, slice->service, found->namespace,
                                            found->service);
        if (order < 0 || (order == 0 && strcmp(its, target) < 0)) {
            found = slice;
            target = its;
        }
    }
    if (found != NULL) {
        *answer_out = (struct answer){
            .naming = naming_of_service(model, found->namespace, found->service), .pod = target};
    }
    return found != NULL;
}

static bool answer_node(const struct model *model, const char *address, uint16_t port,
                        struct answer *answer_out)
{
    const struct model_object *node = node_at(model, address);
    if (node == NULL) {
        return false;
    }
    const char *name = node->node.name;
    const struct model_object *service = port == 0 ? NULL : service_at(model, NULL, port);
    *answer_out = (struct answer){.naming = {"", name, "", name, "Node"},
                                  .node = name,
                                  .since_ns = model_claim(node, address)->since_ns};
    if (service != NULL) {
        answer_out->naming = face(model, &service->service);
    }
    return true;
}

static bool answer(const struct model *model, const char *address, uint16_t port,
                   struct answer *answer_out)
{
    const struct model_object *found = port == 0 ? NULL : service_at(model, address, port);
    if (found != NULL) {
        const struct model_object *node = node_at(model, address);
        *answer_out = (struct answer){.naming = face(model, &found->service),
                                      .node = node != NULL ? node->node.name : NULL,
                                      .since_ns = model_claim(found, address)->since_ns};
        return true;
    }
    found = pod_at(model, address);
    if (found == NULL && port != 0) {
        found = host_pod_at(model, address, port);
    }
    if (found != NULL) {
        *answer_out = answer_pod(model, found, address, port);
        return true;
    }
    return (port != 0 && answer_alone(model, address, port, answer_out)) ||
           answer_node(model, address, port, answer_out) ||
           answer_alone(model, address, 0, answer_out);
}

/* Ranges here are of the nodes' form: 10.0.0.0/30. */
static bool in_range(const struct address *address, const struct kube_range *range)
{
    for (unsigned bit = 0; bit < range->prefix_bits; bit++) {
        unsigned mask = 0x80u >> bit % 8;
        if ((address->bytes[bit / 8] & mask) != (range->address.bytes[bit / 8] & mask)) {
            return false;
        }
    }
    return true;
}

static const char *nobody(const struct model *model, const char *text)
{
    const struct address address = objects_address(text);
    bool anything = false;
    bool awaited = false;
    for (const struct model_object *object = model->objects;
         object < model->objects + MODEL_OBJECTS; object++) {
        if (!object->present) {
            continue;
        }
        anything |= model_addresses(object)[0] != NULL;
        awaited |= model_claim(object, text) != NULL;
        anything |= object->kind == KUBE_ENDPOINT_SLICE && object->slice.service != NULL &&
                    object->slice.endpoints[0].address != NULL;
        for (size_t i = 0; object->kind == KUBE_NODE && i < OBJECT_ADDRESSES; i++) {
            if (object->node.ranges[i] != NULL) {
                const struct kube_range range = objects_range(object->node.ranges[i]);
                anything = true;
                awaited |= in_range(&address, &range);
            }
        }
    }
    struct position position = {0};
    struct endpoint_at endpoint;
    awaited |= next_endpoint(model, text, &position, &endpoint);
    return awaited ? "awaited" : anything ? "external" : "unnamed";
}

const char *model_find(const struct model *model, const char *address, uint16_t port)
{
    static char text[2048];
    struct answer found;
    if (!answer(model, address, port, &found)) {
        return nobody(model, address);
    }
    const struct naming *naming = &found.naming;
    int length =
        snprintf(text, sizeof(text), "%s/%s %s", naming->namespace, naming->service, naming->kind);
    size_t at = (size_t)length;
    if (compare(naming->namespace, naming->service, naming->called_namespace, naming->called) !=
        0) {
        at += (size_t)snprintf(text + at, sizeof(text) - at, " by %s/%s", naming->called_namespace,
                               naming->called);
    }
    if (found.pod != NULL && found.pod[0] != '\0') {
        at += (size_t)snprintf(text + at, sizeof(text) - at, " pod %s", found.pod);
    }
    if (found.node != NULL) {
        at += (size_t)snprintf(text + at, sizeof(text) - at, " node %s", found.node);
    }
    if (found.since_ns != 0) {
        snprintf(text + at, sizeof(text) - at, " since %lld", (long long)found.since_ns);
    }
    return text;
}
