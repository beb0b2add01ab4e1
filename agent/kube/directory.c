#include "agent/kube/directory.h"

#include "agent/kube/directory/directory_parts.h"

#include <endian.h>
#include <stdlib.h>

/*
 * A directory is a set of parts, none of which ever changes: configured names and ranges by prefix,
 * the cluster's addresses in shards by hash, node ports, and the names that all of these refer to.
 * An exact address of the cluster is a prefix of full length: configured names of that length go
 * before it, shorter ones after it.
 */

static enum directory_answer answer_name(const struct directory *directory, uint32_t name,
                                         struct workload *workload_out)
{
    if (name == 0) {
        return DIRECTORY_AWAITED;
    }
    *workload_out = (struct workload){.pod = slice_of(""), .node = slice_of("")};
    name_store_describe(directory->store, &name_store_at(directory->store, name)->say, name,
                        workload_out);
    return DIRECTORY_KNOWN;
}

/* Says who is at a place, under this name. */
static enum directory_answer answer_place(const struct directory *directory,
                                          const struct shard_place *place,
                                          const struct name_texts *say, uint32_t name,
                                          struct workload *workload_out)
{
    if (name == 0) {
        return DIRECTORY_AWAITED;
    }
    name_store_describe(directory->store, say, name, workload_out);
    workload_out->pod = name_store_text(directory->store, place->pod, place->pod_length);
    workload_out->node = name_store_text(directory->store, place->node, place->node_length);
    workload_out->since_ns = place->since_ns;
    return DIRECTORY_KNOWN;
}

/* The name that the place's list of roles has for the port. */
static enum directory_answer answer_port(const struct directory *directory,
                                         const struct shard_place *place, uint16_t port,
                                         struct workload *workload_out)
{
    const struct role *role = name_store_role_at(directory->store, place->role);
    while (role->port != 0 && role->port != port && role->others == 0) {
        role = name_store_role_at(directory->store, role->next);
    }
    if (role->others != 0 && role->port != port) {
        answer_place(directory, place, &role->say, role->others, workload_out);
        workload_out->called_namespace = workload_out->namespace;
        workload_out->called = workload_out->service;
        return DIRECTORY_KNOWN;
    }
    if (role->node != 0 && port != 0) {
        uint32_t name = port_table_find(directory->node_ports, port);
        if (name != 0) {
            const struct name_texts *say = &name_store_at(directory->store, name)->say;
            return answer_place(directory, place, say, name, workload_out);
        }
    }
    return answer_place(directory, place, &role->say, role->name, workload_out);
}

/* As address_is_ipv4, in two comparisons. */
static bool is_ipv4(const struct address *address)
{
    uint64_t high = 0;
    uint32_t middle = 0;
    memcpy(&high, address->bytes, sizeof(high));
    memcpy(&middle, address->bytes + sizeof(high), sizeof(middle));
    return high == 0 && middle == htobe32(0xffff);
}

enum directory_answer directory_find(const struct directory *directory,
                                     const struct endpoint *endpoint, struct workload *workload_out)
{
    const struct prefix_table *prefixes = directory->prefixes;
    bool ipv4 = is_ipv4(&endpoint->address);
    enum directory_family family = ipv4 ? DIRECTORY_IPV4 : DIRECTORY_IPV6;
    uint64_t hash = shard_hash(&endpoint->address, &directory->seed);
    const struct directory_shard *at = &directory->shards[family][shard_of(hash)];
    uint32_t name = 0;
    bool whole =
        directory->any_whole[family] && prefix_table_find_whole(prefixes, endpoint, ipv4, &name);
    if (whole && name != 0) {
        return answer_name(directory, name, workload_out);
    }
    const struct shard_place *place =
        at->shard == NULL ? NULL : shard_find(at->shard, &at->index, endpoint, hash);
    if (place != NULL) {
        return answer_port(directory, place, endpoint->port, workload_out);
    }
    if (whole) {
        return DIRECTORY_AWAITED;
    }
    if (prefix_table_find_shorter(prefixes, endpoint, ipv4, &name)) {
        return answer_name(directory, name, workload_out);
    }
    return !directory->any_shard && prefix_table_is_empty(prefixes) ? DIRECTORY_UNNAMED
                                                                    : DIRECTORY_EXTERNAL;
}

/* Copies the indexes of all shards to one place. */
static void take_shards(struct directory *directory, struct shard *const *shards)
{
    struct directory_shard *to = &directory->shards[0][0];
    uint8_t *memory = directory->indexes;
    for (size_t i = 0; i < (size_t)DIRECTORY_FAMILIES * SHARDS; i++) {
        if (shards[i] == NULL) {
            continue;
        }
        shard_acquire(shards[i]);
        to[i].shard = shards[i];
        to[i].index = shard_index(shards[i]);
        size_t size = perfect_hash_size(&to[i].index);
        memcpy(memory, to[i].index.pilots, size);
        to[i].index.pilots = memory;
        memory += size;
        directory->any_shard = true;
    }
}

static size_t indexes_size(struct shard *const *shards)
{
    size_t size = 0;
    for (size_t i = 0; i < (size_t)DIRECTORY_FAMILIES * SHARDS; i++) {
        if (shards[i] != NULL) {
            struct perfect_hash index = shard_index(shards[i]);
            size += perfect_hash_size(&index);
        }
    }
    return size;
}

struct directory *directory_assemble(const struct directory_parts *parts)
{
    struct shard *const *shards = &parts->shards[0][0];
    struct directory *directory = calloc(1, sizeof(*directory) + indexes_size(shards));
    if (directory == NULL) {
        return NULL;
    }
    directory->epoch = name_store_enter(parts->store);
    if (directory->epoch == NULL) {
        free(directory);
        return NULL;
    }
    directory->seed = parts->store->seed;
    directory->store = parts->store;
    directory->prefixes = parts->prefixes;
    directory->node_ports = parts->node_ports;
    directory->any_whole[DIRECTORY_IPV4] = prefix_table_has_whole(parts->prefixes, true);
    directory->any_whole[DIRECTORY_IPV6] = prefix_table_has_whole(parts->prefixes, false);
    prefix_table_acquire(parts->prefixes);
    port_table_acquire(parts->node_ports);
    take_shards(directory, shards);
    return directory;
}

/* The name of a configured entry: who is called is who is there. 0: out of memory. */
static uint32_t name_entry(struct name_store *store, const struct directory_entry *entry)
{
    uint32_t texts[NAME_PARTS] = {0};
    uint32_t name = 0;
    if (texts_intern(&store->texts, slice_of(entry->namespace), &texts[NAME_NAMESPACE]) &&
        texts_intern(&store->texts, slice_of(entry->service), &texts[NAME_SERVICE])) {
        texts[NAME_CALLED_NAMESPACE] = texts[NAME_NAMESPACE];
        texts[NAME_CALLED] = texts[NAME_SERVICE];
        name = name_store_name(store, texts);
    }
    texts_release(&store->texts, texts[NAME_NAMESPACE]);
    texts_release(&store->texts, texts[NAME_SERVICE]);
    return name;
}

bool directory_name_entries(struct name_store *store, const struct directory_entry *entries,
                            size_t count, struct prefix *prefixes_out)
{
    for (size_t i = 0; i < count; i++) {
        prefixes_out[i] = (struct prefix){.address = entries[i].address,
                                          .bits = entries[i].prefix_bits,
                                          .port = entries[i].port,
                                          .name = name_entry(store, &entries[i])};
        if (prefixes_out[i].name == 0) {
            return false;
        }
    }
    return true;
}

struct directory *directory_new(const struct directory_entry *entries, size_t count)
{
    struct directory *directory = NULL;
    struct directory_parts *parts = calloc(1, sizeof(*parts));
    struct prefix *prefixes = calloc(count + 1, sizeof(*prefixes));
    if (parts == NULL || prefixes == NULL) {
        goto out;
    }
    parts->store = name_store_new();
    if (parts->store != NULL && directory_name_entries(parts->store, entries, count, prefixes)) {
        parts->prefixes = prefix_table_new(prefixes, count);
        parts->node_ports = port_table_new(NULL, 0);
    }
    if (parts->prefixes != NULL && parts->node_ports != NULL) {
        directory = directory_assemble(parts);
    }
    prefix_table_release(parts->prefixes);
    port_table_release(parts->node_ports);
    name_store_release(parts->store);
out:
    free(prefixes);
    free(parts);
    return directory;
}

void directory_free(struct directory *directory)
{
    if (directory == NULL) {
        return;
    }
    const struct directory_shard *shards = &directory->shards[0][0];
    for (size_t i = 0; i < (size_t)DIRECTORY_FAMILIES * SHARDS; i++) {
        shard_release(shards[i].shard);
    }
    prefix_table_release(directory->prefixes);
    port_table_release(directory->node_ports);
    name_store_leave(directory->store, directory->epoch);
    free(directory);
}
