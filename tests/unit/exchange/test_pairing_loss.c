#include "tests/support/mutation.h"
#include "tests/support/observer.h"
#include "tests/support/random_talk.h"
#include "tests/unit/exchange/property.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/*
 * Random conversations of which the capture missed packets. Every exchange carries its id in its
 * target and in its status, so a wrong pair shows; every request that is not reported must lie in
 * bytes that were counted as missed. VETHSCOPE_SEED=N plays others.
 */

#define CONNECTIONS 1000
/* Of these, mostly at 5 % of lost packets: several that belong together have to be lost, and a body
 * has to quote a request at the beginning of a packet, or a client to go on as if it had waited. */
#define DECEIVED_MAX (CONNECTIONS / 500)

static struct observer observer;

/* What one connection was reported as. */
struct verdict {
    const struct talk *talk;
    bool paired[TALK_EXCHANGES_MAX];
    bool seen[TALK_EXCHANGES_MAX]; /* the request, paired or alone */
    unsigned wrong;
    unsigned quoted; /* requests that were only quoted in a body */
};

struct tally {
    uint64_t exchanges;
    uint64_t captured; /* exchanges of which both heads were captured */
    uint64_t reported; /* these as pairs */
    uint64_t wrong;
    uint64_t quoted;   /* requests that nobody sent, in connections: */
    uint64_t deceived; /* that show something that is not true */
    uint64_t uncounted;
};

static bool read_index(const struct talk *talk, struct slice target, unsigned *index_out)
{
    static const char prefix[] = "/r/";
    size_t skip = sizeof(prefix) - 1;
    char digits[16] = {0};
    if (target.length <= skip || target.length - skip >= sizeof(digits) ||
        memcmp(target.data, prefix, skip) != 0) {
        return false;
    }
    memcpy(digits, target.data + skip, target.length - skip);
    *index_out = (unsigned)(strtoul(digits, NULL, 10) - talk->first_id);
    return *index_out < talk->count;
}

static void on_exchange(void *context, const struct exchange *exchange)
{
    struct verdict *verdict = context;
    unsigned index = 0;
    if (exchange->target.data == NULL) {
        return;
    }
    if (!read_index(verdict->talk, exchange->target, &index)) {
        verdict->quoted++;
        verdict->wrong += exchange->status != EXCHANGE_STATUS_UNKNOWN;
        return;
    }
    if (verdict->seen[index]) {
        verdict->wrong++;
        return;
    }
    const struct talk_exchange *truth = &verdict->talk->exchanges[index];
    bool timed = exchange->response_start_ns != EXCHANGE_TIME_UNKNOWN;
    verdict->seen[index] = true;
    verdict->paired[index] = exchange->status != EXCHANGE_STATUS_UNKNOWN;
    if (verdict->paired[index] &&
        (exchange->status != truth->status ||
         (timed && exchange->response_start_ns != truth->response_start_ns))) {
        verdict->wrong++;
    }
}

static bool range_kept(const bool *kept, const size_t range[2])
{
    for (size_t i = range[0]; i <= range[1]; i++) {
        if (!kept[i]) {
            return false;
        }
    }
    return true;
}

/* The first packet by which a flow is known: without it nobody can tell what was missed before. */
static size_t first_known(const struct talk *talk, const bool *kept)
{
    size_t i = 0;
    while (i < talk->wire.count &&
           (!kept[i] || (talk->wire.packets[i].segment.payload_length == 0 &&
                         (talk->wire.packets[i].segment.flags & TCP_SYN) == 0))) {
        i++;
    }
    return i;
}

static void count(struct tally *tally, const struct verdict *verdict, const bool *kept)
{
    const struct talk *talk = verdict->talk;
    size_t known = first_known(talk, kept);
    uint64_t unseen_bytes = 0;
    for (unsigned i = 0; i < talk->count; i++) {
        const struct talk_exchange *truth = &talk->exchanges[i];
        bool both = range_kept(kept, truth->request_head) && range_kept(kept, truth->response_head);
        tally->exchanges++;
        tally->captured += both;
        tally->reported += both && verdict->paired[i];
        if (!verdict->seen[i] && truth->request_head[0] > known) {
            unseen_bytes += truth->request_head_bytes;
        }
    }
    uint64_t accounted = observer.missed_bytes;
    for (unsigned i = 0; i < OBSERVER_PROTOCOLS; i++) {
        accounted += observer.protocols[i].bytes;
    }
    tally->uncounted += unseen_bytes > accounted;
    tally->wrong += verdict->wrong;
    tally->quoted += verdict->quoted;
    tally->deceived += verdict->quoted + verdict->wrong > 0;
}

struct conditions {
    const char *name;
    enum talk_style style;
    double loss_percent;
    unsigned window; /* of reordering; 0: none */
    bool midstream;  /* the capture begins somewhere in the connection */
};

/* Takes the packets out that the capture missed. */
static void lose(const struct conditions *conditions, struct wire *wire, bool *kept,
                 struct random_source *random)
{
    size_t begin = conditions->midstream ? random_below(random, (uint32_t)wire->count) : 0;
    size_t left = 0;
    for (size_t i = 0; i < wire->count; i++) {
        kept[i] = i >= begin && !random_chance(random, conditions->loss_percent);
        if (kept[i]) {
            wire->packets[left++] = wire->packets[i];
        }
    }
    wire->count = left;
}

static void play(const struct conditions *conditions, uint64_t seed, struct tally *tally)
{
    static struct talk talk;
    static bool kept[1 << 16];
    struct random_source random = random_from(seed);
    unsigned exchanges = 1 + random_below(&random, TALK_EXCHANGES_MAX);
    talk_make(&talk, conditions->style, exchanges, 1 + seed % 1000 * 100, &random);
    struct wire captured = mutation_cut(&talk.wire, SIZE_MAX / 2, &random);
    assert_in_range(captured.count, 1, sizeof(kept));
    lose(conditions, &captured, kept, &random);
    if (conditions->window > 0) {
        mutation_reorder(&captured, conditions->window, &random);
    }
    struct verdict verdict = {.talk = &talk};
    observer_reset(&observer);
    observer.context = &verdict;
    for (size_t i = 0; i < captured.count; i++) {
        wire_deliver(&captured, &captured.packets[i], observer.tcp);
    }
    tcp_finish(observer.tcp);
    uint64_t wrong = tally->wrong;
    count(tally, &verdict, kept);
    const char *leak = observer_leak(&observer);
    if (leak != NULL || tally->wrong != wrong) {
        print_message("seed %" PRIu64 ": %" PRIu64 " wrong, %s\n", seed, tally->wrong - wrong,
                      leak == NULL ? "" : leak);
    }
    assert_null(leak);
    wire_fini(&captured);
    talk_fini(&talk);
}

static double play_all(const struct conditions *conditions, struct tally *tally)
{
    uint64_t seed = property_seed();
    uint64_t connections = property_fewer_cases(CONNECTIONS);
    for (uint64_t i = 0; i < connections; i++) {
        play(conditions, seed + i, tally);
    }
    double share = 100.0 * (double)tally->reported / (double)tally->captured;
    print_message("%-9s %s loss %g %%, reordered by %2u: %6" PRIu64 " exchanges, %6" PRIu64
                  " captured, %8.4f %% of them reported, %" PRIu64 " wrong, %" PRIu64
                  " quoted, %" PRIu64 " uncounted\n",
                  conditions->name, conditions->midstream ? "midstream," : "",
                  conditions->loss_percent, conditions->window, tally->exchanges, tally->captured,
                  share, tally->wrong, tally->quoted, tally->uncounted);
    return share;
}

/* Clients that wait for each answer: at least 99.9 % of what was captured, and nothing wrong. */
static void test_in_turn(void **state)
{
    (void)state;
    static const double losses[] = {0, 1, 5};
    static const unsigned windows[] = {0, 1, 8, 64};
    for (size_t loss = 0; loss < 3; loss++) {
        for (size_t window = 0; window < 4; window++) {
            struct tally tally = {0};
            struct conditions conditions = {"in turn", TALK_IN_TURN, losses[loss], windows[window],
                                            false};
            double share = play_all(&conditions, &tally);
            assert_int_equal(tally.wrong, 0);
            assert_in_range(tally.deceived, 0, losses[loss] > 1 ? DECEIVED_MAX : 0);
            assert_int_equal(tally.uncounted, 0);
            assert_true(losses[loss] == 0 ? share == 100.0 : share >= 99.9);
        }
    }
}

/* What is certain is reported, what is not is not: nothing is wrong. Only a client that keeps
 * several requests open can deceive: its first requests lost together, it asks and is answered in
 * turn from then on, and no packet says that each answer is to the request before the last. */
static void test_pipelining(void **state)
{
    (void)state;
    static const char *const names[] = {"in turn", "bursts", "window", "random"};
    static const double losses[] = {0, 1, 5};
    for (unsigned style = TALK_BURSTS; style < TALK_STYLES; style++) {
        for (size_t loss = 0; loss < 3; loss++) {
            for (unsigned window = 0; window <= 64; window += 64) {
                struct tally tally = {0};
                struct conditions conditions = {names[style], (enum talk_style)style, losses[loss],
                                                window, false};
                double share = play_all(&conditions, &tally);
                bool deceives = (style == TALK_WINDOW && losses[loss] > 0) ||
                                (style == TALK_RANDOM && losses[loss] > 1);
                assert_in_range(tally.deceived, 0, deceives ? DECEIVED_MAX : 0);
                assert_int_equal(tally.uncounted, 0);
                assert_true(losses[loss] > 0 || share == 100.0);
            }
        }
    }
}

/* The capture begins within a connection: what is missing before nobody knows, and the first bytes
 * may be those of a body that quotes a request. */
static void test_midstream(void **state)
{
    (void)state;
    for (unsigned loss = 0; loss <= 5; loss += 5) {
        struct tally tally = {0};
        struct conditions conditions = {"in turn", TALK_IN_TURN, loss, 0, true};
        double share = play_all(&conditions, &tally);
        assert_int_equal(tally.wrong, 0);
        assert_true(share >= 98.0);
    }
}

static int begin(void **state)
{
    (void)state;
    observer_init(&observer, NULL);
    observer.exchange = on_exchange;
    return 0;
}

static int end(void **state)
{
    (void)state;
    observer_fini(&observer);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_turn),
        cmocka_unit_test(test_pipelining),
        cmocka_unit_test(test_midstream),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
