#pragma once

#include "agent/base/address.h"
#include "agent/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What messages of the API say in texts and numbers, gathered into arrays that were made large
 * enough for all of them. */
struct address_list {
    struct address *items;
    size_t count;
};

/* Adds the address; what is none ("None", a host name) or is there already is left out. */
void address_list_add(struct address_list *list, struct slice text);

struct port_list {
    uint16_t *items;
    size_t count;
};

/* Whether it is a TCP port; no protocol means TCP. */
bool message_is_tcp(struct slice protocol, int32_t port);

/* Adds the port if it is TCP's. */
void port_list_add(struct port_list *list, struct slice protocol, int32_t port);

/* "10.0.0.0/8" or "2001:db8::/32", the length as of the mapped form. Returns 0 or -EINVAL. */
int message_parse_range(struct slice text, struct address *address_out, unsigned *prefix_bits_out);
