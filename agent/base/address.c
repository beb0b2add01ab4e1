#include "agent/base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const uint8_t ipv4_mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct address address_from_ipv4(const uint8_t bytes[static 4])
{
    struct address address;
    memcpy(address.bytes, ipv4_mapped_prefix, sizeof(ipv4_mapped_prefix));
    memcpy(address.bytes + 12, bytes, 4);
    return address;
}

struct address address_from_ipv6(const uint8_t bytes[static 16])
{
    struct address address;
    memcpy(address.bytes, bytes, sizeof(address.bytes));
    return address;
}

bool address_is_ipv4(const struct address *address)
{
    return memcmp(address->bytes, ipv4_mapped_prefix, sizeof(ipv4_mapped_prefix)) == 0;
}

bool address_equal(const struct address *a, const struct address *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

int address_parse(const char *text, struct address *address_out)
{
    uint8_t bytes[16];
    if (inet_pton(AF_INET, text, bytes) == 1) {
        *address_out = address_from_ipv4(bytes);
        return 0;
    }
    if (inet_pton(AF_INET6, text, bytes) == 1) {
        *address_out = address_from_ipv6(bytes);
        return 0;
    }
    return -EINVAL;
}

size_t address_format(const struct address *address, char *text)
{
    if (address_is_ipv4(address)) {
        inet_ntop(AF_INET, address->bytes + 12, text, ADDRESS_TEXT_SIZE);
    } else {
        inet_ntop(AF_INET6, address->bytes, text, ADDRESS_TEXT_SIZE);
    }
    return strlen(text);
}

size_t endpoint_format(const struct endpoint *endpoint, char *text)
{
    char address[ADDRESS_TEXT_SIZE];
    address_format(&endpoint->address, address);
    bool ipv4 = address_is_ipv4(&endpoint->address);
    int length = snprintf(text, ENDPOINT_TEXT_SIZE, "%s%s%s:%u", ipv4 ? "" : "[", address,
                          ipv4 ? "" : "]", (unsigned)endpoint->port);
    return (size_t)length;
}
