#include "agent/exchange/conversation.h"
#include "tests/support/observer.h"
#include "tests/support/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* What conversations of one connection (tests/golden/http) cannot show: sides, time, and bounds
 * that several connections share. */

#define SECOND INT64_C(1000000000)
#define REQUEST "GET /1 HTTP/1.1\r\n\r\n"
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static struct observer observer;
static struct connection last_connection;
static uint64_t exchanges;

static void send_text(struct wire *wire, enum wire_end_name from, const char *text)
{
    wire_send(wire, from, text, strlen(text));
}

static void deliver(struct wire *wire)
{
    for (size_t i = 0; i < wire->count; i++) {
        wire_deliver(wire, &wire->packets[i], observer.tcp);
    }
    wire->count = 0;
}

static void finish(void)
{
    tcp_finish(observer.tcp);
    assert_null(observer_leak(&observer));
    observer_fini(&observer);
}

/* ---- sides ---- */

static void keep_exchange(void *context, struct connection *connection,
                          const struct exchange *exchange)
{
    (void)context;
    (void)exchange;
    last_connection = *connection;
    exchanges++;
}

static void ignore_event(void *context, struct connection *connection,
                         const struct connection_event *event)
{
    (void)context;
    (void)connection;
    (void)event;
}

/* One exchange between these ends, with these directions of the client's and the server's frames.
 */
static struct connection connection_of(enum exchange_side default_side,
                                       const enum frame_direction directions[WIRE_ENDS],
                                       bool handshake)
{
    static const uint16_t port = 80;
    struct exchange_sink sink = {.exchange = keep_exchange, .event = ignore_event};
    struct pairing_options options = {.memory_bytes = 1 << 20,
                                      .max_head_bytes = 65536,
                                      .max_target_bytes = 4096,
                                      .server_ports = &port,
                                      .server_port_count = 1,
                                      .side = default_side};
    struct pairing *pairing = pairing_new(&options, &sink);
    assert_non_null(pairing);
    struct tcp_handler handler = pairing_tcp_handler(pairing);
    struct tcp_options tcp_options = {.max_flows = 16,
                                      .max_held_bytes = 1 << 20,
                                      .user_size = pairing_flow_size(),
                                      .idle_ns = 300 * SECOND,
                                      .reorder_packets = 16};
    struct tcp *tcp = tcp_new(&tcp_options, &handler);
    assert_non_null(tcp);
    struct wire wire;
    wire_init(&wire, 0);
    if (handshake) {
        wire_open(&wire);
    }
    send_text(&wire, WIRE_CLIENT, REQUEST);
    send_text(&wire, WIRE_SERVER, ANSWER);
    for (size_t i = 0; i < wire.count; i++) {
        wire.packets[i].segment.direction = directions[wire.packets[i].from];
        wire_deliver(&wire, &wire.packets[i], tcp);
    }
    exchanges = 0;
    tcp_finish(tcp);
    wire_fini(&wire);
    tcp_free(tcp);
    pairing_free(pairing);
    return last_connection;
}

static void test_side_is_the_direction_of_the_request(void **state)
{
    (void)state;
    static const enum frame_direction served[] = {FRAME_TO_POD, FRAME_FROM_POD};
    static const enum frame_direction asking[] = {FRAME_FROM_POD, FRAME_TO_POD};
    static const enum frame_direction unknown[] = {FRAME_DIRECTION_UNKNOWN,
                                                   FRAME_DIRECTION_UNKNOWN};
    for (int handshake = 0; handshake < 2; handshake++) {
        assert_int_equal(connection_of(EXCHANGE_CLIENT, served, handshake).side, EXCHANGE_SERVER);
        assert_int_equal(connection_of(EXCHANGE_SERVER, asking, handshake).side, EXCHANGE_CLIENT);
        assert_int_equal(connection_of(EXCHANGE_SERVER, unknown, handshake).side, EXCHANGE_SERVER);
        assert_int_equal(connection_of(EXCHANGE_CLIENT, unknown, handshake).side, EXCHANGE_CLIENT);
    }
}

static void test_ends(void **state)
{
    (void)state;
    static const enum frame_direction served[] = {FRAME_TO_POD, FRAME_FROM_POD};
    char text[ENDPOINT_TEXT_SIZE];
    struct connection connection = connection_of(EXCHANGE_SERVER, served, true);
    endpoint_format(&connection.client, text);
    assert_string_equal(text, "10.0.0.1:40000");
    endpoint_format(&connection.server, text);
    assert_string_equal(text, "10.0.0.2:80");
    assert_int_equal(connection.interface, 1);
}

/* ---- time ---- */

/* Met in the middle: believed when the client has been silent for a while. */
static void test_a_silent_client_is_believed(void **state)
{
    (void)state;
    struct wire wire;
    observer_init(&observer, NULL);
    wire_init(&wire, 0);
    send_text(&wire, WIRE_CLIENT, REQUEST);
    send_text(&wire, WIRE_SERVER, ANSWER);
    wire_packet(&wire, WIRE_CLIENT, 0, NULL, 0);
    int64_t now = wire.now_ns;
    deliver(&wire);
    for (unsigned i = 0; i < 200; i++) { /* of other connections: patience is over */
        struct wire other;
        wire_init(&other, 1 + i % 8);
        wire_packet(&other, WIRE_CLIENT, TCP_SYN, NULL, 0);
        deliver(&other);
        wire_fini(&other);
    }
    assert_int_equal(observer.active_requests, 0); /* is over, is not reported yet */
    assert_int_equal(observer.exchanges, 0);
    pairing_tick(observer.pairing, now + 1 * SECOND);
    assert_int_equal(observer.exchanges, 0);
    pairing_tick(observer.pairing, now + 3 * SECOND);
    assert_string_equal(observer.text, "GET /1 200 complete 0>0\n");
    pairing_tick(observer.pairing, now + 9 * SECOND);
    assert_int_equal(observer.exchanges, 1);
    wire_fini(&wire);
    finish();
}

/* Or when it has asked a few times exactly when it had its answer. */
static void test_a_waiting_client_is_believed(void **state)
{
    (void)state;
    struct wire wire;
    struct observer_options options = {.reorder_packets = 1};
    observer_init(&observer, &options);
    wire_init(&wire, 0);
    for (unsigned asked = 1; asked <= 6; asked++) {
        send_text(&wire, WIRE_CLIENT, REQUEST);
        send_text(&wire, WIRE_SERVER, ANSWER);
        wire_packet(&wire, WIRE_CLIENT, 0, NULL, 0);
        deliver(&wire);
        assert_int_equal(observer.exchanges, asked <= 3 ? 0 : asked);
    }
    wire_fini(&wire);
    finish();
}

/* ---- bounds ---- */

static void open_wire(struct wire *wire, unsigned number)
{
    wire_init(wire, number);
    wire_open(wire);
}

/* 64 records, of which a connection may have 16: the fifth connection gets none, and one again when
 * another has ended. */
static void test_records_run_out(void **state)
{
    (void)state;
    struct observer_options options = {.memory_bytes = 1000};
    struct wire wires[5];
    observer_init(&observer, &options);
    for (unsigned i = 0; i < 5; i++) {
        open_wire(&wires[i], i);
        for (unsigned request = 0; request < 16; request++) {
            send_text(&wires[i], WIRE_CLIENT, REQUEST);
        }
        deliver(&wires[i]);
    }
    assert_int_equal(observer.exchanges, 16);
    assert_int_equal(pairing_counters(observer.pairing).requests_refused, 16);
    assert_int_equal(observer.active_requests, 64);
    wire_close(&wires[0], WIRE_SERVER);
    deliver(&wires[0]);
    assert_int_equal(observer.exchanges, 32);
    send_text(&wires[4], WIRE_CLIENT, REQUEST);
    deliver(&wires[4]);
    assert_int_equal(observer.exchanges, 33); /* there is room, but no order any more */
    assert_int_equal(observer.active_requests, 48);
    assert_int_equal(pairing_counters(observer.pairing).requests_refused, 16);
    for (unsigned i = 0; i < 5; i++) {
        wire_fini(&wires[i]);
    }
    finish();
    assert_int_equal(observer.exchanges, 81);
}

/* Beginnings of heads for which there is no buffer are missed, and the connection goes on. */
static void test_partial_heads_run_out(void **state)
{
    (void)state;
    struct observer_options options = {.memory_bytes = 1000};
    struct wire wires[6];
    observer_init(&observer, &options);
    for (unsigned i = 0; i < 6; i++) {
        open_wire(&wires[i], i);
        send_text(&wires[i], WIRE_CLIENT, REQUEST "GET /2 HTTP/1.1\r\nHost: ");
        deliver(&wires[i]);
    }
    assert_int_equal(pairing_counters(observer.pairing).heads_refused, 2);
    assert_int_equal(observer.missed_bytes, 2 * 23);
    for (unsigned i = 0; i < 6; i++) {
        send_text(&wires[i], WIRE_CLIENT, "a\r\n\r\n");
        send_text(&wires[i], WIRE_SERVER, ANSWER);
        send_text(&wires[i], WIRE_SERVER, "HTTP/1.1 201 OK\r\nContent-Length: 0\r\n\r\n");
        deliver(&wires[i]);
        wire_fini(&wires[i]);
    }
    assert_int_equal(observer.exchanges, 12);
    assert_int_equal(observer.missed_bytes, 2 * (23 + 5));
    finish();
}

static double cpu_seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

/* A client that asks and asks: no step may look at all that waits. */
static void test_many_pipelined_requests(void **state)
{
    (void)state;
    enum {
        REQUESTS = 60000
    };
    struct observer_options options = {.memory_bytes = UINT64_C(1) << 30};
    double before = cpu_seconds();
    for (int ending = 0; ending < 4; ending++) {
        struct wire wire;
        observer_init(&observer, &options);
        open_wire(&wire, 0);
        for (unsigned i = 0; i < REQUESTS; i++) {
            send_text(&wire, WIRE_CLIENT, REQUEST);
        }
        deliver(&wire);
        assert_int_equal(observer.active_requests, REQUESTS);
        if (ending == 1) { /* a request is lost, then an answer */
            send_text(&wire, WIRE_CLIENT, REQUEST);
            wire.count = 0;
            send_text(&wire, WIRE_CLIENT, REQUEST);
            send_text(&wire, WIRE_SERVER, ANSWER);
            wire.count--;
            wire_packet(&wire, WIRE_CLIENT, 0, NULL, 0);
        } else if (ending == 2) {
            for (unsigned i = 0; i < REQUESTS; i++) {
                send_text(&wire, WIRE_SERVER, ANSWER);
            }
        }
        if (ending != 3) {
            wire_close(&wire, WIRE_SERVER);
        }
        deliver(&wire);
        wire_fini(&wire);
        finish();
        assert_in_range(observer.exchanges, REQUESTS, REQUESTS + 1);
    }
    assert_true(cpu_seconds() - before < 20);
}

/* A head that comes byte by byte, as long as it may be. */
static void test_a_slow_long_head(void **state)
{
    (void)state;
    enum {
        LENGTH = 60000
    };
    static char head[LENGTH];
    struct wire wire;
    double before = cpu_seconds();
    observer_init(&observer, NULL);
    open_wire(&wire, 0);
    wire.mss = 1;
    memset(head, 'c', sizeof(head));
    send_text(&wire, WIRE_CLIENT, "GET /1 HTTP/1.1\r\nCookie: ");
    wire_send(&wire, WIRE_CLIENT, head, sizeof(head));
    send_text(&wire, WIRE_CLIENT, "\r\n\r\n");
    send_text(&wire, WIRE_SERVER, ANSWER);
    deliver(&wire);
    assert_string_equal(observer.text, "GET /1 200 complete 0>0\n");
    wire_fini(&wire);
    finish();
    /* and a request line, which is looked at before it is known to be HTTP */
    observer_init(&observer, NULL);
    open_wire(&wire, 0);
    wire.mss = 1;
    send_text(&wire, WIRE_CLIENT, "GET /");
    wire_send(&wire, WIRE_CLIENT, head, sizeof(head));
    send_text(&wire, WIRE_CLIENT, " HTTP/1.1\r\n\r\n");
    send_text(&wire, WIRE_SERVER, ANSWER);
    deliver(&wire);
    assert_int_equal(observer.exchanges, 1);
    wire_fini(&wire);
    finish();
    assert_true(cpu_seconds() - before < 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_side_is_the_direction_of_the_request),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_a_silent_client_is_believed),
        cmocka_unit_test(test_a_waiting_client_is_believed),
        cmocka_unit_test(test_records_run_out),
        cmocka_unit_test(test_partial_heads_run_out),
        cmocka_unit_test(test_many_pipelined_requests),
        cmocka_unit_test(test_a_slow_long_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
