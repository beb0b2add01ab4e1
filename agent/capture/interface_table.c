#include "agent/capture/interface_table.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

/*
 * What makes the first packet of a new interface count: an interface is excluded in the kernel only
 * when it cannot become a pod link without this table hearing of it long before its first packet.
 * Bridges and devices never become one and are excluded at once. One of a pair is not, because its
 * peer may be about to move into a pod, and the kernel tells of that only through the peer: it must
 * have been running, its peer in this namespace, for the time of settling. A move stops the peer,
 * so it cannot come between two packets.
 *
 * Every change ends in judge(), which derives the standing from the facts alone.
 */

static struct interface **bucket_of(struct interface_table *table, uint32_t index)
{
    return &table->buckets[index % INTERFACE_TABLE_BUCKETS];
}

struct interface *interface_table_find(struct interface_table *table, uint32_t index)
{
    if (table->last != NULL && table->last->link.index == index) {
        return table->last;
    }
    struct interface *interface = *bucket_of(table, index);
    while (interface != NULL && interface->link.index != index) {
        interface = interface->next;
    }
    table->last = interface;
    return interface;
}

static struct interface *find_or_add(struct interface_table *table, uint32_t index)
{
    struct interface *interface = interface_table_find(table, index);
    if (interface != NULL || table->size == INTERFACE_TABLE_MAX) {
        return interface;
    }
    interface = calloc(1, sizeof(*interface));
    if (interface != NULL) {
        interface->link.index = index;
        interface->next = *bucket_of(table, index);
        *bucket_of(table, index) = interface;
        table->size++;
    }
    return interface;
}

static void drop(struct interface_table *table, struct interface *interface)
{
    struct interface **link = bucket_of(table, interface->link.index);
    while (*link != interface) {
        link = &(*link)->next;
    }
    *link = interface->next;
    table->size--;
    table->last = NULL;
    free(interface);
}

/* The first interface, or the one after `interface`; NULL at the end. */
static struct interface *next_of(const struct interface_table *table,
                                 const struct interface *interface)
{
    size_t bucket = 0;
    if (interface != NULL) {
        if (interface->next != NULL) {
            return interface->next;
        }
        bucket = interface->link.index % INTERFACE_TABLE_BUCKETS + 1;
    }
    while (bucket < INTERFACE_TABLE_BUCKETS && table->buckets[bucket] == NULL) {
        bucket++;
    }
    return bucket < INTERFACE_TABLE_BUCKETS ? table->buckets[bucket] : NULL;
}

static bool name_matches(const struct interface_table_options *options, const char *name)
{
    for (size_t i = 0; i < options->name_count; i++) {
        if (fnmatch(options->names[i], name, 0) == 0) {
            return true;
        }
    }
    return false;
}

static bool should_count(const struct interface_table_options *options,
                         const struct interface *interface)
{
    if (!interface->present) {
        return false;
    }
    if (options->name_count > 0) {
        return name_matches(options, interface->link.name);
    }
    bool uplink = interface->default_route && options->vantage != LIVE_VANTAGE_POD;
    return interface->link.paired && interface->link.peer_elsewhere && !uplink;
}

static bool is_seen_from_pod(const struct interface_table_options *options,
                             const struct interface *interface)
{
    if (interface->link.loopback || options->vantage != LIVE_VANTAGE_AUTO) {
        return interface->link.loopback || options->vantage == LIVE_VANTAGE_POD;
    }
    return options->name_count > 0 &&
           (interface->default_route || interface->subnet_address || !interface->link.paired);
}

static void stand(struct interface_table *table, struct interface *interface,
                  enum interface_standing standing, int64_t due_ns)
{
    enum interface_standing before = interface->standing;
    interface->due_ns = due_ns;
    if (before == standing) {
        return;
    }
    interface->standing = standing;
    table->counting += standing == INTERFACE_COUNTS ? 1 : 0;
    table->counting -= before == INTERFACE_COUNTS ? 1 : 0;
    if (before == INTERFACE_EXCLUDED || standing == INTERFACE_EXCLUDED ||
        interface->link.loopback) {
        table->exclusions_changed = true;
    }
}

static void judge_settling(struct interface_table *table, struct interface *interface,
                           int64_t now_ns)
{
    if (!interface->link.paired) {
        stand(table, interface, INTERFACE_EXCLUDED, 0);
    } else if (!interface->link.running) {
        stand(table, interface, INTERFACE_SETTLING, 0);
    } else if (interface->standing == INTERFACE_SETTLING && interface->due_ns == 0) {
        stand(table, interface, INTERFACE_SETTLING, now_ns + table->options.settle_ns);
    }
}

static void judge(struct interface_table *table, struct interface *interface, int64_t now_ns)
{
    if (table->dumping) {
        return;
    }
    interface->from_pod_side = is_seen_from_pod(&table->options, interface);
    if (should_count(&table->options, interface)) {
        stand(table, interface, INTERFACE_COUNTS, 0);
    } else if (interface->standing == INTERFACE_COUNTS) {
        stand(table, interface, INTERFACE_LEAVING, now_ns + table->options.leave_ns);
    } else if (interface->standing == INTERFACE_LEAVING) {
        return;
    } else if (interface->present) {
        judge_settling(table, interface, now_ns);
    } else {
        stand(table, interface, INTERFACE_SETTLING, 0);
        drop(table, interface);
    }
}

/* The leaving is over: what stays in this namespace is judged anew. */
static void let_go(struct interface_table *table, struct interface *interface, int64_t now_ns)
{
    table->options.gone(table->options.context, interface->link.index);
    stand(table, interface, INTERFACE_SETTLING, 0);
    judge(table, interface, now_ns);
}

/* The other end of a pair whose one end is in this namespace. */
static struct interface *find_partner(struct interface_table *table, uint32_t index)
{
    struct interface *partner = next_of(table, NULL);
    while (partner != NULL && !(partner->present && partner->link.paired &&
                                !partner->link.peer_elsewhere && partner->link.peer == index)) {
        partner = next_of(table, partner);
    }
    return partner;
}

/* A pair is told whole by either end: that its other end was elsewhere is over. */
static void reunite(struct interface_table *table, const struct interface *interface,
                    int64_t now_ns)
{
    if (!interface->link.paired || interface->link.peer_elsewhere || interface->link.peer == 0) {
        return;
    }
    struct interface *peer = interface_table_find(table, interface->link.peer);
    if (peer != NULL && peer->present && peer->link.paired && peer->link.peer_elsewhere) {
        peer->link.peer_elsewhere = false;
        peer->link.peer = interface->link.index;
        judge(table, peer, now_ns);
    }
}

void interface_table_link(struct interface_table *table, const struct rtnetlink_link *link,
                          int64_t now_ns)
{
    struct interface *interface = find_or_add(table, link->index);
    if (interface == NULL) {
        return;
    }
    if (!interface->present && interface->standing == INTERFACE_LEAVING) {
        /* The number is in use again: what had it before must not be mixed with it. */
        table->options.gone(table->options.context, link->index);
        stand(table, interface, INTERFACE_SETTLING, 0);
    }
    if (!interface->present) {
        interface->since_ns = table->heard_ns;
    }
    interface->link = *link;
    interface->present = true;
    interface->seen = true;
    interface->query = false;
    reunite(table, interface, now_ns);
    judge(table, interface, now_ns);
}

void interface_table_link_gone(struct interface_table *table, uint32_t index, bool moved,
                               int64_t now_ns)
{
    struct interface *partner = find_partner(table, index);
    if (partner == NULL) {
        struct interface *own = interface_table_find(table, index);
        bool told = own != NULL && own->link.paired && !own->link.peer_elsewhere;
        partner = told ? interface_table_find(table, own->link.peer) : NULL;
    }
    if (partner != NULL && partner->present && moved) {
        partner->link.peer_elsewhere = true;
        judge(table, partner, now_ns);
    } else if (partner != NULL && partner->present) {
        partner->query = true;
    }
    struct interface *interface = interface_table_find(table, index);
    if (interface != NULL && interface->present) {
        interface->present = false;
        interface->default_route = false;
        interface->subnet_address = false;
        judge(table, interface, now_ns);
    }
}

void interface_table_subnet_address(struct interface_table *table, uint32_t index)
{
    struct interface *interface = interface_table_find(table, index);
    if (interface != NULL) {
        interface->subnet_address = true;
    }
}

void interface_table_default_route(struct interface_table *table, uint32_t index)
{
    struct interface *interface = interface_table_find(table, index);
    if (interface != NULL) {
        interface->default_route = true;
    }
}

void interface_table_dump_begin(struct interface_table *table)
{
    table->dumping = true;
    for (struct interface *i = next_of(table, NULL); i != NULL; i = next_of(table, i)) {
        i->seen = false;
        i->subnet_address = false;
        i->default_route = false;
    }
}

void interface_table_dump_end(struct interface_table *table, int64_t now_ns)
{
    table->dumping = false;
    struct interface *following;
    for (struct interface *i = next_of(table, NULL); i != NULL; i = following) {
        following = next_of(table, i);
        i->present = i->present && i->seen;
        judge(table, i, now_ns);
    }
}

void interface_table_dump_abandon(struct interface_table *table)
{
    table->dumping = false;
}

struct interface *interface_table_next_query(struct interface_table *table)
{
    struct interface *interface = next_of(table, NULL);
    while (interface != NULL && !interface->query) {
        interface = next_of(table, interface);
    }
    if (interface != NULL) {
        interface->query = false;
    }
    return interface;
}

void interface_table_expire(struct interface_table *table, int64_t now_ns, bool read_empty)
{
    struct interface *following;
    for (struct interface *i = next_of(table, NULL); i != NULL; i = following) {
        following = next_of(table, i);
        if (i->due_ns == 0 || now_ns < i->due_ns) {
            continue;
        }
        if (i->standing == INTERFACE_SETTLING) {
            stand(table, i, INTERFACE_EXCLUDED, 0);
        } else if (i->standing == INTERFACE_LEAVING && read_empty) {
            let_go(table, i, now_ns);
        }
    }
}

int64_t interface_table_due(const struct interface_table *table)
{
    int64_t due = 0;
    for (struct interface *i = next_of(table, NULL); i != NULL; i = next_of(table, i)) {
        if (i->due_ns != 0 && (due == 0 || i->due_ns < due)) {
            due = i->due_ns;
        }
    }
    return due;
}

static int compare_indexes(const void *a, const void *b)
{
    const uint32_t *left = a;
    const uint32_t *right = b;
    return (*left > *right) - (*left < *right);
}

size_t interface_table_excluded(const struct interface_table *table, uint32_t *indexes_out,
                                size_t max)
{
    size_t count = 0;
    for (struct interface *i = next_of(table, NULL); i != NULL && count < max;
         i = next_of(table, i)) {
        if (i->standing == INTERFACE_EXCLUDED) {
            indexes_out[count++] = i->link.index;
        }
    }
    qsort(indexes_out, count, sizeof(indexes_out[0]), compare_indexes);
    return count;
}

uint32_t interface_table_loopback(const struct interface_table *table)
{
    for (struct interface *i = next_of(table, NULL); i != NULL; i = next_of(table, i)) {
        if (i->link.loopback && i->standing == INTERFACE_COUNTS) {
            return i->link.index;
        }
    }
    return 0;
}

void interface_table_init(struct interface_table *table,
                          const struct interface_table_options *options)
{
    *table = (struct interface_table){.options = *options};
}

void interface_table_fini(struct interface_table *table)
{
    for (size_t i = 0; i < INTERFACE_TABLE_BUCKETS; i++) {
        struct interface *following;
        for (struct interface *each = table->buckets[i]; each != NULL; each = following) {
            following = each->next;
            free(each);
        }
    }
    *table = (struct interface_table){0};
}
