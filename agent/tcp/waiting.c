#include "agent/tcp/waiting.h"

#include <string.h>

/* ---- the list of flows that wait, soonest look first ---- */

static void unlink_waiting(struct reassembly *reassembly, struct waiting *waiting)
{
    *(waiting->previous == NULL ? &reassembly->first : &waiting->previous->next) = waiting->next;
    *(waiting->next == NULL ? &reassembly->last : &waiting->next->previous) = waiting->previous;
}

static void append_waiting(struct reassembly *reassembly, struct waiting *waiting)
{
    waiting->next = NULL;
    waiting->previous = reassembly->last;
    *(reassembly->last == NULL ? &reassembly->first : &reassembly->last->next) = waiting;
    reassembly->last = waiting;
    waiting->check_packet = reassembly->packet + reassembly->reorder_packets / EVIDENCE_MAX + 1;
    waiting->check_ns = reassembly->now_ns + reassembly->reorder_ns / EVIDENCE_MAX;
}

void waiting_look_again(struct reassembly *reassembly, struct waiting *waiting)
{
    unlink_waiting(reassembly, waiting);
    append_waiting(reassembly, waiting);
}

struct waiting *waiting_begin(struct reassembly *reassembly, struct flow *flow)
{
    if (flow->waiting == NULL) {
        struct waiting *waiting = slab_take(&reassembly->waiting);
        if (waiting == NULL) {
            return NULL;
        }
        *waiting = (struct waiting){.flow = flow};
        append_waiting(reassembly, waiting);
        flow->waiting = waiting;
    }
    return flow->waiting;
}

void waiting_pop(struct reassembly *reassembly, struct waiting *waiting, unsigned side)
{
    struct waiting_side *queue = &waiting->sides[side];
    struct held *held = queue->head;
    queue->head = held->next;
    if (queue->head == NULL) {
        queue->tail = NULL;
    }
    waiting->held_count--;
    if (waiting->flow->unread) {
        waiting->flow->unread_bytes += held->length;
    }
    slab_give(&reassembly->held, held);
}

void waiting_free(struct reassembly *reassembly, struct flow *flow)
{
    struct waiting *waiting = flow->waiting;
    for (unsigned side = 0; side < FLOW_SIDES; side++) {
        while (waiting->sides[side].head != NULL) {
            waiting_pop(reassembly, waiting, side);
        }
    }
    unlink_waiting(reassembly, waiting);
    slab_give(&reassembly->waiting, waiting);
    flow->waiting = NULL;
}

/* ---- evidence ---- */

bool waiting_is_overdue(const struct reassembly *reassembly, uint64_t packet, int64_t arrival_ns)
{
    return reassembly->packet - packet >= reassembly->reorder_packets ||
           (reassembly->reorder_ns > 0 &&
            reassembly->now_ns - arrival_ns >= reassembly->reorder_ns);
}

/* Adds the latest ACK to the evidence, at most EVIDENCE_MAX times in one patience. */
static void push_evidence(struct reassembly *reassembly, struct waiting_side *queue)
{
    unsigned count = queue->evidence_count;
    const struct evidence *last = count > 0 ? &queue->evidence[count - 1] : NULL;
    if (last != NULL &&
        (queue->acked <= last->acked || count == EVIDENCE_MAX ||
         reassembly->packet - last->packet < reassembly->reorder_packets / EVIDENCE_MAX)) {
        return;
    }
    queue->evidence[queue->evidence_count++] = (struct evidence){
        .acked = queue->acked, .packet = reassembly->packet, .arrival_ns = reassembly->now_ns};
}

void waiting_note_ack(struct reassembly *reassembly, struct flow *flow, unsigned side, uint64_t ack)
{
    const struct stream *stream = &flow->streams[side];
    struct waiting_side *queue = &flow->waiting->sides[side];
    if (ack == 0 || (stream->synced && ack <= stream->next)) {
        return;
    }
    if (queue->lowest_ack == 0 || ack < queue->lowest_ack) {
        queue->lowest_ack = ack;
    }
    if (ack > queue->acked) {
        queue->acked = ack;
        push_evidence(reassembly, queue);
    }
}

uint64_t waiting_overdue_ack(struct reassembly *reassembly, struct flow *flow, unsigned side)
{
    struct waiting_side *queue = &flow->waiting->sides[side];
    uint64_t next = flow->streams[side].next;
    unsigned settled = 0;
    uint64_t overdue = 0;
    for (unsigned i = 0; i < queue->evidence_count; i++) {
        const struct evidence *evidence = &queue->evidence[i];
        if (waiting_is_overdue(reassembly, evidence->packet, evidence->arrival_ns)) {
            overdue = evidence->acked;
        }
        settled += evidence->acked <= next;
    }
    queue->evidence_count -= settled;
    memmove(queue->evidence, queue->evidence + settled,
            queue->evidence_count * sizeof(queue->evidence[0]));
    push_evidence(reassembly, queue);
    return overdue;
}

/* ---- holding ---- */

static uint64_t held_end(const struct held *held)
{
    return held->offset + held->length;
}

static void count_conflicts(struct reassembly *reassembly, struct flow *flow, unsigned side,
                            const struct held *held, const struct piece *piece)
{
    uint64_t skip = piece->offset - held->offset;
    if (skip >= held->captured) {
        return;
    }
    uint32_t common = held->captured - (uint32_t)skip;
    common = common < piece->captured ? common : piece->captured;
    uint32_t conflicts = 0;
    for (uint32_t i = 0; i < common; i++) {
        conflicts += held->bytes[skip + i] != piece->bytes[i];
    }
    if (conflicts > 0) {
        reassembly->handler.conflicting(reassembly->handler.context, flow, side, conflicts);
    }
}

/* One node for the front of the piece, at most `room` bytes of the stream. NULL: refused. */
static struct held *take_node(struct reassembly *reassembly, struct waiting *waiting,
                              struct piece *piece, uint64_t room)
{
    struct held *held =
        waiting->held_count < reassembly->held_per_flow ? slab_take(&reassembly->held) : NULL;
    if (held == NULL) {
        reassembly->held.refused += waiting->held_count >= reassembly->held_per_flow;
        return NULL;
    }
    uint32_t length = piece->length < room ? piece->length : (uint32_t)room;
    if (piece->captured > HELD_BYTES && length > HELD_BYTES) {
        length = HELD_BYTES;
    }
    held->next = NULL;
    held->offset = piece->offset;
    held->ack = piece->ack;
    held->packet = reassembly->packet;
    held->arrival_ns = reassembly->now_ns;
    held->time_ns = piece->time_ns;
    held->length = length;
    held->captured = piece->captured < length ? piece->captured : length;
    memcpy(held->bytes, piece->bytes, held->captured);
    waiting->held_count++;
    piece_drop_front(piece, length);
    return held;
}

bool waiting_hold(struct reassembly *reassembly, struct flow *flow, unsigned side,
                  struct piece *piece)
{
    struct waiting_side *queue = &flow->waiting->sides[side];
    struct held *before = NULL;
    if (queue->tail != NULL && piece->offset >= held_end(queue->tail)) {
        before = queue->tail;
    }
    while (piece->length > 0) {
        struct held *after = before == NULL ? queue->head : before->next;
        if (after != NULL && held_end(after) <= piece->offset) {
            before = after;
            continue;
        }
        if (after != NULL && after->offset <= piece->offset) {
            count_conflicts(reassembly, flow, side, after, piece);
            uint64_t common = held_end(after) - piece->offset;
            uint32_t repeated = common < piece->length ? (uint32_t)common : piece->length;
            reassembly->handler.retransmitted(reassembly->handler.context, flow, side, repeated);
            piece_drop_front(piece, repeated);
            continue;
        }
        uint64_t room = after == NULL ? UINT64_MAX : after->offset - piece->offset;
        struct held *held = take_node(reassembly, flow->waiting, piece, room);
        if (held == NULL) {
            return false;
        }
        held->next = after;
        *(before == NULL ? &queue->head : &before->next) = held;
        if (after == NULL) {
            queue->tail = held;
        }
        before = held;
    }
    return true;
}

bool waiting_has_cause(const struct flow *flow, unsigned side)
{
    const struct stream *stream = &flow->streams[side];
    const struct waiting_side *queue = &flow->waiting->sides[side];
    uint64_t acked = queue->acked < stream->end ? queue->acked : stream->end;
    return queue->head != NULL || (stream->synced && acked > stream->next);
}
