#include "agent/kube/inventory/render.h"

#include "agent/kube/inventory/nodes.h"
#include "agent/kube/inventory/owners.h"
#include "agent/kube/inventory/ports.h"
#include "agent/kube/inventory/scene.h"
#include "agent/kube/inventory/services.h"
#include "agent/kube/inventory/sites.h"

#include <errno.h>
#include <stdlib.h>

/*
 * From what is known at an address to rows of a shard. Ports at which the same pod (or nobody)
 * answers differ in their names only: they share a row, and a list of roles that all pods of a
 * workload have in common. Another pod's port has a row of its own. A shard holds a reference to
 * everything that its rows refer to, from the making of it until it is replaced.
 */

#define FIRST_ROWS 256

static void release_place(struct inventory *inventory, const struct shard_place *place)
{
    name_store_release_role(inventory->store, place->role);
    texts_release(inventory_texts(inventory), place->pod);
    texts_release(inventory_texts(inventory), place->node);
}

static void release_places(struct inventory *inventory, const struct shard *shard)
{
    uint32_t at = 0;
    const struct shard_place *place = NULL;
    while (shard != NULL && (place = shard_next(shard, &at)) != NULL) {
        release_place(inventory, place);
    }
}

static bool reserve_row(struct inventory *inventory)
{
    if (inventory->row_count < inventory->row_capacity) {
        return true;
    }
    size_t capacity = inventory->row_capacity == 0 ? FIRST_ROWS : inventory->row_capacity * 2;
    struct shard_row *rows = realloc(inventory->rows, capacity * sizeof(*rows));
    if (rows == NULL) {
        return false;
    }
    inventory->rows = rows;
    inventory->row_capacity = capacity;
    return true;
}

/* A row without a role; there is room for it. */
static struct shard_row *add_row(struct inventory *inventory, const struct scene *scene,
                                 const struct scene_answer *answer, uint16_t port)
{
    struct texts *texts = inventory_texts(inventory);
    texts_acquire(texts, answer->pod);
    texts_acquire(texts, answer->node);
    struct shard_row *row = &inventory->rows[inventory->row_count++];
    *row = (struct shard_row){.address = sites_at(inventory, scene->site)->address,
                              .place = {.since_ns = answer->since_ns,
                                        .pod = answer->pod,
                                        .node = answer->node,
                                        .port = port,
                                        .pod_length = texts_at(texts, answer->pod)->length,
                                        .node_length = texts_at(texts, answer->node)->length}};
    return row;
}

static bool same_place(const struct scene_answer *a, const struct scene_answer *b)
{
    return a->pod == b->pod && a->node == b->node && a->since_ns == b->since_ns;
}

/* The port's name becomes a role in front of `roles` or a row. */
static int add_port(struct inventory *inventory, const struct scene *scene,
                    const struct scene_answer *others, uint16_t port, uint32_t *roles)
{
    struct scene_answer answer;
    int status = scene_ask(inventory, scene, port, &answer);
    if (status <= 0) {
        return status;
    }
    bool together = same_place(&answer, others);
    if (!together) {
        struct shard_row *row =
            reserve_row(inventory) ? add_row(inventory, scene, &answer, port) : NULL;
        if (row != NULL) {
            const struct role role = {.name = answer.name};
            row->place.role = name_store_role(inventory->store, &role);
        }
        status = row != NULL && row->place.role != 0 ? 0 : -ENOMEM;
    } else if (answer.name != others->name || scene->node != 0) {
        *roles = name_store_add_port(inventory->store, port, answer.name, *roles);
        status = *roles != 0 ? 0 : -ENOMEM;
    }
    name_store_release_name(inventory->store, answer.name);
    return status < 0 ? status : 0;
}

static int add_site(struct inventory *inventory, uint32_t site)
{
    uint16_t ports[SCENE_PORTS];
    const struct scene scene = scene_of(inventory, site);
    struct scene_answer others;
    if (!reserve_row(inventory) || scene_ask_others(inventory, &scene, &others) != 0) {
        return -ENOMEM;
    }
    const struct role last = {.name = others.name, .node = scene.pod == 0 && scene.node != 0};
    uint32_t roles = name_store_role(inventory->store, &last);
    size_t row = inventory->row_count;
    add_row(inventory, &scene, &others, 0);
    size_t count = scene_ports(inventory, &scene, ports);
    int status = roles == 0 ? -ENOMEM : 0;
    while (count-- > 0 && status == 0) {
        status = add_port(inventory, &scene, &others, ports[count], &roles);
    }
    inventory->rows[row].place.role = roles;
    name_store_release_name(inventory->store, others.name);
    return status;
}

static int collect_rows(struct inventory *inventory, enum directory_family family, uint32_t shard)
{
    const struct table *sites = &inventory->sites;
    inventory->row_count = 0;
    if (sites->heads == NULL) {
        return 0;
    }
    uint32_t first = shard << (32 - SHARD_BITS);
    uint32_t last = first | (UINT32_MAX >> SHARD_BITS);
    for (uint32_t chain = table_chain(sites, first); chain <= table_chain(sites, last); chain++) {
        for (uint32_t at = sites->heads[chain]; at != 0; at = table_link(sites, at)->next) {
            const struct site *site = sites_at(inventory, at);
            bool ipv4 = address_is_ipv4(&site->address);
            if (shard_of((uint64_t)site->link.hash << 32) == shard &&
                ipv4 == (family == DIRECTORY_IPV4) && add_site(inventory, at) != 0) {
                return -ENOMEM;
            }
        }
    }
    return 0;
}

static int renew_shard(struct inventory *inventory, enum directory_family family, uint32_t index)
{
    struct shard **shard = &inventory->parts.shards[family][index];
    struct shard *made = NULL;
    bool enough = collect_rows(inventory, family, index) == 0;
    if (enough && inventory->row_count > 0) {
        made = shard_new(inventory->rows, inventory->row_count, family == DIRECTORY_IPV4,
                         &inventory->store->seed);
        enough = made != NULL;
    }
    if (!enough) {
        for (size_t i = 0; i < inventory->row_count; i++) {
            release_place(inventory, &inventory->rows[i].place);
        }
        return -ENOMEM;
    }
    release_places(inventory, *shard);
    shard_release(*shard);
    *shard = made;
    inventory->shards_stale[family][index] = false;
    return 0;
}

static int renew_shards(struct inventory *inventory)
{
    for (uint32_t i = 0; i < DIRECTORY_FAMILIES * SHARDS; i++) {
        enum directory_family family = i < SHARDS ? DIRECTORY_IPV4 : DIRECTORY_IPV6;
        if (inventory->shards_stale[family][i % SHARDS] &&
            renew_shard(inventory, family, i % SHARDS) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

static int renew_prefixes(struct inventory *inventory)
{
    size_t count = inventory->fixed_count + nodes_count_ranges(inventory);
    struct prefix *prefixes = calloc(count + 1, sizeof(*prefixes));
    if (prefixes == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < inventory->fixed_count; i++) {
        prefixes[i] = inventory->fixed_prefixes[i];
    }
    nodes_copy_ranges(inventory, prefixes + inventory->fixed_count);
    struct prefix_table *made = prefix_table_new(prefixes, count);
    free(prefixes);
    if (made == NULL) {
        return -ENOMEM;
    }
    prefix_table_release(inventory->parts.prefixes);
    inventory->parts.prefixes = made;
    inventory->prefixes_stale = false;
    return 0;
}

/* The service of each node port; the first by name of several. */
static void collect_node_ports(const struct inventory *inventory, uint32_t *services)
{
    uint32_t index = 0;
    while ((index = table_next(&inventory->services, index)) != 0) {
        uint32_t cell = services_at(inventory, index)->ports;
        for (; cell != 0; cell = ports_at(inventory, cell)->next) {
            uint32_t *known = &services[ports_at(inventory, cell)->node_port];
            if (*known == 0 || services_before(inventory, index, *known)) {
                *known = index;
            }
        }
    }
}

static void replace_node_ports(struct inventory *inventory, struct port_table *made)
{
    size_t count = 0;
    const struct port_name *names = port_table_names(made, &count);
    for (size_t i = 0; i < count; i++) {
        name_store_acquire_name(inventory->store, names[i].name);
    }
    if (inventory->parts.node_ports != NULL) {
        names = port_table_names(inventory->parts.node_ports, &count);
        for (size_t i = 0; i < count; i++) {
            name_store_release_name(inventory->store, names[i].name);
        }
    }
    port_table_release(inventory->parts.node_ports);
    inventory->parts.node_ports = made;
    inventory->node_ports_stale = false;
}

static int renew_node_ports(struct inventory *inventory)
{
    const size_t ports = (size_t)UINT16_MAX + 1;
    uint32_t *services = calloc(ports, sizeof(*services));
    struct port_name *names = calloc(ports, sizeof(*names));
    struct port_table *made = NULL;
    if (services != NULL && names != NULL) {
        size_t count = 0;
        collect_node_ports(inventory, services);
        for (size_t port = 1; port < ports; port++) {
            if (services[port] != 0) {
                uint32_t face = services_at(inventory, services[port])->face;
                names[count++] = (struct port_name){(uint16_t)port, face};
            }
        }
        made = port_table_new(names, count);
    }
    free(services);
    free(names);
    if (made == NULL) {
        return -ENOMEM;
    }
    replace_node_ports(inventory, made);
    return 0;
}

int render_stale(struct inventory *inventory)
{
    int status = owners_refresh(inventory);
    if (status == 0) {
        status = services_refresh(inventory);
    }
    if (status == 0 && inventory->prefixes_stale) {
        status = renew_prefixes(inventory);
    }
    if (status == 0 && inventory->node_ports_stale) {
        status = renew_node_ports(inventory);
    }
    return status == 0 ? renew_shards(inventory) : status;
}
