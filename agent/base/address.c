#include "agent/base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static const uint8_t ipv4_mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

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

/* Without leading zeros. Returns behind the last digit. */
static char *put_decimal(char *at, unsigned value)
{
    char digits[10];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (count > 0) {
        *at++ = digits[--count];
    }
    return at;
}

/* By hand: it is done for each exchange that is delivered as an event. */
static char *put_ipv4(char *at, const uint8_t bytes[static 4])
{
    for (unsigned i = 0; i < 4; i++) {
        at = put_decimal(at, bytes[i]);
        *at++ = '.';
    }
    return at - 1;
}

size_t address_format(const struct address *address, char *text)
{
    if (address_is_ipv4(address)) {
        char *end = put_ipv4(text, address->bytes + 12);
        *end = '\0';
        return (size_t)(end - text);
    }
    inet_ntop(AF_INET6, address->bytes, text, ADDRESS_TEXT_SIZE);
    return strlen(text);
}

size_t endpoint_format(const struct endpoint *endpoint, char *text)
{
    char *at = text;
    bool ipv4 = address_is_ipv4(&endpoint->address);
    if (!ipv4) {
        *at++ = '[';
    }
    at += address_format(&endpoint->address, at);
    if (!ipv4) {
        *at++ = ']';
    }
    *at++ = ':';
    at = put_decimal(at, endpoint->port);
    *at = '\0';
    return (size_t)(at - text);
}
