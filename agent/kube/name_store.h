#pragma once

#include "agent/kube/directory.h"
#include "agent/kube/table.h"
#include "agent/kube/texts.h"

#include <stdatomic.h>

/*
 * The names that directories hand out, shared by all directories of one inventory. One thread adds
 * and releases; what a directory that is still alive may refer to stays where it is.
 */
enum name_part {
    NAME_NAMESPACE,
    NAME_SERVICE,
    NAME_CALLED_NAMESPACE,
    NAME_CALLED,
    NAME_KIND,
    NAME_PARTS
};

struct name {
    struct table_link link;
    uint32_t references;
    uint32_t texts[NAME_PARTS];
    uint8_t lengths[NAME_PARTS];
};

/* What the ports of an address are called: a list that ends with a role for all other ports. */
struct role {
    struct table_link link;
    uint32_t references;
    uint32_t name; /* 0: awaited */
    uint32_t next;
    uint16_t port; /* 0: all others, the last */
    uint16_t node; /* the address is a node's: node ports are asked first */
};

struct name_epoch;

struct name_store {
    atomic_uint holders;
    struct texts texts;
    struct table names;
    struct table roles;
    uint32_t waiting_names;
    uint32_t waiting_roles;
    struct name_epoch *oldest; /* one for each directory made, while it or an older one lives */
    struct name_epoch *newest;
};

/* Held once. NULL: out of memory. */
struct name_store *name_store_new(void);
void name_store_release(struct name_store *store);

/* Any thread: begins what a new directory may see; NULL: out of memory. The directory holds the
 * store too, and lets go of both with the second, on any thread. */
struct name_epoch *name_store_enter(struct name_store *store);
void name_store_leave(struct name_store *store, struct name_epoch *epoch);

/* A name or role with a reference for the caller; 0: out of memory. What it refers to it holds
 * itself. */
uint32_t name_store_name(struct name_store *store, const uint32_t texts[static NAME_PARTS]);
uint32_t name_store_role(struct name_store *store, const struct role *role);

void name_store_acquire_name(struct name_store *store, uint32_t name);
void name_store_release_name(struct name_store *store, uint32_t name);
void name_store_acquire_role(struct name_store *store, uint32_t role);
void name_store_release_role(struct name_store *store, uint32_t role);

/* Any thread: fills the name's part of the workload in. */
void name_store_describe(const struct name_store *store, uint32_t name,
                         struct workload *workload_out);

static inline const struct name *name_store_at(const struct name_store *store, uint32_t name)
{
    return table_at(&store->names, name);
}

static inline const struct role *name_store_role_at(const struct name_store *store, uint32_t role)
{
    return table_at(&store->roles, role);
}

/* Any thread: a text that a directory refers to. */
static inline struct slice name_store_text(const struct name_store *store, uint32_t text,
                                           uint8_t length)
{
    return (struct slice){texts_at(&store->texts, text)->bytes, length};
}
