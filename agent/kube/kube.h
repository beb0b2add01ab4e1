#pragma once

#include "agent/base/address.h"
#include "agent/kube/directory_source.h"
#include "agent/kube/inventory/inventory.h"
#include "agent/kube/object.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Keeps a directory in step with the API server, in one thread of its own: one watch a kind of
 * object, the inventory that they fill, a new directory published whenever it changed (at most ten
 * times a second). A server that is away, slow or refuses only shows in the status and the reports;
 * nobody waits for it, and what was known stays known until it is told otherwise.
 */
struct kube;

enum kube_access_kind {
    KUBE_IN_CLUSTER, /* the service account of the pod the agent runs in */
    KUBE_KUBECONFIG
};

/* Whose pods are asked for. */
enum kube_scope {
    KUBE_SCOPE_CLUSTER, /* of all nodes, this node's first */
    KUBE_SCOPE_NODE /* of this node alone; others are known by the endpoint slices they are in */
};

enum kube_report_event {
    KUBE_SYNCED,     /* listed whole, and watched from here */
    KUBE_FAILED,     /* a request failed; told once until it is synced again or fails otherwise */
    KUBE_NODE_FOUND, /* `text` is this node's name */
    KUBE_NO_MEMORY
};

/* What somebody may want to log; `text` lives as long as the call. */
struct kube_report {
    enum kube_report_event event;
    enum kube_kind kind; /* of KUBE_SYNCED and KUBE_FAILED */
    const char *text;    /* one line; "" when there is nothing to add */
};

struct kube_options {
    enum kube_access_kind access;
    const char *kubeconfig; /* file; NULL: $KUBECONFIG, else ~/.kube/config */
    const char *context;    /* of the kubeconfig; NULL: its current one */
    enum kube_scope scope;
    const char *node_name; /* NULL or "": the node that has one of own_addresses */
    const struct address *own_addresses;
    size_t own_address_count;
    /* Those of now, which the caller frees: on this node's host all are the node's. NULL: none. */
    struct address *(*list_addresses)(size_t *count_out);
    struct inventory_options inventory;
    struct directory_source *source;                                 /* published to; outlives */
    void (*report)(void *context, const struct kube_report *report); /* NULL: none. Its thread's */
    void *report_context;
};

/* Longest error text, terminator included. */
#define KUBE_ERROR_SIZE 256

/* Of one kind; counters since the start. */
struct kube_status {
    bool synced; /* listed whole, and what changed since has been heard of lately */
    uint64_t objects;
    uint64_t events;
    uint64_t lists; /* whole ones, the first included */
    uint64_t requests;
    uint64_t failures;
    uint64_t bytes_received;     /* bodies as sent, compressed or not */
    char error[KUBE_ERROR_SIZE]; /* of the last failure; "" once it is synced again */
};

/* Whether this process runs in a pod with a service account's environment. */
bool kube_in_cluster(void);

/* The resource's name as in URLs and permissions: "pods", "endpointslices". */
const char *kube_kind_name(enum kube_kind kind);

/* Reads the access and starts the thread; the options are copied. Returns 0, or -errno with one
 * line in `error_out`: only a kubeconfig or service account that cannot be used is an error here.
 */
int kube_start(const struct kube_options *options, struct kube **kube_out,
               char error_out[static KUBE_ERROR_SIZE]);

/* Ends the thread within a second and frees. NULL is fine. */
void kube_stop(struct kube *kube);

/* Any thread. */
void kube_status(const struct kube *kube, enum kube_kind kind, struct kube_status *status_out);
