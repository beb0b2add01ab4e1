#include "tests/unit/exchange/plain_talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* What the capture is told of bytes that nobody looks at changes no result: exactly these, and
 * taken back when it is over. */

#define RANGE_MIN 131072 /* see plain.c */
#define RANGE_MAX (1 << 30)

/* ---- ranges ---- */

static void test_range(void **state)
{
    (void)state;
    static struct plain_talk talk;
    plain_talk_start(&talk);
    plain_talk_ask(&talk);
    uint64_t left = plain_talk_answer(&talk, LONG_BODY);
    assert_int_equal(talk.told_count, 1);
    plain_talk_check_range(&talk, 0, WIRE_SERVER, talk.wire.ends[WIRE_SERVER].sequence, left);
    plain_talk_rest(&talk, WIRE_SERVER, left - 1, SEGMENT);
    assert_int_equal(talk.told_count, 1); /* not even near the end */
    assert_int_equal(talk.complete, 0);
    plain_talk_rest(&talk, WIRE_SERVER, 1, SEGMENT);
    assert_int_equal(talk.told_count, 2);
    plain_talk_check(&talk, 1, PLAIN_NONE, WIRE_SERVER);
    assert_int_equal(talk.complete, 1);
    assert_int_equal(talk.body_bytes, LONG_BODY);
    assert_int_equal(plain_talk_bodies(&talk, 3), 3);
    plain_talk_end(&talk);
    assert_int_equal(talk.told_count, 2);
    assert_int_equal(talk.complete, 4);
    assert_int_equal(talk.missed + talk.unpaired, 0);
}

static void test_range_of_request(void **state)
{
    (void)state;
    static struct plain_talk talk;
    static const char head[] = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n";
    plain_talk_start(&talk);
    plain_talk_ask(&talk);
    plain_talk_say(&talk, WIRE_SERVER, plain_talk_response(0));
    plain_talk_send(&talk, WIRE_CLIENT, head, SEGMENT);
    uint64_t left = LONG_BODY - (SEGMENT - strlen(head));
    plain_talk_check_range(&talk, 0, WIRE_CLIENT, talk.wire.ends[WIRE_CLIENT].sequence, left);
    plain_talk_rest(&talk, WIRE_CLIENT, left, SEGMENT);
    plain_talk_check(&talk, 1, PLAIN_NONE, WIRE_CLIENT);
    plain_talk_say(&talk, WIRE_SERVER, plain_talk_response(0));
    plain_talk_end(&talk);
    assert_int_equal(talk.told_count, 2);
    assert_int_equal(talk.complete, 2);
    assert_int_equal(talk.body_bytes, LONG_BODY);
}

/* How long a body has to be, and that small packets alone are not worth it. */
static void test_range_is_worth_it(void **state)
{
    (void)state;
    static struct plain_talk talk;
    for (unsigned more = 0; more < 2; more++) {
        plain_talk_start(&talk);
        plain_talk_ask(&talk);
        uint64_t first = SEGMENT - strlen(plain_talk_response(RANGE_MIN));
        uint64_t left = plain_talk_answer(&talk, first + RANGE_MIN - 1 + more);
        assert_int_equal(left, RANGE_MIN - 1 + more);
        assert_int_equal(talk.told_count, more);
        plain_talk_rest(&talk, WIRE_SERVER, left, SEGMENT);
        plain_talk_end(&talk);
        assert_int_equal(talk.complete, 1);
    }
    plain_talk_start(&talk);
    plain_talk_ask(&talk);
    plain_talk_say(&talk, WIRE_SERVER, plain_talk_response(LONG_BODY));
    for (unsigned sent = 0; sent < LONG_BODY / 2; sent += PLAIN_PACKET_MIN) {
        plain_talk_send(&talk, WIRE_SERVER, "", PLAIN_PACKET_MIN);
    }
    assert_int_equal(talk.told_count, 0);
    plain_talk_send(&talk, WIRE_SERVER, "", PLAIN_PACKET_MIN + 1);
    assert_int_equal(talk.told_count, 1);
    plain_talk_end(&talk);
}

/* The range begins around, or goes across, the end of the sequence numbers. */
static void test_range_at_wrap(void **state)
{
    (void)state;
    static struct plain_talk talk;
    static const int32_t firsts[] = {-2, -1, 0, 1, -LONG_BODY / 2, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
        uint32_t first = (uint32_t)firsts[i];
        plain_talk_begin(&talk);
        struct wire_end *ends = talk.wire.ends;
        ends[WIRE_SERVER].sequence = first - SEGMENT - 1; /* of the SYN */
        ends[WIRE_CLIENT].arrived = ends[WIRE_SERVER].sequence;
        ends[WIRE_CLIENT].received = ends[WIRE_SERVER].sequence;
        wire_open(&talk.wire);
        plain_talk_ask(&talk);
        uint64_t left = plain_talk_answer(&talk, LONG_BODY);
        plain_talk_check_range(&talk, 0, WIRE_SERVER, first, left);
        plain_talk_rest(&talk, WIRE_SERVER, left, SEGMENT);
        plain_talk_check(&talk, 1, PLAIN_NONE, WIRE_SERVER);
        plain_talk_end(&talk);
        assert_int_equal(talk.told_count, 2);
        assert_int_equal(talk.complete, 1);
        assert_int_equal(talk.body_bytes, LONG_BODY);
    }
}

/* More than a range may have: told anew, piece by piece, and never a byte beyond the body. */
static void test_range_of_gibibytes(void **state)
{
    (void)state;
    static struct plain_talk talk;
    const uint64_t body = UINT64_C(7) << 29;
    plain_talk_start(&talk);
    plain_talk_ask(&talk);
    uint64_t left = plain_talk_answer(&talk, body);
    uint32_t first = talk.wire.ends[WIRE_SERVER].sequence;
    plain_talk_check_range(&talk, 0, WIRE_SERVER, first, RANGE_MAX);
    plain_talk_rest(&talk, WIRE_SERVER, left, 32 << 20);
    assert_int_equal(talk.told_count, 5);
    for (size_t i = 1; i < 4; i++) {
        plain_talk_check(&talk, i, PLAIN_RANGE, WIRE_SERVER);
        uint64_t from = talk.told[i].sequence - first;
        uint64_t before = talk.told[i - 1].sequence - first;
        assert_true(from >= before + RANGE_MAX && from + talk.told[i].length <= left);
    }
    plain_talk_check(&talk, 4, PLAIN_NONE, WIRE_SERVER);
    plain_talk_end(&talk);
    assert_int_equal(talk.complete, 1);
    assert_int_equal(talk.body_bytes, body);
    assert_int_equal(talk.missed, 0);
}

/* The rest of a chunk is plain, what stands between two is not. */
static void test_range_of_chunk(void **state)
{
    (void)state;
    static struct plain_talk talk;
    static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n";
    plain_talk_start(&talk);
    plain_talk_ask(&talk);
    plain_talk_send(&talk, WIRE_SERVER, head, SEGMENT);
    for (unsigned chunk = 0; chunk < 2; chunk++) {
        uint64_t in_first = SEGMENT - strlen(chunk == 0 ? head : "\r\n100000\r\n");
        uint64_t left = (1 << 20) - in_first;
        assert_int_equal(talk.told_count, 2 * chunk + 1);
        plain_talk_check_range(&talk, 2 * chunk, WIRE_SERVER, talk.wire.ends[WIRE_SERVER].sequence,
                               left);
        plain_talk_rest(&talk, WIRE_SERVER, left, SEGMENT);
        assert_int_equal(talk.told_count, 2 * chunk + 2);
        plain_talk_check(&talk, 2 * chunk + 1, PLAIN_NONE, WIRE_SERVER);
        if (chunk == 0) {
            plain_talk_send(&talk, WIRE_SERVER, "\r\n100000\r\n", SEGMENT);
        }
    }
    plain_talk_say(&talk, WIRE_SERVER, "\r\n0\r\n\r\n");
    plain_talk_end(&talk);
    assert_int_equal(talk.told_count, 4);
    assert_int_equal(talk.complete, 1);
    assert_int_equal(talk.body_bytes, 2 << 20);
    assert_int_equal(talk.missed, 0);
}

static void test_until_close(void **state)
{
    (void)state;
    static struct plain_talk talk;
    static const char head[] = "HTTP/1.0 200 OK\r\n\r\n";
    plain_talk_start(&talk);
    plain_talk_ask(&talk);
    plain_talk_send(&talk, WIRE_SERVER, head, SEGMENT);
    assert_int_equal(talk.told_count, 1);
    plain_talk_check(&talk, 0, PLAIN_ALL, WIRE_SERVER);
    plain_talk_rest(&talk, WIRE_SERVER, LONG_BODY, SEGMENT);
    assert_int_equal(talk.told_count, 1);
    wire_close(&talk.wire, WIRE_SERVER);
    plain_talk_deliver(&talk);
    assert_int_equal(talk.told_count, 2);
    plain_talk_check(&talk, 1, PLAIN_NONE, WIRE_SERVER);
    assert_int_equal(talk.complete, 1);
    assert_int_equal(talk.body_bytes, LONG_BODY + SEGMENT - strlen(head));
    plain_talk_end(&talk);
    assert_int_equal(talk.told_count, 2);
}

/* ---- ends ---- */

enum closing {
    BY_FIN,
    BY_RESET,
    BY_INTERFACE,
    BY_REUSE,
    BY_CAPTURE,
    CLOSINGS
};

static void close_by(struct plain_talk *talk, enum closing closing)
{
    switch (closing) {
    case BY_FIN:
        wire_close(&talk->wire, WIRE_SERVER);
        plain_talk_deliver(talk);
        break;
    case BY_RESET:
        wire_packet(&talk->wire, WIRE_SERVER, TCP_RST, NULL, 0);
        plain_talk_deliver(talk);
        break;
    case BY_INTERFACE:
        tcp_interface_gone(talk->tcp, talk->wire.interface);
        break;
    case BY_REUSE:
        talk->wire.ends[WIRE_CLIENT].sequence += 0x10000000U;
        wire_packet(&talk->wire, WIRE_CLIENT, TCP_SYN, NULL, 0);
        plain_talk_deliver(talk);
        break;
    case BY_CAPTURE:
    case CLOSINGS:
        tcp_finish(talk->tcp);
        break;
    }
}

/* However a connection ends, what was told of it is taken back, once. */
static void test_close(void **state)
{
    (void)state;
    static struct plain_talk talk;
    for (enum closing closing = BY_FIN; closing < CLOSINGS; closing++) {
        plain_talk_start(&talk);
        plain_talk_ask(&talk);
        plain_talk_rest(&talk, WIRE_SERVER, plain_talk_answer(&talk, LONG_BODY) / 2, SEGMENT);
        assert_int_equal(talk.told_count, 1);
        close_by(&talk, closing);
        assert_int_equal(talk.told_count, 2);
        plain_talk_check(&talk, 1, PLAIN_NONE, WIRE_SERVER);
        plain_talk_end(&talk);
        assert_int_equal(talk.told_count, 2);
        assert_int_equal(talk.complete, 0);
        plain_talk_start(&talk);
        plain_talk_bodies(&talk, 2);
        close_by(&talk, closing);
        plain_talk_end(&talk);
        assert_int_equal(talk.told_count, 0);
    }
}

/* ---- what nobody reads ---- */

#define HELLO "\x16\x03\x01\x3e\x79\x02"

static void test_unread(void **state)
{
    (void)state;
    static struct plain_talk talk;
    for (enum closing closing = BY_FIN; closing < CLOSINGS; closing++) {
        plain_talk_start(&talk);
        plain_talk_send(&talk, WIRE_CLIENT, HELLO, SEGMENT);
        plain_talk_rest(&talk, WIRE_SERVER, LONG_BODY, SEGMENT);
        assert_int_equal(talk.told_count, 0);
        plain_talk_rest(&talk, WIRE_SERVER, 5 * LONG_BODY, SEGMENT);
        assert_int_equal(talk.told_count, 2);
        enum wire_end_name first =
            talk.told[0].source.port == talk.wire.ends[WIRE_CLIENT].endpoint.port ? WIRE_CLIENT
                                                                                  : WIRE_SERVER;
        plain_talk_check(&talk, 0, PLAIN_ALL, first);
        plain_talk_check(&talk, 1, PLAIN_ALL, 1 - first);
        close_by(&talk, closing);
        assert_int_equal(talk.told_count, 4);
        plain_talk_check(&talk, 2, PLAIN_NONE, first);
        plain_talk_check(&talk, 3, PLAIN_NONE, 1 - first);
        plain_talk_end(&talk);
        assert_int_equal(talk.told_count, 4);
    }
}

/* A short one, whose bytes are reported when it ends: then there is nothing to tell any more. */
static void test_short_unread(void **state)
{
    (void)state;
    static struct plain_talk talk;
    for (enum closing closing = BY_FIN; closing < CLOSINGS; closing++) {
        plain_talk_start(&talk);
        plain_talk_send(&talk, WIRE_CLIENT, HELLO, SEGMENT);
        plain_talk_rest(&talk, WIRE_SERVER, LONG_BODY / 2, SEGMENT);
        close_by(&talk, closing);
        plain_talk_end(&talk);
        assert_int_equal(talk.told_count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_range_of_request),
        cmocka_unit_test(test_range_is_worth_it),
        cmocka_unit_test(test_range_at_wrap),
        cmocka_unit_test(test_range_of_gibibytes),
        cmocka_unit_test(test_range_of_chunk),
        cmocka_unit_test(test_until_close),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_unread),
        cmocka_unit_test(test_short_unread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
