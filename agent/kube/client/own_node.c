#include "agent/kube/client/own_node.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * The kernel says on a socket that addresses come or go; which, is then listed anew. Nothing is
 * read of what it says: a message lost for want of room is one of several, and one is enough.
 */

void own_node_init(struct own_node *own, struct address *(*list)(size_t *count_out))
{
    *own = (struct own_node){.list = list, .events = -1};
    if (list == NULL) {
        return;
    }
    const struct sockaddr_nl about = {.nl_family = AF_NETLINK,
                                      .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
    int events = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (events >= 0 &&
        bind(events, (const struct sockaddr *)(const void *)&about, sizeof(about)) != 0) {
        close(events);
        events = -1;
    }
    own->events = events;
}

static void forget(struct own_node *own)
{
    free(own->name);
    free(own->told);
    free(own->ranges);
    free(own->all);
    own->name = NULL;
    own->told = NULL;
    own->ranges = NULL;
    own->all = NULL;
}

void own_node_fini(struct own_node *own)
{
    forget(own);
    if (own->events >= 0) {
        close(own->events);
    }
}

static void *copy_of(const void *items, size_t count, size_t size)
{
    void *copy = calloc(count + 1, size);
    if (copy != NULL && count > 0) {
        memcpy(copy, items, count * size);
    }
    return copy;
}

static bool is_among(const struct address *address, const struct address *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (address_equal(address, &all[i])) {
            return true;
        }
    }
    return false;
}

/* Those that every host has: loopback, and what is only valid on one link. */
static bool is_local(const struct address *address)
{
    const uint8_t *bytes = address->bytes;
    if (address_is_ipv4(address)) {
        return bytes[12] == 127 || (bytes[12] == 169 && bytes[13] == 254);
    }
    static const struct address loopback = {{[15] = 1}};
    return address_equal(address, &loopback) || (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80);
}

/* Behind those told: the host's own, where it is the same host. Returns how many there are. */
static size_t add_host(struct own_node *own, const struct address *host, size_t host_count)
{
    size_t count = own->told_count;
    bool same = false;
    for (size_t i = 0; i < host_count; i++) {
        same = same || is_among(&host[i], own->told, own->told_count);
    }
    for (size_t i = 0; i < host_count && same; i++) {
        if (!is_local(&host[i]) && !is_among(&host[i], own->all, count)) {
            own->all[count++] = host[i];
        }
    }
    return count;
}

static int renew(struct own_node *own)
{
    size_t host_count = 0;
    struct address *host = own->list == NULL ? NULL : own->list(&host_count);
    if (host == NULL) {
        host_count = 0;
    }
    struct address *all = calloc(own->told_count + host_count + 1, sizeof(*all));
    if (all != NULL) {
        memcpy(all, own->told, own->told_count * sizeof(*all));
        free(own->all);
        own->all = all;
        own->object.node.addresses = all;
        own->object.node.address_count = add_host(own, host, host_count);
    }
    free(host);
    return all == NULL ? -ENOMEM : 0;
}

static int set(struct own_node *own, const struct kube_object *node)
{
    forget(own);
    own->name = strndup(node->meta.name.data, node->meta.name.length);
    own->told = copy_of(node->node.addresses, node->node.address_count, sizeof(*own->told));
    own->told_count = node->node.address_count;
    own->ranges = copy_of(node->node.ranges, node->node.range_count, sizeof(*own->ranges));
    bool made = own->name != NULL && own->told != NULL && own->ranges != NULL;
    if (!made || renew(own) != 0) {
        forget(own);
        return -ENOMEM;
    }
    own->object.kind = KUBE_NODE;
    own->object.meta.name = slice_of(own->name);
    own->object.node.ranges = own->ranges;
    own->object.node.range_count = node->node.range_count;
    return 0;
}

const struct kube_object *own_node_told(struct own_node *own, const char *name,
                                        const struct kube_object *node)
{
    bool is_own = name != NULL && slice_equal(node->meta.name, slice_of(name));
    return is_own && set(own, node) == 0 ? &own->object : node;
}

const struct kube_object *own_node_changed(struct own_node *own)
{
    bool changed = false;
    char message[1];
    /* Longer than that all are, and the rest is thrown away. */
    while (own->events >= 0 && (recv(own->events, message, sizeof(message), 0) >= 0 ||
                                errno == ENOBUFS || errno == EINTR)) {
        changed = true;
    }
    return changed && own->name != NULL && renew(own) == 0 ? &own->object : NULL;
}
