#include "agent/kube/wire/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An address, a slash, three digits. */
#define RANGE_TEXT_SIZE (ADDRESS_TEXT_SIZE + 4)
/* Beyond these many, whether an address is there already is not looked for. */
#define FEW_ADDRESSES 8
#define IPV4_BITS 32
#define IPV6_BITS 128

/* A terminated copy; false where it cannot be a short text. */
static bool terminate(struct slice bytes, char *text, size_t size)
{
    if (bytes.length == 0 || bytes.length >= size || memchr(bytes.data, '\0', bytes.length)) {
        return false;
    }
    memcpy(text, bytes.data, bytes.length);
    text[bytes.length] = '\0';
    return true;
}

void address_list_add(struct address_list *list, struct slice text)
{
    char terminated[ADDRESS_TEXT_SIZE];
    struct address address;
    if (!terminate(text, terminated, sizeof(terminated)) ||
        address_parse(terminated, &address) != 0) {
        return;
    }
    for (size_t i = 0; i < list->count && i < FEW_ADDRESSES; i++) {
        if (address_equal(&list->items[i], &address)) {
            return;
        }
    }
    list->items[list->count++] = address;
}

bool message_is_tcp(struct slice protocol, int32_t port)
{
    bool tcp = protocol.length == 0 || slice_equal(protocol, slice_of("TCP"));
    return tcp && port > 0 && port <= UINT16_MAX;
}

void port_list_add(struct port_list *list, struct slice protocol, int32_t port)
{
    if (message_is_tcp(protocol, port)) {
        list->items[list->count++] = (uint16_t)port;
    }
}

int message_parse_range(struct slice text, struct address *address_out, unsigned *prefix_bits_out)
{
    char terminated[RANGE_TEXT_SIZE];
    if (!terminate(text, terminated, sizeof(terminated))) {
        return -EINVAL;
    }
    char *slash = strchr(terminated, '/');
    if (slash == NULL || slash[1] < '0' || slash[1] > '9') {
        return -EINVAL;
    }
    *slash = '\0';
    struct address address;
    char *end = NULL;
    unsigned long bits = strtoul(slash + 1, &end, 10);
    if (*end != '\0' || address_parse(terminated, &address) != 0) {
        return -EINVAL;
    }
    unsigned most = strchr(terminated, ':') == NULL ? IPV4_BITS : IPV6_BITS;
    if (bits > most) {
        return -EINVAL;
    }
    *address_out = address;
    *prefix_bits_out = (unsigned)bits + (IPV6_BITS - most);
    return 0;
}
