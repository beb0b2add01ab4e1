#include "agent/commands/own_name.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESS_BITS 128

static bool is_named(const struct config *config, const struct address *address)
{
    for (size_t i = 0; i < config->name_count; i++) {
        const struct directory_entry *entry = &config->names[i];
        if (entry->prefix_bits == ADDRESS_BITS && entry->port == 0 &&
            address_equal(&entry->address, address)) {
            return true;
        }
    }
    return false;
}

/* There is room for it. */
static int append(struct config *config, const char *name, const char *service,
                  const struct address *address)
{
    size_t namespace_length = service == name ? 0 : (size_t)(service - name) - 1;
    char *namespace = strndup(name, namespace_length);
    char *copy = strdup(service);
    if (namespace == NULL || copy == NULL) {
        free(namespace);
        free(copy);
        return -ENOMEM;
    }
    config->names[config->name_count++] = (struct directory_entry){
        .address = *address, .prefix_bits = ADDRESS_BITS, .namespace = namespace, .service = copy};
    return 0;
}

int own_name_add(struct config *config, const char *name, const struct address *addresses,
                 size_t count)
{
    const char *slash = strchr(name, '/');
    const char *service = slash != NULL ? slash + 1 : name;
    if (service[0] == '\0') {
        return -EINVAL;
    }
    /* One more than needed: none of nothing is no answer that says anything. */
    size_t room = config->name_count + count + 1;
    struct directory_entry *names = realloc(config->names, room * sizeof(*names));
    if (names == NULL) {
        return -ENOMEM;
    }
    config->names = names;
    int status = 0;
    for (size_t i = 0; i < count && status == 0; i++) {
        status = is_named(config, &addresses[i]) ? 0 : append(config, name, service, &addresses[i]);
    }
    return status;
}
