#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* An IP address; IPv4 is kept in its IPv4-mapped form (RFC 4291 section 2.5.5.2). */
struct address {
    uint8_t bytes[16];
};

/* One end of a TCP connection; the port is in host order. */
struct endpoint {
    struct address address;
    uint16_t port;
};

/* Longest text that address_format and endpoint_format write, terminator included. */
#define ADDRESS_TEXT_SIZE 46
#define ENDPOINT_TEXT_SIZE 56

/* The mapped form of an IPv4 address given as its four bytes in network order. Inline, as the next:
 * every packet has two. */
static inline struct address address_from_ipv4(const uint8_t bytes[static 4])
{
    struct address address = {{[10] = 0xff, [11] = 0xff}};
    memcpy(address.bytes + 12, bytes, 4);
    return address;
}

static inline struct address address_from_ipv6(const uint8_t bytes[static 16])
{
    struct address address;
    memcpy(address.bytes, bytes, sizeof(address.bytes));
    return address;
}

bool address_is_ipv4(const struct address *address);
bool address_equal(const struct address *a, const struct address *b);

/* Reads "10.0.0.1" or "2001:db8::1". Returns 0 or -EINVAL; the output is untouched on failure. */
int address_parse(const char *text, struct address *address_out);

/* Writes the text (RFC 5952 for IPv6) with its terminator and returns its length. `text` holds
 * ADDRESS_TEXT_SIZE bytes. */
size_t address_format(const struct address *address, char *text);

/* "10.0.0.1:80" or "[2001:db8::1]:80"; `text` holds ENDPOINT_TEXT_SIZE bytes. Returns the length.
 */
size_t endpoint_format(const struct endpoint *endpoint, char *text);
