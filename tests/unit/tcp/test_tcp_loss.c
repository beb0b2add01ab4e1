#include "tests/unit/tcp/talk.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct net net;
static struct talk talk;

/* Without the other direction a hole is waited for this much longer; see reassembly.c. */
#define ONE_WAY_PATIENCE 8

static int begin(void **state)
{
    (void)state;
    net_begin(&net, NULL);
    talk = talk_begin(&net);
    handshake(&talk);
    return 0;
}

static int end(void **state)
{
    (void)state;
    net_end(&net);
    return 0;
}

/* ---- holes that were acknowledged ---- */

static void test_acknowledged_hole(void **state)
{
    (void)state;
    say(&talk, CLIENT, 4, 1, "def");
    acknowledge(&talk, SERVER, 1, 7);
    net_pass(&net, PATIENCE - 1);
    assert_trace(&net, "");
    net_pass(&net, 4);
    assert_trace(&net, "C-3 C:def");
    say(&talk, SERVER, 1, 7, "200");
    assert_trace(&net, "S:200");
}

static void test_late_and_not_lost(void **state)
{
    (void)state;
    say(&talk, CLIENT, 4, 1, "def");
    acknowledge(&talk, SERVER, 1, 7);
    net_pass(&net, PATIENCE - 2);
    say(&talk, CLIENT, 1, 1, "abc");
    net_pass(&net, 2 * PATIENCE);
    assert_trace(&net, "C:abc C:def");
}

static void test_too_late(void **state)
{
    (void)state;
    say(&talk, CLIENT, 4, 1, "def");
    acknowledge(&talk, SERVER, 1, 7);
    net_pass(&net, PATIENCE + 4);
    say(&talk, CLIENT, 1, 1, "abc");
    assert_trace(&net, "C-3 C:def C+3");
}

static void test_lost_without_anything_behind(void **state)
{
    (void)state;
    acknowledge(&talk, SERVER, 1, 4);
    net_pass(&net, PATIENCE + 4);
    assert_trace(&net, "C-3");
}

/* The answer proves that the question arrived. */
static void test_answer_to_a_lost_question(void **state)
{
    (void)state;
    say(&talk, SERVER, 1, 4, "200");
    net_pass(&net, PATIENCE - 2);
    assert_trace(&net, "");
    net_pass(&net, 4);
    assert_trace(&net, "C-3 S:200");
}

static void test_question_lost_in_part(void **state)
{
    (void)state;
    say(&talk, CLIENT, 4, 1, "def");
    say(&talk, SERVER, 1, 10, "200");
    net_pass(&net, PATIENCE + 4);
    assert_trace(&net, "C-3 C:def C-3 S:200");
}

static void test_acknowledged_in_part(void **state)
{
    (void)state;
    say(&talk, CLIENT, 7, 1, "ghi");
    acknowledge(&talk, SERVER, 1, 4);
    net_pass(&net, PATIENCE + 4);
    assert_trace(&net, "C-3");
    say(&talk, CLIENT, 4, 1, "def");
    assert_trace(&net, "C:def C:ghi");
}

static void test_several_holes(void **state)
{
    (void)state;
    say(&talk, CLIENT, 2, 1, "b");
    say(&talk, CLIENT, 5, 1, "e");
    say(&talk, CLIENT, 9, 1, "i");
    acknowledge(&talk, SERVER, 1, 10);
    net_pass(&net, PATIENCE + 4);
    assert_trace(&net, "C-1 C:b C-2 C:e C-3 C:i");
}

/* Acknowledgments keep coming while the bytes do not: each hole is judged by its own age. */
static void test_one_direction_after_the_handshake(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 10 * PATIENCE; i++) {
        acknowledge(&talk, SERVER, 1, 2 + i);
    }
    assert_true(net.watch.gap_bytes >= 8 * PATIENCE);
    assert_true(net.watch.gap_bytes <= 9 * PATIENCE + 1);
    tcp_finish(net.tcp);
    assert_int_equal(net.watch.gap_bytes, 10 * PATIENCE);
}

static void test_losses_in_both_directions(void **state)
{
    (void)state;
    say(&talk, CLIENT, 4, 4, "two");
    say(&talk, SERVER, 4, 7, "TWO");
    net_pass(&net, PATIENCE + 4);
    assert_trace(&net, "S-3 C-3 C:two S:TWO");
}

/* The end of a hole may be lost in time, too. */
static void test_patience_in_time(void **state)
{
    (void)state;
    struct tcp_options options = net_options();
    net_end(&net);
    options.reorder_packets = 1000000;
    options.reorder_ns = 200 * MILLISECOND;
    net_begin(&net, &options);
    handshake(&talk);
    say(&talk, CLIENT, 4, 1, "def");
    acknowledge(&talk, SERVER, 1, 7);
    net_wait(&net, 100 * MILLISECOND);
    assert_trace(&net, "");
    net_wait(&net, 300 * MILLISECOND);
    assert_trace(&net, "C-3 C:def");
}

static void test_midstream_patience_in_time(void **state)
{
    (void)state;
    struct tcp_options options = net_options();
    net_end(&net);
    options.reorder_packets = 1000000;
    options.reorder_ns = 200 * MILLISECOND;
    net_begin(&net, &options);
    say(&talk, CLIENT, 101, 201, "GET");
    net_wait(&net, 100 * MILLISECOND);
    assert_trace(&net, "");
    net_wait(&net, 300 * MILLISECOND);
    assert_trace(&net, "C:GET");
}

/* ---- holes that were not ---- */

static void test_hole_that_nobody_acknowledged(void **state)
{
    (void)state;
    say(&talk, CLIENT, 4, 1, "def");
    acknowledge(&talk, SERVER, 1, 1);
    net_pass(&net, 100 * PATIENCE);
    assert_trace(&net, "");
    say(&talk, CLIENT, 1, 1, "abc");
    say(&talk, SERVER, 1, 7, "200");
    assert_trace(&net, "C:abc C:def S:200");
}

/* However long a hole slept, new evidence is heard. */
static void test_hole_acknowledged_late(void **state)
{
    (void)state;
    say(&talk, CLIENT, 4, 1, "def");
    net_pass(&net, 100 * PATIENCE);
    acknowledge(&talk, SERVER, 1, 7);
    net_pass(&net, PATIENCE - 1);
    assert_trace(&net, "");
    net_pass(&net, 4);
    assert_trace(&net, "C-3 C:def");
}

static void test_hole_at_the_end_of_the_capture(void **state)
{
    (void)state;
    say(&talk, CLIENT, 4, 1, "def");
    say(&talk, CLIENT, 10, 1, "jkl");
    tcp_finish(net.tcp);
    assert_trace(&net, "C-3 C:def C-3 C:jkl [capture]");
}

/* The FIN says how much there was. */
static void test_hole_before_a_fin(void **state)
{
    (void)state;
    finish(&talk, CLIENT, 4, 1);
    net_pass(&net, 10 * PATIENCE);
    assert_trace(&net, "");
    tcp_finish(net.tcp);
    assert_trace(&net, "C-3 C. [capture]");
}

/* ---- one direction only ---- */

static void test_only_the_client(void **state)
{
    (void)state;
    struct talk other = talk;
    other.port++;
    talk_flags(&other, CLIENT, 0, 0, TCP_SYN, "");
    acknowledge(&other, CLIENT, 1, 1);
    say(&other, CLIENT, 1, 1, "one");
    acknowledge(&other, CLIENT, 4, 101);
    say(&other, CLIENT, 4, 101, "two");
    net_pass(&net, PATIENCE + 4);
    assert_trace(&net, "C:one S-100 C:two");
}

static void test_only_the_server(void **state)
{
    (void)state;
    struct talk other = talk;
    other.port++;
    talk_flags(&other, SERVER, 0, 1, TCP_SYN, "");
    say(&other, SERVER, 1, 51, "one");
    say(&other, SERVER, 4, 101, "two");
    net_pass(&net, PATIENCE + 4);
    assert_trace(&net, "answered C-50 S:one C-50 S:two");
}

/* Nobody will ever acknowledge the hole. */
static void test_hole_in_the_only_direction(void **state)
{
    (void)state;
    struct talk other = talk;
    other.port++;
    talk_flags(&other, CLIENT, 0, 0, TCP_SYN, "");
    say(&other, CLIENT, 1, 1, "abc");
    say(&other, CLIENT, 7, 1, "ghi");
    net_pass(&net, ONE_WAY_PATIENCE * PATIENCE - 1);
    assert_trace(&net, "C:abc");
    net_pass(&net, 1200);
    assert_trace(&net, "C-3 C:ghi");
}

/* ---- what only looks like a hole ---- */

/* One past the last byte is the FIN's: nothing is missing. */
static void test_lost_fin(void **state)
{
    (void)state;
    say(&talk, CLIENT, 1, 1, "abc");
    finish(&talk, SERVER, 1, 5);
    acknowledge(&talk, CLIENT, 5, 2);
    net_pass(&net, 10 * PATIENCE);
    assert_trace(&net, "C:abc S.");
    tcp_finish(net.tcp);
    assert_trace(&net, "[capture]");
}

static void test_acknowledgment_of_a_fin_captured_early(void **state)
{
    (void)state;
    say(&talk, CLIENT, 1, 1, "abc");
    acknowledge(&talk, SERVER, 1, 5);
    finish(&talk, CLIENT, 4, 1);
    net_pass(&net, 2 * PATIENCE);
    finish(&talk, SERVER, 1, 5);
    assert_trace(&net, "C:abc C. S. [fin]");
}

static void test_answer_after_a_fin_captured_late(void **state)
{
    (void)state;
    say(&talk, CLIENT, 1, 1, "abc");
    say(&talk, SERVER, 1, 5, "200");
    finish(&talk, CLIENT, 4, 1);
    assert_trace(&net, "C:abc C. S:200");
}

/* A byte that was missed, then, and not a FIN. */
static void test_one_lost_byte(void **state)
{
    (void)state;
    say(&talk, CLIENT, 1, 1, "abc");
    acknowledge(&talk, SERVER, 1, 5);
    net_pass(&net, 2 * PATIENCE);
    assert_trace(&net, "C:abc");
    say(&talk, CLIENT, 5, 1, "ef");
    acknowledge(&talk, SERVER, 1, 7);
    net_pass(&net, PATIENCE + 4);
    assert_trace(&net, "C-1 C:ef");
}

/* The answer need not wait for the FIN, and when it does come, the stream ends all the same. */
static void test_fin_captured_after_the_answer(void **state)
{
    (void)state;
    say(&talk, CLIENT, 1, 1, "abc");
    say(&talk, SERVER, 1, 5, "200");
    net_pass(&net, PATIENCE + 4);
    assert_trace(&net, "C:abc S:200");
    finish(&talk, CLIENT, 4, 1);
    assert_trace(&net, "C.");
}

/* A gap of more than a byte may hide the FIN as well; when it comes, the stream ends. */
static void test_fin_captured_after_its_gap(void **state)
{
    (void)state;
    acknowledge(&talk, SERVER, 1, 5);
    net_pass(&net, PATIENCE + 4);
    assert_trace(&net, "C-4");
    talk_flags(&talk, CLIENT, 1, 1, TCP_FIN, "abc");
    assert_trace(&net, "C. C+3");
}

/* ---- what cannot be ---- */

static void test_acknowledgment_of_what_cannot_have_been_sent(void **state)
{
    (void)state;
    acknowledge(&talk, SERVER, 1, 500u << 20);
    say(&talk, SERVER, 1, 500u << 20, "forged");
    net_pass(&net, 2 * PATIENCE);
    assert_trace(&net, "");
    assert_int_equal(tcp_counters(net.tcp).out_of_window, 2);
    say(&talk, CLIENT, 1, 1, "GET");
    say(&talk, SERVER, 1, 4, "200");
    assert_trace(&net, "C:GET S:200");
}

/* Nobody acknowledges so late, though the segment is the next of its side. */
static void test_acknowledgment_of_long_ago(void **state)
{
    (void)state;
    const uint32_t piece = 32u << 20;
    say(&talk, CLIENT, 1, 1, "GET");
    for (uint32_t i = 0; i < 3; i++) {
        talk_cut(&talk, SERVER, 1 + i * piece, 4, TCP_ACK, cut("", 0, piece));
    }
    acknowledge(&talk, CLIENT, 4, 1 + 3 * piece);
    assert_trace(&net, "C:GET S~33554432 S~33554432 S~33554432");
    say(&talk, CLIENT, 4, 1 + piece, "forged");
    assert_trace(&net, "");
    assert_int_equal(tcp_counters(net.tcp).out_of_window, 1);
    say(&talk, CLIENT, 4, 2 + piece, "late");
    assert_trace(&net, "C:late");
    say(&talk, CLIENT, 8, 1 + 3 * piece, "GET");
    assert_trace(&net, "C:GET");
}

static void test_segments_that_acknowledge_each_other(void **state)
{
    (void)state;
    say(&talk, CLIENT, 1, 4, "abc");
    say(&talk, SERVER, 1, 4, "def");
    net_pass(&net, PATIENCE + 4);
    assert_int_equal(net.watch.data_bytes, 6);
    assert_int_equal(net.watch.gap_bytes, 0);
}

static void test_forged_knots_come_apart(void **state)
{
    (void)state;
    say(&talk, CLIENT, 4, 7, "def");
    say(&talk, SERVER, 4, 10, "def");
    say(&talk, CLIENT, 10, 4, "jkl");
    say(&talk, SERVER, 10, 13, "jkl");
    tcp_finish(net.tcp);
    assert_int_equal(net.watch.data_bytes, 12);
    assert_int_equal(net.watch.gap_bytes, 12);
}

/* The capture stood still while more went by than can be in flight. */
static void test_stream_continues_far_away(void **state)
{
    (void)state;
    say(&talk, CLIENT, 1, 1, "GET");
    say(&talk, SERVER, 1, 4, "begin");
    trace_clear(&net);
    for (uint32_t i = 0; i < 20; i++) {
        say(&talk, SERVER, (200u << 20) + 5 * i, 4, "later");
        acknowledge(&talk, CLIENT, 4, (200u << 20) + 5 * i);
    }
    net_pass(&net, PATIENCE + 4);
    assert_int_equal(net.watch.closed[FLOW_END_REUSED], 1);
    assert_true(net.watch.data_bytes >= 8 + 5 * 15);
    assert_int_equal(tcp_counters(net.tcp).flows, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_acknowledged_hole, begin, end),
        cmocka_unit_test_setup_teardown(test_late_and_not_lost, begin, end),
        cmocka_unit_test_setup_teardown(test_too_late, begin, end),
        cmocka_unit_test_setup_teardown(test_lost_without_anything_behind, begin, end),
        cmocka_unit_test_setup_teardown(test_answer_to_a_lost_question, begin, end),
        cmocka_unit_test_setup_teardown(test_question_lost_in_part, begin, end),
        cmocka_unit_test_setup_teardown(test_acknowledged_in_part, begin, end),
        cmocka_unit_test_setup_teardown(test_several_holes, begin, end),
        cmocka_unit_test_setup_teardown(test_one_direction_after_the_handshake, begin, end),
        cmocka_unit_test_setup_teardown(test_losses_in_both_directions, begin, end),
        cmocka_unit_test_setup_teardown(test_patience_in_time, begin, end),
        cmocka_unit_test_setup_teardown(test_midstream_patience_in_time, begin, end),
        cmocka_unit_test_setup_teardown(test_hole_that_nobody_acknowledged, begin, end),
        cmocka_unit_test_setup_teardown(test_hole_acknowledged_late, begin, end),
        cmocka_unit_test_setup_teardown(test_hole_at_the_end_of_the_capture, begin, end),
        cmocka_unit_test_setup_teardown(test_hole_before_a_fin, begin, end),
        cmocka_unit_test_setup_teardown(test_only_the_client, begin, end),
        cmocka_unit_test_setup_teardown(test_only_the_server, begin, end),
        cmocka_unit_test_setup_teardown(test_hole_in_the_only_direction, begin, end),
        cmocka_unit_test_setup_teardown(test_lost_fin, begin, end),
        cmocka_unit_test_setup_teardown(test_acknowledgment_of_a_fin_captured_early, begin, end),
        cmocka_unit_test_setup_teardown(test_answer_after_a_fin_captured_late, begin, end),
        cmocka_unit_test_setup_teardown(test_one_lost_byte, begin, end),
        cmocka_unit_test_setup_teardown(test_fin_captured_after_the_answer, begin, end),
        cmocka_unit_test_setup_teardown(test_fin_captured_after_its_gap, begin, end),
        cmocka_unit_test_setup_teardown(test_acknowledgment_of_what_cannot_have_been_sent, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_acknowledgment_of_long_ago, begin, end),
        cmocka_unit_test_setup_teardown(test_segments_that_acknowledge_each_other, begin, end),
        cmocka_unit_test_setup_teardown(test_forged_knots_come_apart, begin, end),
        cmocka_unit_test_setup_teardown(test_stream_continues_far_away, begin, end),
    };
    int failed = cmocka_run_group_tests_name("client first", tests, NULL, NULL);
    client_is_second = true;
    return failed + cmocka_run_group_tests_name("client second", tests, NULL, NULL);
}
