#include "exporters/prometheus/listen_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connections that wait to be accepted: a few scrapers at once. */
#define BACKLOG 64
/* "[" + the longest IPv6 text + "]" fits. */
#define HOST_SIZE 64

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

static int parse_port(const char *text, uint16_t *port_out)
{
    if (text[0] == '\0' || strlen(text) > 5 || strspn(text, "0123456789") != strlen(text)) {
        return -EINVAL;
    }
    unsigned long port = strtoul(text, NULL, 10);
    if (port > UINT16_MAX) {
        return -EINVAL;
    }
    *port_out = (uint16_t)port;
    return 0;
}

static int parse_host(const char *host, uint16_t port, struct where *where)
{
    if (inet_pton(AF_INET, host, &where->address.v4.sin_addr) == 1) {
        where->address.v4.sin_family = AF_INET;
        where->address.v4.sin_port = htons(port);
        where->length = sizeof(where->address.v4);
        return 0;
    }
    size_t length = strlen(host);
    char inner[HOST_SIZE] = "::";
    if (length > 2 && host[0] == '[' && host[length - 1] == ']') {
        memcpy(inner, host + 1, length - 2);
        inner[length - 2] = '\0';
    } else if (length > 0) {
        return -EINVAL;
    }
    if (inet_pton(AF_INET6, inner, &where->address.v6.sin6_addr) != 1) {
        return -EINVAL;
    }
    where->address.v6.sin6_family = AF_INET6;
    where->address.v6.sin6_port = htons(port);
    where->length = sizeof(where->address.v6);
    where->both_families = IN6_IS_ADDR_UNSPECIFIED(&where->address.v6.sin6_addr);
    return 0;
}

static int parse(const char *text, struct where *where)
{
    const char *colon = strrchr(text, ':');
    char host[HOST_SIZE] = "";
    uint16_t port;
    if (colon == NULL || (size_t)(colon - text) >= sizeof(host) || parse_port(colon + 1, &port)) {
        return -EINVAL;
    }
    memcpy(host, text, (size_t)(colon - text));
    return parse_host(host, port, where);
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

int listen_socket_open(const char *address, int *socket_out)
{
    struct where where = {0};
    int result = parse(address, &where);
    if (result != 0) {
        return result;
    }
    result = open_at(&where, socket_out);
    if (!where.both_families || (result != -EAFNOSUPPORT && result != -EADDRNOTAVAIL)) {
        return result;
    }
    /* A machine without IPv6: all addresses are all IPv4 addresses. */
    in_port_t port = where.address.v6.sin6_port;
    where = (struct where){0};
    where.address.v4.sin_family = AF_INET;
    where.address.v4.sin_port = port;
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
