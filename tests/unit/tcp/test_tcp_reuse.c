#include "tests/unit/tcp/talk.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct net net;
static struct talk talk; /* the former connection */
static struct talk next; /* the one that uses its ports again, far away in sequence */
static struct talk near; /* the same, as close as Linux's clock makes it within a second */

static int begin(void **state)
{
    (void)state;
    net_begin(&net, NULL);
    talk = talk_begin(&net);
    next = talk;
    next.sequence[CLIENT] += 1u << 30;
    next.sequence[SERVER] += 1u << 30;
    near = talk;
    near.sequence[CLIENT] += 15000000;
    near.sequence[SERVER] += 15000000;
    handshake(&talk);
    return 0;
}

static int end(void **state)
{
    (void)state;
    net_end(&net);
    return 0;
}

static void exchange(const struct talk *on)
{
    say(on, CLIENT, 1, 1, "GET");
    say(on, SERVER, 1, 4, "200");
}

static void close_in_order(const struct talk *on)
{
    finish(on, CLIENT, 4, 4);
    finish(on, SERVER, 4, 5);
    acknowledge(on, CLIENT, 5, 5);
}

static void test_new_syn_while_open(void **state)
{
    (void)state;
    exchange(&talk);
    assert_trace(&net, "C:GET S:200");
    talk_flags(&next, CLIENT, 0, 0, TCP_SYN, "");
    assert_trace(&net, "[reused]");
    talk_flags(&next, SERVER, 0, 1, TCP_SYN, "");
    acknowledge(&next, CLIENT, 1, 1);
    exchange(&next);
    assert_trace(&net, "answered established C:GET S:200");
    assert_int_equal(tcp_counters(net.tcp).flows, 1);
}

static void test_new_syn_while_it_lingers(void **state)
{
    (void)state;
    exchange(&talk);
    close_in_order(&talk);
    assert_trace(&net, "C:GET S:200 C. S. [fin]");
    handshake(&near);
    exchange(&near);
    close_in_order(&near);
    assert_trace(&net, "C:GET S:200 C. S. [fin]");
}

static void test_new_syn_ack_alone(void **state)
{
    (void)state;
    exchange(&talk);
    talk_flags(&next, SERVER, 0, 1, TCP_SYN, "");
    acknowledge(&next, CLIENT, 1, 1);
    exchange(&next);
    assert_trace(&net, "C:GET S:200 [reused] answered established C:GET S:200");
}

/* A server that does not know the client has gone answers the SYN from its old connection. */
static void test_answer_of_a_half_open_server(void **state)
{
    (void)state;
    exchange(&talk);
    talk_flags(&next, CLIENT, 0, 0, TCP_SYN, "");
    acknowledge(&talk, SERVER, 4, 4);
    reset(&talk, CLIENT, 4);
    assert_trace(&net, "C:GET S:200 [reused]");
    talk_flags(&next, CLIENT, 0, 0, TCP_SYN, "");
    talk_flags(&next, SERVER, 0, 1, TCP_SYN, "");
    acknowledge(&next, CLIENT, 1, 1);
    exchange(&next);
    assert_trace(&net, "answered established C:GET S:200");
}

/* Whatever of the former connection is captured late stays out of the next. */
static void late_segments(const struct talk *now, bool answered)
{
    exchange(&talk);
    close_in_order(&talk);
    talk_flags(now, CLIENT, 0, 0, TCP_SYN, "");
    if (answered) {
        talk_flags(now, SERVER, 0, 1, TCP_SYN, "");
        acknowledge(now, CLIENT, 1, 1);
    }
    trace_clear(&net);
    uint64_t before = tcp_counters(net.tcp).out_of_window;
    say(&talk, SERVER, 1, 4, "200");
    say(&talk, CLIENT, 1, 1, "GET");
    acknowledge(&talk, SERVER, 4, 5);
    finish(&talk, CLIENT, 4, 4);
    finish(&talk, SERVER, 4, 5);
    reset(&talk, CLIENT, 5);
    acknowledge(&talk, CLIENT, 5, 5);
    assert_int_equal(tcp_counters(net.tcp).out_of_window - before, 7);
    trace_clear(&net);
    if (!answered) {
        talk_flags(now, SERVER, 0, 1, TCP_SYN, "");
        acknowledge(now, CLIENT, 1, 1);
        assert_trace(&net, "answered established");
    }
    exchange(now);
    net_pass(&net, 2 * PATIENCE);
    close_in_order(now);
    assert_trace(&net, "C:GET S:200 C. S. [fin]");
}

static void test_late_segments_from_far(void **state)
{
    (void)state;
    late_segments(&next, true);
}

static void test_late_segments_from_near(void **state)
{
    (void)state;
    late_segments(&near, true);
}

static void test_late_segments_in_the_handshake(void **state)
{
    (void)state;
    late_segments(&next, false);
}

static void test_late_segments_in_the_handshake_from_near(void **state)
{
    (void)state;
    late_segments(&near, false);
}

/* A SYN that was sent again, or captured late, is not a new connection. */
static void test_old_syn_while_it_lingers(void **state)
{
    (void)state;
    exchange(&talk);
    reset(&talk, SERVER, 4);
    talk_flags(&talk, CLIENT, 0, 0, TCP_SYN, "");
    talk_flags(&talk, SERVER, 0, 1, TCP_SYN, "");
    assert_trace(&net, "C:GET S:200 [reset S]");
}

/* The capture lost the new handshake. */
static void test_bytes_from_far_while_it_lingers(void **state)
{
    (void)state;
    exchange(&talk);
    close_in_order(&talk);
    trace_clear(&net);
    exchange(&next);
    net_pass(&net, PATIENCE + 4);
    assert_trace(&net, "C:GET S:200");
}

static void test_bytes_behind_the_end_while_it_lingers(void **state)
{
    (void)state;
    exchange(&talk);
    close_in_order(&talk);
    trace_clear(&net);
    exchange(&near);
    net_pass(&net, PATIENCE + 4);
    assert_trace(&net, "C:GET S:200");
}

/* ... and the old ends as well: a few strangers are old segments, many are another connection. */
static void test_bytes_from_far_while_open(void **state)
{
    (void)state;
    exchange(&talk);
    trace_clear(&net);
    for (uint32_t i = 0; i < 10; i++) {
        say(&next, CLIENT, 1 + 3 * i, 1 + 3 * i, "GET");
        say(&next, SERVER, 1 + 3 * i, 4 + 3 * i, "200");
    }
    net_pass(&net, PATIENCE + 4);
    assert_int_equal(net.watch.closed[FLOW_END_REUSED], 1);
    assert_true(net.watch.data_bytes >= 6 + 30);
    trace_clear(&net);
    finish(&next, CLIENT, 31, 31);
    finish(&next, SERVER, 31, 32);
    assert_trace(&net, "C. S. [fin]");
}

static void test_some_strangers_change_nothing(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 30; i++) {
        for (unsigned late = 0; late < 3; late++) {
            say(&next, CLIENT, 1, 1, "old");
            say(&next, SERVER, 1, 1, "old");
        }
        say(&talk, CLIENT, 1 + i, 1, "x");
    }
    assert_int_equal(net.watch.data_bytes, 30);
    assert_int_equal(net.watch.closed[FLOW_END_REUSED], 0);
    assert_int_equal(tcp_counters(net.tcp).out_of_window, 180);
    trace_clear(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_new_syn_while_open, begin, end),
        cmocka_unit_test_setup_teardown(test_new_syn_while_it_lingers, begin, end),
        cmocka_unit_test_setup_teardown(test_new_syn_ack_alone, begin, end),
        cmocka_unit_test_setup_teardown(test_answer_of_a_half_open_server, begin, end),
        cmocka_unit_test_setup_teardown(test_late_segments_from_far, begin, end),
        cmocka_unit_test_setup_teardown(test_late_segments_from_near, begin, end),
        cmocka_unit_test_setup_teardown(test_late_segments_in_the_handshake, begin, end),
        cmocka_unit_test_setup_teardown(test_late_segments_in_the_handshake_from_near, begin, end),
        cmocka_unit_test_setup_teardown(test_old_syn_while_it_lingers, begin, end),
        cmocka_unit_test_setup_teardown(test_bytes_from_far_while_it_lingers, begin, end),
        cmocka_unit_test_setup_teardown(test_bytes_behind_the_end_while_it_lingers, begin, end),
        cmocka_unit_test_setup_teardown(test_bytes_from_far_while_open, begin, end),
        cmocka_unit_test_setup_teardown(test_some_strangers_change_nothing, begin, end),
    };
    int failed = cmocka_run_group_tests_name("client first", tests, NULL, NULL);
    client_is_second = true;
    return failed + cmocka_run_group_tests_name("client second", tests, NULL, NULL);
}
