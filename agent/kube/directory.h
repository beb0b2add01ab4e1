#pragma once

#include "agent/base/address.h"
#include "agent/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Who is behind an address: an immutable table, built once, published by one pointer and read by
 * any number of threads without a lock. Here from the configuration; the Kubernetes watch will
 * build the same structure.
 */
struct directory;

/* What an address (and port) is called. Slices point into the directory. */
struct workload {
    struct slice namespace;
    struct slice service;
    uint32_t id; /* dense, from 1: same names, same id within one directory */
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

/* Longest prefix first, an entry for the port before one for every port. False: nobody knows the
 * address; the output is untouched. Lock-free, allocation-free; any thread. */
bool directory_find(const struct directory *directory, const struct endpoint *endpoint,
                    struct workload *workload_out);

/* Whether any range is configured: then unknown addresses share the name `external`. */
bool directory_is_empty(const struct directory *directory);
