#include "agent/tcp/reassembly.h"

#include "agent/tcp/delivery.h"
#include "agent/tcp/loss.h"

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

/* A flow that is awake is looked at this often in one patience. */
#define LOOKS EVIDENCE_MAX
/* At most so many sleeping flows are looked at with each packet. */
#define SLEEPERS_A_PACKET 8

int reassembly_init(struct reassembly *reassembly, const struct tcp_options *options,
                    const struct tcp_handler *handler)
{
    *reassembly = (struct reassembly){.handler = *handler,
                                      .patience = {options->reorder_packets, options->reorder_ns}};
    int status =
        held_store_init(&reassembly->held, options->max_held_bytes, sizeof(struct waiting));
    if (status == 0) {
        status = waiting_room_init(&reassembly->waiting, reassembly->held.nodes.capacity);
    }
    return status;
}

void reassembly_fini(struct reassembly *reassembly)
{
    held_store_fini(&reassembly->held);
    waiting_room_fini(&reassembly->waiting);
}

/* ---- moving on ---- */

static bool head_fits(const struct flow *flow, unsigned side)
{
    const struct stream *own = &flow->streams[side];
    const struct held *head = waiting_head(flow, side);
    return head != NULL && own->synced && head->offset <= own->next &&
           delivery_is_known(&flow->streams[1 - side], head->ack);
}

/* Of two heads that fit neither can have caused the other: in the order of capture. */
static bool deliver_one(struct reassembly *reassembly, struct flow *flow)
{
    bool fits[FLOW_SIDES] = {head_fits(flow, 0), head_fits(flow, 1)};
    if (!fits[0] && !fits[1]) {
        return false;
    }
    bool second = !fits[0] || (fits[1] && waiting_head(flow, 1)->arrival.packet <
                                              waiting_head(flow, 0)->arrival.packet);
    delivery_head(reassembly, flow, second ? 1 : 0);
    return true;
}

/* For a start, or for what was sent behind it. */
static bool side_waits(const struct flow *flow, unsigned side)
{
    const struct stream *stream = &flow->streams[side];
    if (waiting_head(flow, side) != NULL) {
        return true;
    }
    return stream->synced ? waiting_sent(flow, side) > stream->next
                          : flow->waiting->sides[side].evidence.lowest != 0;
}

static void drop_held(struct reassembly *reassembly, struct flow *flow)
{
    for (unsigned side = 0; side < FLOW_SIDES; side++) {
        while (waiting_head(flow, side) != NULL) {
            held_queue_pop(&reassembly->held, &flow->waiting->sides[side].queue);
        }
    }
}

/* Bytes behind the FIN are nobody's. */
static void drop_behind_end(struct reassembly *reassembly, struct flow *flow, unsigned side)
{
    const struct stream *stream = &flow->streams[side];
    while (waiting_head(flow, side) != NULL && waiting_head(flow, side)->offset >= stream->end) {
        held_queue_pop(&reassembly->held, &flow->waiting->sides[side].queue);
    }
}

/* Counts what an unread flow held, or was known to have sent, and waits no more. */
static void leave_unread(struct reassembly *reassembly, struct flow *flow)
{
    for (unsigned side = 0; side < FLOW_SIDES; side++) {
        const struct held_queue *queue = &flow->waiting->sides[side].queue;
        if (queue->first[0] != NULL) {
            stream_sync(&flow->streams[side], queue->first[0]->offset);
            delivery_count_unread(flow, side, held_end(queue->last[0]));
        }
        delivery_count_unread(flow, side, waiting_sent(flow, side));
    }
    drop_held(reassembly, flow);
    waiting_room_leave(&reassembly->waiting, flow);
    delivery_finish(reassembly, flow);
}

/* Delivers whatever fits. Nothing is left of flow->waiting once there is nothing to wait for. */
static void advance(struct reassembly *reassembly, struct flow *flow)
{
    drop_behind_end(reassembly, flow, 0);
    drop_behind_end(reassembly, flow, 1);
    while (!flow->unread && deliver_one(reassembly, flow)) {
        drop_behind_end(reassembly, flow, 0);
        drop_behind_end(reassembly, flow, 1);
    }
    if (flow->unread) {
        leave_unread(reassembly, flow);
    } else if (!side_waits(flow, 0) && !side_waits(flow, 1)) {
        waiting_room_leave(&reassembly->waiting, flow);
        delivery_finish(reassembly, flow);
    }
}

/* ---- giving up ---- */

static void give_up(struct reassembly *reassembly, struct flow *flow, bool all)
{
    do {
        advance(reassembly, flow);
    } while (flow->waiting != NULL && loss_declare_one(reassembly, flow, all));
}

void reassembly_flush(struct reassembly *reassembly, struct flow *flow)
{
    if (flow->waiting != NULL) {
        give_up(reassembly, flow, true);
    }
    if (flow->waiting != NULL) { /* only acknowledgments of what never came */
        waiting_room_leave(&reassembly->waiting, flow);
    }
}

/* ---- looking after those who wait ---- */

static void look_at(struct reassembly *reassembly, struct flow *flow)
{
    give_up(reassembly, flow, false);
    if (flow->waiting != NULL) {
        bool ripens = loss_ripens(reassembly, flow);
        waiting_room_list(&reassembly->waiting, flow->waiting, !ripens, reassembly->now);
    }
    reassembly->settled(reassembly->settled_context, flow);
}

static void look_through(struct reassembly *reassembly, struct waiting_list *list,
                         struct patience interval, bool by_time)
{
    interval.packets += 1;
    interval.ns = by_time && interval.ns > 0 ? interval.ns + 1 : 0;
    while (list->first != NULL &&
           patience_is_over(&interval, list->first->listed, reassembly->now)) {
        look_at(reassembly, list->first->flow);
    }
}

void reassembly_check(struct reassembly *reassembly, bool by_time)
{
    const struct patience *patience = &reassembly->patience;
    struct waiting_room *room = &reassembly->waiting;
    if (room->awake.first != NULL) {
        struct patience look = {patience->packets / LOOKS, patience->ns / LOOKS};
        look_through(reassembly, &room->awake, look, by_time);
    }
    if (room->asleep.first != NULL) {
        struct patience nap = patience_times(patience, LOSS_ONE_WAY_PATIENCE);
        uint64_t spread = room->slab.capacity / SLEEPERS_A_PACKET;
        nap.packets = nap.packets > spread ? nap.packets : spread;
        look_through(reassembly, &room->asleep, nap, by_time);
    }
}

/* Ends the wait of the flow that has slept longest, for the sake of another. */
static bool give_up_longest_asleep(struct reassembly *reassembly)
{
    if (reassembly->waiting.asleep.first == NULL) {
        return false;
    }
    struct flow *flow = reassembly->waiting.asleep.first->flow;
    reassembly_flush(reassembly, flow);
    reassembly->settled(reassembly->settled_context, flow);
    return true;
}

/* ---- receiving ---- */

/* There is no room to wait: everything that is missing is missing for good. */
static void deliver_now(struct reassembly *reassembly, struct flow *flow, unsigned side,
                        struct piece *piece)
{
    struct stream *own = &flow->streams[side];
    struct stream *peer = &flow->streams[1 - side];
    reassembly->refused++;
    reassembly_flush(reassembly, flow);
    stream_sync(own, piece->offset);
    if (piece->ack != 0) {
        stream_sync(peer, piece->ack);
    }
    piece->ack = stream_clip(peer, piece->ack);
    if (piece->ack > peer->next && !loss_is_only_fin(flow, 1 - side, piece->ack)) {
        delivery_gap(reassembly, flow, 1 - side, piece->ack);
    }
    piece->ack = piece->ack < peer->next ? piece->ack : peer->next;
    if (stream_clip(own, piece->offset) > own->next) {
        delivery_gap(reassembly, flow, side, stream_clip(own, piece->offset));
    }
    if (flow->unread) {
        delivery_count_unread(flow, side, piece->offset + piece->length);
    } else {
        delivery_bytes(reassembly, flow, side, piece);
    }
}

static void hold(struct reassembly *reassembly, struct flow *flow, unsigned side,
                 struct piece *piece)
{
    const struct tcp_handler *handler = &reassembly->handler;
    struct held_queue *queue = &flow->waiting->sides[side].queue;
    struct held_overlap overlap;
    bool held;
    do {
        held = held_queue_insert(&reassembly->held, queue, piece, reassembly->now, &overlap);
        if (overlap.conflicting > 0) {
            handler->conflicting(handler->context, flow, side, overlap.conflicting);
        }
        if (overlap.repeated > 0) {
            handler->retransmitted(handler->context, flow, side, overlap.repeated);
        }
    } while (!held && held_queue_has_share(&reassembly->held, queue) &&
             give_up_longest_asleep(reassembly));
    if (held) {
        advance(reassembly, flow);
    } else {
        deliver_now(reassembly, flow, side, piece);
    }
}

/* What fits goes through uncopied all the same, up to what is held. */
static void deliver_front(struct reassembly *reassembly, struct flow *flow, unsigned side,
                          struct piece *piece)
{
    const struct held *head = waiting_head(flow, side);
    struct piece front = *piece;
    if (head != NULL) {
        uint64_t room = head->offset > piece->offset ? head->offset - piece->offset : 0;
        piece_keep_front(&front, room < piece->length ? (uint32_t)room : piece->length);
    }
    if (front.length > 0) {
        delivery_bytes(reassembly, flow, side, &front);
        piece_drop_front(piece, front.length);
    }
}

static void receive_out_of_order(struct reassembly *reassembly, struct flow *flow, unsigned side,
                                 const struct piece *whole)
{
    const struct stream *own = &flow->streams[side];
    const struct stream *peer = &flow->streams[1 - side];
    struct piece piece = *whole;
    struct waiting *waiting = waiting_room_enter(&reassembly->waiting, flow, reassembly->now);
    if (waiting == NULL && piece.length > 0 && give_up_longest_asleep(reassembly)) {
        waiting = waiting_room_enter(&reassembly->waiting, flow, reassembly->now);
    }
    if (waiting == NULL) {
        if (piece.length > 0) {
            deliver_now(reassembly, flow, side, &piece);
        }
        return;
    }
    if (piece.ack != 0 && !(peer->synced && piece.ack <= peer->next)) {
        evidence_add(&waiting->sides[1 - side].evidence, piece.ack, &reassembly->patience,
                     reassembly->now);
    }
    if (own->synced && piece.offset <= own->next && delivery_is_known(peer, piece.ack)) {
        deliver_front(reassembly, flow, side, &piece);
    } else if (own->synced) {
        delivery_keep_new(reassembly, flow, side, &piece);
    }
    hold(reassembly, flow, side, &piece);
}

void reassembly_expect(struct reassembly *reassembly, struct flow *flow, unsigned side,
                       uint64_t offset)
{
    const struct stream *stream = &flow->streams[side];
    if (flow->unread || !stream->synced || offset <= stream->next) {
        return;
    }
    struct waiting *waiting = waiting_room_enter(&reassembly->waiting, flow, reassembly->now);
    if (waiting != NULL) {
        evidence_add(&waiting->sides[side].evidence, offset, &reassembly->patience,
                     reassembly->now);
    }
}

static void receive_unread(struct reassembly *reassembly, struct flow *flow, unsigned side,
                           const struct piece *piece)
{
    if (flow->waiting != NULL) {
        leave_unread(reassembly, flow);
    }
    stream_sync(&flow->streams[side], piece->offset);
    delivery_count_unread(flow, side, piece->offset + piece->length);
    if (piece->ack != 0) {
        stream_sync(&flow->streams[1 - side], piece->ack);
        delivery_count_unread(flow, 1 - side, piece->ack);
    }
    delivery_finish(reassembly, flow);
}

void reassembly_receive(struct reassembly *reassembly, struct flow *flow, unsigned side,
                        const struct piece *piece)
{
    const struct stream *own = &flow->streams[side];
    if (flow->unread) {
        receive_unread(reassembly, flow, side, piece);
    } else if (flow->waiting == NULL && own->synced && piece->offset <= own->next &&
               delivery_is_known(&flow->streams[1 - side], piece->ack)) {
        if (piece->length > 0) {
            delivery_bytes(reassembly, flow, side, piece);
        }
    } else {
        receive_out_of_order(reassembly, flow, side, piece);
    }
}
