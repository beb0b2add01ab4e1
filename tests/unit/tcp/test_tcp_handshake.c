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
    return 0;
}

static int end(void **state)
{
    (void)state;
    net_end(&net);
    return 0;
}

static void syn(void)
{
    talk_flags(&talk, CLIENT, 0, 0, TCP_SYN, "");
}

static void syn_ack(void)
{
    talk_flags(&talk, SERVER, 0, 1, TCP_SYN, "");
}

static uint64_t open_flows(void)
{
    return tcp_counters(net.tcp).flows;
}

/* ---- seen ---- */

static void test_handshake(void **state)
{
    (void)state;
    syn();
    assert_trace(&net, "");
    syn_ack();
    assert_trace(&net, "answered");
    acknowledge(&talk, CLIENT, 1, 1);
    assert_trace(&net, "established");
    acknowledge(&talk, CLIENT, 1, 1);
    acknowledge(&talk, SERVER, 1, 1);
    assert_trace(&net, "");
}

/* Some captures have no times. */
static void test_handshake_at_the_epoch(void **state)
{
    (void)state;
    net.now_ns = 0;
    net.step_ns = 0;
    syn();
    syn_ack();
    acknowledge(&talk, CLIENT, 1, 1);
    assert_trace(&net, "answered established");
}

static void test_handshake_sent_again(void **state)
{
    (void)state;
    syn();
    syn();
    syn_ack();
    syn();
    syn_ack();
    acknowledge(&talk, CLIENT, 1, 1);
    syn_ack();
    acknowledge(&talk, CLIENT, 1, 1);
    say(&talk, CLIENT, 1, 1, "GET");
    syn();
    syn_ack();
    say(&talk, SERVER, 1, 4, "200");
    assert_trace(&net, "answered established C:GET S:200");
    assert_int_equal(open_flows(), 1);
}

static void test_handshake_captured_backwards(void **state)
{
    (void)state;
    acknowledge(&talk, CLIENT, 1, 1);
    syn_ack();
    syn();
    say(&talk, CLIENT, 1, 1, "GET");
    assert_trace(&net, "answered established C:GET");
}

static void test_first_request_completes_the_handshake(void **state)
{
    (void)state;
    syn();
    syn_ack();
    say(&talk, CLIENT, 1, 1, "GET");
    assert_trace(&net, "answered established C:GET");
}

/* Only the client can acknowledge the answer. */
static void test_server_data_does_not_establish(void **state)
{
    (void)state;
    syn();
    syn_ack();
    say(&talk, SERVER, 1, 1, "220");
    assert_trace(&net, "answered S:220");
    acknowledge(&talk, CLIENT, 1, 4);
    assert_trace(&net, "established");
}

/* A later segment does not tell when the handshake was over. */
static void test_lost_request_does_not_establish(void **state)
{
    (void)state;
    syn();
    syn_ack();
    say(&talk, SERVER, 1, 4, "200");
    net_pass(&net, PATIENCE + 4);
    assert_trace(&net, "answered C-3 S:200");
    say(&talk, CLIENT, 4, 4, "GET");
    assert_trace(&net, "C:GET");
}

static void test_data_on_the_syn(void **state)
{
    (void)state;
    talk_flags(&talk, CLIENT, 0, 0, TCP_SYN, "abc");
    assert_trace(&net, "C:abc");
    talk_flags(&talk, SERVER, 0, 4, TCP_SYN, "");
    acknowledge(&talk, CLIENT, 4, 1);
    say(&talk, CLIENT, 4, 1, "def");
    say(&talk, SERVER, 1, 7, "200");
    assert_trace(&net, "answered established C:def S:200");
}

/* The server's cookie was old: it takes the SYN alone, and the data is sent again. */
static void test_data_on_the_syn_refused(void **state)
{
    (void)state;
    talk_flags(&talk, CLIENT, 0, 0, TCP_SYN, "abc");
    syn_ack();
    say(&talk, CLIENT, 1, 1, "abcd");
    assert_trace(&net, "C:abc answered established C+3 C:d");
}

static void test_data_on_a_syn_captured_late(void **state)
{
    (void)state;
    talk_flags(&talk, SERVER, 0, 4, TCP_SYN, "");
    talk_flags(&talk, CLIENT, 0, 0, TCP_SYN, "abc");
    say(&talk, CLIENT, 4, 1, "def");
    assert_trace(&net, "answered C:abc established C:def");
    assert_int_equal(net.watch.closed[FLOW_END_REUSED], 0);
}

static void test_data_on_the_syn_ack(void **state)
{
    (void)state;
    syn();
    talk_flags(&talk, SERVER, 0, 1, TCP_SYN, "220");
    acknowledge(&talk, CLIENT, 1, 4);
    assert_trace(&net, "answered S:220 established");
}

static void test_refused(void **state)
{
    (void)state;
    syn();
    talk_flags(&talk, SERVER, 0, 1, TCP_RST, "");
    assert_trace(&net, "[reset S]");
}

/* RFC 9293: in SYN-SENT a RST counts only if it acknowledges the SYN. */
static void test_refusal_of_something_else(void **state)
{
    (void)state;
    syn();
    talk_flags(&talk, SERVER, 0, 0x10000000, TCP_RST, "");
    talk_flags(&talk, SERVER, 0, 0xffff0000, TCP_RST, "");
    assert_trace(&net, "");
    assert_int_equal(tcp_counters(net.tcp).out_of_window, 2);
    syn_ack();
    assert_trace(&net, "answered");
}

static void test_never_answered(void **state)
{
    (void)state;
    struct tcp_options options = net_options();
    net_end(&net);
    options.idle_ns = 300 * SECOND;
    net_begin(&net, &options);
    syn();
    net_wait(&net, 70 * SECOND);
    assert_trace(&net, "");
    net_wait(&net, 10 * SECOND);
    assert_trace(&net, "[idle]");
}

/* ---- partly seen ---- */

static void test_syn_lost(void **state)
{
    (void)state;
    syn_ack();
    assert_trace(&net, "answered");
    acknowledge(&talk, CLIENT, 1, 1);
    say(&talk, CLIENT, 1, 1, "GET");
    say(&talk, SERVER, 1, 4, "200");
    assert_trace(&net, "established C:GET S:200");
}

/* Where the server's bytes begin is not certain: its first segment may be captured late. */
static void test_syn_ack_lost(void **state)
{
    (void)state;
    syn();
    acknowledge(&talk, CLIENT, 1, 1);
    say(&talk, CLIENT, 1, 1, "GET");
    say(&talk, SERVER, 4, 4, "OK");
    say(&talk, SERVER, 1, 4, "200");
    assert_trace(&net, "");
    net_pass(&net, PATIENCE + 4);
    assert_trace(&net, "C:GET S:200 S:OK");
}

/* The client's first acknowledgment covers more than the handshake. */
static void test_syn_ack_lost_and_the_server_speaks_first(void **state)
{
    (void)state;
    syn();
    say(&talk, SERVER, 1, 1, "220");
    say(&talk, SERVER, 4, 1, "mail");
    acknowledge(&talk, CLIENT, 1, 8);
    say(&talk, CLIENT, 1, 8, "HELO");
    net_pass(&net, PATIENCE + 4);
    assert_trace(&net, "S:220 S:mail C:HELO");
}

static void test_syn_alone_and_its_answer_lost(void **state)
{
    (void)state;
    syn();
    say(&talk, CLIENT, 4, 4, "def");
    assert_trace(&net, "");
    net_pass(&net, 2 * PATIENCE);
    assert_trace(&net, "");
    acknowledge(&talk, SERVER, 4, 7);
    net_pass(&net, PATIENCE + 4);
    assert_trace(&net, "C-3 C:def");
}

/* ---- not seen ---- */

static void test_midstream_in_order(void **state)
{
    (void)state;
    say(&talk, CLIENT, 1001, 5001, "GET");
    say(&talk, SERVER, 5001, 1004, "200");
    say(&talk, CLIENT, 1004, 5004, "PUT");
    assert_trace(&net, "");
    net_pass(&net, PATIENCE + 4);
    assert_trace(&net, "C:GET S:200 C:PUT");
    say(&talk, SERVER, 5004, 1007, "201");
    assert_trace(&net, "S:201");
}

static void test_midstream_shuffled(void **state)
{
    (void)state;
    say(&talk, SERVER, 5004, 1007, "201");
    say(&talk, CLIENT, 1004, 5004, "PUT");
    say(&talk, SERVER, 5001, 1004, "200");
    say(&talk, CLIENT, 1001, 5001, "GET");
    net_pass(&net, PATIENCE + 4);
    assert_trace(&net, "C:GET S:200 C:PUT S:201");
}

/* The first packets of the capture: an answer whose question came before it. */
static void test_midstream_begins_with_an_answer(void **state)
{
    (void)state;
    say(&talk, SERVER, 5001, 1004, "200");
    acknowledge(&talk, CLIENT, 1004, 5004);
    say(&talk, CLIENT, 1004, 5004, "GET");
    net_pass(&net, PATIENCE + 4);
    assert_trace(&net, "S:200 C:GET");
}

/* At the end of a capture nothing is waited for. */
static void test_midstream_at_the_end_of_the_capture(void **state)
{
    (void)state;
    say(&talk, CLIENT, 1004, 5001, "/");
    say(&talk, CLIENT, 1001, 5001, "GET");
    say(&talk, SERVER, 5001, 1005, "200");
    tcp_finish(net.tcp);
    assert_trace(&net, "C:GET C:/ S:200 [capture]");
}

static void test_syn_captured_after_data(void **state)
{
    (void)state;
    say(&talk, CLIENT, 4, 1, "def");
    say(&talk, CLIENT, 1, 1, "abc");
    syn_ack();
    syn();
    assert_trace(&net, "answered C:abc C:def");
    assert_int_equal(open_flows(), 1);
}

/* So late that the stream had to begin without it: still the same connection. */
static void test_syn_captured_after_the_start(void **state)
{
    (void)state;
    say(&talk, CLIENT, 4, 1, "def");
    net_pass(&net, PATIENCE + 4);
    assert_trace(&net, "C:def");
    syn();
    syn_ack();
    say(&talk, SERVER, 1, 7, "200");
    assert_trace(&net, "answered S:200");
    assert_int_equal(open_flows(), 1);
}

/* A SYN that would begin the stream anew behind its end. */
static void test_syn_ack_captured_after_the_end(void **state)
{
    (void)state;
    say(&talk, CLIENT, 1, 1, "GET");
    finish(&talk, SERVER, 1, 4);
    net_pass(&net, PATIENCE + 4);
    assert_trace(&net, "C:GET S.");
    talk_flags(&talk, SERVER, (uint32_t)-50, 1, TCP_SYN, "late");
    assert_trace(&net, "answered");
}

/* Bytes from before the start were never delivered, so they are not repeated. */
static void test_bytes_before_the_start_are_no_retransmission(void **state)
{
    (void)state;
    say(&talk, CLIENT, 1004, 1, "def");
    net_pass(&net, PATIENCE + 4);
    say(&talk, CLIENT, 1001, 1, "abc");
    say(&talk, CLIENT, 1002, 1, "bcdefghi");
    assert_trace(&net, "C:def C+3 C:ghi");
}

/* ---- what opens a flow ---- */

static void test_what_opens_no_flow(void **state)
{
    (void)state;
    acknowledge(&talk, CLIENT, 1, 1);
    reset(&talk, SERVER, 1);
    talk_flags(&talk, SERVER, 1, 0, TCP_RST, "go away");
    talk_flags(&talk, SERVER, 1, 0, TCP_RST | TCP_SYN, "");
    assert_int_equal(open_flows(), 0);
    say(&talk, CLIENT, 1, 1, "x");
    assert_int_equal(open_flows(), 1);
}

/* All of a short connection turned round, as a capture over several queues may. */
static void test_captured_from_its_end(void **state)
{
    (void)state;
    finish(&talk, SERVER, 4, 5);
    finish(&talk, CLIENT, 4, 4);
    say(&talk, SERVER, 1, 4, "200");
    say(&talk, CLIENT, 1, 1, "GET");
    syn_ack();
    syn();
    assert_trace(&net, "answered C:GET S:200 C. S. [fin]");
}

/* The FIN of a connection that was forgotten, and the next one on its ports. */
static void test_old_fin_before_a_syn(void **state)
{
    (void)state;
    struct talk old = talk;
    old.sequence[CLIENT] -= 1000000;
    old.sequence[SERVER] -= 1000000;
    finish(&old, CLIENT, 4, 4);
    syn();
    assert_trace(&net, "[reused]");
    syn_ack();
    say(&talk, CLIENT, 1, 1, "GET");
    say(&talk, SERVER, 1, 4, "200");
    assert_trace(&net, "answered established C:GET S:200");
}

/* One packet passes two veths: two observations, never a retransmission. */
static void test_interfaces_are_apart(void **state)
{
    (void)state;
    struct talk other = talk;
    other.interface++;
    handshake(&talk);
    handshake(&other);
    assert_int_equal(open_flows(), 2);
    say(&talk, CLIENT, 1, 1, "GET");
    say(&other, CLIENT, 1, 1, "GET");
    say(&other, SERVER, 1, 4, "200");
    say(&talk, SERVER, 1, 4, "200");
    assert_trace(&net, "C:GET C:GET S:200 S:200");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_handshake, begin, end),
        cmocka_unit_test_setup_teardown(test_handshake_at_the_epoch, begin, end),
        cmocka_unit_test_setup_teardown(test_handshake_sent_again, begin, end),
        cmocka_unit_test_setup_teardown(test_handshake_captured_backwards, begin, end),
        cmocka_unit_test_setup_teardown(test_first_request_completes_the_handshake, begin, end),
        cmocka_unit_test_setup_teardown(test_server_data_does_not_establish, begin, end),
        cmocka_unit_test_setup_teardown(test_lost_request_does_not_establish, begin, end),
        cmocka_unit_test_setup_teardown(test_data_on_the_syn, begin, end),
        cmocka_unit_test_setup_teardown(test_data_on_the_syn_refused, begin, end),
        cmocka_unit_test_setup_teardown(test_data_on_a_syn_captured_late, begin, end),
        cmocka_unit_test_setup_teardown(test_data_on_the_syn_ack, begin, end),
        cmocka_unit_test_setup_teardown(test_refused, begin, end),
        cmocka_unit_test_setup_teardown(test_refusal_of_something_else, begin, end),
        cmocka_unit_test_setup_teardown(test_never_answered, begin, end),
        cmocka_unit_test_setup_teardown(test_syn_lost, begin, end),
        cmocka_unit_test_setup_teardown(test_syn_ack_lost, begin, end),
        cmocka_unit_test_setup_teardown(test_syn_ack_lost_and_the_server_speaks_first, begin, end),
        cmocka_unit_test_setup_teardown(test_syn_alone_and_its_answer_lost, begin, end),
        cmocka_unit_test_setup_teardown(test_midstream_in_order, begin, end),
        cmocka_unit_test_setup_teardown(test_midstream_shuffled, begin, end),
        cmocka_unit_test_setup_teardown(test_midstream_begins_with_an_answer, begin, end),
        cmocka_unit_test_setup_teardown(test_midstream_at_the_end_of_the_capture, begin, end),
        cmocka_unit_test_setup_teardown(test_syn_captured_after_data, begin, end),
        cmocka_unit_test_setup_teardown(test_syn_captured_after_the_start, begin, end),
        cmocka_unit_test_setup_teardown(test_syn_ack_captured_after_the_end, begin, end),
        cmocka_unit_test_setup_teardown(test_bytes_before_the_start_are_no_retransmission, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_what_opens_no_flow, begin, end),
        cmocka_unit_test_setup_teardown(test_captured_from_its_end, begin, end),
        cmocka_unit_test_setup_teardown(test_old_fin_before_a_syn, begin, end),
        cmocka_unit_test_setup_teardown(test_interfaces_are_apart, begin, end),
    };
    int failed = cmocka_run_group_tests_name("client first", tests, NULL, NULL);
    client_is_second = true;
    return failed + cmocka_run_group_tests_name("client second", tests, NULL, NULL);
}
