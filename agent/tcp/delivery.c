#include "agent/tcp/delivery.h"

bool delivery_is_known(const struct stream *peer, uint64_t ack)
{
    return ack == 0 || (peer->synced && stream_clip(peer, ack) <= peer->next);
}

/* Whether the FIN's sender had received an end that is yet to be delivered, and not the other way
 * round as well, as happens when FINs are sent again. */
static bool follows_end(const struct stream *stream, const struct stream *peer)
{
    return stream->end_ack > peer->end && !peer->ended && peer->end_ack <= stream->end;
}

static void finish_side(struct reassembly *reassembly, struct flow *flow, unsigned side)
{
    struct stream *stream = &flow->streams[side];
    const struct stream *peer = &flow->streams[1 - side];
    if (!stream->synced || stream->ended || stream->next < stream->end) {
        return;
    }
    /* One more may be the other side's FIN, which may never be captured. */
    bool known = stream_clip(peer, stream->end_ack) <= peer->next + 1;
    if (flow->unread || !peer->synced || (known && !follows_end(stream, peer))) {
        stream->ended = true;
        reassembly->handler.finished(reassembly->handler.context, flow, side, reassembly->now.ns);
    }
}

void delivery_finish(struct reassembly *reassembly, struct flow *flow)
{
    finish_side(reassembly, flow, 0);
    finish_side(reassembly, flow, 1);
    finish_side(reassembly, flow, 0); /* it may have followed the other */
}

void delivery_count_unread(struct flow *flow, unsigned side, uint64_t end)
{
    struct stream *stream = &flow->streams[side];
    end = stream_clip(stream, end);
    if (stream->synced && end > stream->next) {
        flow->unread_bytes += end - stream->next;
        stream->next = end;
    }
}

/* `time_ns`: of the packet whose end the capture cut off, or unknown. */
static void pass_gap(struct reassembly *reassembly, struct flow *flow, unsigned side, uint64_t to,
                     int64_t time_ns)
{
    struct stream *stream = &flow->streams[side];
    if (flow->unread) {
        delivery_count_unread(flow, side, to);
        return;
    }
    uint64_t length = to - stream->next;
    stream->next = to;
    reassembly->handler.gap(reassembly->handler.context, flow, side, length, time_ns);
}

void delivery_gap(struct reassembly *reassembly, struct flow *flow, unsigned side, uint64_t to)
{
    pass_gap(reassembly, flow, side, to, TCP_TIME_UNKNOWN);
    delivery_finish(reassembly, flow);
}

/* Keep-alive and window probes repeat one byte or none; they are not retransmissions. */
static bool is_probe(const struct stream *stream, const struct piece *piece)
{
    return piece->length <= 1 && piece->offset + 1 == stream->next;
}

void delivery_keep_new(struct reassembly *reassembly, struct flow *flow, unsigned side,
                       struct piece *piece)
{
    const struct stream *stream = &flow->streams[side];
    if (piece->offset < stream->next) {
        uint64_t end = piece->offset + piece->length;
        uint64_t known_end = end < stream->next ? end : stream->next;
        uint64_t known = piece->offset > stream->start ? piece->offset : stream->start;
        if (known < known_end && !is_probe(stream, piece)) {
            reassembly->handler.retransmitted(reassembly->handler.context, flow, side,
                                              (uint32_t)(known_end - known));
        }
        piece_drop_front(piece, (uint32_t)(known_end - piece->offset));
    }
    uint64_t left = piece->offset < stream->end ? stream->end - piece->offset : 0;
    piece_keep_front(piece, left < piece->length ? (uint32_t)left : piece->length);
}

void delivery_bytes(struct reassembly *reassembly, struct flow *flow, unsigned side,
                    const struct piece *whole)
{
    struct stream *stream = &flow->streams[side];
    struct piece piece = *whole;
    delivery_keep_new(reassembly, flow, side, &piece);
    uint64_t end = piece.offset + piece.length;
    if (flow->waiting != NULL && flow->waiting->sides[side].passed_ns < piece.time_ns) {
        flow->waiting->sides[side].passed_ns = piece.time_ns;
    }
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
        pass_gap(reassembly, flow, side, end, piece.time_ns);
    }
    delivery_finish(reassembly, flow);
}

void delivery_head(struct reassembly *reassembly, struct flow *flow, unsigned side)
{
    const struct held *held = waiting_head(flow, side);
    int64_t passed_ns = flow->waiting->sides[side].passed_ns;
    const struct stream *peer = &flow->streams[1 - side];
    struct piece piece = {.bytes = held->bytes,
                          .captured = held->captured,
                          .length = held->length,
                          .offset = held->offset,
                          .ack = held->ack < peer->next ? held->ack : peer->next,
                          /* It was of use only when what it waited for had come. */
                          .time_ns = held->time_ns > passed_ns ? held->time_ns : passed_ns};
    delivery_bytes(reassembly, flow, side, &piece);
    held_queue_pop(&reassembly->held, &flow->waiting->sides[side].queue);
}
