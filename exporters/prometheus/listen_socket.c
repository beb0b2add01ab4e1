#include "exporters/prometheus/listen_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connections that wait to be accepted: a few scrapers at once. */
#define BACKLOG 64
/* Where a mapped address has its four bytes (RFC 4291 section 2.5.5.2). */
#define V4_OFFSET 12

/* Where to listen; IPv4 addresses are kept as such. */
struct where {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    socklen_t length;
    bool both_families;
};

static struct where where_of(const struct listen_address *address)
{
    struct where where = {0};
    struct in6_addr v6;
    memcpy(&v6, address->bytes, sizeof(v6));
    if (IN6_IS_ADDR_V4MAPPED(&v6)) {
        where.address.v4.sin_family = AF_INET;
        where.address.v4.sin_port = htons(address->port);
        memcpy(&where.address.v4.sin_addr, address->bytes + V4_OFFSET, sizeof(struct in_addr));
        where.length = sizeof(where.address.v4);
        return where;
    }
    where.address.v6.sin6_family = AF_INET6;
    where.address.v6.sin6_port = htons(address->port);
    where.address.v6.sin6_addr = v6;
    where.length = sizeof(where.address.v6);
    where.both_families = IN6_IS_ADDR_UNSPECIFIED(&v6);
    return where;
}

static int set_options(int descriptor, const struct where *where)
{
    int on = 1;
    int v6_only = where->both_families ? 0 : 1;
    if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0) {
        return -errno;
    }
    if (where->address.any.sa_family == AF_INET6 &&
        setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only)) != 0) {
        return -errno;
    }
    return 0;
}

static int open_at(const struct where *where, int *socket_out)
{
    int descriptor = socket(where->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        return -errno;
    }
    int result = set_options(descriptor, where);
    if (result == 0 && (bind(descriptor, &where->address.any, where->length) != 0 ||
                        listen(descriptor, BACKLOG) != 0)) {
        result = -errno;
    }
    if (result != 0) {
        close(descriptor);
        return result;
    }
    *socket_out = descriptor;
    return 0;
}

int listen_socket_open(const struct listen_address *address, int *socket_out)
{
    struct where where = where_of(address);
    int result = open_at(&where, socket_out);
    if (!where.both_families || (result != -EAFNOSUPPORT && result != -EADDRNOTAVAIL)) {
        return result;
    }
    /* A machine without IPv6: all addresses are all IPv4 addresses. */
    where = (struct where){0};
    where.address.v4.sin_family = AF_INET;
    where.address.v4.sin_port = htons(address->port);
    where.length = sizeof(where.address.v4);
    return open_at(&where, socket_out);
}

uint16_t listen_socket_port(int socket)
{
    struct where where = {0};
    socklen_t length = sizeof(where.address);
    if (getsockname(socket, &where.address.any, &length) != 0) {
        return 0;
    }
    bool v6 = where.address.any.sa_family == AF_INET6;
    return ntohs(v6 ? where.address.v6.sin6_port : where.address.v4.sin_port);
}
