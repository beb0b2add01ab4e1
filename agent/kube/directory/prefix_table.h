#pragma once

#include "agent/base/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ranges of addresses and what they are called, longest prefix first; immutable, shared. */
struct prefix_table;

struct prefix {
    struct address address;
    unsigned bits; /* of the 128-bit mapped form; more count as 128 */
    uint16_t port; /* 0: every port */
    uint32_t name; /* 0: awaited */
};

/* Of two with the same range and port the first counts. Held once. NULL: out of memory. */
struct prefix_table *prefix_table_new(const struct prefix *prefixes, size_t count);

/* Any thread. The last release frees it; NULL is fine. */
void prefix_table_acquire(struct prefix_table *table);
void prefix_table_release(struct prefix_table *table);

/* Any thread: the name for the endpoint, which is `ipv4` or not, of prefixes that are the whole
 * address, or of all shorter ones. At one length the port goes before every port. */
bool prefix_table_find_whole(const struct prefix_table *table, const struct endpoint *endpoint,
                             bool ipv4, uint32_t *name_out);
bool prefix_table_find_shorter(const struct prefix_table *table, const struct endpoint *endpoint,
                               bool ipv4, uint32_t *name_out);

/* Whether there are prefixes that are the whole address. */
bool prefix_table_has_whole(const struct prefix_table *table, bool ipv4);

bool prefix_table_is_empty(const struct prefix_table *table);
