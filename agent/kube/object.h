#pragma once

#include "agent/base/address.h"
#include "agent/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the API server says about one object, reduced to what names are made of. The wire decoder
 * fills it, the inventory keeps what it needs. Slices and arrays live until the next object is
 * decoded; texts hold any bytes; absent: empty.
 */
enum kube_kind {
    KUBE_POD,
    KUBE_SERVICE,
    KUBE_ENDPOINT_SLICE,
    KUBE_REPLICA_SET, /* these two: metadata only */
    KUBE_JOB,
    KUBE_NODE,
    KUBE_NAMESPACE,
    KUBE_KINDS
};

/* The owner that is the controller (metav1.OwnerReference with controller: true). */
struct kube_owner {
    struct slice kind;
    struct slice name;
};

struct kube_meta {
    struct slice namespace;
    struct slice name;
    struct slice uid;
    struct kube_owner owner;
    struct slice service_name;      /* annotation resource.opentelemetry.io/service.name */
    struct slice service_namespace; /* annotation resource.opentelemetry.io/service.namespace */
    struct slice app_name;          /* label app.kubernetes.io/name */
    struct slice template_hash;     /* label pod-template-hash */
    struct slice slice_service;     /* label kubernetes.io/service-name, of endpoint slices */
};

struct kube_pod {
    const struct address *addresses; /* status.podIPs, else podIP */
    size_t address_count;
    const uint16_t *ports; /* containerPort of all containers, protocol TCP */
    size_t port_count;
    struct slice node;
    bool host_network;
    bool finished; /* Succeeded or Failed, or being deleted with all containers ended: its address
                      may be another's already */
};

struct kube_service_port {
    uint16_t port;
    uint16_t node_port; /* 0: none */
};

struct kube_service {
    const struct address *addresses; /* clusterIPs ("None" is none), externalIPs, load balancer's */
    size_t address_count;
    const struct kube_service_port *ports; /* protocol TCP */
    size_t port_count;
    bool external_name; /* a name for something outside; has no addresses */
};

struct kube_endpoint {
    const struct address *addresses;
    size_t address_count;
    struct slice pod; /* targetRef of kind Pod; its namespace is the slice's. Empty: none */
};

struct kube_endpoint_slice {
    const struct kube_endpoint *endpoints;
    size_t endpoint_count;
    const uint16_t *ports; /* protocol TCP; none: every port */
    size_t port_count;
};

struct kube_range {
    struct address address;
    unsigned prefix_bits; /* of the 128-bit mapped form */
};

struct kube_node {
    const struct address *addresses; /* InternalIP and ExternalIP */
    size_t address_count;
    const struct kube_range *ranges; /* spec.podCIDRs */
    size_t range_count;
};

struct kube_object {
    enum kube_kind kind;
    struct kube_meta meta;
    union {
        struct kube_pod pod;
        struct kube_service service;
        struct kube_endpoint_slice endpoint_slice;
        struct kube_node node;
    };
};
