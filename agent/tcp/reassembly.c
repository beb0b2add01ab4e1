#include "agent/tcp/reassembly.h"

#include "agent/tcp/waiting.h"

#include <errno.h>
#include <string.h>

/*
 * Causal delivery. A segment is delivered once everything before it in its own stream and
 * everything it acknowledges of the other stream have been delivered, so the next stage sees both
 * directions in an order in which they can have happened, however the capture shuffled them.
 *
 * In order, nothing is copied: a segment that fits goes straight through. What does not fit is held
 * in a bounded queue. A hole is waited for as long as the receiver has not acknowledged it, since
 * it will be retransmitted; once an acknowledgment has covered it, the capture has lost it, and it
 * is declared missing after a patience of so many packets (or time), because a capture over
 * several queues may also just deliver it late. A stream whose SYN was not seen starts, after the
 * same patience, at its lowest held byte. The first copy of a byte wins.
 */

/* No flow may hold more than this share of all nodes. */
#define HELD_FLOW_SHARE 8
/* Without the other direction no ACK tells a loss from a retransmission: wait this much longer. */
#define ONE_WAY_PATIENCE 8

int reassembly_init(struct reassembly *reassembly, const struct tcp_options *options,
                    const struct tcp_handler *handler)
{
    uint64_t nodes = options->max_held_bytes / sizeof(struct held);
    uint32_t capacity =
        nodes < 16 ? 16 : (uint32_t)(nodes > UINT32_MAX / 2 ? UINT32_MAX / 2 : nodes);
    *reassembly = (struct reassembly){.handler = *handler,
                                      .reorder_packets = options->reorder_packets,
                                      .reorder_ns = options->reorder_ns,
                                      .held_per_flow = capacity / HELD_FLOW_SHARE};
    int status = slab_init(&reassembly->held, sizeof(struct held), capacity);
    if (status == 0) {
        status = slab_init(&reassembly->waiting, sizeof(struct waiting), capacity);
    }
    return status;
}

void reassembly_fini(struct reassembly *reassembly)
{
    slab_fini(&reassembly->held);
    slab_fini(&reassembly->waiting);
}

/* ---- delivery ---- */

void reassembly_finish_side(struct reassembly *reassembly, struct flow *flow, unsigned side)
{
    struct stream *stream = &flow->streams[side];
    if (stream->synced && !stream->ended && stream->next >= stream->end) {
        stream->ended = true;
        reassembly->handler.finished(reassembly->handler.context, flow, side, reassembly->now_ns);
    }
}

/* `time_ns`: of the packet whose end the capture cut off, or unknown. */
static void pass_gap(struct reassembly *reassembly, struct flow *flow, unsigned side,
                     uint64_t length, int64_t time_ns)
{
    flow->streams[side].next += length;
    if (!flow->unread) {
        reassembly->handler.gap(reassembly->handler.context, flow, side, length, time_ns);
    }
    reassembly_finish_side(reassembly, flow, side);
}

static void declare_gap(struct reassembly *reassembly, struct flow *flow, unsigned side,
                        uint64_t to)
{
    pass_gap(reassembly, flow, side, to - flow->streams[side].next, TCP_TIME_UNKNOWN);
}

void piece_drop_front(struct piece *piece, uint32_t count)
{
    uint32_t captured = count < piece->captured ? count : piece->captured;
    piece->offset += count;
    piece->length -= count;
    piece->bytes += captured;
    piece->captured -= captured;
}

/* Keep-alive and window probes repeat one byte or none; they are not retransmissions. */
static bool is_probe(const struct stream *stream, const struct piece *piece)
{
    return piece->length <= 1 && piece->offset + 1 == stream->next;
}

static void drop_delivered(struct reassembly *reassembly, struct flow *flow, unsigned side,
                           struct piece *piece)
{
    struct stream *stream = &flow->streams[side];
    if (piece->offset >= stream->next) {
        return;
    }
    uint64_t known = stream->next - piece->offset;
    uint32_t count = known < piece->length ? (uint32_t)known : piece->length;
    if (count > 0 && !is_probe(stream, piece)) {
        reassembly->handler.retransmitted(reassembly->handler.context, flow, side, count);
    }
    piece_drop_front(piece, count);
}

/* The piece begins at or before the stream's next byte. */
static void deliver(struct reassembly *reassembly, struct flow *flow, unsigned side,
                    const struct piece *whole)
{
    struct stream *stream = &flow->streams[side];
    struct piece piece = *whole;
    drop_delivered(reassembly, flow, side, &piece);
    if (piece.captured > 0) {
        struct stream_data data = {.bytes = piece.bytes,
                                   .length = piece.captured,
                                   .offset = piece.offset,
                                   .peer_offset = piece.ack,
                                   .time_ns = piece.time_ns};
        stream->next += piece.captured;
        reassembly->handler.data(reassembly->handler.context, flow, side, &data);
    }
    if (piece.length > piece.captured) {
        pass_gap(reassembly, flow, side, piece.length - piece.captured, piece.time_ns);
    }
    reassembly_finish_side(reassembly, flow, side);
}

/* ---- moving on ---- */

static void deliver_head(struct reassembly *reassembly, struct flow *flow, unsigned side)
{
    const struct held *held = flow->waiting->sides[side].head;
    struct piece piece = {.bytes = held->bytes,
                          .captured = held->captured,
                          .length = held->length,
                          .offset = held->offset,
                          .ack = held->ack,
                          .time_ns = held->time_ns};
    deliver(reassembly, flow, side, &piece);
    waiting_pop(reassembly, flow->waiting, side);
}

static bool head_fits(const struct flow *flow, unsigned side)
{
    const struct stream *own = &flow->streams[side];
    const struct stream *peer = &flow->streams[1 - side];
    const struct held *head = flow->waiting->sides[side].head;
    return head != NULL && own->synced && head->offset <= own->next &&
           (head->ack == 0 || (peer->synced && head->ack <= peer->next));
}

/* Delivers whatever fits. Frees `waiting` once nothing is left to wait for. */
static void advance(struct reassembly *reassembly, struct flow *flow)
{
    while (!flow->unread && (head_fits(flow, 0) || head_fits(flow, 1))) {
        deliver_head(reassembly, flow, head_fits(flow, 0) ? 0 : 1);
    }
    if ((!waiting_has_cause(flow, 0) && !waiting_has_cause(flow, 1)) || flow->unread) {
        waiting_free(reassembly, flow);
    }
}

/* ---- giving up ---- */

static void sync_stream(struct flow *flow, unsigned side)
{
    struct stream *stream = &flow->streams[side];
    const struct waiting_side *queue = &flow->waiting->sides[side];
    uint64_t start = queue->lowest_ack;
    if (queue->head != NULL && (start == 0 || queue->head->offset < start)) {
        start = queue->head->offset;
    }
    if (start != 0) {
        stream_sync(stream, start);
    }
}

/* A stream whose beginning was not seen starts at what there is. */
static bool force_start(struct reassembly *reassembly, struct flow *flow, bool all)
{
    bool due = false;
    for (unsigned side = 0; side < FLOW_SIDES; side++) {
        const struct held *head = flow->waiting->sides[side].head;
        due = due || (head != NULL &&
                      (all || waiting_is_overdue(reassembly, head->packet, head->arrival_ns)));
    }
    bool unsynced = false;
    for (unsigned side = 0; side < FLOW_SIDES; side++) {
        bool startable =
            flow->waiting->sides[side].head != NULL || flow->waiting->sides[side].lowest_ack != 0;
        unsynced = unsynced || (!flow->streams[side].synced && startable);
    }
    if (!due || !unsynced) {
        return false;
    }
    sync_stream(flow, 0);
    sync_stream(flow, 1);
    return true;
}

/* One past the last byte, with nothing behind it: the ACK of a FIN that was not captured, or not
 * yet. No byte of content is missing. */
static bool lacks_only_fin(const struct flow *flow, unsigned side, uint64_t acked)
{
    const struct stream *stream = &flow->streams[side];
    return flow->waiting->sides[side].head == NULL && acked == stream->next + 1 &&
           stream->end == STREAM_NO_END;
}

/* A hole that the receiver acknowledged is one the capture has. */
static bool force_acknowledged(struct reassembly *reassembly, struct flow *flow, unsigned side,
                               bool all)
{
    const struct stream *stream = &flow->streams[side];
    struct waiting_side *queue = &flow->waiting->sides[side];
    uint64_t target = all ? queue->acked : waiting_overdue_ack(reassembly, flow, side);
    target = target < stream->end ? target : stream->end;
    if (!stream->synced || target <= stream->next ||
        (queue->head != NULL && queue->head->offset <= stream->next)) {
        return false;
    }
    if (queue->head != NULL && queue->head->offset < target) {
        target = queue->head->offset;
    }
    if (lacks_only_fin(flow, side, target)) {
        queue->acked = stream->next;
        queue->evidence_count = 0;
        return true;
    }
    declare_gap(reassembly, flow, side, target);
    return true;
}

/* A held segment whose time has come: makes room for it in its own and in the other stream. */
static bool force_head(struct reassembly *reassembly, struct flow *flow, unsigned side, bool all)
{
    struct stream *own = &flow->streams[side];
    struct stream *peer = &flow->streams[1 - side];
    const struct held *head = flow->waiting->sides[side].head;
    const struct held *other = flow->waiting->sides[1 - side].head;
    if (head == NULL || !own->synced ||
        !(all || waiting_is_overdue(reassembly, head->packet, head->arrival_ns))) {
        return false;
    }
    if (head->ack != 0 && head->ack > peer->next) {
        uint64_t to = other != NULL && other->offset < head->ack ? other->offset : head->ack;
        bool only_fin = lacks_only_fin(flow, 1 - side, to);
        if (to > peer->next && !only_fin) {
            declare_gap(reassembly, flow, 1 - side, to);
            return true;
        }
        if (head->offset <= own->next) { /* each acknowledges the other: one was sent again */
            deliver_head(reassembly, flow, side);
            return true;
        }
    }
    bool one_way = !peer->seen && reassembly->packet - head->packet >=
                                      (uint64_t)reassembly->reorder_packets * ONE_WAY_PATIENCE;
    if (head->offset > own->next && (all || one_way)) {
        declare_gap(reassembly, flow, side, head->offset);
        return true;
    }
    return false;
}

static bool force_one(struct reassembly *reassembly, struct flow *flow, bool all)
{
    const struct held *heads[FLOW_SIDES] = {flow->waiting->sides[0].head,
                                            flow->waiting->sides[1].head};
    unsigned older =
        heads[0] != NULL && (heads[1] == NULL || heads[0]->packet <= heads[1]->packet) ? 0 : 1;
    return force_start(reassembly, flow, all) ||
           force_acknowledged(reassembly, flow, 1 - older, all) ||
           force_acknowledged(reassembly, flow, older, all) ||
           force_head(reassembly, flow, older, all) || force_head(reassembly, flow, 1 - older, all);
}

static void give_up(struct reassembly *reassembly, struct flow *flow, bool all)
{
    do {
        advance(reassembly, flow);
    } while (flow->waiting != NULL && force_one(reassembly, flow, all));
}

void reassembly_flush(struct reassembly *reassembly, struct flow *flow)
{
    if (flow->waiting != NULL) {
        give_up(reassembly, flow, true);
    }
    if (flow->waiting != NULL) { /* only acknowledgments of what never came */
        waiting_free(reassembly, flow);
    }
}

void reassembly_check(struct reassembly *reassembly, bool by_time)
{
    for (;;) {
        struct waiting *waiting = reassembly->first;
        if (waiting == NULL ||
            (waiting->check_packet > reassembly->packet &&
             !(by_time && reassembly->reorder_ns > 0 && waiting->check_ns <= reassembly->now_ns))) {
            return;
        }
        waiting_look_again(reassembly, waiting);
        struct flow *flow = waiting->flow;
        give_up(reassembly, flow, false);
        reassembly->settled(reassembly->settled_context, flow);
    }
}

/* ---- receiving ---- */

/* There is no room to wait: everything that is missing is missing for good. */
static void deliver_now(struct reassembly *reassembly, struct flow *flow, unsigned side,
                        const struct piece *piece)
{
    struct stream *own = &flow->streams[side];
    struct stream *peer = &flow->streams[1 - side];
    reassembly_flush(reassembly, flow);
    stream_sync(own, piece->offset);
    if (piece->ack != 0) {
        stream_sync(peer, piece->ack);
    }
    if (!flow->unread && piece->ack != 0 && piece->ack > peer->next) {
        declare_gap(reassembly, flow, 1 - side, piece->ack);
    }
    if (!flow->unread && piece->offset > own->next) {
        declare_gap(reassembly, flow, side, piece->offset);
    }
    if (!flow->unread) {
        deliver(reassembly, flow, side, piece);
    }
}

static void receive_out_of_order(struct reassembly *reassembly, struct flow *flow, unsigned side,
                                 const struct piece *whole)
{
    struct piece piece = *whole;
    if (waiting_begin(reassembly, flow) == NULL) {
        deliver_now(reassembly, flow, side, whole);
        return;
    }
    waiting_note_ack(reassembly, flow, 1 - side, piece.ack);
    if (flow->streams[side].synced) {
        drop_delivered(reassembly, flow, side, &piece);
    }
    if (waiting_hold(reassembly, flow, side, &piece)) {
        advance(reassembly, flow);
    } else {
        deliver_now(reassembly, flow, side, &piece);
    }
}

void reassembly_expect(struct reassembly *reassembly, struct flow *flow, unsigned side,
                       uint64_t offset)
{
    const struct stream *stream = &flow->streams[side];
    bool missing = !flow->unread && stream->synced && offset > stream->next;
    if (missing && waiting_begin(reassembly, flow) != NULL) {
        waiting_note_ack(reassembly, flow, side, offset);
    }
}

/* Nobody reads the flow: its bytes are counted, order does not matter. */
static void count_unread(struct flow *flow, unsigned side, const struct piece *piece)
{
    struct stream *own = &flow->streams[side];
    uint64_t end = piece->offset + piece->length;
    stream_sync(own, piece->offset);
    if (end > own->next) {
        flow->unread_bytes += end - own->next;
        own->next = end;
    }
}

void reassembly_receive(struct reassembly *reassembly, struct flow *flow, unsigned side,
                        const struct piece *piece)
{
    const struct stream *own = &flow->streams[side];
    const struct stream *peer = &flow->streams[1 - side];
    if (flow->unread) {
        count_unread(flow, side, piece);
        reassembly_finish_side(reassembly, flow, side);
        return;
    }
    bool acknowledged_known = piece->ack == 0 || (peer->synced && piece->ack <= peer->next);
    if (flow->waiting == NULL && own->synced && piece->offset <= own->next && acknowledged_known) {
        if (piece->length > 0) {
            deliver(reassembly, flow, side, piece);
        }
        return;
    }
    receive_out_of_order(reassembly, flow, side, piece);
}
