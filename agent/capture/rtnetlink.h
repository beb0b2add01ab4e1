#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * The kernel's word on interfaces (rtnetlink(7)): a dump of what is, and notifications of what
 * changes. Says what it reads, decides nothing. One thread; a callback asks nothing back.
 */
struct rtnetlink;

struct rtnetlink_link {
    uint32_t index;
    uint32_t peer; /* IFLA_LINK; an index of the peer's namespace; 0: not told */
    char name[IFNAMSIZ];
    bool loopback;
    bool running;        /* up, with a carrier */
    bool paired;         /* of kind veth or netkit: what one end sends the other receives */
    bool peer_elsewhere; /* the peer is in another network namespace */
};

struct rtnetlink_callbacks {
    void *context;
    void (*link)(void *context, const struct rtnetlink_link *link);
    /* The link left this namespace; `moved`: it is known to live on in another. */
    void (*link_gone)(void *context, uint32_t index, bool moved);
    /* Dump only: the interface carries a global address that stands for a subnet. */
    void (*subnet_address)(void *context, uint32_t index);
    /* Dump only: a default route of the main table leaves through the interface. */
    void (*default_route)(void *context, uint32_t index);
    /* Notification: an address or a default route came or went; a dump tells which. */
    void (*addressing_changed)(void *context);
};

/* Subscribes to changes of links and, `with_addressing`, of addresses and routes. Returns NULL with
 * errno set. No capability is needed. */
struct rtnetlink *rtnetlink_open(const struct rtnetlink_callbacks *callbacks, bool with_addressing);
void rtnetlink_close(struct rtnetlink *rtnetlink);

/* Readable when notifications wait. */
int rtnetlink_fd(const struct rtnetlink *rtnetlink);

/* Calls back for every link, address and route there is. Returns 0 or -errno. */
int rtnetlink_dump_links(struct rtnetlink *rtnetlink);
int rtnetlink_dump_addressing(struct rtnetlink *rtnetlink);

/* Calls back for one link as it is now. Returns 0 or -errno (-ENODEV: there is none). */
int rtnetlink_query_link(struct rtnetlink *rtnetlink, uint32_t index);

/* Calls back for every notification that waits, in their order, without blocking. Returns 1, or 0
 * when none waited, or -errno (-ENOBUFS) when some were lost and only a dump tells what is. */
int rtnetlink_drain(struct rtnetlink *rtnetlink);
