#include "agent/kube/inventory/ports.h"

#include <errno.h>

void ports_drop(struct inventory *inventory, uint32_t *list)
{
    while (*list != 0) {
        uint32_t cell = *list;
        *list = ports_at(inventory, cell)->next;
        pool_give(&inventory->ports, cell);
    }
}

bool ports_have(const struct inventory *inventory, uint32_t list, uint16_t port)
{
    while (list != 0 && ports_at(inventory, list)->port != port) {
        list = ports_at(inventory, list)->next;
    }
    return list != 0;
}

static bool cell_equal(const struct inventory *inventory, uint32_t cell,
                       const struct kube_service_port *port)
{
    const struct port_cell *known = ports_at(inventory, cell);
    return known->port == port->port && known->node_port == port->node_port;
}

/* Puts a port in front of the list; without memory the list is empty then. */
static bool push(struct inventory *inventory, uint32_t *list, const struct kube_service_port *port)
{
    uint32_t index = pool_take(&inventory->ports);
    if (index == 0) {
        ports_drop(inventory, list);
        return false;
    }
    struct port_cell *cell = pool_at(&inventory->ports, index);
    *cell = (struct port_cell){*list, port->port, port->node_port};
    *list = index;
    return true;
}

int ports_renew(struct inventory *inventory, uint32_t *list, const struct kube_service_port *ports,
                size_t count)
{
    uint32_t cell = *list;
    size_t same = 0;
    while (cell != 0 && same < count && cell_equal(inventory, cell, &ports[same])) {
        cell = ports_at(inventory, cell)->next;
        same++;
    }
    if (cell == 0 && same == count) {
        return 0;
    }
    ports_drop(inventory, list);
    while (count-- > 0) {
        if (!push(inventory, list, &ports[count])) {
            return -ENOMEM;
        }
    }
    return 1;
}

int ports_renew_plain(struct inventory *inventory, uint32_t *list, const uint16_t *ports,
                      size_t count)
{
    uint32_t cell = *list;
    size_t same = 0;
    while (cell != 0 && same < count && ports_at(inventory, cell)->port == ports[same]) {
        cell = ports_at(inventory, cell)->next;
        same++;
    }
    if (cell == 0 && same == count) {
        return 0;
    }
    ports_drop(inventory, list);
    while (count-- > 0) {
        const struct kube_service_port port = {.port = ports[count]};
        if (!push(inventory, list, &port)) {
            return -ENOMEM;
        }
    }
    return 1;
}
