#pragma once

#include "agent/base/address.h"
#include "agent/kube/object.h"

#include <stdbool.h>
#include <stddef.h>

/* Which node this is: told from the start, or the one that has an address of this host's. */
struct identity {
    char *node; /* NULL: not known */
    struct address *addresses;
    size_t address_count;
};

/* `node` may be NULL or ""; everything is copied. Returns 0 or -ENOMEM. */
int identity_init(struct identity *identity, const char *node, const struct address *addresses,
                  size_t address_count);
void identity_fini(struct identity *identity);

/* Looks whether the node is this one. True: it is, and that was not known before. */
bool identity_recognise(struct identity *identity, const struct kube_object *node);
