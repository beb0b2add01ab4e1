#pragma once

#include "agent/kube/inventory/inventory.h"

/*
 * Objects of a cluster as a test writes them down; what is left out is absent. The namespace is
 * "shop" when none is given. Objects last until the next one of the same kind is made.
 */
#define OBJECT_ADDRESSES 4
#define OBJECT_PORTS 4
#define OBJECT_ENDPOINTS 6

struct pod_text {
    const char *namespace;
    const char *name;
    const char *uid;
    const char *owner_kind;
    const char *owner;
    const char *hash;
    const char *service_name;
    const char *service_namespace;
    const char *app;
    const char *node;
    const char *addresses[OBJECT_ADDRESSES];
    uint16_t ports[OBJECT_PORTS];
    bool host_network;
    bool finished;
};

struct service_text {
    const char *namespace;
    const char *name;
    const char *addresses[OBJECT_ADDRESSES];
    struct kube_service_port ports[OBJECT_PORTS];
    bool external_name;
};

struct slice_text {
    const char *namespace;
    const char *name;
    const char *service;
    struct {
        const char *address;
        const char *pod;
    } endpoints[OBJECT_ENDPOINTS];
    uint16_t ports[OBJECT_PORTS];
};

struct node_text {
    const char *name;
    const char *addresses[OBJECT_ADDRESSES];
    const char *ranges[OBJECT_ADDRESSES]; /* "10.1.0.0/24" */
};

/* Replica sets, jobs and namespaces. */
struct owner_text {
    enum kube_kind kind;
    const char *namespace;
    const char *name;
    const char *hash;
    const char *owner_kind;
    const char *owner;
    const char *service_namespace;
};

struct kube_object objects_pod(const struct pod_text *text);
struct kube_object objects_service(const struct service_text *text);
struct kube_object objects_slice(const struct slice_text *text);
struct kube_object objects_node(const struct node_text *text);
struct kube_object objects_owner(const struct owner_text *text);

struct address objects_address(const char *text);
struct kube_range objects_range(const char *text);

/* What the directory says, in words: "shop/orders Deployment by shop/web pod p node n since 5",
 * without what is empty or the same; "awaited", "external", "unnamed". Until the next call. */
const char *objects_find(const struct directory *directory, const char *address, uint16_t port);
const char *objects_describe(const struct directory *directory, const struct endpoint *endpoint);
