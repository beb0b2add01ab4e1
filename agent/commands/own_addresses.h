#pragma once

#include "agent/base/address.h"

#include <stddef.h>

/* Writes the addresses of this network namespace, at most `limit`; returns how many. */
size_t own_addresses_list(struct address *addresses_out, size_t limit);
