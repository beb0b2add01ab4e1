#pragma once

#include "agent/base/address.h"
#include "agent/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Who is behind an address: an immutable table, published by one pointer and read by any number of
 * threads without a lock. Made from the configuration, or by the Kubernetes inventory
 * (agent/kube/inventory/inventory.h) from that and from what the API server says.
 */
struct directory;

/* What an address (and port) is called. Slices point into the directory; absent: empty. */
struct workload {
    struct slice namespace;        /* service_namespace */
    struct slice service;          /* service_name */
    struct slice called_namespace; /* of the Kubernetes Service that stands at or in front of the */
    struct slice called;           /* address and port, where there is just one; else as above */
    struct slice kind;             /* "Deployment", "StatefulSet", ..., "Pod", "Node", "Service" */
    struct slice pod;
    struct slice node;
    int64_t since_ns; /* CLOCK_MONOTONIC when this became the address' name; 0: was always */
    uint32_t id;      /* dense, from 1: same names, same id within one directory */
};

enum directory_answer {
    DIRECTORY_KNOWN,
    DIRECTORY_AWAITED,  /* the address is the cluster's, but nobody is known there (yet) */
    DIRECTORY_EXTERNAL, /* outside every range that is configured or known */
    DIRECTORY_UNNAMED,  /* no range is known: an address is all there is */
};

/* One line of the configured names: addresses whose first `prefix_bits` bits (of the 128-bit mapped
 * form) equal those of `address`, on `port` or, with 0, on every port. */
struct directory_entry {
    struct address address;
    unsigned prefix_bits;
    uint16_t port;
    const char *namespace;
    const char *service;
};

/* Copies the entries. NULL: out of memory. The caller frees with directory_free. */
struct directory *directory_new(const struct directory_entry *entries, size_t count);
void directory_free(struct directory *directory);

/* Longest prefix first, an entry for the port before one for every port. Anything but
 * DIRECTORY_KNOWN leaves the output untouched. Lock-free, allocation-free; any thread. */
enum directory_answer directory_find(const struct directory *directory,
                                     const struct endpoint *endpoint,
                                     struct workload *workload_out);
