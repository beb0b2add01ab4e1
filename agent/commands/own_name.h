#pragma once

#include "agent/base/address.h"
#include "agent/config/config.h"

#include <stddef.h>

/*
 * What a sidecar's own pod is called. Its addresses are known when it runs and its name when it is
 * deployed, so neither can stand in a file that many pods share.
 */

/* Adds to the configured names that these addresses are "NAMESPACE/SERVICE" or "SERVICE", where
 * they have no name of their own yet. Returns 0; -EINVAL where there is no service in the name;
 * -ENOMEM. */
int own_name_add(struct config *config, const char *name, const struct address *addresses,
                 size_t count);
