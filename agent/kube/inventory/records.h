#pragma once

#include "agent/kube/directory/table.h"
#include "agent/kube/object.h"

/*
 * The records that an inventory is made of, for the files that keep them. Texts, names and records
 * are referred to by index; 0 is none. `round` is that of the last list which had the object.
 */
#define CLAIM_OBJECTS ((1u << 28) - 1)

struct claim { /* one address of one object */
    uint32_t site;
    uint32_t next_at_site; /* older ones */
    uint32_t next_of_object;
    unsigned kind : 3; /* enum kube_kind */
    unsigned kept : 1; /* while the object's addresses are compared with what it had */
    unsigned object : 28;
    union {
        int64_t since_ns;
        uint32_t target; /* of endpoints: the text of the pod's name */
    };
};

struct site { /* an address that somebody claims */
    struct table_link link;
    struct address address;
    uint32_t claims; /* the newest first */
};

struct port_cell {
    uint32_t next;
    uint16_t port;
    uint16_t node_port;
};

/* What pods are named by; one for all pods that have it in common. */
struct group {
    struct table_link link;
    uint32_t references;
    uint32_t namespace;
    uint32_t owner_kind;
    uint32_t owner;
    uint32_t deployment; /* as the owner's name tells it */
    uint32_t service_override;
    uint32_t namespace_override;
    uint32_t name; /* of the store: what all of this comes to */
    uint32_t renamed;
};

struct pod {
    struct table_link link;
    uint32_t name;
    uint32_t group;
    uint32_t node;
    uint32_t claims;
    uint32_t ports; /* of those on the host's network only */
    uint16_t round;
    bool host_network;
    uint64_t uid; /* hash */
};

struct service {
    struct table_link link;
    uint32_t namespace;
    uint32_t name;
    uint32_t claims;
    uint32_t ports;
    uint32_t slices;
    uint32_t face;       /* the name on its own addresses */
    uint32_t next_stale; /* of those whose face has to be made anew */
    uint16_t round;
    bool known; /* else only its slices are */
    bool stale;
};

struct endpoint_slice {
    struct table_link link;
    uint32_t namespace;
    uint32_t name;
    uint32_t service;
    uint32_t next_of_service;
    uint32_t claims;
    uint32_t ports; /* none: every port */
    uint16_t round;
};

/* Nodes, namespaces, and owners whose own owner is not told by their name. */
struct holder {
    struct table_link link;
    uint32_t namespace;
    uint32_t name;
    uint32_t kind;   /* text of a parent's kind, of owners; none: has no parent */
    uint32_t parent; /* text: the parent's name, or what the namespace is called */
    uint32_t claims;
    uint32_t ranges;
    uint16_t round;
};

struct range_cell {
    uint32_t next;
    uint32_t bits;
    struct address address;
};
