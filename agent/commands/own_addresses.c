#include "agent/commands/own_addresses.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool address_of(const struct sockaddr *socket_address, struct address *address_out)
{
    if (socket_address != NULL && socket_address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        uint8_t bytes[4];
        memcpy(&v4, socket_address, sizeof(v4));
        memcpy(bytes, &v4.sin_addr, sizeof(bytes));
        *address_out = address_from_ipv4(bytes);
        return true;
    }
    if (socket_address != NULL && socket_address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, socket_address, sizeof(v6));
        *address_out = address_from_ipv6(v6.sin6_addr.s6_addr);
        return true;
    }
    return false;
}

static size_t length_of(const struct ifaddrs *all)
{
    size_t length = 0;
    for (; all != NULL; all = all->ifa_next) {
        length++;
    }
    return length;
}

struct address *own_addresses_list(size_t *count_out)
{
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) != 0) {
        return NULL;
    }
    struct address *addresses = calloc(length_of(all) + 1, sizeof(*addresses));
    size_t count = 0;
    for (const struct ifaddrs *at = all; addresses != NULL && at != NULL; at = at->ifa_next) {
        count += address_of(at->ifa_addr, &addresses[count]);
    }
    freeifaddrs(all);
    *count_out = count;
    return addresses;
}
