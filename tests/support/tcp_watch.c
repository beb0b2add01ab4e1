#include "tests/support/tcp_watch.h"

#include <stdio.h>
#include <stdlib.h>

static void require(bool holds, const char *promise)
{
    if (!holds) {
        fprintf(stderr, "tcp_watch: broken: %s\n", promise);
        abort();
    }
}

static struct tcp_watched_side *open_side(struct flow *flow, unsigned side)
{
    struct tcp_watched *watched = tcp_watched(flow);
    require(side < FLOW_SIDES, "a side is 0 or 1");
    require(!watched->closed && !flow->closed, "nothing comes after the closing");
    return &watched->sides[side];
}

/* Bytes or a gap of this length, which follow what came before. */
static struct tcp_watched_side *move_on(struct flow *flow, unsigned side, uint64_t offset,
                                        uint64_t length)
{
    struct tcp_watched_side *watched = open_side(flow, side);
    const struct stream *stream = &flow->streams[side];
    require(!flow->unread, "the bytes of an unread flow are only counted");
    require(!watched->finished, "no bytes come after the end");
    require(length > 0, "bytes and gaps are not empty");
    require(stream->synced, "a stream has a start before bytes");
    if (!watched->begun) {
        watched->begun = true;
        watched->start = stream->start;
        watched->next = stream->start;
    }
    require(offset == watched->next, "bytes follow each other without a hole");
    watched->next += length;
    require(watched->next == stream->next, "the stream knows what was delivered");
    require(watched->next <= stream->end, "no bytes lie behind the end");
    return watched;
}

static void on_data(void *context, struct flow *flow, unsigned side, const struct stream_data *data)
{
    struct tcp_watch *watch = context;
    const struct stream *peer = &flow->streams[1 - side];
    move_on(flow, side, data->offset, data->length)->data_bytes += data->length;
    bool known = data->peer_offset == 0 || (peer->synced && data->peer_offset <= peer->next);
    require(known, "nothing is delivered before what it acknowledges");
    watch->data_bytes += data->length;
    for (uint32_t i = 0; i < data->length; i++) {
        watch->sum = (uint8_t)(watch->sum + (uint8_t)data->bytes[i]);
    }
    if (watch->next.data != NULL) {
        watch->next.data(watch->next.context, flow, side, data);
    }
}

static void on_gap(void *context, struct flow *flow, unsigned side, uint64_t length,
                   int64_t time_ns)
{
    struct tcp_watch *watch = context;
    struct tcp_watched_side *watched = open_side(flow, side);
    uint64_t offset = watched->begun ? watched->next : flow->streams[side].start;
    move_on(flow, side, offset, length)->gap_bytes += length;
    watch->gap_bytes += length;
    if (watch->next.gap != NULL) {
        watch->next.gap(watch->next.context, flow, side, length, time_ns);
    }
}

static void on_finished(void *context, struct flow *flow, unsigned side, int64_t time_ns)
{
    struct tcp_watch *watch = context;
    struct tcp_watched_side *watched = open_side(flow, side);
    const struct stream *stream = &flow->streams[side];
    require(!watched->finished, "an end comes once");
    require(stream->synced && stream->next == stream->end, "an end comes behind all bytes");
    watched->finished = true;
    if (watch->next.finished != NULL) {
        watch->next.finished(watch->next.context, flow, side, time_ns);
    }
}

static void on_closed(void *context, struct flow *flow, enum flow_end end, unsigned side,
                      int64_t time_ns)
{
    struct tcp_watch *watch = context;
    struct tcp_watched *watched = tcp_watched(flow);
    require(!watched->closed, "a closing comes once");
    require(end <= FLOW_END_INTERFACE && side < FLOW_SIDES, "a closing has a reason");
    require(flow->waiting == NULL, "a closed flow waits for nothing");
    require(flow->unread_bytes == 0, "unread bytes are reported before the closing");
    require(end != FLOW_END_FIN || (watched->sides[0].finished && watched->sides[1].finished),
            "a flow that ended in order has two ends");
    watched->closed = true;
    watch->closed[end]++;
    if (watch->next.closed != NULL) {
        watch->next.closed(watch->next.context, flow, end, side, time_ns);
    }
}

static void on_answered(void *context, struct flow *flow, unsigned client_side, int64_t time_ns)
{
    struct tcp_watch *watch = context;
    struct tcp_watched *watched = tcp_watched(flow);
    require(!watched->closed && !watched->answered, "a handshake is answered once");
    require(client_side == flow->syn_side, "the client is who sent the SYN");
    watched->answered = true;
    if (watch->next.answered != NULL) {
        watch->next.answered(watch->next.context, flow, client_side, time_ns);
    }
}

static void on_established(void *context, struct flow *flow, unsigned client_side, int64_t time_ns)
{
    struct tcp_watch *watch = context;
    struct tcp_watched *watched = tcp_watched(flow);
    require(!watched->closed && !watched->established, "a connection is established once");
    require(watched->answered, "it is established after the answer");
    require(client_side == flow->syn_side, "the client acknowledges the answer");
    watched->established = true;
    if (watch->next.established != NULL) {
        watch->next.established(watch->next.context, flow, client_side, time_ns);
    }
}

static void on_retransmitted(void *context, struct flow *flow, unsigned side, uint32_t bytes)
{
    struct tcp_watch *watch = context;
    open_side(flow, side);
    require(bytes > 0, "a retransmission has bytes");
    watch->retransmitted_bytes += bytes;
    if (watch->next.retransmitted != NULL) {
        watch->next.retransmitted(watch->next.context, flow, side, bytes);
    }
}

static void on_conflicting(void *context, struct flow *flow, unsigned side, uint32_t bytes)
{
    struct tcp_watch *watch = context;
    open_side(flow, side);
    require(bytes > 0, "a conflict has bytes");
    watch->conflicting_bytes += bytes;
    if (watch->next.conflicting != NULL) {
        watch->next.conflicting(watch->next.context, flow, side, bytes);
    }
}

static void on_unread(void *context, struct flow *flow, uint64_t bytes)
{
    struct tcp_watch *watch = context;
    open_side(flow, 0);
    require(flow->unread && bytes > 0, "bytes are unread where nobody reads");
    tcp_watched(flow)->unread_bytes += bytes;
    watch->unread_bytes += bytes;
    if (watch->next.unread != NULL) {
        watch->next.unread(watch->next.context, flow, bytes);
    }
}

struct tcp_handler tcp_watch_handler(struct tcp_watch *watch)
{
    return (struct tcp_handler){.context = watch,
                                .data = on_data,
                                .gap = on_gap,
                                .finished = on_finished,
                                .closed = on_closed,
                                .answered = on_answered,
                                .established = on_established,
                                .retransmitted = on_retransmitted,
                                .conflicting = on_conflicting,
                                .unread = on_unread};
}
