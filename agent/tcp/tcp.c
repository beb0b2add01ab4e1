#include "agent/tcp/tcp.h"

#include "agent/tcp/delivery.h"
#include "agent/tcp/membership.h"
#include "agent/tcp/reassembly.h"

#include <errno.h>
#include <stdlib.h>

/*
 * Connections as an observer sees them (RFC 9293 section 3.10 read from the outside): which segment
 * opens one, which ends it, and which belongs to an earlier one with the same ports. A flow that
 * ended lingers in the table, so that what is sent again or captured late does not look like a new
 * connection.
 */

/* Bytes of an unread flow are reported in portions, so that a counter moves while it lasts. */
#define UNREAD_PORTION (UINT64_C(1) << 20)
/* An unanswered SYN is given up after this, as Linux does with six retries after 63 s. */
#define HANDSHAKE_NS (INT64_C(75) * 1000000000)
/* Retransmissions of a last segment stop about then. */
#define LINGER_NS (INT64_C(5) * 1000000000)
/* A list's front is looked at this often in the time that makes a flow idle. */
#define SWEEPS_PER_IDLE 4

struct tcp {
    struct flow_table flows;
    struct reassembly reassembly;
    int64_t idle_ns;
    uint64_t evicted;
    uint64_t out_of_window;
};

/* ---- the end of flows ---- */

static void report_unread(struct tcp *tcp, struct flow *flow)
{
    if (flow->unread_bytes > 0) {
        const struct tcp_handler *handler = &tcp->reassembly.handler;
        handler->unread(handler->context, flow, flow->unread_bytes);
        flow->unread_bytes = 0;
    }
}

static void close_flow(struct tcp *tcp, struct flow *flow, enum flow_end end, unsigned side)
{
    if (flow->closed) {
        return;
    }
    const struct tcp_handler *handler = &tcp->reassembly.handler;
    reassembly_flush(&tcp->reassembly, flow);
    report_unread(tcp, flow);
    flow->closed = true;
    handler->closed(handler->context, flow, end, side, tcp->reassembly.now.ns);
}

static void remove_flow(struct tcp *tcp, struct flow *flow, enum flow_end end)
{
    close_flow(tcp, flow, end, 0);
    flow_table_remove(&tcp->flows, flow);
}

/* Closes the flow and keeps it among those without payload for a while. */
static void linger(struct tcp *tcp, struct flow *flow, enum flow_end end, unsigned side)
{
    close_flow(tcp, flow, end, side);
    struct flow *victim =
        flow->list == FLOW_LIST_CARRYING ? flow_table_victim(&tcp->flows, FLOW_LIST_EMPTY) : NULL;
    if (victim != NULL) {
        tcp->evicted += !victim->closed;
        remove_flow(tcp, victim, FLOW_END_EVICTED);
    }
    flow_table_list(&tcp->flows, flow, FLOW_LIST_EMPTY, tcp->reassembly.now.ns);
}

static void make_room(struct tcp *tcp, enum flow_list_name list)
{
    struct flow *victim = flow_table_victim(&tcp->flows, list);
    if (victim != NULL) {
        tcp->evicted += !victim->closed;
        remove_flow(tcp, victim, FLOW_END_EVICTED);
    }
}

/* ---- the handshake ---- */

/* In a flow 0 stands for a time that is not known. */
static int64_t known_time(int64_t time_ns)
{
    return time_ns > 0 ? time_ns : 1;
}

static void sync_at(struct stream *stream, uint32_t sequence)
{
    stream_learn_origin(stream, sequence);
    stream_sync(stream, stream_offset(stream, sequence));
}

/* The stream begins behind its SYN, even if the answer was captured first and covers more. */
static void sync_at_syn(struct stream *stream, uint32_t sequence)
{
    sync_at(stream, sequence);
    uint64_t start = stream_offset(stream, sequence);
    if (start < stream->start && stream->next == stream->start && !stream->ended) {
        stream->start = start;
        stream->next = start;
    }
    stream->syn_seen = stream->start == start;
}

static void receive_syn(struct tcp *tcp, struct flow *flow, unsigned side,
                        const struct segment *segment)
{
    const struct tcp_handler *handler = &tcp->reassembly.handler;
    sync_at_syn(&flow->streams[side], segment->sequence + 1);
    if ((segment->flags & TCP_ACK) != 0) {
        sync_at(&flow->streams[1 - side], segment->acknowledgment);
        if (flow->syn_ack_ns == 0) {
            flow->syn_ack_ns = known_time(segment->time_ns);
            flow->syn_side = 1 - side;
            handler->answered(handler->context, flow, 1 - side, segment->time_ns);
        }
    } else if (flow->syn_ns == 0) {
        flow->syn_ns = known_time(segment->time_ns);
        flow->syn_side = side;
    }
}

/* The client's first segment after the SYN-ACK completes the handshake. */
static void receive_ack(struct tcp *tcp, struct flow *flow, unsigned side,
                        const struct segment *segment)
{
    const struct tcp_handler *handler = &tcp->reassembly.handler;
    struct stream *own = &flow->streams[side];
    struct stream *peer = &flow->streams[1 - side];
    stream_learn_origin(peer, segment->acknowledgment);
    if (!own->synced) {
        return;
    }
    uint64_t offset = stream_offset_of(own, segment);
    bool first = offset == own->start || (offset == own->next && peer->next == peer->start);
    if (first && !flow->established && flow->syn_ack_ns != 0 && side == flow->syn_side) {
        flow->established = true;
        handler->established(handler->context, flow, side, segment->time_ns);
    }
}

/* ---- segments ---- */

static struct flow *open_flow(struct tcp *tcp, const struct flow_key *key,
                              const struct segment *segment)
{
    /* A FIN counts, too: all of a short connection may be captured in any order. */
    bool worth = segment->payload_length > 0 || (segment->flags & (TCP_SYN | TCP_FIN)) != 0;
    if (!worth || (segment->flags & TCP_RST) != 0) {
        return NULL;
    }
    make_room(tcp, FLOW_LIST_EMPTY);
    struct flow *flow = flow_table_insert(&tcp->flows, key, segment->time_ns);
    if (flow != NULL) {
        flow->streams[0].end = STREAM_NO_END;
        flow->streams[1].end = STREAM_NO_END;
    }
    return flow;
}

static void note_payload(struct tcp *tcp, struct flow *flow, unsigned side)
{
    flow->streams[side].payload_seen = true;
    if (flow->list == FLOW_LIST_EMPTY) {
        make_room(tcp, FLOW_LIST_CARRYING);
        flow_table_list(&tcp->flows, flow, FLOW_LIST_CARRYING, tcp->reassembly.now.ns);
    }
}

/* A RST ends the flow once what was sent before it has been delivered or given up. */
static void receive_reset(struct tcp *tcp, struct flow *flow, unsigned side,
                          const struct segment *segment)
{
    const struct stream *own = &flow->streams[side];
    const struct stream *peer = &flow->streams[1 - side];
    if (!membership_is_valid_reset(flow, side, segment)) {
        tcp->out_of_window++;
        return;
    }
    if (own->known) {
        uint64_t offset = stream_clip(own, stream_offset_of(own, segment));
        reassembly_expect(&tcp->reassembly, flow, side, offset);
    }
    if ((segment->flags & TCP_ACK) != 0 && peer->known && membership_ack_fits(peer, segment)) {
        uint64_t ack = stream_clip(peer, stream_offset(peer, segment->acknowledgment));
        reassembly_expect(&tcp->reassembly, flow, 1 - side, ack);
    }
    flow->reset_side = flow->reset ? flow->reset_side : side;
    flow->reset = true;
}

/* Closes a flow whose end has come in order; after a RST only what may still be captured is waited
 * for, as nothing will be sent again. */
static void settle(struct tcp *tcp, struct flow *flow)
{
    if (flow->closed) {
        return;
    }
    if (flow->streams[0].ended && flow->streams[1].ended) {
        linger(tcp, flow, FLOW_END_FIN, 0);
    } else if (flow->reset && (flow->waiting == NULL || flow->waiting->asleep)) {
        linger(tcp, flow, FLOW_END_RESET, flow->reset_side);
    }
}

static void settled(void *context, struct flow *flow)
{
    settle(context, flow);
}

/* Returns false for a FIN inside what was delivered. */
static bool receive_fin(struct stream *own, const struct piece *piece, uint64_t ack)
{
    uint64_t end = piece->offset + piece->length;
    if (own->end != STREAM_NO_END) {
        return true;
    }
    /* A gap whose end was only acknowledged may have taken the FIN for its last byte. */
    if (own->synced && end + 1 < own->next) {
        return false;
    }
    own->end = own->synced && end < own->next ? own->next : end;
    own->end_ack = ack;
    return true;
}

static void receive_payload(struct tcp *tcp, struct flow *flow, unsigned side,
                            const struct segment *segment)
{
    struct stream *own = &flow->streams[side];
    struct stream *peer = &flow->streams[1 - side];
    stream_learn_origin(own, segment->sequence + ((segment->flags & TCP_SYN) != 0 ? 1 : 0));
    struct piece piece = {.bytes = (const char *)segment->payload,
                          .captured = segment->payload_captured,
                          .length = segment->payload_length,
                          .offset = stream_offset_of(own, segment),
                          .time_ns = segment->time_ns};
    uint64_t ack = 0;
    if ((segment->flags & TCP_ACK) != 0) {
        ack = stream_offset(peer, segment->acknowledgment);
        peer->acked = peer->acked < ack ? ack : peer->acked;
        piece.ack = stream_clip(peer, ack); /* the FIN counts one */
    }
    bool fits = (segment->flags & TCP_FIN) == 0 || receive_fin(own, &piece, ack);
    fits = fits && (piece.length == 0 || piece.offset + piece.length <= own->end);
    tcp->out_of_window += !fits;
    if (piece.length > 0) {
        note_payload(tcp, flow, side);
    }
    if (own->end != STREAM_NO_END) {
        delivery_finish(&tcp->reassembly, flow);
    }
    reassembly_receive(&tcp->reassembly, flow, side, &piece);
    if (own->end != STREAM_NO_END) {
        delivery_finish(&tcp->reassembly, flow);
    }
}

static void receive(struct tcp *tcp, struct flow *flow, unsigned side,
                    const struct segment *segment)
{
    struct stream *own = &flow->streams[side];
    flow->last_ns = segment->time_ns;
    flow->untimed = flow->untimed || segment->untimed;
    flow->strangers = 0;
    own->seen = true;
    own->direction = segment->direction;
    if ((segment->flags & TCP_RST) != 0) {
        receive_reset(tcp, flow, side, segment);
    } else {
        if ((segment->flags & TCP_SYN) != 0) {
            receive_syn(tcp, flow, side, segment);
        } else if ((segment->flags & TCP_ACK) != 0 &&
                   (!flow->established || !flow->streams[1 - side].synced)) {
            receive_ack(tcp, flow, side, segment);
        }
        receive_payload(tcp, flow, side, segment);
    }
    settle(tcp, flow);
    if (flow->unread_bytes >= UNREAD_PORTION) {
        report_unread(tcp, flow);
    }
}

/* Whether the segment is what nearly all are: the next of its side, in the middle of a connection
 * of which nothing is missing, acknowledging nothing that is not there, and not too long ago.
 * Everything else goes the long way, which would do the same for such a one. */
static bool is_next(const struct flow *flow, unsigned side, const struct segment *segment)
{
    const struct stream *own = &flow->streams[side];
    const struct stream *peer = &flow->streams[1 - side];
    bool plain = (segment->flags & ~TCP_PSH) == TCP_ACK && flow->waiting == NULL &&
                 flow->list == FLOW_LIST_CARRYING && !flow->closed && !flow->reset &&
                 (flow->established || flow->syn_ack_ns == 0);
    bool open =
        own->synced && peer->synced && own->end == STREAM_NO_END && peer->end == STREAM_NO_END;
    bool whole = flow->unread || segment->payload_captured == segment->payload_length;
    if (!plain || !open || !whole || segment->sequence != stream_next_sequence(own)) {
        return false;
    }
    uint32_t unreceived = stream_next_sequence(peer) - segment->acknowledgment;
    return unreceived <= peer->next - peer->start && unreceived < STREAM_NEAR;
}

static void receive_next(struct tcp *tcp, struct flow *flow, unsigned side,
                         const struct segment *segment)
{
    struct stream *own = &flow->streams[side];
    struct stream *peer = &flow->streams[1 - side];
    uint64_t ack = peer->next - (stream_next_sequence(peer) - segment->acknowledgment);
    uint64_t offset = own->next;
    peer->acked = peer->acked < ack ? ack : peer->acked;
    own->next += segment->payload_length;
    own->seen = true;
    own->payload_seen = own->payload_seen || segment->payload_length > 0;
    own->direction = segment->direction;
    flow->last_ns = segment->time_ns;
    flow->untimed = flow->untimed || segment->untimed;
    flow->strangers = 0;
    if (flow->unread) {
        flow->unread_bytes += segment->payload_length;
        if (flow->unread_bytes >= UNREAD_PORTION) {
            report_unread(tcp, flow);
        }
    } else if (segment->payload_length > 0) {
        const struct tcp_handler *handler = &tcp->reassembly.handler;
        const struct stream_data data = {.bytes = (const char *)segment->payload,
                                         .length = segment->payload_length,
                                         .offset = offset,
                                         .peer_offset = ack,
                                         .time_ns = segment->time_ns};
        handler->data(handler->context, flow, side, &data);
    }
}

void tcp_segment(struct tcp *tcp, const struct segment *segment)
{
    unsigned side = 0;
    struct flow_key key = flow_key_of(segment, &side);
    tcp->reassembly.now.packet++;
    tcp->reassembly.now.ns = segment->time_ns;
    struct flow *flow = flow_table_find(&tcp->flows, &key);
    if (flow != NULL && is_next(flow, side, segment)) {
        receive_next(tcp, flow, side, segment);
        reassembly_check(&tcp->reassembly, false);
        return;
    }
    if (flow != NULL && membership_begins_another(flow, side, segment)) {
        remove_flow(tcp, flow, FLOW_END_REUSED);
        flow = NULL;
    }
    if (flow == NULL) {
        flow = open_flow(tcp, &key, segment);
    }
    if (flow != NULL && !flow->closed) {
        if ((segment->flags & TCP_RST) == 0 && membership_is_stranger(flow, side, segment)) {
            tcp->out_of_window++;
            if (flow->strangers < MEMBERSHIP_STRANGERS_MAX) {
                flow->strangers++;
            }
        } else {
            receive(tcp, flow, side, segment);
        }
    }
    reassembly_check(&tcp->reassembly, false);
}

void tcp_flow_unread(struct tcp *tcp, struct flow *flow)
{
    (void)tcp;
    flow->unread = true;
}

/* ---- time ---- */

static int64_t patience_with(const struct tcp *tcp, const struct flow *flow)
{
    bool handshaking = flow->streams[0].syn_seen || flow->streams[1].syn_seen;
    if (flow->closed || (flow->list == FLOW_LIST_EMPTY && !handshaking)) {
        /* Also a lone FIN, as a bridge floods it to ports that the connection does not use. */
        return LINGER_NS < tcp->idle_ns ? LINGER_NS : tcp->idle_ns;
    }
    if (flow->list == FLOW_LIST_EMPTY) {
        return HANDSHAKE_NS < tcp->idle_ns ? HANDSHAKE_NS : tcp->idle_ns;
    }
    return tcp->idle_ns;
}

/* Or the clock was set back, and what it said before is worth nothing. */
static bool is_sweep_due(const struct flow *flow, int64_t idle_ns, int64_t now_ns)
{
    return now_ns - flow->listed_ns > idle_ns / SWEEPS_PER_IDLE || flow->listed_ns > now_ns;
}

static void sweep(struct tcp *tcp, enum flow_list_name name, int64_t idle_ns)
{
    int64_t now_ns = tcp->reassembly.now.ns;
    struct flow *flow = tcp->flows.lists[name].first;
    while (flow != NULL && is_sweep_due(flow, idle_ns, now_ns)) {
        if (flow->last_ns > now_ns) {
            flow->last_ns = now_ns;
        }
        if (now_ns - flow->last_ns >= patience_with(tcp, flow)) {
            remove_flow(tcp, flow, FLOW_END_IDLE);
        } else {
            report_unread(tcp, flow);
            flow_table_list(&tcp->flows, flow, name, now_ns);
        }
        flow = tcp->flows.lists[name].first;
    }
}

void tcp_tick(struct tcp *tcp, int64_t now_ns)
{
    tcp->reassembly.now.ns = now_ns;
    reassembly_check(&tcp->reassembly, true);
    int64_t short_ns = LINGER_NS < tcp->idle_ns ? LINGER_NS : tcp->idle_ns;
    sweep(tcp, FLOW_LIST_EMPTY, short_ns);
    sweep(tcp, FLOW_LIST_CARRYING, tcp->idle_ns);
}

static void remove_matching(struct tcp *tcp, enum flow_end end, const uint32_t *interface)
{
    for (unsigned list = 0; list < FLOW_LISTS; list++) {
        struct flow *flow = tcp->flows.lists[list].first;
        while (flow != NULL) {
            struct flow *next = flow->next;
            if (interface == NULL || flow->key.interface == *interface) {
                remove_flow(tcp, flow, end);
            }
            flow = next;
        }
    }
}

void tcp_interface_gone(struct tcp *tcp, uint32_t interface)
{
    remove_matching(tcp, FLOW_END_INTERFACE, &interface);
}

void tcp_finish(struct tcp *tcp)
{
    remove_matching(tcp, FLOW_END_CAPTURE, NULL);
}

struct tcp_counters tcp_counters(const struct tcp *tcp)
{
    return (struct tcp_counters){.flows = tcp->flows.flows.used,
                                 .evicted = tcp->evicted,
                                 .held_refused = tcp->reassembly.refused,
                                 .out_of_window = tcp->out_of_window};
}

/* ---- life ---- */

struct tcp *tcp_new(const struct tcp_options *options, const struct tcp_handler *handler)
{
    struct tcp *tcp = calloc(1, sizeof(*tcp));
    if (tcp == NULL) {
        return NULL;
    }
    tcp->idle_ns = options->idle_ns;
    bool ready = flow_table_init(&tcp->flows, options->max_flows, options->user_size) == 0 &&
                 reassembly_init(&tcp->reassembly, options, handler) == 0;
    tcp->reassembly.settled = settled;
    tcp->reassembly.settled_context = tcp;
    if (!ready) {
        tcp_free(tcp);
        return NULL;
    }
    return tcp;
}

void tcp_free(struct tcp *tcp)
{
    if (tcp != NULL) {
        reassembly_fini(&tcp->reassembly);
        flow_table_fini(&tcp->flows);
        free(tcp);
    }
}
