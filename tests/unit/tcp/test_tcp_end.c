#include "tests/unit/tcp/talk.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct net net;
static struct talk talk;

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

static uint64_t open_flows(void)
{
    return tcp_counters(net.tcp).flows;
}

static uint64_t strangers(void)
{
    return tcp_counters(net.tcp).out_of_window;
}

/* ---- FIN ---- */

static void test_both_close(void **state)
{
    (void)state;
    say(&talk, CLIENT, 1, 1, "GET");
    say(&talk, SERVER, 1, 4, "200");
    finish(&talk, SERVER, 4, 4);
    assert_trace(&net, "C:GET S:200 S.");
    finish(&talk, CLIENT, 4, 5);
    acknowledge(&talk, SERVER, 5, 5);
    assert_trace(&net, "C. [fin]");
}

static void test_half_close(void **state)
{
    (void)state;
    talk_flags(&talk, CLIENT, 1, 1, TCP_FIN, "GET");
    assert_trace(&net, "C:GET C.");
    acknowledge(&talk, SERVER, 1, 5);
    say(&talk, SERVER, 1, 5, "200");
    acknowledge(&talk, CLIENT, 5, 4);
    talk_flags(&talk, SERVER, 4, 5, TCP_FIN, "OK");
    assert_trace(&net, "S:200 S:OK S. [fin]");
}

static void test_both_close_at_once(void **state)
{
    (void)state;
    finish(&talk, CLIENT, 1, 1);
    finish(&talk, SERVER, 1, 1);
    assert_trace(&net, "C. S. [fin]");
}

static void test_fin_before_the_last_data(void **state)
{
    (void)state;
    finish(&talk, CLIENT, 7, 1);
    say(&talk, CLIENT, 4, 1, "def");
    assert_trace(&net, "");
    say(&talk, CLIENT, 1, 1, "abc");
    assert_trace(&net, "C:abc C:def C.");
}

static void test_fin_with_data_before_other_data(void **state)
{
    (void)state;
    talk_flags(&talk, CLIENT, 4, 1, TCP_FIN, "def");
    say(&talk, CLIENT, 1, 1, "abc");
    assert_trace(&net, "C:abc C:def C.");
}

/* An end comes no sooner than what its sender had received. */
static void test_fin_captured_before_the_question(void **state)
{
    (void)state;
    finish(&talk, SERVER, 1, 4);
    assert_trace(&net, "");
    say(&talk, CLIENT, 1, 1, "GET");
    assert_trace(&net, "C:GET S.");
    finish(&talk, CLIENT, 4, 2);
    assert_trace(&net, "C. [fin]");
}

static void test_fin_after_a_lost_question(void **state)
{
    (void)state;
    finish(&talk, SERVER, 1, 4);
    net_pass(&net, PATIENCE + 4);
    assert_trace(&net, "C-3 S.");
}

static void test_fin_sent_again(void **state)
{
    (void)state;
    talk_flags(&talk, CLIENT, 1, 1, TCP_FIN, "abc");
    finish(&talk, CLIENT, 4, 1);
    talk_flags(&talk, CLIENT, 1, 1, TCP_FIN, "abc");
    assert_trace(&net, "C:abc C. C+3");
    finish(&talk, SERVER, 1, 5);
    finish(&talk, SERVER, 1, 5);
    acknowledge(&talk, CLIENT, 5, 2);
    finish(&talk, CLIENT, 4, 1);
    assert_trace(&net, "S. [fin]");
    assert_int_equal(open_flows(), 1);
}

static void test_bytes_behind_the_fin(void **state)
{
    (void)state;
    say(&talk, CLIENT, 6, 1, "fghi");
    say(&talk, CLIENT, 20, 1, "xyz");
    finish(&talk, CLIENT, 8, 1);
    say(&talk, CLIENT, 1, 1, "abcde");
    assert_trace(&net, "C:abcde C:fg C.");
    say(&talk, CLIENT, 8, 1, "more");
    say(&talk, CLIENT, 6, 1, "fghijk");
    finish(&talk, CLIENT, 30, 1);
    assert_trace(&net, "C+2");
    assert_true(strangers() >= 2);
    tcp_finish(net.tcp);
    assert_trace(&net, "[capture]");
}

static void test_fin_inside_what_was_delivered(void **state)
{
    (void)state;
    say(&talk, CLIENT, 1, 1, "abcdef");
    finish(&talk, CLIENT, 3, 1);
    assert_trace(&net, "C:abcdef");
    assert_int_equal(strangers(), 1);
    say(&talk, CLIENT, 7, 1, "ghi");
    finish(&talk, CLIENT, 10, 1);
    assert_trace(&net, "C:ghi C.");
}

/* ---- RST ---- */

static void test_reset(void **state)
{
    (void)state;
    say(&talk, CLIENT, 1, 1, "GET");
    reset(&talk, SERVER, 1);
    assert_trace(&net, "C:GET [reset S]");
    say(&talk, CLIENT, 4, 1, "more");
    reset(&talk, SERVER, 1);
    assert_trace(&net, "");
}

/* Some stacks say why in the payload of the RST; it is no data. */
static void test_reset_with_data(void **state)
{
    (void)state;
    talk_flags(&talk, SERVER, 1, 1, TCP_RST, "no such service");
    assert_trace(&net, "[reset S]");
}

static void test_reset_with_data_outstanding(void **state)
{
    (void)state;
    say(&talk, CLIENT, 4, 1, "def");
    reset(&talk, CLIENT, 7);
    assert_trace(&net, "");
    say(&talk, CLIENT, 1, 1, "abc");
    assert_trace(&net, "C:abc C:def [reset C]");
}

static void test_reset_with_data_lost(void **state)
{
    (void)state;
    say(&talk, CLIENT, 4, 1, "def");
    reset(&talk, CLIENT, 10);
    net_pass(&net, PATIENCE + 4);
    assert_trace(&net, "C-3 C:def C-3 [reset C]");
}

static void test_reset_captured_before_earlier_data(void **state)
{
    (void)state;
    talk_flags(&talk, CLIENT, 4, 4, TCP_RST, "");
    assert_trace(&net, "");
    say(&talk, SERVER, 1, 4, "200");
    say(&talk, CLIENT, 1, 1, "GET");
    assert_trace(&net, "C:GET S:200 [reset C]");
}

/* The other side's hole is not proven, but nobody waits for its retransmission any more. */
static void test_reset_while_the_other_side_waits(void **state)
{
    (void)state;
    say(&talk, SERVER, 4, 1, "def");
    reset(&talk, CLIENT, 1);
    net_pass(&net, PATIENCE + 4);
    assert_trace(&net, "S-3 S:def [reset C]");
}

static void test_reset_while_a_hole_sleeps(void **state)
{
    (void)state;
    say(&talk, SERVER, 4, 1, "def");
    net_pass(&net, 2 * PATIENCE);
    assert_trace(&net, "");
    reset(&talk, CLIENT, 1);
    assert_trace(&net, "S-3 S:def [reset C]");
}

static void test_reset_after_fin(void **state)
{
    (void)state;
    talk_flags(&talk, CLIENT, 1, 1, TCP_FIN, "GET");
    acknowledge(&talk, SERVER, 1, 5);
    say(&talk, SERVER, 1, 5, "200");
    reset(&talk, CLIENT, 5);
    assert_trace(&net, "C:GET C. S:200 [reset C]");
}

static void test_reset_that_fits_nowhere(void **state)
{
    (void)state;
    say(&talk, CLIENT, 1, 1, "abcdef");
    acknowledge(&talk, SERVER, 1, 7);
    reset(&talk, CLIENT, 100u << 20);
    reset(&talk, CLIENT, 0xff000000);
    reset(&talk, CLIENT, 0xfffffff0);
    reset(&talk, CLIENT, 3);
    assert_trace(&net, "C:abcdef");
    assert_int_equal(strangers(), 4);
    say(&talk, CLIENT, 7, 1, "ghi");
    assert_trace(&net, "C:ghi");
    reset(&talk, CLIENT, 10);
    assert_trace(&net, "[reset C]");
}

static void test_the_first_reset_counts(void **state)
{
    (void)state;
    say(&talk, CLIENT, 4, 1, "def");
    reset(&talk, CLIENT, 7);
    reset(&talk, SERVER, 1);
    net_pass(&net, PATIENCE + 4);
    assert_trace(&net, "C-3 C:def [reset C]");
}

/* ---- expiry ---- */

static void test_idle(void **state)
{
    (void)state;
    say(&talk, CLIENT, 1, 1, "GET");
    net_wait(&net, 59 * SECOND);
    assert_trace(&net, "C:GET");
    say(&talk, SERVER, 1, 4, "200");
    net_wait(&net, 59 * SECOND);
    assert_trace(&net, "S:200");
    net_wait(&net, 20 * SECOND);
    assert_trace(&net, "[idle]");
    assert_int_equal(open_flows(), 0);
}

static void test_idle_with_bytes_held(void **state)
{
    (void)state;
    say(&talk, CLIENT, 4, 1, "def");
    net_wait(&net, 80 * SECOND);
    assert_trace(&net, "C-3 C:def [idle]");
}

static void test_lingering_ends(void **state)
{
    (void)state;
    say(&talk, CLIENT, 1, 1, "GET");
    reset(&talk, SERVER, 1);
    net_wait(&net, 4 * SECOND);
    assert_int_equal(open_flows(), 1);
    net_wait(&net, 4 * SECOND);
    assert_int_equal(open_flows(), 0);
    assert_trace(&net, "C:GET [reset S]");
}

/* A clock that is set, or a file whose times jump, neither kills flows nor keeps them for ever. */
static void test_clock_set_back(void **state)
{
    (void)state;
    say(&talk, CLIENT, 1, 1, "GET");
    net.now_ns -= 3600 * SECOND / 4;
    tcp_tick(net.tcp, net.now_ns);
    net_wait(&net, 30 * SECOND);
    assert_trace(&net, "C:GET");
    net_wait(&net, 60 * SECOND);
    assert_trace(&net, "[idle]");
}

static void test_interface_gone(void **state)
{
    (void)state;
    struct talk other = talk;
    other.interface++;
    handshake(&other);
    say(&other, CLIENT, 4, 1, "def");
    say(&talk, CLIENT, 1, 1, "abc");
    tcp_interface_gone(net.tcp, other.interface);
    assert_trace(&net, "C:abc C-3 C:def [interface]");
    tcp_interface_gone(net.tcp, other.interface);
    say(&talk, CLIENT, 4, 1, "def");
    assert_trace(&net, "C:def");
    assert_int_equal(open_flows(), 1);
}

static void test_end_of_the_capture(void **state)
{
    (void)state;
    struct talk other = talk;
    other.port++;
    handshake(&other);
    say(&talk, CLIENT, 1, 1, "abc");
    tcp_finish(net.tcp);
    assert_trace(&net, "C:abc [capture] [capture]");
    assert_int_equal(open_flows(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_both_close, begin, end),
        cmocka_unit_test_setup_teardown(test_half_close, begin, end),
        cmocka_unit_test_setup_teardown(test_both_close_at_once, begin, end),
        cmocka_unit_test_setup_teardown(test_fin_before_the_last_data, begin, end),
        cmocka_unit_test_setup_teardown(test_fin_with_data_before_other_data, begin, end),
        cmocka_unit_test_setup_teardown(test_fin_captured_before_the_question, begin, end),
        cmocka_unit_test_setup_teardown(test_fin_after_a_lost_question, begin, end),
        cmocka_unit_test_setup_teardown(test_fin_sent_again, begin, end),
        cmocka_unit_test_setup_teardown(test_bytes_behind_the_fin, begin, end),
        cmocka_unit_test_setup_teardown(test_fin_inside_what_was_delivered, begin, end),
        cmocka_unit_test_setup_teardown(test_reset, begin, end),
        cmocka_unit_test_setup_teardown(test_reset_with_data, begin, end),
        cmocka_unit_test_setup_teardown(test_reset_with_data_outstanding, begin, end),
        cmocka_unit_test_setup_teardown(test_reset_with_data_lost, begin, end),
        cmocka_unit_test_setup_teardown(test_reset_captured_before_earlier_data, begin, end),
        cmocka_unit_test_setup_teardown(test_reset_while_the_other_side_waits, begin, end),
        cmocka_unit_test_setup_teardown(test_reset_while_a_hole_sleeps, begin, end),
        cmocka_unit_test_setup_teardown(test_reset_after_fin, begin, end),
        cmocka_unit_test_setup_teardown(test_reset_that_fits_nowhere, begin, end),
        cmocka_unit_test_setup_teardown(test_the_first_reset_counts, begin, end),
        cmocka_unit_test_setup_teardown(test_idle, begin, end),
        cmocka_unit_test_setup_teardown(test_idle_with_bytes_held, begin, end),
        cmocka_unit_test_setup_teardown(test_lingering_ends, begin, end),
        cmocka_unit_test_setup_teardown(test_clock_set_back, begin, end),
        cmocka_unit_test_setup_teardown(test_interface_gone, begin, end),
        cmocka_unit_test_setup_teardown(test_end_of_the_capture, begin, end),
    };
    int failed = cmocka_run_group_tests_name("client first", tests, NULL, NULL);
    client_is_second = true;
    return failed + cmocka_run_group_tests_name("client second", tests, NULL, NULL);
}
