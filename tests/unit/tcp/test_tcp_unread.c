#include "tests/unit/tcp/talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* A flow that turned out to be of no interest: its bytes are counted, each once. */

static struct net net;
static struct talk talk;

static int begin(void **state)
{
    (void)state;
    net_begin(&net, NULL);
    talk = talk_begin(&net);
    handshake(&talk);
    net.unread_at_data = true;
    return 0;
}

static int end(void **state)
{
    (void)state;
    net_end(&net);
    return 0;
}

static void test_bytes_are_counted(void **state)
{
    (void)state;
    say(&talk, CLIENT, 1, 1, "hello");
    assert_trace(&net, "C:hello");
    say(&talk, SERVER, 1, 6, "world!");
    say(&talk, CLIENT, 6, 7, "more");
    say(&talk, CLIENT, 6, 7, "more");
    tcp_finish(net.tcp);
    assert_trace(&net, "unread 10 [capture]");
}

/* A counter moves while a flow lasts: with every mebibyte, and with every sweep. */
static void test_portions(void **state)
{
    (void)state;
    static char bytes[65536];
    say(&talk, CLIENT, 1, 1, "h");
    for (uint32_t i = 0; i < 20; i++) {
        talk_cut(&talk, SERVER, 1 + i * 65536, 2, 0, whole(bytes, 65536));
    }
    assert_trace(&net, "C:h unread 1048576");
    net_wait(&net, 20 * SECOND);
    assert_trace(&net, "unread 262144");
    net_wait(&net, 20 * SECOND);
    assert_trace(&net, "");
}

/* Whoever decides at bytes that were held: these are delivered, the others counted. */
static void test_what_was_held(void **state)
{
    (void)state;
    say(&talk, CLIENT, 4, 1, "def");
    say(&talk, CLIENT, 10, 1, "jkl");
    say(&talk, SERVER, 1, 16, "xyz");
    assert_trace(&net, "");
    say(&talk, CLIENT, 1, 1, "abc");
    assert_trace(&net, "C:abc");
    tcp_finish(net.tcp);
    assert_trace(&net, "unread 15 [capture]"); /* the client's up to 16, the server's three */
}

static void test_held_bytes_that_come_again(void **state)
{
    (void)state;
    say(&talk, CLIENT, 4, 1, "def");
    say(&talk, CLIENT, 1, 1, "abc");
    say(&talk, CLIENT, 4, 1, "def");
    say(&talk, CLIENT, 7, 1, "ghi");
    tcp_finish(net.tcp);
    assert_trace(&net, "C:abc unread 6 [capture]");
}

static void test_the_deciding_segment_was_held(void **state)
{
    (void)state;
    net.unread_at_data = false;
    say(&talk, CLIENT, 4, 4, "def");
    say(&talk, CLIENT, 7, 4, "ghi");
    say(&talk, CLIENT, 1, 1, "abc");
    assert_trace(&net, "C:abc");
    net.unread_at_data = true;
    say(&talk, SERVER, 1, 1, "200");
    tcp_finish(net.tcp);
    assert_trace(&net, "S:200 unread 6 [capture]");
}

static void test_midstream(void **state)
{
    (void)state;
    struct talk other = talk;
    other.port++;
    say(&other, CLIENT, 104, 1, "def");
    say(&other, CLIENT, 101, 1, "abc");
    say(&other, SERVER, 1, 107, "200");
    net_pass(&net, PATIENCE + 4);
    assert_trace(&net, "C:abc");
    tcp_finish(net.tcp);
    assert_trace(&net, "[capture] unread 6 [capture]");
}

static void test_truncated(void **state)
{
    (void)state;
    talk_cut(&talk, CLIENT, 1, 1, 0, cut("abc", 3, 100));
    talk_cut(&talk, CLIENT, 101, 1, 0, cut("", 0, 50));
    tcp_finish(net.tcp);
    assert_trace(&net, "C:abc unread 147 [capture]");
}

/* What was acknowledged was there, captured or not. */
static void test_lost_bytes_count(void **state)
{
    (void)state;
    say(&talk, CLIENT, 1, 1, "abc");
    acknowledge(&talk, SERVER, 1, 104);
    say(&talk, CLIENT, 101, 1, "xyz");
    say(&talk, CLIENT, 104, 1, "end");
    tcp_finish(net.tcp);
    assert_trace(&net, "C:abc unread 103 [capture]");
}

/* Hundreds of megabytes of which only the acknowledgments are captured stay one flow. */
static void test_one_direction(void **state)
{
    (void)state;
    say(&talk, CLIENT, 1, 1, "abc");
    net.quiet = true;
    for (uint32_t i = 1; i <= 200; i++) {
        acknowledge(&talk, CLIENT, 4, 1 + i * (1u << 20));
    }
    tcp_finish(net.tcp);
    assert_int_equal(net.watch.unread_bytes, UINT64_C(200) << 20);
    assert_int_equal(net.watch.closed[FLOW_END_REUSED], 0);
    assert_int_equal(tcp_counters(net.tcp).out_of_window, 0);
}

static void test_ends(void **state)
{
    (void)state;
    say(&talk, CLIENT, 1, 1, "abc");
    finish(&talk, CLIENT, 4, 1);
    say(&talk, SERVER, 1, 5, "200");
    say(&talk, CLIENT, 4, 1, "behind the end");
    finish(&talk, SERVER, 4, 5);
    assert_trace(&net, "C:abc C. S. unread 3 [fin]");
}

/* The FIN was held back when the flow became unread. */
static void test_end_that_was_held(void **state)
{
    (void)state;
    talk_flags(&talk, CLIENT, 4, 1, TCP_FIN, "def");
    finish(&talk, SERVER, 1, 8);
    say(&talk, CLIENT, 1, 1, "abc");
    assert_trace(&net, "C:abc S. C. unread 3 [fin]");
}

static void test_reset(void **state)
{
    (void)state;
    say(&talk, CLIENT, 1, 1, "abc");
    say(&talk, SERVER, 1, 4, "200");
    reset(&talk, SERVER, 40);
    assert_trace(&net, "C:abc unread 3 [reset S]");
}

/* Decided at a gap, in the next stage's own time. */
static void test_no_room_to_hold(void **state)
{
    (void)state;
    struct tcp_options options = net_options();
    net_end(&net);
    options.max_held_bytes = 0;
    net_begin(&net, &options);
    handshake(&talk);
    net.unread_at_data = true;
    net.quiet = true;
    static char bytes[200000];
    talk_cut(&talk, CLIENT, 2, 1, 0, whole(bytes, sizeof(bytes)));
    tcp_finish(net.tcp);
    assert_int_equal(net.watch.gap_bytes, 1);
    assert_true(net.watch.data_bytes > 0 && net.watch.unread_bytes > 0);
    assert_int_equal(net.watch.data_bytes + net.watch.unread_bytes, sizeof(bytes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bytes_are_counted, begin, end),
        cmocka_unit_test_setup_teardown(test_portions, begin, end),
        cmocka_unit_test_setup_teardown(test_what_was_held, begin, end),
        cmocka_unit_test_setup_teardown(test_held_bytes_that_come_again, begin, end),
        cmocka_unit_test_setup_teardown(test_the_deciding_segment_was_held, begin, end),
        cmocka_unit_test_setup_teardown(test_midstream, begin, end),
        cmocka_unit_test_setup_teardown(test_truncated, begin, end),
        cmocka_unit_test_setup_teardown(test_lost_bytes_count, begin, end),
        cmocka_unit_test_setup_teardown(test_one_direction, begin, end),
        cmocka_unit_test_setup_teardown(test_ends, begin, end),
        cmocka_unit_test_setup_teardown(test_end_that_was_held, begin, end),
        cmocka_unit_test_setup_teardown(test_reset, begin, end),
        cmocka_unit_test_setup_teardown(test_no_room_to_hold, begin, end),
    };
    int failed = cmocka_run_group_tests_name("client first", tests, NULL, NULL);
    client_is_second = true;
    return failed + cmocka_run_group_tests_name("client second", tests, NULL, NULL);
}
