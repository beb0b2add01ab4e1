#pragma once

#include "tests/unit/kube/objects.h"

/*
 * The rules of names in the plainest way: all objects as they were told, looked through at every
 * question. The texts of objects are kept as pointers.
 */
#define MODEL_OBJECTS 64

struct model_claim {
    int64_t since_ns;
    uint64_t number; /* the higher, the newer */
};

struct model_object {
    bool present;
    bool listed;
    enum kube_kind kind;
    struct pod_text pod;
    struct service_text service;
    struct slice_text slice;
    struct node_text node;
    struct owner_text owner;
    struct model_claim claims[OBJECT_ADDRESSES];
};

struct model {
    struct model_object objects[MODEL_OBJECTS];
    uint64_t claims;
};

/* The object as it is told to an inventory. */
struct kube_object model_told(const struct model_object *object);

void model_set(struct model *model, const struct model_object *object, int64_t now_ns);
void model_remove(struct model *model, const struct kube_object *object);
void model_list_begin(struct model *model, enum kube_kind kind);
void model_list_end(struct model *model, enum kube_kind kind);

/* In the words of objects_find; until the next call. */
const char *model_find(const struct model *model, const char *address, uint16_t port);

/* Whether both are texts, and equal. */
bool model_same(const char *a, const char *b);

/* The addresses that the object has; and its claim of one, or NULL. */
const char *const *model_addresses(const struct model_object *object);
const struct model_claim *model_claim(const struct model_object *object, const char *address);
