#pragma once

#include "agent/kube/inventory/inventory_parts.h"

/* Lists of ports that objects have. */

/* Makes the list equal to the ports, in their order. Returns 1 when that changed it, 0 when not, or
 * -ENOMEM, and then the list is empty. */
int ports_renew(struct inventory *inventory, uint32_t *list, const struct kube_service_port *ports,
                size_t count);
int ports_renew_plain(struct inventory *inventory, uint32_t *list, const uint16_t *ports,
                      size_t count);
void ports_drop(struct inventory *inventory, uint32_t *list);

bool ports_have(const struct inventory *inventory, uint32_t list, uint16_t port);

static inline const struct port_cell *ports_at(const struct inventory *inventory, uint32_t cell)
{
    return pool_at(&inventory->ports, cell);
}
