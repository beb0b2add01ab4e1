#pragma once

#include "agent/config/schema.h"

#include <stdbool.h>
#include <stddef.h>

/* The structs that a schema describes, filled and emptied by its rows. */

/* Sets the keys of a zeroed struct to their defaults. False: out of memory (or a wrong row). */
bool store_apply_defaults(const struct schema_section *section, void *base);

/* Frees what the keys own, lists with all of their elements, and zeroes them. */
void store_release(const struct schema_section *section, void *base);

/* The fields of a list: empties it, returns its items, adds a zeroed one (NULL: out of memory). */
void store_clear_list(const struct schema_key *key, void *base);
void *store_items(const struct schema_key *key, void *base);
void *store_grow_list(const struct schema_key *key, void *base);

static inline void *store_field(void *base, size_t offset)
{
    return (char *)base + offset;
}
