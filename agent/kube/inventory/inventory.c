#include "agent/kube/inventory/inventory.h"

#include "agent/kube/inventory/holders.h"
#include "agent/kube/inventory/nodes.h"
#include "agent/kube/inventory/owners.h"
#include "agent/kube/inventory/pods.h"
#include "agent/kube/inventory/render.h"
#include "agent/kube/inventory/services.h"
#include "agent/kube/inventory/slices.h"

#include <errno.h>
#include <stdlib.h>

/*
 * Objects become records of a few words each that refer to one another and to shared texts by
 * index; addresses are where they meet (sites.c). What an object changes is noted as stale, and
 * only when a directory is wanted are the stale parts made anew (render.c), from what is known by
 * then: so the order in which objects arrive does not matter, and a hundred changes cost as much as
 * the parts that they touch.
 */

static bool intern_kinds(struct inventory *inventory)
{
    static const char *const kinds[OWNER_KINDS] = {
        [OWNER_DEPLOYMENT] = "Deployment",
        [OWNER_REPLICA_SET] = "ReplicaSet",
        [OWNER_JOB] = "Job",
        [OWNER_POD] = "Pod",
        [OWNER_NODE] = "Node",
        [OWNER_SERVICE] = "Service",
    };
    bool enough = true;
    for (size_t i = 0; i < OWNER_KINDS && enough; i++) {
        enough = texts_intern(inventory_texts(inventory), slice_of(kinds[i]), &inventory->kinds[i]);
    }
    return enough;
}

/* Configured names before ranges: at equal length the first counts. */
static bool copy_options(struct inventory *inventory, const struct inventory_options *options)
{
    size_t count = options->name_count + options->range_count;
    inventory->name_by_app_label = options->name_by_app_label;
    inventory->fixed_prefixes = calloc(count + 1, sizeof(*inventory->fixed_prefixes));
    inventory->fixed_count = count;
    if (inventory->fixed_prefixes == NULL ||
        !directory_name_entries(inventory->store, options->names, options->name_count,
                                inventory->fixed_prefixes)) {
        return false;
    }
    for (size_t i = 0; i < options->range_count; i++) {
        inventory->fixed_prefixes[options->name_count + i] = (struct prefix){
            .address = options->ranges[i].address, .bits = options->ranges[i].prefix_bits};
    }
    return true;
}

static void init_tables(struct inventory *inventory)
{
    table_init(&inventory->pods, sizeof(struct pod));
    table_init(&inventory->groups, sizeof(struct group));
    table_init(&inventory->services, sizeof(struct service));
    table_init(&inventory->slices, sizeof(struct endpoint_slice));
    table_init(&inventory->sites, sizeof(struct site));
    for (size_t kind = 0; kind < KUBE_KINDS; kind++) {
        table_init(&inventory->holders[kind], sizeof(struct holder));
    }
    pool_init(&inventory->claims, sizeof(struct claim));
    pool_init(&inventory->ports, sizeof(struct port_cell));
    pool_init(&inventory->ranges, sizeof(struct range_cell));
}

/* Objects and texts; what directories are made of grows with these, and must be had at the bound,
 * too, or nothing that goes would be heard of. */
static void bound_memory(struct inventory *inventory, size_t bytes)
{
    struct pool *const pools[] = {&inventory->pods.pool,     &inventory->groups.pool,
                                  &inventory->services.pool, &inventory->slices.pool,
                                  &inventory->sites.pool,    &inventory->claims,
                                  &inventory->ports,         &inventory->ranges};
    inventory->room = bytes;
    inventory->store->texts.room = &inventory->room;
    for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++) {
        pools[i]->room = &inventory->room;
    }
    for (size_t kind = 0; kind < KUBE_KINDS; kind++) {
        inventory->holders[kind].pool.room = &inventory->room;
    }
}

struct inventory *inventory_new(const struct inventory_options *options)
{
    struct inventory *inventory = calloc(1, sizeof(*inventory));
    if (inventory == NULL) {
        return NULL;
    }
    init_tables(inventory);
    inventory->changed = true;
    inventory->prefixes_stale = true;
    inventory->node_ports_stale = true;
    inventory->store = name_store_new();
    inventory->parts.store = inventory->store;
    if (inventory->store == NULL || !intern_kinds(inventory) || !copy_options(inventory, options)) {
        inventory_free(inventory);
        return NULL;
    }
    bound_memory(inventory, options->memory_bytes == 0 ? INVENTORY_BYTES : options->memory_bytes);
    return inventory;
}

static void free_parts(struct directory_parts *parts)
{
    struct shard **shards = &parts->shards[0][0];
    for (size_t i = 0; i < (size_t)DIRECTORY_FAMILIES * SHARDS; i++) {
        shard_release(shards[i]);
    }
    prefix_table_release(parts->prefixes);
    port_table_release(parts->node_ports);
    name_store_release(parts->store);
}

void inventory_free(struct inventory *inventory)
{
    if (inventory == NULL) {
        return;
    }
    free_parts(&inventory->parts);
    table_fini(&inventory->pods);
    table_fini(&inventory->groups);
    table_fini(&inventory->services);
    table_fini(&inventory->slices);
    table_fini(&inventory->sites);
    for (size_t kind = 0; kind < KUBE_KINDS; kind++) {
        table_fini(&inventory->holders[kind]);
    }
    pool_fini(&inventory->claims);
    pool_fini(&inventory->ports);
    pool_fini(&inventory->ranges);
    free(inventory->fixed_prefixes);
    free(inventory->rows);
    free(inventory);
}

int inventory_set(struct inventory *inventory, const struct kube_object *object, int64_t now_ns)
{
    if (object->meta.name.length == 0) {
        return 0;
    }
    switch (object->kind) {
    case KUBE_POD:
        return pods_set(inventory, object, now_ns);
    case KUBE_SERVICE:
        return services_set(inventory, object, now_ns);
    case KUBE_ENDPOINT_SLICE:
        return slices_set(inventory, object);
    case KUBE_NODE:
        return nodes_set(inventory, object, now_ns);
    case KUBE_REPLICA_SET:
    case KUBE_JOB:
    case KUBE_NAMESPACE:
        return owners_set(inventory, object);
    case KUBE_KINDS:
        break;
    }
    return 0;
}

static struct table *table_of(struct inventory *inventory, enum kube_kind kind)
{
    switch (kind) {
    case KUBE_POD:
        return &inventory->pods;
    case KUBE_SERVICE:
        return &inventory->services;
    case KUBE_ENDPOINT_SLICE:
        return &inventory->slices;
    case KUBE_NODE:
    case KUBE_REPLICA_SET:
    case KUBE_JOB:
    case KUBE_NAMESPACE:
    case KUBE_KINDS:
        break;
    }
    return &inventory->holders[kind];
}

static void remove_record(struct inventory *inventory, enum kube_kind kind, uint32_t index)
{
    switch (kind) {
    case KUBE_POD:
        pods_remove(inventory, index);
        break;
    case KUBE_SERVICE:
        services_remove(inventory, index);
        break;
    case KUBE_ENDPOINT_SLICE:
        slices_remove(inventory, index);
        break;
    case KUBE_NODE:
        nodes_remove(inventory, index);
        break;
    case KUBE_REPLICA_SET:
    case KUBE_JOB:
    case KUBE_NAMESPACE:
        owners_remove(inventory, kind, index);
        break;
    case KUBE_KINDS:
        break;
    }
}

/* The record of the object; 0: none. A pod of the same name that is another does not count. */
static uint32_t find_record(const struct inventory *inventory, const struct kube_object *object)
{
    const struct texts *texts = inventory_texts(inventory);
    bool whole = object->kind == KUBE_NODE || object->kind == KUBE_NAMESPACE;
    uint32_t namespace = 0;
    uint32_t name = 0;
    if (!texts_find(texts, whole ? slice_of("") : object->meta.namespace, &namespace) ||
        !texts_find(texts, object->meta.name, &name)) {
        return 0;
    }
    uint32_t index = 0;
    switch (object->kind) {
    case KUBE_POD:
        index = pods_find(inventory, namespace, name);
        return index != 0 && object->meta.uid.length > 0 &&
                       pods_at(inventory, index)->uid != pods_uid(object->meta.uid)
                   ? 0
                   : index;
    case KUBE_SERVICE:
        return services_find(inventory, namespace, name);
    case KUBE_ENDPOINT_SLICE:
        return slices_find(inventory, namespace, name);
    case KUBE_NODE:
    case KUBE_REPLICA_SET:
    case KUBE_JOB:
    case KUBE_NAMESPACE:
        return holders_find(inventory, object->kind, namespace, name);
    case KUBE_KINDS:
        break;
    }
    return 0;
}

int inventory_remove(struct inventory *inventory, const struct kube_object *object)
{
    uint32_t index = find_record(inventory, object);
    if (index != 0) {
        remove_record(inventory, object->kind, index);
    }
    return 0;
}

void inventory_list_begin(struct inventory *inventory, enum kube_kind kind)
{
    inventory->rounds[kind]++;
}

static uint16_t round_of(const struct inventory *inventory, enum kube_kind kind, uint32_t index)
{
    switch (kind) {
    case KUBE_POD:
        return pods_at(inventory, index)->round;
    case KUBE_SERVICE:
        return services_at(inventory, index)->round;
    case KUBE_ENDPOINT_SLICE:
        return slices_at(inventory, index)->round;
    case KUBE_NODE:
    case KUBE_REPLICA_SET:
    case KUBE_JOB:
    case KUBE_NAMESPACE:
        return holders_at(inventory, kind, index)->round;
    case KUBE_KINDS:
        break;
    }
    return 0;
}

void inventory_list_end(struct inventory *inventory, enum kube_kind kind)
{
    if (kind >= KUBE_KINDS) {
        return;
    }
    const struct table *table = table_of(inventory, kind);
    uint32_t next = table_next(table, 0);
    while (next != 0) {
        uint32_t index = next;
        next = table_next(table, index);
        if (round_of(inventory, kind, index) != inventory->rounds[kind]) {
            remove_record(inventory, kind, index);
        }
    }
}

bool inventory_changed(const struct inventory *inventory)
{
    return inventory->changed;
}

struct directory *inventory_directory(struct inventory *inventory)
{
    struct directory *directory = NULL;
    if (render_stale(inventory) == 0) {
        directory = directory_assemble(&inventory->parts);
    }
    if (directory != NULL) {
        inventory->changed = false;
    }
    return directory;
}
