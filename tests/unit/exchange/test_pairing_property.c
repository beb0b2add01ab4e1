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
 * However the same bytes are cut into packets, repeated, overlapped and shuffled, they are the same
 * exchanges. VETHSCOPE_SEED=N plays others; a failure prints the seed of its conversation.
 */

/* Of each of the two tests, under sanitizers too. */
#define CASES 50000

static struct observer observer;
static uint64_t cases;

static const char *play(const struct wire *wire)
{
    observer_reset(&observer);
    for (size_t i = 0; i < wire->count; i++) {
        wire_deliver(wire, &wire->packets[i], observer.tcp);
    }
    tcp_finish(observer.tcp);
    observer_summarize(&observer);
    return observer.text;
}

struct reference {
    uint64_t seed;
    char text[OBSERVER_TEXT_SIZE];
};

static void check(const struct reference *reference, const struct wire *wire, const char *how,
                  size_t number)
{
    const char *text = play(wire);
    const char *leak = observer_leak(&observer);
    cases++;
    if (strcmp(text, reference->text) != 0 || leak != NULL) {
        print_error("seed %" PRIu64 ", %s %zu: %s\nis:\n%sshould be:\n%s", reference->seed, how,
                    number, leak == NULL ? "" : leak, text, reference->text);
        fail();
    }
}

/* What it should be, from the conversation itself. */
static void expect(const struct talk *talk, struct reference *reference)
{
    size_t length = 0;
    for (unsigned i = 0; i < talk->count; i++) {
        const struct talk_exchange *exchange = &talk->exchanges[i];
        char line[64];
        snprintf(line, sizeof(line), " /r/%u %u complete %" PRIu64 ">%" PRIu64, exchange->id,
                 exchange->status, exchange->request_body, exchange->response_body);
        const char *found = strstr(reference->text + length, line);
        if (found == NULL) {
            print_error("seed %" PRIu64 ": %s is not in\n%s", reference->seed, line,
                        reference->text);
            fail();
        }
    }
    assert_int_equal(observer.exchanges, talk->count);
}

static void make(struct talk *talk, struct reference *reference, unsigned max_exchanges)
{
    static struct random_source random;
    random = random_from(reference->seed);
    enum talk_style style = (enum talk_style)random_below(&random, TALK_STYLES);
    talk_make(talk, style, 1 + random_below(&random, max_exchanges), 1, &random);
    strcpy(reference->text, play(&talk->wire));
    expect(talk, reference);
}

static void check_cut_everywhere(const struct reference *reference, const struct wire *wire)
{
    for (size_t i = 0; i < wire->count; i++) {
        for (size_t at = 1; at < wire->packets[i].segment.payload_length; at++) {
            struct wire cut = mutation_cut_one(wire, i, at);
            check(reference, &cut, "cut", i * 10000 + at);
            wire_fini(&cut);
        }
    }
}

static void test_cut_everywhere(void **state)
{
    (void)state;
    static struct talk talk;
    static struct reference reference;
    uint64_t seed = property_seed();
    uint64_t end = cases + property_cases(CASES);
    for (reference.seed = seed; cases < end; reference.seed++) {
        make(&talk, &reference, 3);
        check_cut_everywhere(&reference, &talk.wire);
        talk_fini(&talk);
    }
    print_message("seeds %" PRIu64 " to %" PRIu64 "\n", seed, reference.seed - 1);
}

static void check_shuffled(const struct reference *reference, const struct wire *wire,
                           struct random_source *random)
{
    static const unsigned windows[] = {1, 2, 4, 8, 16, 32, 64};
    for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
        struct wire cut = mutation_cut(wire, random_chance(random, 50) ? SIZE_MAX / 2 : 0, random);
        struct wire overlapping = mutation_overlap(&cut, random_below(random, 30), random);
        struct wire repeated = mutation_repeat(&overlapping, random_below(random, 30), random);
        mutation_reorder(&repeated, windows[i], random);
        check(reference, &repeated, "shuffled by", windows[i]);
        wire_fini(&repeated);
        wire_fini(&overlapping);
        wire_fini(&cut);
    }
}

static void test_cut_repeated_shuffled(void **state)
{
    (void)state;
    static struct talk talk;
    static struct reference reference;
    uint64_t seed = property_seed();
    uint64_t end = cases + property_cases(CASES);
    for (reference.seed = seed; cases < end; reference.seed++) {
        struct random_source random = random_from(~reference.seed);
        make(&talk, &reference, 12);
        struct wire bytes = mutation_cut(&talk.wire, 1, &random);
        check(&reference, &bytes, "bytes", 1);
        wire_fini(&bytes);
        struct wire random_cuts = mutation_cut(&talk.wire, 0, &random);
        check(&reference, &random_cuts, "random cuts", 0);
        wire_fini(&random_cuts);
        struct wire overlapping = mutation_overlap(&talk.wire, 50, &random);
        struct wire repeated = mutation_repeat(&overlapping, 50, &random);
        check(&reference, &repeated, "overlapping and repeated", 50);
        wire_fini(&repeated);
        wire_fini(&overlapping);
        check_shuffled(&reference, &talk.wire, &random);
        talk_fini(&talk);
    }
    print_message("seeds %" PRIu64 " to %" PRIu64 "\n", seed, reference.seed - 1);
}

static int begin(void **state)
{
    (void)state;
    observer_init(&observer, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    observer_fini(&observer);
    print_message("%" PRIu64 " cases\n", cases);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_everywhere),
        cmocka_unit_test(test_cut_repeated_shuffled),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
