#pragma once

#include "agent/kube/inventory/inventory_parts.h"

/* Makes the stale parts of the inventory's next directory anew. Returns 0 or -ENOMEM; what was made
 * by then stays, so it can be called again. */
int render_stale(struct inventory *inventory);
