#pragma once

#include "agent/base/address.h"

#include <stddef.h>

/* The addresses of this network namespace, of which a node has one or two for each pod link; the
 * caller frees them. NULL: they cannot be had. */
struct address *own_addresses_list(size_t *count_out);
