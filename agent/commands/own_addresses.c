#include "agent/commands/own_addresses.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdbool.h>
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

size_t own_addresses_list(struct address *addresses_out, size_t limit)
{
    struct ifaddrs *all = NULL;
    size_t count = 0;
    if (getifaddrs(&all) != 0) {
        return 0;
    }
    for (const struct ifaddrs *at = all; at != NULL && count < limit; at = at->ifa_next) {
        count += address_of(at->ifa_addr, &addresses_out[count]);
    }
    freeifaddrs(all);
    return count;
}
