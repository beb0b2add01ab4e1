#include "agent/capture/rtnetlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/*
 * Two sockets: notifications arrive on one, questions are asked on the other, so an answer never
 * waits behind a queue of notifications. A notification may therefore be older than an answer; that
 * does no harm, because every change after it has a notification of its own behind it.
 */

/* Room for bursts: a node that starts a hundred pods makes some thousand notifications. */
#define EVENT_BUFFER_SIZE (4 << 20)

/* The kernel fills dumps up to this much at a time. */
#define MESSAGE_BUFFER_SIZE (32 << 10)

/* Answers come at once; this is for a kernel in trouble. */
#define ANSWER_TIMEOUT_S 5

/* A dump that the kernel says was interrupted by a change is asked for again. */
#define DUMP_ATTEMPTS 5

struct rtnetlink {
    struct mnl_socket *events;
    struct mnl_socket *requests;
    struct rtnetlink_callbacks callbacks;
    uint32_t sequence;
    bool notifying; /* what is being read are notifications */
    alignas(struct nlmsghdr) uint8_t buffer[MESSAGE_BUFFER_SIZE];
};

static int read_kind(const struct nlattr *attribute, void *paired_out)
{
    bool *paired = paired_out;
    if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND &&
        mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0) {
        const char *kind = mnl_attr_get_str(attribute);
        *paired = strcmp(kind, "veth") == 0 || strcmp(kind, "netkit") == 0;
    }
    return MNL_CB_OK;
}

static int read_link_attribute(const struct nlattr *attribute, void *link_out)
{
    struct rtnetlink_link *link = link_out;
    switch (mnl_attr_get_type(attribute)) {
    case IFLA_IFNAME:
        strncpy(link->name, mnl_attr_get_str(attribute), sizeof(link->name) - 1);
        break;
    case IFLA_LINK:
        link->peer = mnl_attr_get_u32(attribute);
        break;
    case IFLA_LINK_NETNSID:
        link->peer_elsewhere = true;
        break;
    case IFLA_LINKINFO:
        return mnl_attr_parse_nested(attribute, read_kind, &link->paired);
    default:
        break;
    }
    return MNL_CB_OK;
}

static void read_link(const struct rtnetlink *rtnetlink, const struct nlmsghdr *message)
{
    const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
    struct rtnetlink_link link = {.index = (uint32_t)header->ifi_index,
                                  .loopback = (header->ifi_flags & IFF_LOOPBACK) != 0,
                                  .running = (header->ifi_flags & IFF_UP) != 0 &&
                                             (header->ifi_flags & IFF_RUNNING) != 0};
    (void)mnl_attr_parse(message, sizeof(*header), read_link_attribute, &link);
    rtnetlink->callbacks.link(rtnetlink->callbacks.context, &link);
}

static int read_gone_attribute(const struct nlattr *attribute, void *moved_out)
{
    bool *moved = moved_out;
    *moved = *moved || mnl_attr_get_type(attribute) == IFLA_NEW_NETNSID;
    return MNL_CB_OK;
}

static void read_link_gone(const struct rtnetlink *rtnetlink, const struct nlmsghdr *message)
{
    const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
    bool moved = false;
    (void)mnl_attr_parse(message, sizeof(*header), read_gone_attribute, &moved);
    rtnetlink->callbacks.link_gone(rtnetlink->callbacks.context, (uint32_t)header->ifi_index,
                                   moved);
}

/* Bridges tell of their ports in messages of the same types, but under their own family. */
static bool is_of_link(const struct nlmsghdr *message)
{
    const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
    return mnl_nlmsg_get_payload_len(message) >= sizeof(*header) && header->ifi_family == AF_UNSPEC;
}

static void read_address(const struct rtnetlink *rtnetlink, const struct nlmsghdr *message)
{
    const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
    int host_bits = header->ifa_family == AF_INET ? 32 : 128;
    if (header->ifa_scope == RT_SCOPE_UNIVERSE && header->ifa_prefixlen < host_bits) {
        rtnetlink->callbacks.subnet_address(rtnetlink->callbacks.context, header->ifa_index);
    }
}

/* Every hop of a route over several; hops are laid out like attributes (rtnetlink(7)). */
static void read_hops(const struct rtnetlink *rtnetlink, const struct nlattr *attribute)
{
    const uint8_t *at = mnl_attr_get_payload(attribute);
    size_t left = mnl_attr_get_payload_len(attribute);
    struct rtnexthop hop;
    while (left >= sizeof(hop)) {
        memcpy(&hop, at, sizeof(hop));
        size_t length = ((size_t)hop.rtnh_len + RTNH_ALIGNTO - 1) & ~(size_t)(RTNH_ALIGNTO - 1);
        if (hop.rtnh_len < sizeof(hop) || length > left) {
            return;
        }
        rtnetlink->callbacks.default_route(rtnetlink->callbacks.context,
                                           (uint32_t)hop.rtnh_ifindex);
        at += length;
        left -= length;
    }
}

static bool is_default_route(const struct nlmsghdr *message)
{
    const struct rtmsg *header = mnl_nlmsg_get_payload(message);
    return header->rtm_dst_len == 0 && header->rtm_type == RTN_UNICAST &&
           header->rtm_table == RT_TABLE_MAIN;
}

static int read_route_attribute(const struct nlattr *attribute, void *context)
{
    const struct rtnetlink *rtnetlink = context;
    if (mnl_attr_get_type(attribute) == RTA_OIF) {
        rtnetlink->callbacks.default_route(rtnetlink->callbacks.context,
                                           mnl_attr_get_u32(attribute));
    } else if (mnl_attr_get_type(attribute) == RTA_MULTIPATH) {
        read_hops(rtnetlink, attribute);
    }
    return MNL_CB_OK;
}

static void read_addressing(struct rtnetlink *rtnetlink, const struct nlmsghdr *message)
{
    bool route = message->nlmsg_type == RTM_NEWROUTE || message->nlmsg_type == RTM_DELROUTE;
    if (route && !is_default_route(message)) {
        return;
    }
    if (rtnetlink->notifying) {
        rtnetlink->callbacks.addressing_changed(rtnetlink->callbacks.context);
    } else if (route) {
        (void)mnl_attr_parse(message, sizeof(struct rtmsg), read_route_attribute, rtnetlink);
    } else {
        read_address(rtnetlink, message);
    }
}

static void read_message(struct rtnetlink *rtnetlink, const struct nlmsghdr *message)
{
    switch (message->nlmsg_type) {
    case RTM_NEWLINK:
        if (is_of_link(message)) {
            read_link(rtnetlink, message);
        }
        break;
    case RTM_DELLINK:
        if (is_of_link(message)) {
            read_link_gone(rtnetlink, message);
        }
        break;
    case RTM_NEWADDR:
    case RTM_DELADDR:
        if (mnl_nlmsg_get_payload_len(message) >= sizeof(struct ifaddrmsg)) {
            read_addressing(rtnetlink, message);
        }
        break;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        if (mnl_nlmsg_get_payload_len(message) >= sizeof(struct rtmsg)) {
            read_addressing(rtnetlink, message);
        }
        break;
    default:
        break;
    }
}

static struct mnl_socket *open_events(bool with_addressing)
{
    struct mnl_socket *events = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (events == NULL) {
        return NULL;
    }
    int fd = mnl_socket_get_fd(events);
    int size = EVENT_BUFFER_SIZE;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    }
    unsigned groups = RTMGRP_LINK;
    if (with_addressing) {
        groups |= RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE;
    }
    if (mnl_socket_bind(events, groups, MNL_SOCKET_AUTOPID) < 0) {
        mnl_socket_close(events);
        return NULL;
    }
    return events;
}

static struct mnl_socket *open_requests(void)
{
    struct mnl_socket *requests = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (requests == NULL) {
        return NULL;
    }
    struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
    if (mnl_socket_bind(requests, 0, MNL_SOCKET_AUTOPID) < 0 ||
        setsockopt(mnl_socket_get_fd(requests), SOL_SOCKET, SO_RCVTIMEO, &timeout,
                   sizeof(timeout)) < 0) {
        mnl_socket_close(requests);
        return NULL;
    }
    return requests;
}

struct rtnetlink *rtnetlink_open(const struct rtnetlink_callbacks *callbacks, bool with_addressing)
{
    struct rtnetlink *rtnetlink = calloc(1, sizeof(*rtnetlink));
    if (rtnetlink == NULL) {
        return NULL;
    }
    rtnetlink->callbacks = *callbacks;
    rtnetlink->events = open_events(with_addressing);
    rtnetlink->requests = open_requests();
    if (rtnetlink->events == NULL || rtnetlink->requests == NULL) {
        int error = errno;
        rtnetlink_close(rtnetlink);
        errno = error;
        return NULL;
    }
    return rtnetlink;
}

void rtnetlink_close(struct rtnetlink *rtnetlink)
{
    if (rtnetlink == NULL) {
        return;
    }
    if (rtnetlink->events != NULL) {
        mnl_socket_close(rtnetlink->events);
    }
    if (rtnetlink->requests != NULL) {
        mnl_socket_close(rtnetlink->requests);
    }
    free(rtnetlink);
}

int rtnetlink_fd(const struct rtnetlink *rtnetlink)
{
    return mnl_socket_get_fd(rtnetlink->events);
}

/* One buffer of answers. Returns 0 or -errno when they are at their end, 1 when more follow. */
static int read_answers(struct rtnetlink *rtnetlink, int length, bool *interrupted)
{
    const struct nlmsghdr *message = (const struct nlmsghdr *)(const void *)rtnetlink->buffer;
    for (; mnl_nlmsg_ok(message, length); message = mnl_nlmsg_next(message, &length)) {
        if (message->nlmsg_seq != rtnetlink->sequence) {
            continue; /* of a question that was given up */
        }
        *interrupted = *interrupted || (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
        if (message->nlmsg_type == NLMSG_DONE) {
            return *interrupted ? -EINTR : 0;
        }
        if (message->nlmsg_type == NLMSG_ERROR) {
            const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);
            return error->error; /* 0: the acknowledgment */
        }
        read_message(rtnetlink, message);
    }
    return 1;
}

/* Sends a request, which is in `request`, and hands every answer to the callbacks. */
static int ask(struct rtnetlink *rtnetlink, struct nlmsghdr *request)
{
    request->nlmsg_seq = ++rtnetlink->sequence;
    rtnetlink->notifying = false;
    if (mnl_socket_sendto(rtnetlink->requests, request, request->nlmsg_len) < 0) {
        return -errno;
    }
    bool interrupted = false;
    int status;
    do {
        ssize_t got =
            mnl_socket_recvfrom(rtnetlink->requests, rtnetlink->buffer, sizeof(rtnetlink->buffer));
        if (got < 0) {
            return -errno;
        }
        status = read_answers(rtnetlink, (int)got, &interrupted);
    } while (status > 0);
    return status;
}

static int dump(struct rtnetlink *rtnetlink, uint16_t type, size_t header_size)
{
    alignas(struct nlmsghdr) uint8_t buffer[128];
    int status = -EINTR;
    for (int i = 0; i < DUMP_ATTEMPTS && status == -EINTR; i++) {
        struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
        request->nlmsg_type = type;
        request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        /* All zeros: of every family. */
        (void)mnl_nlmsg_put_extra_header(request, header_size);
        if (type == RTM_GETLINK) {
            mnl_attr_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        }
        status = ask(rtnetlink, request);
    }
    return status;
}

int rtnetlink_dump_links(struct rtnetlink *rtnetlink)
{
    return dump(rtnetlink, RTM_GETLINK, sizeof(struct ifinfomsg));
}

int rtnetlink_dump_addressing(struct rtnetlink *rtnetlink)
{
    int status = dump(rtnetlink, RTM_GETADDR, sizeof(struct ifaddrmsg));
    return status < 0 ? status : dump(rtnetlink, RTM_GETROUTE, sizeof(struct rtmsg));
}

int rtnetlink_query_link(struct rtnetlink *rtnetlink, uint32_t index)
{
    alignas(struct nlmsghdr) uint8_t buffer[128];
    struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
    request->nlmsg_type = RTM_GETLINK;
    request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    struct ifinfomsg *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
    header->ifi_index = (int)index;
    mnl_attr_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    return ask(rtnetlink, request);
}

static void read_notifications(struct rtnetlink *rtnetlink, int length)
{
    rtnetlink->notifying = true;
    const struct nlmsghdr *message = (const struct nlmsghdr *)(const void *)rtnetlink->buffer;
    for (; mnl_nlmsg_ok(message, length); message = mnl_nlmsg_next(message, &length)) {
        read_message(rtnetlink, message);
    }
}

int rtnetlink_drain(struct rtnetlink *rtnetlink)
{
    int status = 0;
    for (;;) {
        ssize_t got =
            mnl_socket_recvfrom(rtnetlink->events, rtnetlink->buffer, sizeof(rtnetlink->buffer));
        if (got >= 0) {
            read_notifications(rtnetlink, (int)got);
            status = status < 0 ? status : 1;
        } else if (errno == ENOBUFS || errno == ENOSPC) {
            status = -ENOBUFS; /* the kernel's buffer was full, or ours too small */
        } else if (errno != EINTR) {
            return errno == EAGAIN ? status : -errno;
        }
    }
}
