#include "tests/unit/exchange/plain_talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void on_plain(void *context, const struct plain_bytes *plain)
{
    struct plain_talk *talk = context;
    assert_true(talk->told_count < PLAIN_TALK_TOLD);
    talk->told[talk->told_count++] = *plain;
}

static void on_exchange(void *context, struct connection *connection,
                        const struct exchange *exchange)
{
    struct plain_talk *talk = context;
    (void)connection;
    if (exchange->outcome != EXCHANGE_COMPLETE) {
        talk->unpaired++;
        return;
    }
    assert_int_equal(exchange->status, 200);
    talk->complete++;
    talk->body_bytes = exchange->request_body_bytes + exchange->response_body_bytes;
}

static void on_event(void *context, struct connection *connection,
                     const struct connection_event *event)
{
    struct plain_talk *talk = context;
    (void)connection;
    talk->missed += event->kind == CONNECTION_MISSED ? event->amount : 0;
}

void plain_talk_begin(struct plain_talk *talk)
{
    const struct exchange_sink sink = {.context = talk, .exchange = on_exchange, .event = on_event};
    const struct pairing_options options = {.memory_bytes = UINT64_C(4) << 20,
                                            .max_head_bytes = 65536,
                                            .max_target_bytes = 4096,
                                            .side = EXCHANGE_SERVER,
                                            .plain = on_plain,
                                            .plain_context = talk};
    const struct tcp_options tcp = {.max_flows = 64,
                                    .max_held_bytes = UINT64_C(4) << 20,
                                    .user_size = pairing_flow_size(),
                                    .idle_ns = INT64_C(300) * 1000000000,
                                    .reorder_packets = PLAIN_TALK_PATIENCE};
    memset(talk, 0, sizeof(*talk));
    wire_init(&talk->wire, 0);
    talk->pairing = pairing_new(&options, &sink);
    assert_non_null(talk->pairing);
    const struct tcp_handler handler = pairing_tcp_handler(talk->pairing);
    talk->tcp = tcp_new(&tcp, &handler);
    assert_non_null(talk->tcp);
}

void plain_talk_end(struct plain_talk *talk)
{
    tcp_finish(talk->tcp);
    tcp_free(talk->tcp);
    pairing_free(talk->pairing);
    wire_fini(&talk->wire);
}

void plain_talk_deliver(struct plain_talk *talk)
{
    for (; talk->delivered < talk->wire.count; talk->delivered++) {
        wire_deliver(&talk->wire, &talk->wire.packets[talk->delivered], talk->tcp);
    }
}

void plain_talk_start(struct plain_talk *talk)
{
    plain_talk_begin(talk);
    wire_open(&talk->wire);
    plain_talk_deliver(talk);
}

void plain_talk_send_cut(struct plain_talk *talk, enum wire_end_name from, const char *text,
                         uint32_t length, uint32_t captured)
{
    static char bytes[SEGMENT];
    size_t text_length = strlen(text);
    memset(bytes, 'x', sizeof(bytes));
    memcpy(bytes, text, text_length);
    struct wire_packet *packet =
        wire_packet(&talk->wire, from, TCP_PSH, bytes, captured < length ? captured : length);
    packet->segment.payload_length = length;
    struct wire_end *own = &talk->wire.ends[from];
    own->sequence = packet->segment.sequence + length;
    talk->wire.ends[1 - from].arrived = own->sequence;
    talk->wire.ends[1 - from].received = own->sequence;
    plain_talk_deliver(talk);
}

void plain_talk_send(struct plain_talk *talk, enum wire_end_name from, const char *text,
                     uint32_t length)
{
    plain_talk_send_cut(talk, from, text, length, length);
}

void plain_talk_say(struct plain_talk *talk, enum wire_end_name from, const char *text)
{
    plain_talk_send(talk, from, text, (uint32_t)strlen(text));
}

void plain_talk_ask(struct plain_talk *talk)
{
    plain_talk_say(talk, WIRE_CLIENT, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

const char *plain_talk_response(uint64_t length)
{
    static char head[128];
    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n",
             (unsigned long long)length);
    return head;
}

uint64_t plain_talk_answer(struct plain_talk *talk, uint64_t body)
{
    const char *head = plain_talk_response(body);
    plain_talk_send(talk, WIRE_SERVER, head, SEGMENT);
    return body - (SEGMENT - strlen(head));
}

void plain_talk_rest(struct plain_talk *talk, enum wire_end_name from, uint64_t left,
                     uint32_t packet)
{
    while (left > 0) {
        uint32_t length = left < packet ? (uint32_t)left : packet;
        plain_talk_send_cut(talk, from, "", length, CUT);
        left -= length;
    }
}

unsigned plain_talk_bodies(struct plain_talk *talk, unsigned count)
{
    size_t told = talk->told_count;
    unsigned begun = 0;
    for (unsigned i = 0; i < count; i++) {
        plain_talk_ask(talk);
        uint64_t left = plain_talk_answer(talk, BODY);
        begun += talk->told_count == told;
        plain_talk_rest(talk, WIRE_SERVER, left, SEGMENT);
    }
    return begun;
}

void plain_talk_check(const struct plain_talk *talk, size_t at, enum plain_kind kind,
                      enum wire_end_name from)
{
    assert_true(at < talk->told_count);
    const struct plain_bytes *told = &talk->told[at];
    const struct endpoint *source = &talk->wire.ends[from].endpoint;
    const struct endpoint *destination = &talk->wire.ends[1 - from].endpoint;
    assert_int_equal(told->kind, kind);
    assert_int_equal(told->interface, talk->wire.interface);
    assert_int_equal(told->source.port, source->port);
    assert_int_equal(told->destination.port, destination->port);
    assert_true(address_equal(&told->source.address, &source->address));
    assert_true(address_equal(&told->destination.address, &destination->address));
}

void plain_talk_check_range(const struct plain_talk *talk, size_t at, enum wire_end_name from,
                            uint32_t sequence, uint64_t length)
{
    plain_talk_check(talk, at, PLAIN_RANGE, from);
    assert_int_equal(talk->told[at].sequence, sequence);
    assert_int_equal(talk->told[at].length, length);
}
