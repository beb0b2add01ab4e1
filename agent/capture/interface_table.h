#pragma once

#include "agent/capture/live.h"
#include "agent/capture/rtnetlink.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Which interfaces count, and from which side they are seen. What is known of them is told by
 * others, so every rule can be tested without a kernel.
 *
 * Without names a pod link counts: of kind veth or netkit, its peer in another network namespace.
 * Not the link through which the default route leaves: that is the uplink of a node that is itself
 * a container (unless the vantage is said to be the pod's). With names or globs what matches
 * counts, of any kind.
 *
 * Vantage: on the node's side of a link, what leaves through it goes to the pod; in the pod's own
 * namespace it comes from the pod. Pod links are seen from the node. A named interface is seen from
 * the pod if it is loopback, or the default route leaves through it, or it carries a global address
 * with a prefix shorter than the address (an end of a pod link on the node carries none, or one for
 * itself alone), or it is no veth and no netkit at all (a physical device, a macvlan); else from
 * the node.
 */

enum interface_standing {
    INTERFACE_SETTLING, /* does not count, but may soon: one of a pair; passes the kernel filter */
    INTERFACE_COUNTS,
    INTERFACE_LEAVING,  /* counts no more; packets from before may still be in the ring */
    INTERFACE_EXCLUDED, /* does not count: kept out by the kernel filter */
};

struct interface {
    struct rtnetlink_link link;
    enum interface_standing standing;
    bool present; /* false: deleted, or moved to another namespace */
    bool from_pod_side;
    bool subnet_address;
    bool default_route;
    bool seen;        /* in the dump under way */
    bool query;       /* only the kernel can tell where its peer is now */
    int64_t due_ns;   /* when a settling one is excluded or a leaving one is gone; 0: never */
    int64_t since_ns; /* heard_ns of the table when it was first told of */
    struct interface *next;
};

/* Far more than a node has; what comes on top is not seen. */
#define INTERFACE_TABLE_MAX 16384
#define INTERFACE_TABLE_BUCKETS 1024

struct interface_table_options {
    const char *const *names; /* must live as long as the table; none: pod links */
    size_t name_count;
    enum live_vantage vantage;
    int64_t settle_ns; /* a pair that stays within this namespace so long is excluded */
    int64_t leave_ns;  /* after so long the ring was surely handed over up to the leaving */
    void *context;
    void (*gone)(void *context, uint32_t index); /* the interface left and that time is over */
};

struct interface_table {
    struct interface_table_options options;
    struct interface *buckets[INTERFACE_TABLE_BUCKETS];
    struct interface *last; /* found last: packets come in runs */
    unsigned size;
    unsigned counting;
    int64_t heard_ns;        /* what is told of now happened after it; the owner's to set */
    bool dumping;            /* no judgement before the dump is complete */
    bool exclusions_changed; /* the owner's to clear */
};

void interface_table_init(struct interface_table *table,
                          const struct interface_table_options *options);
void interface_table_fini(struct interface_table *table);

/* The callbacks of struct rtnetlink_callbacks, with the time (any monotonic clock) where it
 * matters. An interface that vanishes and whose peer may live on has its peer marked `query`. */
void interface_table_link(struct interface_table *table, const struct rtnetlink_link *link,
                          int64_t now_ns);
void interface_table_link_gone(struct interface_table *table, uint32_t index, bool moved,
                               int64_t now_ns);
void interface_table_subnet_address(struct interface_table *table, uint32_t index);
void interface_table_default_route(struct interface_table *table, uint32_t index);

/* A dump of everything is between these two: judged as a whole, what it did not tell is gone. One
 * that is abandoned leaves the standings as they were. */
void interface_table_dump_begin(struct interface_table *table);
void interface_table_dump_end(struct interface_table *table, int64_t now_ns);
void interface_table_dump_abandon(struct interface_table *table);

/* The interface, also one that is leaving; or NULL. */
struct interface *interface_table_find(struct interface_table *table, uint32_t index);

/* One whose peer's whereabouts must be asked for, no longer marked; or NULL. */
struct interface *interface_table_next_query(struct interface_table *table);

/* Does what is due: excludes settled pairs; and, when the ring has been `read_empty` since the time
 * of the call before, lets leaving interfaces go. */
void interface_table_expire(struct interface_table *table, int64_t now_ns, bool read_empty);

/* When the next thing is due; 0: nothing waits. */
int64_t interface_table_due(const struct interface_table *table);

/* Writes the indexes of at most `max` excluded interfaces, ascending; returns how many. */
size_t interface_table_excluded(const struct interface_table *table, uint32_t *indexes_out,
                                size_t max);

/* The index of the loopback interface when it counts, else 0. */
uint32_t interface_table_loopback(const struct interface_table *table);
