#include "agent/tcp/tcp.h"
#include "tests/support/tcp_watch.h"
#include "tests/unit/tcp/random_talk.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*
 * Whatever the capture does to a conversation, what is delivered of it is right, and with nothing
 * lost it is everything. A failure prints the seed of its case; VETHSCOPE_TEST_SEED=<seed> runs
 * that case first, VETHSCOPE_TEST_CASES=<number> says how many.
 */
#define CASES 50000 /* of each of the two properties */

enum fate {
    FATE_NONE,
    FATE_DATA,
    FATE_GAP
};

/* What became of each byte; one more for a FIN that is taken for a byte. */
struct outcome {
    const struct random_talk *talk;
    uint8_t fates[2][RANDOM_STREAM + 1];
    bool finished[2];
    unsigned flows;
    bool swapped; /* side 0 of the talk is side 1 of the flow */
};

static uint64_t running_seed;

static void print_seed(void)
{
    if (running_seed != 0) {
        fprintf(stderr, "failed with VETHSCOPE_TEST_SEED=%llu\n",
                (unsigned long long)(running_seed - 1));
        running_seed = 0;
    }
}

static int say_seed(void **state)
{
    (void)state;
    print_seed();
    return 0;
}

/* The watch aborts; nothing else runs then. */
static void on_abort(int signal_number)
{
    (void)signal_number;
    print_seed();
}

static unsigned side_in_talk(const struct outcome *outcome, unsigned side)
{
    return outcome->swapped ? 1 - side : side;
}

static uint32_t place_in_talk(const struct outcome *outcome, const struct flow *flow, unsigned side,
                              uint64_t offset)
{
    uint32_t sequence = flow->streams[side].origin + (uint32_t)(offset - STREAM_ORIGIN);
    return sequence - outcome->talk->isn[side_in_talk(outcome, side)] - 1;
}

static void note(struct outcome *outcome, unsigned side, uint32_t place, uint64_t length,
                 enum fate fate)
{
    assert_true(place + length <= outcome->talk->length[side] + (fate == FATE_GAP ? 1u : 0u));
    for (uint64_t i = 0; i < length; i++) {
        assert_int_equal(outcome->fates[side][place + i], FATE_NONE);
        outcome->fates[side][place + i] = (uint8_t)fate;
    }
}

static void on_data(void *context, struct flow *flow, unsigned side, const struct stream_data *data)
{
    struct outcome *outcome = context;
    unsigned own = side_in_talk(outcome, side);
    uint32_t place = place_in_talk(outcome, flow, side, data->offset);
    note(outcome, own, place, data->length, FATE_DATA);
    for (uint32_t i = 0; i < data->length; i++) {
        assert_int_equal((uint8_t)data->bytes[i], random_talk_byte(outcome->talk, own, place + i));
    }
}

static void on_gap(void *context, struct flow *flow, unsigned side, uint64_t length,
                   int64_t time_ns)
{
    struct outcome *outcome = context;
    assert_int_equal(time_ns, TCP_TIME_UNKNOWN);
    uint64_t offset = flow->streams[side].next - length;
    note(outcome, side_in_talk(outcome, side), place_in_talk(outcome, flow, side, offset), length,
         FATE_GAP);
}

static void on_finished(void *context, struct flow *flow, unsigned side, int64_t time_ns)
{
    (void)flow;
    (void)time_ns;
    struct outcome *outcome = context;
    outcome->finished[side_in_talk(outcome, side)] = true;
}

static void on_closed(void *context, struct flow *flow, enum flow_end end, unsigned side,
                      int64_t time_ns)
{
    (void)flow;
    (void)end;
    (void)side;
    (void)time_ns;
    struct outcome *outcome = context;
    outcome->flows++;
}

/* ---- running ---- */

static void send_packet(struct tcp *tcp, const struct outcome *outcome,
                        const struct random_packet *packet, int64_t time_ns)
{
    const struct random_talk *talk = outcome->talk;
    uint8_t payload[RANDOM_STREAM];
    for (uint32_t i = 0; i < packet->length; i++) {
        payload[i] = random_talk_byte(talk, packet->side, packet->at + i);
    }
    bool low = (packet->side == 0) != outcome->swapped;
    const uint8_t source[4] = {10, 0, 0, low ? 1 : 2};
    const uint8_t destination[4] = {10, 0, 0, low ? 2 : 1};
    unsigned flags = (packet->syn ? TCP_SYN : 0u) | (packet->fin ? TCP_FIN : 0u) |
                     (packet->has_ack ? TCP_ACK : 0u);
    struct segment segment = {
        .time_ns = time_ns,
        .source = {address_from_ipv4(source), packet->side == 0 ? 40000 : 80},
        .destination = {address_from_ipv4(destination), packet->side == 0 ? 80 : 40000},
        .sequence = talk->isn[packet->side] + packet->at + (packet->syn ? 0 : 1),
        .acknowledgment = talk->isn[1 - packet->side] + packet->ack + 1,
        .payload_length = packet->length,
        .payload_captured = packet->length,
        .payload = payload,
        .flags = (uint8_t)flags};
    tcp_segment(tcp, &segment);
}

static void run(struct outcome *outcome, struct tcp_watch *watch, uint32_t patience)
{
    *watch = (struct tcp_watch){.next = {.context = outcome,
                                         .data = on_data,
                                         .gap = on_gap,
                                         .finished = on_finished,
                                         .closed = on_closed}};
    struct tcp_options options = {.max_flows = 16,
                                  .max_held_bytes = 2 << 20,
                                  .user_size = sizeof(struct tcp_watched),
                                  .idle_ns = INT64_C(60000000000),
                                  .reorder_packets = patience};
    struct tcp_handler handler = tcp_watch_handler(watch);
    struct tcp *tcp = tcp_new(&options, &handler);
    assert_non_null(tcp);
    const struct random_talk *talk = outcome->talk;
    for (unsigned i = 0; i < talk->count; i++) {
        send_packet(tcp, outcome, &talk->packets[i], 1000 * (int64_t)i);
    }
    tcp_finish(tcp);
    struct tcp_counters counters = tcp_counters(tcp);
    assert_int_equal(counters.evicted + counters.held_refused + counters.out_of_window, 0);
    tcp_free(tcp);
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *asked = getenv(name);
    return asked != NULL ? strtoull(asked, NULL, 0) : otherwise;
}

static void run_cases(void (*run_case)(uint64_t seed))
{
    uint64_t first = number_of("VETHSCOPE_TEST_SEED", 1);
    uint64_t cases = number_of("VETHSCOPE_TEST_CASES", CASES);
    print_message("%llu cases from seed %llu\n", (unsigned long long)cases,
                  (unsigned long long)first);
    for (uint64_t seed = first; seed < first + cases; seed++) {
        running_seed = seed + 1;
        run_case(seed);
    }
    running_seed = 0;
}

/* ---- nothing lost ---- */

/* A packet is overtaken by at most twice the window: one more, and patience is enough. */
static uint32_t patience_for(unsigned window)
{
    return 2 * window + 1;
}

static void run_reordered_case(uint64_t seed)
{
    static struct random_talk talk;
    random_talk_make(&talk, seed);
    unsigned window = random_pick(&talk, 3) == 0 ? 0 : 1 + random_pick(&talk, 64);
    random_talk_capture(&talk, window, 0);
    struct outcome outcome = {.talk = &talk, .swapped = random_pick(&talk, 2) == 0};
    struct tcp_watch watch;
    run(&outcome, &watch, patience_for(window));
    for (unsigned side = 0; side < 2; side++) {
        for (uint32_t i = 0; i < talk.length[side]; i++) {
            assert_int_equal(outcome.fates[side][i], FATE_DATA);
        }
        assert_int_equal(outcome.fates[side][talk.length[side]], FATE_NONE);
    }
    assert_int_equal(watch.gap_bytes, 0);
    assert_int_equal(watch.conflicting_bytes, 0);
    assert_int_equal(outcome.flows, 1);
    if (talk.handshake) {
        assert_int_equal(watch.closed[FLOW_END_FIN], 1);
        assert_true(outcome.finished[0] && outcome.finished[1]);
    }
}

static void test_reordered_and_repeated(void **state)
{
    (void)state;
    run_cases(run_reordered_case);
}

/* ---- packets lost ---- */

/* What the capture has of a stream, by the place of the packet that showed it. */
struct proof {
    unsigned byte_at[RANDOM_STREAM + 1];  /* the first packet that carried the byte */
    unsigned acked_at[RANDOM_STREAM + 2]; /* the first that acknowledged so many bytes */
    uint32_t bytes_to;                    /* behind the last captured byte */
    uint32_t acked_to;
    bool fin;
    bool seen; /* any packet of this side */
};

static void prove(const struct random_talk *talk, unsigned side, struct proof *proof)
{
    memset(proof, 0xff, sizeof(*proof));
    proof->bytes_to = 0;
    proof->acked_to = 0;
    proof->fin = false;
    proof->seen = false;
    unsigned first = 0; /* bare acknowledgments open no flow */
    while (first < talk->count && talk->packets[first].length == 0 && !talk->packets[first].syn &&
           !talk->packets[first].fin) {
        first++;
    }
    for (unsigned i = first; i < talk->count; i++) {
        const struct random_packet *packet = &talk->packets[i];
        if (packet->side == side) {
            proof->seen = true;
            proof->fin = proof->fin || packet->fin;
            for (uint32_t at = packet->at; packet->length > 0 && at < packet->at + packet->length;
                 at++) {
                proof->byte_at[at] = proof->byte_at[at] < i ? proof->byte_at[at] : i;
            }
            uint32_t to = packet->length > 0 ? packet->at + packet->length : 0;
            proof->bytes_to = to > proof->bytes_to ? to : proof->bytes_to;
        } else if (packet->has_ack) {
            for (uint32_t at = 0; at <= packet->ack; at++) {
                proof->acked_at[at] = proof->acked_at[at] < i ? proof->acked_at[at] : i;
            }
            proof->acked_to = packet->ack > proof->acked_to ? packet->ack : proof->acked_to;
        }
    }
}

/* Otherwise a stream starts with what there is. */
static bool starts_with_syn(const struct random_talk *talk, unsigned side)
{
    return talk->count > side && talk->packets[side].syn && talk->packets[side].side == side;
}

/* Captured bytes are missing only if they came later than patience lasts. */
static void assert_fate(const struct random_talk *talk, const struct proof *proof, uint32_t at,
                        enum fate fate, uint32_t patience)
{
    bool captured = at < talk->length[0] + talk->length[1] && proof->byte_at[at] != UINT32_MAX;
    if (fate == FATE_DATA) {
        assert_true(captured);
    } else if (fate == FATE_GAP && captured) {
        uint64_t proven_at = proof->acked_at[at + 1];
        assert_true(proof->byte_at[at] >= proven_at + patience);
    }
}

static void check_lossy_side(const struct outcome *outcome, unsigned side, uint32_t patience)
{
    static struct proof proof;
    static struct proof other;
    const struct random_talk *talk = outcome->talk;
    const uint8_t *fates = outcome->fates[side];
    prove(talk, side, &proof);
    prove(talk, 1 - side, &other);
    uint32_t start = 0;
    while (start <= talk->length[side] && fates[start] == FATE_NONE) {
        start++;
    }
    uint32_t end = start;
    while (end <= talk->length[side] && fates[end] != FATE_NONE) {
        if (other.seen) {
            assert_fate(talk, &proof, end, fates[end], patience);
        }
        end++;
    }
    for (uint32_t at = end; at <= talk->length[side]; at++) {
        assert_int_equal(fates[at], FATE_NONE); /* one run: no hole between */
    }
    /* Everything that a captured packet proves: bytes, a FIN, acknowledgments; of those one byte
     * less, as that of one byte more looks like that of a FIN. */
    uint32_t acked = proof.acked_to < talk->length[side] ? proof.acked_to : talk->length[side];
    uint32_t proven = acked > proof.bytes_to + 1 ? acked - 1 : proof.bytes_to;
    proven = proof.fin ? talk->length[side] : proven;
    if (starts_with_syn(talk, side)) {
        assert_true(start == 0 || proven == 0);
        assert_true(end >= proven);
    }
    if (end > start) {
        assert_true(end >= proven);
        assert_true(end <= talk->length[side] || proof.acked_to > talk->length[side]);
    }
}

static void run_lossy_case(uint64_t seed)
{
    static struct random_talk talk;
    static const unsigned losses[] = {10, 50, 200, 500};
    random_talk_make(&talk, seed ^ UINT64_C(0x5555555500000000));
    unsigned window = random_pick(&talk, 2) == 0 ? 0 : 1 + random_pick(&talk, 64);
    unsigned lost = losses[random_pick(&talk, 4)];
    random_talk_capture(&talk, window, lost);
    struct outcome outcome = {.talk = &talk, .swapped = random_pick(&talk, 2) == 0};
    struct tcp_watch watch;
    uint32_t patience = patience_for(window);
    run(&outcome, &watch, patience);
    check_lossy_side(&outcome, 0, patience);
    check_lossy_side(&outcome, 1, patience);
}

static void test_packets_lost(void **state)
{
    (void)state;
    run_cases(run_lossy_case);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_reordered_and_repeated, say_seed),
        cmocka_unit_test_teardown(test_packets_lost, say_seed),
    };
    signal(SIGABRT, on_abort);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
