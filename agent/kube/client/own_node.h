#pragma once

#include "agent/base/address.h"
#include "agent/kube/object.h"

#include <stddef.h>

/* This node, as the API server tells it, with the other addresses that this host has. A network
 * plugin gives the host one in the pods' range, from which the kubelet then asks its pods; no
 * object tells of it. */
struct own_node {
    struct address *(*list)(size_t *count_out); /* this host's; NULL: none but those told */
    int events;                                 /* of the kernel's, about addresses; -1: none */
    char *name;
    struct address *told;
    size_t told_count;
    struct kube_range *ranges;
    struct address *all;
    struct kube_object object; /* of the above */
};

void own_node_init(struct own_node *own, struct address *(*list)(size_t *count_out));
void own_node_fini(struct own_node *own);

/* What is to be known of a node that the API server told of. Of the one called `name`, which may be
 * NULL, that is a copy with this host's addresses of now, as long as one of them is the node's: in
 * another network, as a pod's, they are not. Else, or without memory, the node as it is. */
const struct kube_object *own_node_told(struct own_node *own, const char *name,
                                        const struct kube_object *node);

/* The same anew where the host's addresses may have changed since; NULL: they have not. */
const struct kube_object *own_node_changed(struct own_node *own);
