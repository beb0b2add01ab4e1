#include "agent/kube/inventory/nodes.h"

#include "agent/kube/inventory/holders.h"
#include "agent/kube/inventory/sites.h"

#include <errno.h>

static const struct range_cell *range_at(const struct inventory *inventory, uint32_t cell)
{
    return pool_at(&inventory->ranges, cell);
}

static void drop_ranges(struct inventory *inventory, uint32_t *list)
{
    if (*list != 0) {
        inventory->prefixes_stale = true;
        inventory->changed = true;
    }
    while (*list != 0) {
        uint32_t cell = *list;
        *list = range_at(inventory, cell)->next;
        pool_give(&inventory->ranges, cell);
    }
}

static bool same_ranges(const struct inventory *inventory, uint32_t list,
                        const struct kube_node *node)
{
    size_t same = 0;
    for (size_t i = node->range_count; i-- > 0 && list != 0; same++) {
        const struct range_cell *known = range_at(inventory, list);
        if (known->bits != node->ranges[i].prefix_bits ||
            !address_equal(&known->address, &node->ranges[i].address)) {
            return false;
        }
        list = known->next;
    }
    return same == node->range_count && list == 0;
}

/* The list is in the reverse of the given order. */
static int renew_ranges(struct inventory *inventory, uint32_t *list, const struct kube_node *node)
{
    if (same_ranges(inventory, *list, node)) {
        return 0;
    }
    drop_ranges(inventory, list);
    inventory->prefixes_stale = true;
    inventory->changed = true;
    for (size_t i = 0; i < node->range_count; i++) {
        uint32_t index = pool_take(&inventory->ranges);
        if (index == 0) {
            return -ENOMEM;
        }
        struct range_cell *cell = pool_at(&inventory->ranges, index);
        *cell = (struct range_cell){*list, node->ranges[i].prefix_bits, node->ranges[i].address};
        *list = index;
    }
    return 0;
}

int nodes_set(struct inventory *inventory, const struct kube_object *object, int64_t now_ns)
{
    uint32_t name = 0;
    if (!texts_intern(inventory_texts(inventory), object->meta.name, &name)) {
        return -ENOMEM;
    }
    uint32_t index = holders_get(inventory, KUBE_NODE, 0, name);
    texts_release(inventory_texts(inventory), name);
    if (index == 0) {
        return -ENOMEM;
    }
    struct holder *node = holders_at(inventory, KUBE_NODE, index);
    node->round = inventory->rounds[KUBE_NODE];
    const struct claim claim = {
        .kind = KUBE_NODE, .object = index & CLAIM_OBJECTS, .since_ns = now_ns};
    int status = sites_renew(inventory, &node->claims, &claim, object->node.addresses,
                             object->node.address_count);
    int ranges = renew_ranges(inventory, &node->ranges, &object->node);
    return status != 0 ? status : ranges;
}

void nodes_remove(struct inventory *inventory, uint32_t index)
{
    struct holder *node = holders_at(inventory, KUBE_NODE, index);
    sites_drop_rest(inventory, &node->claims);
    drop_ranges(inventory, &node->ranges);
    holders_remove(inventory, KUBE_NODE, index);
}

size_t nodes_count_ranges(const struct inventory *inventory)
{
    size_t count = 0;
    uint32_t index = 0;
    while ((index = table_next(&inventory->holders[KUBE_NODE], index)) != 0) {
        uint32_t cell = holders_at(inventory, KUBE_NODE, index)->ranges;
        for (; cell != 0; cell = range_at(inventory, cell)->next) {
            count++;
        }
    }
    return count;
}

void nodes_copy_ranges(const struct inventory *inventory, struct prefix *prefixes_out)
{
    uint32_t index = 0;
    while ((index = table_next(&inventory->holders[KUBE_NODE], index)) != 0) {
        uint32_t cell = holders_at(inventory, KUBE_NODE, index)->ranges;
        for (; cell != 0; cell = range_at(inventory, cell)->next) {
            *prefixes_out++ = (struct prefix){.address = range_at(inventory, cell)->address,
                                              .bits = range_at(inventory, cell)->bits};
        }
    }
}
