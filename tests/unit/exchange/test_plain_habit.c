#include "tests/unit/exchange/plain_talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* What the capture is told by habit is a guess: made late, and never again once it was wrong. */

#define BODIES_NEEDED 8 /* see plain.c */

static void make_habit(struct plain_talk *talk)
{
    plain_talk_bodies(talk, BODIES_NEEDED);
    assert_int_equal(talk->told_count, 1);
    assert_int_equal(talk->told[0].kind, PLAIN_HABIT);
}

static void test_habit(void **state)
{
    (void)state;
    static struct plain_talk talk;
    plain_talk_start(&talk);
    assert_int_equal(plain_talk_bodies(&talk, BODIES_NEEDED + 4), BODIES_NEEDED - 1);
    assert_int_equal(talk.told_count, 1);
    plain_talk_check(&talk, 0, PLAIN_HABIT, WIRE_SERVER);
    for (unsigned i = 0; i < 4; i++) { /* neither long nor small bodies change it */
        plain_talk_ask(&talk);
        plain_talk_rest(&talk, WIRE_SERVER, plain_talk_answer(&talk, LONG_BODY), SEGMENT);
        plain_talk_ask(&talk);
        plain_talk_say(&talk, WIRE_SERVER, plain_talk_response(0));
    }
    assert_int_equal(talk.told_count, 1);
    tcp_finish(talk.tcp);
    assert_int_equal(talk.told_count, 2);
    plain_talk_check(&talk, 1, PLAIN_NONE, WIRE_SERVER);
    plain_talk_end(&talk);
    assert_int_equal(talk.complete, BODIES_NEEDED + 4 + 8);
    assert_int_equal(talk.missed + talk.unpaired, 0);
}

static void test_habit_of_requests(void **state)
{
    (void)state;
    static struct plain_talk talk;
    static const char head[] = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n";
    plain_talk_start(&talk);
    for (unsigned i = 1; i <= BODIES_NEEDED + 2; i++) {
        plain_talk_send(&talk, WIRE_CLIENT, head, SEGMENT);
        assert_int_equal(talk.told_count, i >= BODIES_NEEDED);
        plain_talk_rest(&talk, WIRE_CLIENT, BODY - (SEGMENT - strlen(head)), SEGMENT);
        plain_talk_say(&talk, WIRE_SERVER, plain_talk_response(0));
    }
    plain_talk_check(&talk, 0, PLAIN_HABIT, WIRE_CLIENT);
    plain_talk_end(&talk);
    assert_int_equal(talk.complete, BODIES_NEEDED + 2);
}

/* What interrupts the row, which then begins anew. */
static void interrupt_chunked(struct plain_talk *talk)
{
    plain_talk_ask(talk);
    plain_talk_send(talk, WIRE_SERVER,
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nea60\r\n", SEGMENT);
    uint32_t first = SEGMENT - (uint32_t)strlen("HTTP/1.1 200 OK\r\n"
                                                "Transfer-Encoding: chunked\r\n\r\nea60\r\n");
    plain_talk_rest(talk, WIRE_SERVER, BODY - first, SEGMENT);
    plain_talk_say(talk, WIRE_SERVER, "\r\n0\r\n\r\n");
}

static void interrupt_split_head(struct plain_talk *talk)
{
    plain_talk_ask(talk);
    plain_talk_send(talk, WIRE_SERVER, "HTTP/1.1 200 OK\r\nX-Filler: ", SEGMENT / 2);
    plain_talk_send(talk, WIRE_SERVER, "\r\nContent-Length: 60000\r\n\r\n", SEGMENT);
    uint32_t first = SEGMENT - (uint32_t)strlen("\r\nContent-Length: 60000\r\n\r\n");
    plain_talk_rest(talk, WIRE_SERVER, BODY - first, SEGMENT);
}

static void test_habit_needs_a_row(void **state)
{
    (void)state;
    static void (*const interrupts[])(struct plain_talk *) = {interrupt_chunked,
                                                              interrupt_split_head};
    static struct plain_talk talk;
    for (size_t i = 0; i < sizeof(interrupts) / sizeof(interrupts[0]); i++) {
        plain_talk_start(&talk);
        assert_int_equal(plain_talk_bodies(&talk, BODIES_NEEDED - 1), BODIES_NEEDED - 1);
        interrupts[i](&talk);
        assert_int_equal(talk.told_count, 0);
        size_t counted = i; /* the body behind a split head is the first of a new row */
        assert_int_equal(plain_talk_bodies(&talk, BODIES_NEEDED), BODIES_NEEDED - 1 - counted);
        plain_talk_check(&talk, 0, PLAIN_HABIT, WIRE_SERVER);
        plain_talk_end(&talk);
        assert_int_equal(talk.complete, 2 * BODIES_NEEDED);
        assert_int_equal(talk.missed + talk.unpaired, 0);
    }
}

/* Bodies that are over with their first packet tell nothing about those behind it. */
static void test_small_bodies_make_no_habit(void **state)
{
    (void)state;
    static struct plain_talk talk;
    plain_talk_start(&talk);
    for (unsigned i = 0; i < 3 * BODIES_NEEDED; i++) {
        plain_talk_ask(&talk);
        uint64_t body = SEGMENT - strlen(plain_talk_response(SEGMENT - 50));
        assert_int_equal(plain_talk_answer(&talk, body), 0);
    }
    plain_talk_end(&talk);
    assert_int_equal(talk.told_count, 0);
    assert_int_equal(talk.complete, 3 * BODIES_NEEDED);
}

/* Of a client that asks two at once, or early, heads come anywhere in a packet. */
static void test_only_of_clients_that_wait(void **state)
{
    (void)state;
    static struct plain_talk talk;
    for (unsigned early = 0; early < 2; early++) {
        plain_talk_start(&talk);
        plain_talk_ask(&talk);
        if (early == 0) {
            plain_talk_ask(&talk);
        }
        uint64_t left = plain_talk_answer(&talk, BODY);
        if (early == 1) {
            plain_talk_ask(&talk);
        }
        plain_talk_rest(&talk, WIRE_SERVER, left, SEGMENT);
        plain_talk_rest(&talk, WIRE_SERVER, plain_talk_answer(&talk, BODY), SEGMENT);
        plain_talk_bodies(&talk, 3 * BODIES_NEEDED);
        plain_talk_end(&talk);
        assert_int_equal(talk.told_count, 0);
        assert_int_equal(talk.complete, 3 * BODIES_NEEDED + 2);
    }
}

/* After a habit broke: nothing but ranges ever again. */
static void check_only_ranges(struct plain_talk *talk)
{
    plain_talk_check(talk, talk->told_count - 1, PLAIN_NONE, WIRE_SERVER);
    size_t told = talk->told_count;
    unsigned complete = talk->complete;
    plain_talk_bodies(talk, 3 * BODIES_NEEDED);
    assert_int_equal(talk->told_count, told);
    plain_talk_ask(talk);
    plain_talk_rest(talk, WIRE_SERVER, plain_talk_answer(talk, LONG_BODY), SEGMENT);
    assert_int_equal(talk->told_count, told + 2);
    plain_talk_check(talk, told, PLAIN_RANGE, WIRE_SERVER);
    plain_talk_check(talk, told + 1, PLAIN_NONE, WIRE_SERVER);
    assert_true(talk->complete > complete + 3 * BODIES_NEEDED - 2);
}

/* A head that is longer than what is kept of its packet: missing, counted, and no status. */
static void test_broken_by_a_long_head(void **state)
{
    (void)state;
    static struct plain_talk talk;
    plain_talk_start(&talk);
    make_habit(&talk);
    plain_talk_ask(&talk);
    plain_talk_send_cut(&talk, WIRE_SERVER, "HTTP/1.1 200 OK\r\nX-Filler: ", SEGMENT, CUT);
    assert_int_equal(talk.told_count, 2);
    assert_int_equal(talk.missed, SEGMENT);
    assert_int_equal(talk.complete, BODIES_NEEDED);
    check_only_ranges(&talk);
    plain_talk_end(&talk);
    assert_int_equal(talk.unpaired, 1);
}

/* A cut packet that reaches beyond the body: whatever was behind it is missing. */
static void test_broken_behind_a_body(void **state)
{
    (void)state;
    static struct plain_talk talk;
    plain_talk_start(&talk);
    make_habit(&talk);
    plain_talk_ask(&talk);
    uint64_t left = plain_talk_answer(&talk, BODY);
    plain_talk_send_cut(&talk, WIRE_SERVER, "", (uint32_t)left + 100, CUT);
    assert_int_equal(talk.told_count, 2);
    assert_int_equal(talk.missed, left + 100 - CUT);
    check_only_ranges(&talk);
    plain_talk_end(&talk);
}

/* Once chunked, the habit goes; the next known lengths do not bring it back. */
static void test_broken_by_chunks(void **state)
{
    (void)state;
    static struct plain_talk talk;
    plain_talk_start(&talk);
    make_habit(&talk);
    interrupt_chunked(&talk);
    check_only_ranges(&talk);
    plain_talk_end(&talk);
    assert_int_equal(talk.missed + talk.unpaired, 0);
}

/* The kernel dropped a packet: that is not the habit's doing, and the less is copied the better. */
static void test_dropped_packets(void **state)
{
    (void)state;
    static struct plain_talk talk;
    plain_talk_start(&talk);
    plain_talk_ask(&talk);
    uint64_t left = plain_talk_answer(&talk, BODY);
    wire_packet(&talk.wire, WIRE_SERVER, TCP_PSH, "lost", 4);
    talk.delivered++;
    for (unsigned i = 0; i <= 4 * PLAIN_TALK_PATIENCE; i++) {
        wire_packet(&talk.wire, WIRE_CLIENT, 0, NULL, 0);
        plain_talk_deliver(&talk);
    }
    assert_int_equal(talk.missed, 4);
    assert_int_equal(talk.told_count, 1);
    plain_talk_check(&talk, 0, PLAIN_HABIT, WIRE_SERVER);
    plain_talk_rest(&talk, WIRE_SERVER, left - 4, SEGMENT);
    plain_talk_bodies(&talk, 3);
    assert_int_equal(talk.told_count, 1);
    plain_talk_end(&talk);
    assert_int_equal(talk.complete, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_habit),
        cmocka_unit_test(test_habit_of_requests),
        cmocka_unit_test(test_habit_needs_a_row),
        cmocka_unit_test(test_small_bodies_make_no_habit),
        cmocka_unit_test(test_only_of_clients_that_wait),
        cmocka_unit_test(test_broken_by_a_long_head),
        cmocka_unit_test(test_broken_behind_a_body),
        cmocka_unit_test(test_broken_by_chunks),
        cmocka_unit_test(test_dropped_packets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
