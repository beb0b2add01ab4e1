#include "agent/tcp/flow_table.h"

#include <endian.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

/*
 * Open addressing with linear probing, at most half full, holes closed on removal: a look-up walks
 * neighbouring slots of one cache line and then touches the flow itself. The lists are not sorted
 * by every packet, which would touch two more flows each time: a flow moves to the end only when
 * the sweep finds it at the front and alive, so a list is oldest-first to the precision of a sweep.
 */

/* One in four flows may be without payload: enough for handshakes, too few to starve the others. */
#define EMPTY_SHARE 4
/* Twice as many slots are counted with 32 bits, and indices with one to spare. */
#define LIMIT_MAX (UINT32_C(1) << 30)
/* How many of the oldest are compared to find the one that was idle longest. */
#define VICTIM_CANDIDATES 8

static size_t slots_size(const struct flow_table *table)
{
    return ((size_t)table->slot_mask + 1) * sizeof(*table->slots);
}

int flow_table_init(struct flow_table *table, uint32_t limit, size_t user_size)
{
    *table = (struct flow_table){0};
    if (limit > LIMIT_MAX) {
        return -EINVAL;
    }
    uint32_t slot_count = 16;
    while (slot_count < limit * 2) {
        slot_count *= 2;
    }
    table->slot_mask = slot_count - 1;
    table->lists[FLOW_LIST_EMPTY].limit = limit / EMPTY_SHARE > 0 ? limit / EMPTY_SHARE : 1;
    table->lists[FLOW_LIST_CARRYING].limit = limit > table->lists[FLOW_LIST_EMPTY].limit
                                                 ? limit - table->lists[FLOW_LIST_EMPTY].limit
                                                 : 1;
    void *slots = mmap(NULL, slots_size(table), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (slots == MAP_FAILED) {
        return -ENOMEM;
    }
    table->slots = slots;
    /* One more than both limits: a flow may enter its list before the victim leaves. */
    uint32_t capacity =
        table->lists[FLOW_LIST_EMPTY].limit + table->lists[FLOW_LIST_CARRYING].limit + 1;
    int status = slab_init(&table->flows, sizeof(struct flow) + user_size, capacity);
    if (status == 0 &&
        getrandom(table->seed, sizeof(table->seed), 0) != (ssize_t)sizeof(table->seed)) {
        status = -errno;
    }
    if (status != 0) {
        flow_table_fini(table);
    }
    return status;
}

void flow_table_fini(struct flow_table *table)
{
    slab_fini(&table->flows);
    if (table->slots != NULL) {
        munmap(table->slots, slots_size(table));
        table->slots = NULL;
    }
}

/* Whether the source comes first in the order of addresses, then ports. */
static bool is_source_first(const struct segment *segment)
{
    uint64_t source[2];
    uint64_t destination[2];
    memcpy(source, &segment->source.address, sizeof(source));
    memcpy(destination, &segment->destination.address, sizeof(destination));
    unsigned differing = source[0] != destination[0] ? 0 : 1;
    if (source[differing] != destination[differing]) {
        return be64toh(source[differing]) < be64toh(destination[differing]);
    }
    return segment->source.port < segment->destination.port;
}

struct flow_key flow_key_of(const struct segment *segment, unsigned *side_out)
{
    bool first = is_source_first(segment);
    const struct endpoint *sides[FLOW_SIDES] = {
        first ? &segment->source : &segment->destination,
        first ? &segment->destination : &segment->source,
    };
    struct flow_key key;
    memcpy(key.address[0], &sides[0]->address, sizeof(key.address[0]));
    memcpy(key.address[1], &sides[1]->address, sizeof(key.address[1]));
    key.port[0] = sides[0]->port;
    key.port[1] = sides[1]->port;
    key.interface = segment->interface;
    *side_out = first ? 0 : 1;
    return key;
}

/* The 128-bit product folded: every input bit reaches every output bit. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint32_t hash_key(const struct flow_table *table, const struct flow_key *key)
{
    uint64_t ports = (uint64_t)key->port[0] << 48 | (uint64_t)key->port[1] << 32 | key->interface;
    uint64_t first = mix(key->address[0][0] ^ table->seed[0], key->address[0][1] ^ table->seed[1]);
    uint64_t second =
        mix(key->address[1][0] ^ table->seed[1] ^ first, key->address[1][1] ^ table->seed[0]);
    uint64_t hash = mix(second ^ table->seed[0], ports ^ table->seed[1]);
    return (uint32_t)(hash ^ hash >> 32);
}

_Static_assert(offsetof(struct flow_key, interface) ==
                       offsetof(struct flow_key, port) + FLOW_SIDES * sizeof(uint16_t) &&
                   sizeof(struct flow_key) == offsetof(struct flow_key, interface) + 4,
               "ports and interface are one number");

/* Without a call and without a branch for each part: it is nearly always the one. */
static bool key_equal(const struct flow_key *a, const struct flow_key *b)
{
    uint64_t ports_a;
    uint64_t ports_b;
    memcpy(&ports_a, (const char *)a + offsetof(struct flow_key, port), sizeof(ports_a));
    memcpy(&ports_b, (const char *)b + offsetof(struct flow_key, port), sizeof(ports_b));
    uint64_t difference = ports_a ^ ports_b;
    for (unsigned side = 0; side < FLOW_SIDES; side++) {
        difference |= a->address[side][0] ^ b->address[side][0];
        difference |= a->address[side][1] ^ b->address[side][1];
    }
    return difference == 0;
}

static struct flow *flow_in(const struct flow_table *table, const struct flow_slot *slot)
{
    return slab_at(&table->flows, slot->index - 1);
}

struct flow *flow_table_find(const struct flow_table *table, const struct flow_key *key)
{
    uint32_t hash = hash_key(table, key);
    for (uint32_t at = hash & table->slot_mask; table->slots[at].index != 0;
         at = (at + 1) & table->slot_mask) {
        if (table->slots[at].hash == hash &&
            key_equal(&flow_in(table, &table->slots[at])->key, key)) {
            return flow_in(table, &table->slots[at]);
        }
    }
    return NULL;
}

static void unlink_flow(struct flow_table *table, struct flow *flow)
{
    struct flow_list *list = &table->lists[flow->list];
    *(flow->previous == NULL ? &list->first : &flow->previous->next) = flow->next;
    *(flow->next == NULL ? &list->last : &flow->next->previous) = flow->previous;
    list->count--;
}

static void append_flow(struct flow_table *table, struct flow *flow, enum flow_list_name name)
{
    struct flow_list *list = &table->lists[name];
    flow->list = name;
    flow->next = NULL;
    flow->previous = list->last;
    *(list->last == NULL ? &list->first : &list->last->next) = flow;
    list->last = flow;
    list->count++;
}

struct flow *flow_table_insert(struct flow_table *table, const struct flow_key *key, int64_t now_ns)
{
    struct flow *flow = slab_take(&table->flows);
    if (flow == NULL) {
        return NULL;
    }
    memset(flow, 0, table->flows.object_size);
    flow->key = *key;
    flow->hash = hash_key(table, key);
    flow->last_ns = now_ns;
    flow->listed_ns = now_ns;
    uint32_t at = flow->hash & table->slot_mask;
    while (table->slots[at].index != 0) {
        at = (at + 1) & table->slot_mask;
    }
    table->slots[at] = (struct flow_slot){flow->hash, slab_index(&table->flows, flow) + 1};
    append_flow(table, flow, FLOW_LIST_EMPTY);
    return flow;
}

struct flow *flow_table_victim(struct flow_table *table, enum flow_list_name name)
{
    const struct flow_list *list = &table->lists[name];
    if (list->count < list->limit) {
        return NULL;
    }
    struct flow *victim = list->first;
    unsigned seen = 0;
    for (struct flow *flow = list->first; flow != NULL && seen < VICTIM_CANDIDATES;
         flow = flow->next, seen++) {
        if (flow->last_ns < victim->last_ns) {
            victim = flow;
        }
    }
    return victim;
}

void flow_table_list(struct flow_table *table, struct flow *flow, enum flow_list_name list,
                     int64_t now_ns)
{
    unlink_flow(table, flow);
    append_flow(table, flow, list);
    flow->listed_ns = now_ns;
}

static uint32_t slot_of(const struct flow_table *table, const struct flow *flow)
{
    uint32_t index = slab_index(&table->flows, flow) + 1;
    uint32_t at = flow->hash & table->slot_mask;
    while (table->slots[at].index != index) {
        at = (at + 1) & table->slot_mask;
    }
    return at;
}

void flow_table_remove(struct flow_table *table, struct flow *flow)
{
    uint32_t hole = slot_of(table, flow);
    uint32_t mask = table->slot_mask;
    /* Close the hole: move back whoever would no longer be found past it. */
    for (uint32_t at = (hole + 1) & mask; table->slots[at].index != 0; at = (at + 1) & mask) {
        uint32_t home = table->slots[at].hash & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            table->slots[hole] = table->slots[at];
            hole = at;
        }
    }
    table->slots[hole] = (struct flow_slot){0};
    unlink_flow(table, flow);
    slab_give(&table->flows, flow);
}
