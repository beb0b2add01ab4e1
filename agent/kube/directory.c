#include "agent/kube/directory.h"

#include "agent/kube/directory_parts.h"

#include <stdlib.h>

/*
 * A directory is a set of parts, none of which ever changes: configured names and ranges by prefix,
 * the cluster's addresses in shards by hash, node ports, and the names that all of these refer to.
 * An exact address of the cluster is a prefix of full length: configured names of that length go
 * before it, shorter ones after it.
 */

static enum directory_answer answer_name(const struct directory_parts *parts, uint32_t name,
                                         struct workload *workload_out)
{
    if (name == 0) {
        return DIRECTORY_AWAITED;
    }
    struct workload workload = {.namespace = slice_of(""), .pod = slice_of("")};
    workload.node = workload.pod;
    name_store_describe(parts->store, name, &workload);
    *workload_out = workload;
    return DIRECTORY_KNOWN;
}

/* The name that the list of roles has for the port; 0: none. */
static uint32_t name_of_port(const struct directory_parts *parts, uint32_t list, uint16_t port)
{
    const struct role *role = name_store_role_at(parts->store, list);
    while (role->port != 0 && role->port != port) {
        role = name_store_role_at(parts->store, role->next);
    }
    if (role->port == 0 && role->node != 0 && port != 0) {
        uint32_t name = port_table_find(parts->node_ports, port);
        return name != 0 ? name : role->name;
    }
    return role->name;
}

static enum directory_answer answer_place(const struct directory_parts *parts,
                                          const struct shard_place *place, uint16_t port,
                                          struct workload *workload_out)
{
    uint32_t name = name_of_port(parts, place->role, port);
    if (name == 0) {
        return DIRECTORY_AWAITED;
    }
    name_store_describe(parts->store, name, workload_out);
    workload_out->pod = name_store_text(parts->store, place->pod, place->pod_length);
    workload_out->node = name_store_text(parts->store, place->node, place->node_length);
    workload_out->since_ns = place->since_ns;
    return DIRECTORY_KNOWN;
}

static const struct shard_place *find_place(const struct directory_parts *parts,
                                            const struct endpoint *endpoint)
{
    uint32_t hash = shard_hash(&endpoint->address);
    enum directory_family family =
        address_is_ipv4(&endpoint->address) ? DIRECTORY_IPV4 : DIRECTORY_IPV6;
    const struct shard *shard = parts->shards[family][shard_of(hash)];
    return shard == NULL ? NULL : shard_find(shard, endpoint, hash);
}

enum directory_answer directory_find(const struct directory *directory,
                                     const struct endpoint *endpoint, struct workload *workload_out)
{
    const struct directory_parts *parts = &directory->parts;
    uint32_t name = 0;
    bool whole = prefix_table_find_whole(parts->prefixes, endpoint, &name);
    if (whole && name != 0) {
        return answer_name(parts, name, workload_out);
    }
    const struct shard_place *place = find_place(parts, endpoint);
    if (place != NULL) {
        return answer_place(parts, place, endpoint->port, workload_out);
    }
    if (whole) {
        return DIRECTORY_AWAITED;
    }
    if (prefix_table_find_shorter(parts->prefixes, endpoint, &name)) {
        return answer_name(parts, name, workload_out);
    }
    return !directory->any_shard && prefix_table_is_empty(parts->prefixes) ? DIRECTORY_UNNAMED
                                                                           : DIRECTORY_EXTERNAL;
}

struct directory *directory_assemble(const struct directory_parts *parts)
{
    struct directory *directory = calloc(1, sizeof(*directory));
    if (directory == NULL) {
        return NULL;
    }
    directory->epoch = name_store_enter(parts->store);
    if (directory->epoch == NULL) {
        free(directory);
        return NULL;
    }
    directory->parts = *parts;
    prefix_table_acquire(parts->prefixes);
    port_table_acquire(parts->node_ports);
    struct shard *const *shards = &parts->shards[0][0];
    for (size_t i = 0; i < (size_t)DIRECTORY_FAMILIES * SHARDS; i++) {
        if (shards[i] != NULL) {
            shard_acquire(shards[i]);
            directory->any_shard = true;
        }
    }
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
    struct directory_parts *parts = &directory->parts;
    struct shard **shards = &parts->shards[0][0];
    for (size_t i = 0; i < (size_t)DIRECTORY_FAMILIES * SHARDS; i++) {
        shard_release(shards[i]);
    }
    prefix_table_release(parts->prefixes);
    port_table_release(parts->node_ports);
    name_store_leave(parts->store, directory->epoch);
    free(directory);
}
