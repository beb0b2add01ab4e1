#include "tests/unit/tcp/talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*
 * What a peer can take is bounded, what is turned away is counted, and no byte is lost silently:
 * bytes and gaps together are what was sent.
 */
enum {
    MAX_FLOWS = 32,
    EMPTY_FLOWS = 8,
    CARRYING_FLOWS = 24,
    NODES = 64, /* the least that a store has */
    SEGMENT = 100
};

static struct net net;

static int begin(void **state)
{
    (void)state;
    struct tcp_options options = net_options();
    options.max_flows = MAX_FLOWS;
    options.max_held_bytes = 0;
    net_begin(&net, &options);
    return 0;
}

static int end(void **state)
{
    (void)state;
    net_end(&net);
    return 0;
}

static struct talk talk_of(unsigned number)
{
    struct talk talk = talk_begin(&net);
    talk.port = (uint16_t)(20000 + number);
    return talk;
}

static struct talk open_talk(unsigned number)
{
    struct talk talk = talk_of(number);
    handshake(&talk);
    return talk;
}

static uint64_t refused(void)
{
    return tcp_counters(net.tcp).held_refused;
}

static uint64_t evicted(void)
{
    return tcp_counters(net.tcp).evicted;
}

/* A segment of SEGMENT bytes; `number` 0 is the first of the stream. */
static void send_number(const struct talk *talk, enum talker from, uint32_t number)
{
    static char bytes[SEGMENT];
    memset(bytes, 'a' + (int)(number % 26), sizeof(bytes));
    talk_cut(talk, from, 1 + number * SEGMENT, 1, 0, whole(bytes, SEGMENT));
}

/* ---- held bytes ---- */

/* At the bound everything is still put in order. */
static void test_holding_up_to_the_bound(void **state)
{
    (void)state;
    net.quiet = true;
    struct talk talk = open_talk(0);
    for (uint32_t i = NODES / 2; i > 0; i--) {
        send_number(&talk, CLIENT, i);
    }
    assert_int_equal(refused(), 0);
    assert_int_equal(net.watch.data_bytes, 0);
    send_number(&talk, CLIENT, 0);
    assert_int_equal(net.watch.data_bytes, (NODES / 2 + 1) * SEGMENT);
    assert_int_equal(net.watch.gap_bytes, 0);
}

/* One past it nothing is waited for any more. */
static void test_holding_past_the_bound(void **state)
{
    (void)state;
    net.quiet = true;
    struct talk talk = open_talk(0);
    for (uint32_t i = 1; i <= NODES / 2; i++) {
        send_number(&talk, CLIENT, i);
    }
    send_number(&talk, CLIENT, NODES / 2 + 1);
    assert_int_equal(refused(), 1);
    assert_int_equal(net.watch.gap_bytes, SEGMENT);
    assert_int_equal(net.watch.data_bytes, (NODES / 2 + 1) * SEGMENT);
    send_number(&talk, CLIENT, 0);
    assert_int_equal(net.watch.retransmitted_bytes, SEGMENT);
    send_number(&talk, CLIENT, NODES / 2 + 2);
    assert_int_equal(net.watch.data_bytes, (NODES / 2 + 2) * SEGMENT);
}

/* A large segment finds room for a part of itself. */
static void test_large_segment_past_the_bound(void **state)
{
    (void)state;
    net.quiet = true;
    struct talk talk = open_talk(0);
    static char bytes[200000];
    talk_cut(&talk, CLIENT, 2, 1, 0, whole(bytes, sizeof(bytes)));
    assert_int_equal(refused(), 1);
    assert_int_equal(net.watch.gap_bytes, 1);
    assert_int_equal(net.watch.data_bytes, sizeof(bytes));
}

/* Bytes that nobody acknowledges in a flow that nobody knows: no start, no other direction. */
static void test_midstream_past_the_bound(void **state)
{
    (void)state;
    net.quiet = true;
    struct talk talk = talk_of(0);
    for (uint32_t i = NODES / 2 + 5; i > 0; i -= 1) {
        send_number(&talk, CLIENT, 2 * i);
    }
    assert_true(refused() > 0);
    tcp_finish(net.tcp);
    assert_true(net.watch.data_bytes > 0);
}

/* Flows that wait for what may never come give way to one that has just begun to wait. */
static void test_sleepers_give_way(void **state)
{
    (void)state;
    net.quiet = true;
    for (unsigned hostile = 0; hostile < 6; hostile++) {
        struct talk talk = open_talk(hostile);
        for (uint32_t i = 0; i < NODES / 2; i++) {
            send_number(&talk, CLIENT, 1 + 2 * i);
        }
    }
    net_pass(&net, 10 * PATIENCE);
    uint64_t before = refused();
    struct talk talk = open_talk(6);
    send_number(&talk, CLIENT, 2);
    send_number(&talk, CLIENT, 1);
    assert_int_equal(refused(), before);
    uint64_t gaps = net.watch.gap_bytes;
    assert_true(gaps > 0);
    send_number(&talk, CLIENT, 0);
    assert_int_equal(net.watch.gap_bytes, gaps);
    assert_int_equal(refused(), before);
}

/* What was closed for the sake of another and had come to its end in both directions is closed. */
static void test_a_sleeper_that_had_ended(void **state)
{
    (void)state;
    struct talk first = open_talk(0);
    finish(&first, CLIENT, 1 + SEGMENT, 1);
    finish(&first, SERVER, 1, 1);
    say(&first, CLIENT, 2, 1, "x");
    net_pass(&net, 10 * PATIENCE);
    assert_trace(&net, "S.");
    static const uint32_t nodes[] = {31, 15, 7, 4, 4, 2}; /* together all that are left */
    net.quiet = true;
    for (unsigned i = 0; i < 6; i++) {
        struct talk talk = open_talk(1 + i);
        for (uint32_t j = 1; j <= nodes[i]; j++) {
            send_number(&talk, CLIENT, 2 * j);
        }
    }
    assert_int_equal(refused(), 0);
    struct talk last = open_talk(7);
    net.quiet = false;
    say(&last, CLIENT, 2, 1, "x");
    assert_trace(&net, "C-1 C:x C-98 C. [fin]");
    net.quiet = true;
    assert_int_equal(net.watch.closed[FLOW_END_FIN], 1);
}

/* Whoever waits with acknowledgments alone takes room as well. */
static void test_more_flows_wait_than_there_is_room_for(void **state)
{
    (void)state;
    struct tcp_options options = net_options();
    net_end(&net);
    options.max_flows = 1024;
    options.max_held_bytes = 0;
    net_begin(&net, &options);
    net.quiet = true;
    for (unsigned i = 0; i < NODES; i++) {
        struct talk talk = open_talk(i);
        acknowledge(&talk, SERVER, 1, 101);
    }
    struct talk talk = open_talk(NODES);
    acknowledge(&talk, SERVER, 1, 101); /* no room, and nothing is lost by that */
    send_number(&talk, CLIENT, 0);
    assert_int_equal(net.watch.data_bytes, SEGMENT);
    send_number(&talk, CLIENT, 3);
    assert_true(net.watch.gap_bytes > 0);
    tcp_finish(net.tcp);
    assert_int_equal(net.watch.data_bytes, 2 * SEGMENT);
    assert_int_equal(net.watch.gap_bytes, 100 * NODES + 2 * SEGMENT);
}

/* An answer that finds no room: what it acknowledges is missing at once, but for a FIN. */
static void test_an_answer_without_room(void **state)
{
    (void)state;
    struct tcp_options options = net_options();
    net_end(&net);
    options.max_flows = 1024;
    options.max_held_bytes = 0;
    options.reorder_packets = 1000000;
    net_begin(&net, &options);
    struct talk first = open_talk(NODES);
    struct talk second = open_talk(NODES + 1);
    for (unsigned i = 0; i < NODES; i++) {
        struct talk talk = open_talk(i);
        acknowledge(&talk, SERVER, 1, 101);
    }
    say(&first, SERVER, 1, 4, "200");
    assert_trace(&net, "C-3 S:200");
    say(&second, CLIENT, 1, 1, "GET");
    say(&second, SERVER, 4, 5, "200");
    assert_trace(&net, "C:GET S-3 S:200");
    finish(&second, CLIENT, 4, 1);
    assert_trace(&net, "C.");
    assert_int_equal(refused(), 2);
    net.quiet = true;
}

/* ---- flows ---- */

static void test_handshakes_at_the_limit(void **state)
{
    (void)state;
    net.quiet = true;
    for (unsigned i = 0; i < EMPTY_FLOWS; i++) {
        open_talk(i);
    }
    assert_int_equal(evicted(), 0);
    open_talk(EMPTY_FLOWS);
    assert_int_equal(evicted(), 1);
    assert_int_equal(net.watch.closed[FLOW_END_EVICTED], 1);
    assert_int_equal(tcp_counters(net.tcp).flows, EMPTY_FLOWS);
}

static void test_carrying_flows_at_the_limit(void **state)
{
    (void)state;
    net.quiet = true;
    for (unsigned i = 0; i < CARRYING_FLOWS; i++) {
        struct talk talk = open_talk(i);
        send_number(&talk, CLIENT, 0);
    }
    assert_int_equal(evicted(), 0);
    struct talk talk = open_talk(CARRYING_FLOWS);
    assert_int_equal(evicted(), 0);
    send_number(&talk, CLIENT, 0);
    assert_int_equal(evicted(), 1);
    assert_int_equal(tcp_counters(net.tcp).flows, CARRYING_FLOWS);
}

/* The oldest goes, with what it held. */
static void test_the_evicted_flow_is_the_oldest(void **state)
{
    (void)state;
    struct talk talks[CARRYING_FLOWS + 1];
    net.quiet = true;
    for (unsigned i = 0; i < CARRYING_FLOWS; i++) {
        talks[i] = open_talk(i);
        send_number(&talks[i], CLIENT, i == 0 ? 1 : 0);
    }
    talks[CARRYING_FLOWS] = open_talk(CARRYING_FLOWS);
    net.quiet = false;
    say(&talks[CARRYING_FLOWS], CLIENT, 1, 1, "new");
    char expected[200] = "C-100 C:";
    memset(expected + 8, 'b', SEGMENT);
    strcpy(expected + 8 + SEGMENT, " [evicted] C:new");
    assert_trace(&net, expected);
    say(&talks[1], CLIENT, 1 + SEGMENT, 1, "still here");
    assert_trace(&net, "C:still here");
}

static void test_syn_flood(void **state)
{
    (void)state;
    struct talk talks[CARRYING_FLOWS];
    net.quiet = true;
    for (unsigned i = 0; i < CARRYING_FLOWS; i++) {
        talks[i] = open_talk(i);
        send_number(&talks[i], CLIENT, 0);
    }
    for (unsigned i = 0; i < 1000; i++) {
        struct talk flood = talk_of(100 + i);
        talk_flags(&flood, CLIENT, 0, 0, TCP_SYN, "");
    }
    assert_int_equal(evicted(), 1000 - EMPTY_FLOWS);
    uint64_t before = net.watch.data_bytes;
    for (unsigned i = 0; i < CARRYING_FLOWS; i++) {
        send_number(&talks[i], SERVER, 0);
    }
    assert_int_equal(net.watch.data_bytes - before, CARRYING_FLOWS * SEGMENT);
    assert_int_equal(tcp_counters(net.tcp).flows, MAX_FLOWS);
}

/* Flows that ended linger among those without payload, and are no loss when they go. */
static void test_lingering_flows_give_way_uncounted(void **state)
{
    (void)state;
    net.quiet = true;
    for (unsigned i = 0; i < 100; i++) {
        struct talk talk = open_talk(i);
        send_number(&talk, CLIENT, 0);
        reset(&talk, SERVER, 1);
    }
    assert_int_equal(evicted(), 0);
    assert_int_equal(net.watch.closed[FLOW_END_RESET], 100);
    assert_int_equal(tcp_counters(net.tcp).flows, EMPTY_FLOWS);
}

/* ---- times without number ---- */

/* Thousands of flows with holes that nobody will fill. */
static void test_many_sleepers_cost_little(void **state)
{
    (void)state;
    enum {
        SLEEPERS = 4000
    };
    struct tcp_options options = net_options();
    net_end(&net);
    options.max_flows = 4 * SLEEPERS;
    options.max_held_bytes = 64 << 20;
    net_begin(&net, &options);
    net.quiet = true;
    for (unsigned i = 0; i < SLEEPERS; i++) {
        struct talk talk = open_talk(i);
        send_number(&talk, CLIENT, 1);
    }
    net_pass(&net, 200000);
    assert_int_equal(net.watch.data_bytes, 0);
    for (unsigned i = 0; i < SLEEPERS; i++) {
        struct talk talk = talk_of(i);
        send_number(&talk, CLIENT, 0);
    }
    assert_int_equal(net.watch.data_bytes, 2 * SLEEPERS * SEGMENT);
    assert_int_equal(net.watch.gap_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_holding_up_to_the_bound, begin, end),
        cmocka_unit_test_setup_teardown(test_holding_past_the_bound, begin, end),
        cmocka_unit_test_setup_teardown(test_large_segment_past_the_bound, begin, end),
        cmocka_unit_test_setup_teardown(test_midstream_past_the_bound, begin, end),
        cmocka_unit_test_setup_teardown(test_sleepers_give_way, begin, end),
        cmocka_unit_test_setup_teardown(test_a_sleeper_that_had_ended, begin, end),
        cmocka_unit_test_setup_teardown(test_more_flows_wait_than_there_is_room_for, begin, end),
        cmocka_unit_test_setup_teardown(test_an_answer_without_room, begin, end),
        cmocka_unit_test_setup_teardown(test_handshakes_at_the_limit, begin, end),
        cmocka_unit_test_setup_teardown(test_carrying_flows_at_the_limit, begin, end),
        cmocka_unit_test_setup_teardown(test_the_evicted_flow_is_the_oldest, begin, end),
        cmocka_unit_test_setup_teardown(test_syn_flood, begin, end),
        cmocka_unit_test_setup_teardown(test_lingering_flows_give_way_uncounted, begin, end),
        cmocka_unit_test_setup_teardown(test_many_sleepers_cost_little, begin, end),
    };
    int failed = cmocka_run_group_tests_name("client first", tests, NULL, NULL);
    client_is_second = true;
    return failed + cmocka_run_group_tests_name("client second", tests, NULL, NULL);
}
