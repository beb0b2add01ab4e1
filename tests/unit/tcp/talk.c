#include "tests/unit/tcp/talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

bool client_is_second;

/* ---- trace ---- */

static void trace(struct net *net, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void trace(struct net *net, const char *format, ...)
{
    if (net->quiet) {
        return;
    }
    size_t room = sizeof(net->trace) - net->trace_length;
    int length = 0;
    if (net->trace_length > 0) {
        net->trace[net->trace_length++] = ' ';
        room--;
    }
    va_list arguments;
    va_start(arguments, format);
    length = vsnprintf(net->trace + net->trace_length, room, format, arguments);
    va_end(arguments);
    assert_true(length >= 0 && (size_t)length + 1 < room);
    net->trace_length += (size_t)length;
}

static char name_of(unsigned side)
{
    return side == (client_is_second ? 1u : 0u) ? 'C' : 'S';
}

void trace_clear(struct net *net)
{
    net->trace_length = 0;
    net->trace[0] = '\0';
}

void assert_trace_at(struct net *net, const char *expected, const char *file, int line)
{
    _assert_string_equal(net->trace, expected, file, line);
    trace_clear(net);
}

static void on_data(void *context, struct flow *flow, unsigned side, const struct stream_data *data)
{
    struct net *net = context;
    trace(net, "%c:%.*s", name_of(side), (int)data->length, data->bytes);
    if (net->payload == NULL || data->bytes < net->payload ||
        data->bytes + data->length > net->payload + net->payload_captured) {
        net->copied += data->length;
    }
    if (net->unread_at_data) {
        tcp_flow_unread(net->tcp, flow);
    }
}

static void on_gap(void *context, struct flow *flow, unsigned side, uint64_t length,
                   int64_t time_ns)
{
    (void)flow;
    trace(context, "%c%c%llu", name_of(side), time_ns == TCP_TIME_UNKNOWN ? '-' : '~',
          (unsigned long long)length);
}

static void on_finished(void *context, struct flow *flow, unsigned side, int64_t time_ns)
{
    (void)flow;
    (void)time_ns;
    trace(context, "%c.", name_of(side));
}

static void on_closed(void *context, struct flow *flow, enum flow_end end, unsigned side,
                      int64_t time_ns)
{
    static const char *const ends[] = {[FLOW_END_FIN] = "fin",
                                       [FLOW_END_RESET] = "reset",
                                       [FLOW_END_IDLE] = "idle",
                                       [FLOW_END_EVICTED] = "evicted",
                                       [FLOW_END_REUSED] = "reused",
                                       [FLOW_END_CAPTURE] = "capture",
                                       [FLOW_END_INTERFACE] = "interface"};
    (void)flow;
    (void)time_ns;
    if (end == FLOW_END_RESET) {
        trace(context, "[reset %c]", name_of(side));
    } else {
        trace(context, "[%s]", ends[end]);
    }
}

static void on_answered(void *context, struct flow *flow, unsigned client_side, int64_t time_ns)
{
    (void)flow;
    (void)time_ns;
    trace(context, name_of(client_side) == 'C' ? "answered" : "answered the server");
}

static void on_established(void *context, struct flow *flow, unsigned client_side, int64_t time_ns)
{
    (void)flow;
    (void)time_ns;
    trace(context, name_of(client_side) == 'C' ? "established" : "established the server");
}

static void on_retransmitted(void *context, struct flow *flow, unsigned side, uint32_t bytes)
{
    (void)flow;
    trace(context, "%c+%u", name_of(side), bytes);
}

static void on_conflicting(void *context, struct flow *flow, unsigned side, uint32_t bytes)
{
    (void)flow;
    trace(context, "%c!%u", name_of(side), bytes);
}

static void on_unread(void *context, struct flow *flow, uint64_t bytes)
{
    (void)flow;
    trace(context, "unread %llu", (unsigned long long)bytes);
}

/* ---- the net ---- */

struct tcp_options net_options(void)
{
    return (struct tcp_options){.max_flows = 64,
                                .max_held_bytes = 1 << 20,
                                .user_size = sizeof(struct tcp_watched),
                                .idle_ns = 60 * SECOND,
                                .reorder_packets = PATIENCE};
}

void net_begin(struct net *net, const struct tcp_options *options)
{
    *net = (struct net){.now_ns = 1000 * SECOND, .step_ns = MILLISECOND};
    net->watch.next = (struct tcp_handler){.context = net,
                                           .data = on_data,
                                           .gap = on_gap,
                                           .finished = on_finished,
                                           .closed = on_closed,
                                           .answered = on_answered,
                                           .established = on_established,
                                           .retransmitted = on_retransmitted,
                                           .conflicting = on_conflicting,
                                           .unread = on_unread};
    struct tcp_options standard = net_options();
    struct tcp_handler handler = tcp_watch_handler(&net->watch);
    net->tcp = tcp_new(options != NULL ? options : &standard, &handler);
    assert_non_null(net->tcp);
}

void net_end(struct net *net)
{
    tcp_finish(net->tcp);
    assert_int_equal(tcp_counters(net->tcp).flows, 0);
    tcp_free(net->tcp);
}

static struct endpoint endpoint_of(const struct talk *talk, enum talker talker)
{
    uint8_t last = (talker == CLIENT) == client_is_second ? 2 : 1;
    const uint8_t address[4] = {10, 0, 0, last};
    return (struct endpoint){.address = address_from_ipv4(address),
                             .port = talker == CLIENT ? talk->port : 80};
}

static void net_receive(struct net *net, struct segment *segment)
{
    net->now_ns += net->step_ns;
    segment->time_ns = net->now_ns;
    net->payload = (const char *)segment->payload;
    net->payload_captured = segment->payload_captured;
    tcp_segment(net->tcp, segment);
    net->payload = NULL;
}

void net_pass(struct net *net, unsigned count)
{
    struct talk other = {.net = net, .port = 9};
    struct segment segment = {.source = endpoint_of(&other, CLIENT),
                              .destination = endpoint_of(&other, SERVER),
                              .flags = TCP_ACK};
    for (unsigned i = 0; i < count; i++) {
        net_receive(net, &segment);
    }
}

void net_wait(struct net *net, int64_t duration_ns)
{
    int64_t until_ns = net->now_ns + duration_ns;
    while (net->now_ns < until_ns) {
        int64_t left_ns = until_ns - net->now_ns;
        net->now_ns += left_ns < 100 * MILLISECOND ? left_ns : 100 * MILLISECOND;
        tcp_tick(net->tcp, net->now_ns);
    }
}

/* ---- talking ---- */

struct talk talk_begin(struct net *net)
{
    return (struct talk){
        .net = net, .port = 40000, .interface = 3, .sequence = {0xfffffffa, 0x7ffffff0}};
}

void talk_cut(const struct talk *talk, enum talker from, uint32_t at, uint32_t ack, unsigned flags,
              struct payload payload)
{
    char *copy = malloc(payload.captured + (payload.captured == 0));
    assert_non_null(copy);
    memcpy(copy, payload.bytes, payload.captured);
    enum talker to = from == CLIENT ? SERVER : CLIENT;
    struct segment segment = {.source = endpoint_of(talk, from),
                              .destination = endpoint_of(talk, to),
                              .interface = talk->interface,
                              .sequence = talk->sequence[from] + at,
                              .payload_length = payload.length,
                              .payload_captured = payload.captured,
                              .payload = (const uint8_t *)copy,
                              .flags = (uint8_t)flags};
    if (ack != 0) {
        segment.acknowledgment = talk->sequence[to] + ack;
        segment.flags |= TCP_ACK;
    }
    net_receive(talk->net, &segment);
    free(copy);
}

void talk_flags(const struct talk *talk, enum talker from, uint32_t at, uint32_t ack,
                unsigned flags, const char *text)
{
    uint32_t length = (uint32_t)strlen(text);
    talk_cut(talk, from, at, ack, flags, whole(text, length));
}

void say(const struct talk *talk, enum talker from, uint32_t at, uint32_t ack, const char *text)
{
    talk_flags(talk, from, at, ack, TCP_PSH, text);
}

void acknowledge(const struct talk *talk, enum talker from, uint32_t at, uint32_t ack)
{
    talk_flags(talk, from, at, ack, 0, "");
}

void finish(const struct talk *talk, enum talker from, uint32_t at, uint32_t ack)
{
    talk_flags(talk, from, at, ack, TCP_FIN, "");
}

void reset(const struct talk *talk, enum talker from, uint32_t at)
{
    talk_flags(talk, from, at, 0, TCP_RST, "");
}

void handshake(const struct talk *talk)
{
    talk_flags(talk, CLIENT, 0, 0, TCP_SYN, "");
    talk_flags(talk, SERVER, 0, 1, TCP_SYN, "");
    acknowledge(talk, CLIENT, 1, 1);
    trace_clear(talk->net);
}
