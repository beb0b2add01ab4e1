#pragma once

#include "agent/kube/directory.h"
#include "agent/kube/directory/shard.h"
#include "agent/kube/directory/table.h"
#include "agent/kube/directory/texts.h"

#include <stdalign.h>
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

struct name_texts {
    uint32_t texts[NAME_PARTS];
    uint8_t lengths[NAME_PARTS];
};

struct name {
    struct table_link link;
    uint32_t references;
    struct name_texts say;
};

/* What the ports of an address are called: a list that ends with a role for all other ports. To
 * have few records to wait for, a role has a copy of what its name says, and a list's last but one
 * stands for the last too, where that is the same without being called by a service. */
struct role {
    alignas(64) struct table_link link; /* a line of the cache */
    uint32_t references;
    uint32_t name; /* 0: awaited */
    uint32_t next;
    uint16_t port;   /* 0: all others, the last */
    uint16_t node;   /* the address is a node's: node ports are asked first */
    uint32_t others; /* name of all other ports, which is called as itself; then there is no next */
    struct name_texts say;
};

struct name_epoch;

struct name_store {
    atomic_uint holders;
    struct shard_seed seed; /* of all shards whose names are here */
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

/* Puts the port's name in front of a list, whose reference it takes over. 0: out of memory. */
uint32_t name_store_add_port(struct name_store *store, uint16_t port, uint32_t name, uint32_t list);

void name_store_acquire_name(struct name_store *store, uint32_t name);
void name_store_release_name(struct name_store *store, uint32_t name);
void name_store_acquire_role(struct name_store *store, uint32_t role);
void name_store_release_role(struct name_store *store, uint32_t role);

static inline const struct name *name_store_at(const struct name_store *store, uint32_t name)
{
    return pool_at_size(&store->names.pool, name, sizeof(struct name));
}

static inline const struct role *name_store_role_at(const struct name_store *store, uint32_t role)
{
    return pool_at_size(&store->roles.pool, role, sizeof(struct role));
}

/* Any thread: a text that a directory refers to. */
static inline struct slice name_store_text(const struct name_store *store, uint32_t text,
                                           uint8_t length)
{
    return (struct slice){texts_at(&store->texts, text)->bytes, length};
}

/* Any thread: fills the name's part of the workload in. */
static inline void name_store_describe(const struct name_store *store, const struct name_texts *say,
                                       uint32_t name, struct workload *workload_out)
{
    const uint32_t *texts = say->texts;
    const uint8_t *lengths = say->lengths;
    workload_out->namespace =
        name_store_text(store, texts[NAME_NAMESPACE], lengths[NAME_NAMESPACE]);
    workload_out->service = name_store_text(store, texts[NAME_SERVICE], lengths[NAME_SERVICE]);
    workload_out->called_namespace =
        name_store_text(store, texts[NAME_CALLED_NAMESPACE], lengths[NAME_CALLED_NAMESPACE]);
    workload_out->called = name_store_text(store, texts[NAME_CALLED], lengths[NAME_CALLED]);
    workload_out->kind = name_store_text(store, texts[NAME_KIND], lengths[NAME_KIND]);
    workload_out->id = name;
}
