#include "agent/kube/client/identity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int identity_init(struct identity *identity, const char *node, const struct address *addresses,
                  size_t address_count)
{
    bool named = node != NULL && node[0] != '\0';
    *identity = (struct identity){.node = named ? strdup(node) : NULL,
                                  .addresses = calloc(address_count + 1, sizeof(struct address)),
                                  .address_count = address_count};
    if (identity->addresses == NULL || (named && identity->node == NULL)) {
        identity_fini(identity);
        return -ENOMEM;
    }
    if (address_count > 0) {
        memcpy(identity->addresses, addresses, address_count * sizeof(struct address));
    }
    return 0;
}

void identity_fini(struct identity *identity)
{
    free(identity->node);
    free(identity->addresses);
    *identity = (struct identity){0};
}

static bool is_own(const struct identity *identity, const struct address *address)
{
    for (size_t i = 0; i < identity->address_count; i++) {
        if (address_equal(&identity->addresses[i], address)) {
            return true;
        }
    }
    return false;
}

bool identity_recognise(struct identity *identity, const struct kube_object *node)
{
    if (identity->node != NULL) {
        return false;
    }
    for (size_t i = 0; i < node->node.address_count; i++) {
        if (is_own(identity, &node->node.addresses[i])) {
            identity->node = strndup(node->meta.name.data, node->meta.name.length);
            return identity->node != NULL;
        }
    }
    return false;
}
