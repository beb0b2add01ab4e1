#include "agent/tcp/held_queue.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

/*
 * A skip list: nodes in order of their offsets, each linked on a random number of levels, one in
 * four of a level also on the next. A peer chooses where its segments lie and how small they are,
 * and a plain list would let it make every packet walk thousands of nodes. Only the front is ever
 * removed, which makes that simple; the ends of all levels are known, so what comes in order behind
 * a hole is appended without a search.
 */

/* Each stream may hold this share of all nodes, and while there are more, as much as is free. */
#define HELD_SHARE 16
/* Enough to reorder one flow, whatever the configuration says. */
#define NODES_MIN 64

_Static_assert(sizeof(struct held) == 2048, "two kilobytes a node");

void piece_drop_front(struct piece *piece, uint32_t count)
{
    uint32_t captured = count < piece->captured ? count : piece->captured;
    piece->offset += count;
    piece->length -= count;
    piece->bytes += captured;
    piece->captured -= captured;
}

void piece_keep_front(struct piece *piece, uint32_t length)
{
    if (piece->length > length) {
        piece->length = length;
        piece->captured = piece->captured < length ? piece->captured : length;
    }
}

int held_store_init(struct held_store *store, uint64_t bytes, size_t beside)
{
    uint64_t nodes = bytes / (sizeof(struct held) + beside);
    nodes = nodes < NODES_MIN ? NODES_MIN : nodes;
    uint32_t capacity = nodes > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)nodes;
    *store = (struct held_store){0};
    if (getrandom(&store->random, sizeof(store->random), 0) != (ssize_t)sizeof(store->random)) {
        return -errno;
    }
    store->random |= 1;
    return slab_init(&store->nodes, sizeof(struct held), capacity);
}

void held_store_fini(struct held_store *store)
{
    slab_fini(&store->nodes);
}

bool held_queue_has_share(const struct held_store *store, const struct held_queue *queue)
{
    return queue->count < store->nodes.capacity / HELD_SHARE;
}

bool held_queue_has_room(const struct held_store *store, const struct held_queue *queue)
{
    uint32_t free = store->nodes.capacity - store->nodes.used;
    return free > 0 && (queue->count < free || held_queue_has_share(store, queue));
}

/* One level, and each further one with a chance of one in four. */
static uint32_t pick_levels(struct held_store *store)
{
    store->random ^= store->random >> 12;
    store->random ^= store->random << 25;
    store->random ^= store->random >> 27;
    uint64_t bits = store->random * UINT64_C(0x2545f4914f6cdd1d) >> 32;
    uint32_t levels = 1;
    while (levels < HELD_LEVELS && (bits & 3) == 0) {
        levels++;
        bits >>= 2;
    }
    return levels;
}

/* ---- places ---- */

/* The last node of each level that lies wholly before a place; NULL: none does. */
struct place {
    struct held *before[HELD_LEVELS];
};

static struct held **link_behind(struct held_queue *queue, struct held *before, unsigned level)
{
    return before == NULL ? &queue->first[level] : &before->next[level];
}

static struct place find_place(struct held_queue *queue, uint64_t offset)
{
    struct place place;
    if (queue->last[0] != NULL && held_end(queue->last[0]) <= offset) {
        memcpy(place.before, queue->last, sizeof(place.before));
        return place;
    }
    struct held *before = NULL;
    for (unsigned level = HELD_LEVELS; level-- > 0;) {
        struct held *after = *link_behind(queue, before, level);
        while (after != NULL && held_end(after) <= offset) {
            before = after;
            after = after->next[level];
        }
        place.before[level] = before;
    }
    return place;
}

static void step_behind(struct place *place, struct held *held)
{
    for (unsigned level = 0; level < held->levels; level++) {
        place->before[level] = held;
    }
}

static void link_at(struct held_queue *queue, struct place *place, struct held *held)
{
    for (unsigned level = 0; level < held->levels; level++) {
        struct held **link = link_behind(queue, place->before[level], level);
        held->next[level] = *link;
        *link = held;
        if (held->next[level] == NULL) {
            queue->last[level] = held;
        }
    }
    queue->count++;
    step_behind(place, held);
}

/* ---- filling ---- */

/* The piece begins inside the node: cuts off what both have. Of two copies of the node's end the
 * one that acknowledges less was sent first, and all before it no later. */
static void compare(struct held *held, struct piece *piece, struct held_overlap *overlap)
{
    uint64_t skip = piece->offset - held->offset;
    uint64_t common = held->length - skip;
    uint32_t repeated = common < piece->length ? (uint32_t)common : piece->length;
    uint32_t there = skip < held->captured ? held->captured - (uint32_t)skip : 0;
    uint32_t comparable = there < piece->captured ? there : piece->captured;
    for (uint32_t i = 0; i < comparable; i++) {
        overlap->conflicting += held->bytes[skip + i] != piece->bytes[i];
    }
    if (repeated == common && piece->ack < held->ack) {
        held->ack = piece->ack;
    }
    overlap->repeated += repeated;
    piece_drop_front(piece, repeated);
}

/* A node for the front of the piece, at most `room` bytes of the stream. NULL: none is free. */
static struct held *take_node(struct held_store *store, struct piece *piece, uint64_t room,
                              struct moment now)
{
    struct held *held = slab_take(&store->nodes);
    if (held == NULL) {
        return NULL;
    }
    uint32_t length = piece->length < room ? piece->length : (uint32_t)room;
    if (piece->captured > HELD_BYTES && length > HELD_BYTES) {
        length = HELD_BYTES;
    }
    held->offset = piece->offset;
    held->ack = piece->ack;
    held->time_ns = piece->time_ns;
    held->arrival = now;
    held->length = length;
    held->captured = piece->captured < length ? piece->captured : length;
    held->levels = pick_levels(store);
    memcpy(held->bytes, piece->bytes, held->captured);
    piece_drop_front(piece, length);
    return held;
}

/* Ends the node at `end`, inside it; what is behind gets a node of its own, if there is one. */
static void split_at(struct held_store *store, struct held_queue *queue, struct place *place,
                     struct held *held, uint64_t end)
{
    struct held *rest = held_queue_has_room(store, queue) ? slab_take(&store->nodes) : NULL;
    if (rest == NULL) {
        return;
    }
    uint32_t kept = (uint32_t)(end - held->offset);
    uint32_t kept_captured = held->captured < kept ? held->captured : kept;
    rest->offset = end;
    rest->ack = held->ack;
    rest->time_ns = held->time_ns;
    rest->arrival = held->arrival;
    rest->length = held->length - kept;
    rest->captured = held->captured - kept_captured;
    rest->levels = pick_levels(store);
    memcpy(rest->bytes, held->bytes + kept_captured, rest->captured);
    held->length = kept;
    held->captured = kept_captured;
    struct place behind = *place;
    step_behind(&behind, held);
    link_at(queue, &behind, rest);
}

bool held_queue_insert(struct held_store *store, struct held_queue *queue, struct piece *piece,
                       struct moment now, struct held_overlap *overlap_out)
{
    *overlap_out = (struct held_overlap){0};
    struct place place = find_place(queue, piece->offset);
    while (piece->length > 0) {
        struct held *after = *link_behind(queue, place.before[0], 0);
        if (after != NULL && after->offset <= piece->offset) {
            uint64_t end = piece->offset + piece->length;
            if (piece->ack < after->ack && end < held_end(after)) {
                split_at(store, queue, &place, after, end);
            }
            compare(after, piece, overlap_out);
            step_behind(&place, after);
            continue;
        }
        uint64_t room = after == NULL ? UINT64_MAX : after->offset - piece->offset;
        struct held *held =
            held_queue_has_room(store, queue) ? take_node(store, piece, room, now) : NULL;
        if (held == NULL) {
            return false;
        }
        link_at(queue, &place, held);
    }
    return true;
}

void held_queue_pop(struct held_store *store, struct held_queue *queue)
{
    struct held *held = queue->first[0];
    for (unsigned level = 0; level < held->levels; level++) {
        queue->first[level] = held->next[level];
        if (queue->first[level] == NULL) {
            queue->last[level] = NULL;
        }
    }
    queue->count--;
    slab_give(&store->nodes, held);
}
