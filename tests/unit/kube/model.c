#include "tests/unit/kube/model.h"

#include <stdlib.h>

bool model_same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static const char *namespace_of(const struct model_object *object)
{
    switch (object->kind) {
    case KUBE_POD:
        return object->pod.namespace;
    case KUBE_SERVICE:
        return object->service.namespace;
    case KUBE_ENDPOINT_SLICE:
        return object->slice.namespace;
    case KUBE_NODE:
    case KUBE_NAMESPACE:
        return "";
    case KUBE_REPLICA_SET:
    case KUBE_JOB:
    case KUBE_KINDS:
        break;
    }
    return object->owner.namespace;
}

static const char *name_of(const struct model_object *object)
{
    switch (object->kind) {
    case KUBE_POD:
        return object->pod.name;
    case KUBE_SERVICE:
        return object->service.name;
    case KUBE_ENDPOINT_SLICE:
        return object->slice.name;
    case KUBE_NODE:
        return object->node.name;
    case KUBE_NAMESPACE:
    case KUBE_REPLICA_SET:
    case KUBE_JOB:
    case KUBE_KINDS:
        break;
    }
    return object->owner.name;
}

const char *const *model_addresses(const struct model_object *object)
{
    static const char *const none[OBJECT_ADDRESSES];
    switch (object->kind) {
    case KUBE_POD:
        return object->pod.finished ? none : object->pod.addresses;
    case KUBE_SERVICE:
        return object->service.external_name ? none : object->service.addresses;
    case KUBE_NODE:
        return object->node.addresses;
    case KUBE_ENDPOINT_SLICE:
    case KUBE_NAMESPACE:
    case KUBE_REPLICA_SET:
    case KUBE_JOB:
    case KUBE_KINDS:
        break;
    }
    return none;
}

/* The object's claim of the address, or NULL. */
const struct model_claim *model_claim(const struct model_object *object, const char *address)
{
    const char *const *addresses = model_addresses(object);
    for (size_t i = 0; i < OBJECT_ADDRESSES; i++) {
        if (model_same(addresses[i], address)) {
            return &object->claims[i];
        }
    }
    return NULL;
}

struct kube_object model_told(const struct model_object *object)
{
    switch (object->kind) {
    case KUBE_POD:
        return objects_pod(&object->pod);
    case KUBE_SERVICE:
        return objects_service(&object->service);
    case KUBE_ENDPOINT_SLICE:
        return objects_slice(&object->slice);
    case KUBE_NODE:
        return objects_node(&object->node);
    case KUBE_NAMESPACE:
    case KUBE_REPLICA_SET:
    case KUBE_JOB:
    case KUBE_KINDS:
        break;
    }
    return objects_owner(&object->owner);
}

static struct model_object *find(struct model *model, enum kube_kind kind, struct slice namespace,
                                 struct slice name)
{
    struct model_object *free_place = NULL;
    for (size_t i = 0; i < MODEL_OBJECTS; i++) {
        struct model_object *object = &model->objects[i];
        if (!object->present) {
            free_place = free_place == NULL ? object : free_place;
        } else if (object->kind == kind && slice_equal(slice_of(name_of(object)), name) &&
                   slice_equal(slice_of(namespace_of(object)), namespace)) {
            return object;
        }
    }
    return free_place;
}

void model_set(struct model *model, const struct model_object *object, int64_t now_ns)
{
    struct model_object *place =
        find(model, object->kind, slice_of(namespace_of(object)), slice_of(name_of(object)));
    if (place == NULL) {
        abort();
    }
    struct model_object made = *object;
    made.present = true;
    made.listed = true;
    bool same_pod =
        place->present && (object->kind != KUBE_POD || model_same(place->pod.uid, object->pod.uid));
    const char *const *addresses = model_addresses(&made);
    for (size_t i = 0; i < OBJECT_ADDRESSES && addresses[i] != NULL; i++) {
        const struct model_claim *known = same_pod ? model_claim(place, addresses[i]) : NULL;
        made.claims[i] = known != NULL ? *known : (struct model_claim){now_ns, ++model->claims};
    }
    *place = made;
}

void model_remove(struct model *model, const struct kube_object *object)
{
    struct model_object *place =
        find(model, object->kind, object->meta.namespace, object->meta.name);
    if (place != NULL && place->present &&
        (object->kind != KUBE_POD || slice_equal(slice_of(place->pod.uid), object->meta.uid))) {
        place->present = false;
    }
}

void model_list_begin(struct model *model, enum kube_kind kind)
{
    for (size_t i = 0; i < MODEL_OBJECTS; i++) {
        model->objects[i].listed &= model->objects[i].kind != kind;
    }
}

void model_list_end(struct model *model, enum kube_kind kind)
{
    for (size_t i = 0; i < MODEL_OBJECTS; i++) {
        struct model_object *object = &model->objects[i];
        object->present &= object->kind != kind || object->listed;
    }
}
