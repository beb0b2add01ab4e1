#include "tests/unit/tcp/talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- one direction ---- */

static void test_in_order_without_copying(void **state)
{
    (void)state;
    say(&talk, CLIENT, 1, 1, "GET ");
    say(&talk, CLIENT, 5, 1, "/");
    acknowledge(&talk, SERVER, 1, 6);
    say(&talk, SERVER, 1, 6, "200");
    acknowledge(&talk, CLIENT, 6, 4);
    assert_trace(&net, "C:GET  C:/ S:200");
    assert_int_equal(net.copied, 0);
}

static void test_reordering(void **state)
{
    (void)state;
    say(&talk, CLIENT, 7, 1, "ghi");
    say(&talk, CLIENT, 4, 1, "def");
    say(&talk, CLIENT, 10, 1, "jkl");
    assert_trace(&net, "");
    say(&talk, CLIENT, 1, 1, "abc");
    assert_trace(&net, "C:abc C:def C:ghi C:jkl");
    assert_int_equal(net.copied, 9);
}

/* Once the hole is filled, what follows passes without a copy again. */
static void test_after_reordering_nothing_is_copied(void **state)
{
    (void)state;
    say(&talk, CLIENT, 4, 1, "def");
    say(&talk, CLIENT, 1, 1, "abc");
    net.copied = 0;
    say(&talk, CLIENT, 7, 1, "ghi");
    assert_trace(&net, "C:abc C:def C:ghi");
    assert_int_equal(net.copied, 0);
}

static void test_duplicates(void **state)
{
    (void)state;
    say(&talk, CLIENT, 1, 1, "abc");
    say(&talk, CLIENT, 1, 1, "abc");
    assert_trace(&net, "C:abc C+3");
    say(&talk, CLIENT, 7, 1, "ghi");
    say(&talk, CLIENT, 7, 1, "ghi");
    assert_trace(&net, "C+3");
    say(&talk, CLIENT, 4, 1, "def");
    assert_trace(&net, "C:def C:ghi");
}

static void test_overlap_with_delivered(void **state)
{
    (void)state;
    say(&talk, CLIENT, 1, 1, "abcdef");
    say(&talk, CLIENT, 4, 1, "defghi");
    assert_trace(&net, "C:abcdef C+3 C:ghi");
    say(&talk, CLIENT, 2, 1, "bcd");
    assert_trace(&net, "C+3");
    say(&talk, CLIENT, 1, 1, "abcdefghijkl");
    assert_trace(&net, "C+9 C:jkl");
}

static void test_overlap_with_held(void **state)
{
    (void)state;
    say(&talk, CLIENT, 4, 1, "def");
    say(&talk, CLIENT, 2, 1, "bcdefgh");
    assert_trace(&net, "C+3");
    say(&talk, CLIENT, 5, 1, "efg");
    assert_trace(&net, "C+3");
    say(&talk, CLIENT, 1, 1, "ab");
    assert_trace(&net, "C:a C+1 C:bc C:def C:gh");
}

static void test_overlap_over_several_held(void **state)
{
    (void)state;
    say(&talk, CLIENT, 3, 1, "c");
    say(&talk, CLIENT, 9, 1, "i");
    say(&talk, CLIENT, 6, 1, "fg");
    say(&talk, CLIENT, 2, 1, "bcdefghijk");
    assert_trace(&net, "C+4");
    say(&talk, CLIENT, 1, 1, "a");
    assert_trace(&net, "C:a C:b C:c C:de C:fg C:h C:i C:jk");
}

/* The first copy of a byte wins, and whoever says otherwise is counted. */
static void test_conflicts_with_held(void **state)
{
    (void)state;
    say(&talk, CLIENT, 4, 1, "def");
    say(&talk, CLIENT, 2, 1, "bcDeFgh");
    assert_trace(&net, "C!2 C+3");
    say(&talk, CLIENT, 4, 1, "xyz");
    assert_trace(&net, "C!3 C+3");
    say(&talk, CLIENT, 1, 1, "a");
    assert_trace(&net, "C:a C:bc C:def C:gh");
}

/* A cut segment has no bytes to disagree with. */
static void test_no_conflict_with_what_was_not_captured(void **state)
{
    (void)state;
    talk_cut(&talk, CLIENT, 4, 1, TCP_PSH, cut("de", 2, 6));
    say(&talk, CLIENT, 4, 1, "dxyzzy");
    assert_trace(&net, "C!1 C+6");
    say(&talk, CLIENT, 1, 1, "abc");
    assert_trace(&net, "C:abc C:de C~4");
}

/* Neither a keep-alive nor a probe of a closed window is a retransmission. */
static void test_keep_alive_and_window_probes(void **state)
{
    (void)state;
    acknowledge(&talk, CLIENT, 0, 1);
    talk_flags(&talk, CLIENT, 0, 1, 0, "\x01");
    acknowledge(&talk, SERVER, 1, 1);
    say(&talk, CLIENT, 1, 1, "abc");
    acknowledge(&talk, SERVER, 1, 4);
    acknowledge(&talk, CLIENT, 3, 1);
    talk_flags(&talk, CLIENT, 3, 1, 0, "c");
    acknowledge(&talk, SERVER, 1, 4);
    assert_trace(&net, "C:abc");
    talk_flags(&talk, CLIENT, 4, 1, 0, "d"); /* a probe with a byte that finds no room */
    acknowledge(&talk, SERVER, 1, 4);
    say(&talk, CLIENT, 4, 1, "def");
    assert_trace(&net, "C:d C+1 C:ef");
}

/* ---- both directions ---- */

static void test_answer_captured_before_the_question(void **state)
{
    (void)state;
    say(&talk, SERVER, 1, 4, "200");
    assert_trace(&net, "");
    say(&talk, CLIENT, 1, 1, "GET");
    assert_trace(&net, "C:GET S:200");
}

static void test_a_conversation_captured_backwards(void **state)
{
    (void)state;
    say(&talk, SERVER, 7, 10, "two");
    say(&talk, CLIENT, 7, 7, "2");
    say(&talk, SERVER, 4, 7, "one");
    say(&talk, CLIENT, 4, 4, "1ab");
    say(&talk, CLIENT, 8, 7, "ab");
    say(&talk, SERVER, 1, 4, "nil");
    assert_trace(&net, "");
    say(&talk, CLIENT, 1, 1, "0ab");
    assert_trace(&net, "C:0ab S:nil C:1ab S:one C:2 C:ab S:two");
}

/* What only the answer's second segment acknowledges does not hold back the first. */
static void test_each_segment_waits_for_what_it_acknowledges(void **state)
{
    (void)state;
    say(&talk, CLIENT, 1, 1, "abc");
    say(&talk, SERVER, 4, 7, "two");
    say(&talk, SERVER, 1, 4, "one");
    assert_trace(&net, "C:abc S:one");
    say(&talk, CLIENT, 4, 1, "def");
    assert_trace(&net, "C:def S:two");
}

/* A bare acknowledgment of what was not captured yet only proves that it was sent. */
static void test_early_acknowledgment(void **state)
{
    (void)state;
    acknowledge(&talk, SERVER, 1, 4);
    say(&talk, CLIENT, 1, 1, "abc");
    net.copied = 0;
    say(&talk, CLIENT, 4, 1, "def");
    assert_trace(&net, "C:abc C:def");
    assert_int_equal(net.copied, 0);
    net_pass(&net, 2 * PATIENCE);
    assert_trace(&net, "");
}

/* ---- sizes ---- */

static char *pattern(uint32_t length)
{
    char *bytes = malloc(length);
    assert_non_null(bytes);
    for (uint32_t i = 0; i < length; i++) {
        bytes[i] = (char)(i * 31 + i / 251);
    }
    return bytes;
}

static uint8_t sum_of(const char *bytes, uint32_t length)
{
    uint8_t sum = 0;
    for (uint32_t i = 0; i < length; i++) {
        sum = (uint8_t)(sum + (uint8_t)bytes[i]);
    }
    return sum;
}

/* Segments as offload makes them, up to BIG TCP's half a mebibyte. */
static void test_large_segments(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {1948, 1949, 1950, 65483, 200000, 524288};
    struct tcp_options options = net_options();
    net_end(&net);
    options.max_held_bytes = 4 << 20;
    net_begin(&net, &options);
    handshake(&talk);
    net.quiet = true;
    uint32_t at = 1;
    uint64_t delivered = 0;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        char *bytes = pattern(lengths[i]);
        net.watch.sum = 0;
        talk_cut(&talk, CLIENT, at + 1, 1, 0, whole(bytes + 1, lengths[i] - 1));
        assert_int_equal(net.watch.data_bytes, delivered);
        talk_cut(&talk, CLIENT, at, 1, 0, whole(bytes, 1));
        delivered += lengths[i];
        assert_int_equal(net.watch.data_bytes, delivered);
        assert_int_equal(net.watch.sum, sum_of(bytes, lengths[i]));
        at += lengths[i];
        net.copied = 0;
        talk_cut(&talk, CLIENT, at, 1, 0, whole(bytes, lengths[i]));
        delivered += lengths[i];
        assert_int_equal(net.watch.data_bytes, delivered);
        assert_int_equal(net.copied, 0);
        at += lengths[i];
        free(bytes);
    }
    assert_int_equal(net.watch.gap_bytes, 0);
}

/* ---- segments that the capture cut short ---- */

static void test_truncated_in_order(void **state)
{
    (void)state;
    talk_cut(&talk, CLIENT, 1, 1, TCP_PSH, cut("abc", 3, 100));
    say(&talk, CLIENT, 101, 1, "def");
    talk_cut(&talk, CLIENT, 104, 1, TCP_PSH, cut("", 0, 50));
    say(&talk, SERVER, 1, 154, "200");
    assert_trace(&net, "C:abc C~97 C:def C~50 S:200");
}

static void test_truncated_out_of_order(void **state)
{
    (void)state;
    talk_cut(&talk, CLIENT, 4, 1, TCP_PSH, cut("def", 3, 60000));
    talk_cut(&talk, CLIENT, 60004, 1, TCP_PSH, cut("", 0, 7));
    say(&talk, CLIENT, 1, 1, "abc");
    say(&talk, CLIENT, 60011, 1, "ghi");
    assert_trace(&net, "C:abc C:def C~59997 C~7 C:ghi");
}

/* Of a large segment more than one node's worth may have been captured. */
static void test_truncated_large_segment(void **state)
{
    (void)state;
    net.quiet = true;
    char *bytes = pattern(5000);
    talk_cut(&talk, CLIENT, 2, 1, TCP_PSH, cut(bytes, 5000, 64000));
    talk_cut(&talk, CLIENT, 1, 1, TCP_PSH, whole("a", 1));
    assert_int_equal(net.watch.data_bytes, 5001);
    assert_int_equal(net.watch.gap_bytes, 59000);
    assert_int_equal(net.watch.sum, (uint8_t)(sum_of(bytes, 5000) + 'a'));
    free(bytes);
}

/* What a cut segment left out is not taken from a later copy: the gap was told. */
static void test_truncated_and_sent_again(void **state)
{
    (void)state;
    talk_cut(&talk, CLIENT, 1, 1, TCP_PSH, cut("abc", 3, 6));
    say(&talk, CLIENT, 1, 1, "abcdefgh");
    assert_trace(&net, "C:abc C~3 C+6 C:gh");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_in_order_without_copying, begin, end),
        cmocka_unit_test_setup_teardown(test_reordering, begin, end),
        cmocka_unit_test_setup_teardown(test_after_reordering_nothing_is_copied, begin, end),
        cmocka_unit_test_setup_teardown(test_duplicates, begin, end),
        cmocka_unit_test_setup_teardown(test_overlap_with_delivered, begin, end),
        cmocka_unit_test_setup_teardown(test_overlap_with_held, begin, end),
        cmocka_unit_test_setup_teardown(test_overlap_over_several_held, begin, end),
        cmocka_unit_test_setup_teardown(test_conflicts_with_held, begin, end),
        cmocka_unit_test_setup_teardown(test_no_conflict_with_what_was_not_captured, begin, end),
        cmocka_unit_test_setup_teardown(test_keep_alive_and_window_probes, begin, end),
        cmocka_unit_test_setup_teardown(test_answer_captured_before_the_question, begin, end),
        cmocka_unit_test_setup_teardown(test_a_conversation_captured_backwards, begin, end),
        cmocka_unit_test_setup_teardown(test_each_segment_waits_for_what_it_acknowledges, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_early_acknowledgment, begin, end),
        cmocka_unit_test_setup_teardown(test_large_segments, begin, end),
        cmocka_unit_test_setup_teardown(test_truncated_in_order, begin, end),
        cmocka_unit_test_setup_teardown(test_truncated_out_of_order, begin, end),
        cmocka_unit_test_setup_teardown(test_truncated_large_segment, begin, end),
        cmocka_unit_test_setup_teardown(test_truncated_and_sent_again, begin, end),
    };
    int failed = cmocka_run_group_tests_name("client first", tests, NULL, NULL);
    client_is_second = true;
    return failed + cmocka_run_group_tests_name("client second", tests, NULL, NULL);
}
