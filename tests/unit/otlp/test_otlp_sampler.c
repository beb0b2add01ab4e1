#include "exporters/otlp/otlp_sampler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)

static struct exchange_record record_of(uint64_t duration_ns)
{
    return (struct exchange_record){.side = text_of("server"),
                                    .outcome = text_of("complete"),
                                    .server_namespace = text_of("shop"),
                                    .server_service = text_of("cart"),
                                    .status = 200,
                                    .duration_ns = duration_ns};
}

static unsigned count_wanted(struct otlp_sampler *sampler, const struct exchange_record *record,
                             unsigned times)
{
    unsigned wanted = 0;
    for (unsigned i = 0; i < times; i++) {
        wanted += otlp_sampler_wants(sampler, record);
    }
    return wanted;
}

static void test_none_and_all(void **state)
{
    (void)state;
    struct otlp_sampler_options options = {.ratio = 0, .slower_than_ns = 1000 * MS};
    struct otlp_sampler *none = otlp_sampler_new(&options);
    options.ratio = 1;
    struct otlp_sampler *all = otlp_sampler_new(&options);
    struct exchange_record record = record_of(MS);
    assert_int_equal(count_wanted(none, &record, 1000), 0);
    assert_int_equal(count_wanted(all, &record, 1000), 1000);
    /* The largest of all ids is above no share but the whole. */
    record.trace_id = text_of("ffffffffffffffffffffffffffffffff");
    assert_false(otlp_sampler_wants(none, &record));
    record.trace_id = text_of("00000000000000000000000000000000");
    assert_true(otlp_sampler_wants(all, &record));
    otlp_sampler_free(none);
    otlp_sampler_free(all);
}

static void test_errors_and_the_slow_are_always_wanted(void **state)
{
    (void)state;
    struct otlp_sampler_options options = {.ratio = 0, .slower_than_ns = 1000 * MS};
    struct otlp_sampler *sampler = otlp_sampler_new(&options);
    struct exchange_record record = record_of(1000 * MS);
    record.sampling = RECORD_NOT_SAMPLED;
    assert_false(otlp_sampler_wants(sampler, &record));
    record.duration_ns++;
    assert_true(otlp_sampler_wants(sampler, &record));
    record = record_of(MS);
    record.status = 404; /* the client's mistake */
    assert_false(otlp_sampler_wants(sampler, &record));
    record.side = text_of("client");
    assert_true(otlp_sampler_wants(sampler, &record));
    record = record_of(MS);
    record.status = 500;
    record.sampling = RECORD_NOT_SAMPLED;
    assert_true(otlp_sampler_wants(sampler, &record));
    record = record_of(RECORD_UNKNOWN);
    record.outcome = text_of("server_closed");
    assert_true(otlp_sampler_wants(sampler, &record));
    otlp_sampler_free(sampler);
}

static void test_the_context_decides(void **state)
{
    (void)state;
    struct otlp_sampler_options options = {.ratio = 0.5, .slower_than_ns = 1000 * MS};
    struct otlp_sampler *sampler = otlp_sampler_new(&options);
    struct exchange_record record = record_of(MS);
    record.sampling = RECORD_SAMPLED;
    assert_int_equal(count_wanted(sampler, &record, 1000), 1000);
    record.sampling = RECORD_NOT_SAMPLED;
    assert_int_equal(count_wanted(sampler, &record, 1000), 0);
    otlp_sampler_free(sampler);
}

/* The same traces wherever the share is the same. */
static void test_the_trace_id_decides(void **state)
{
    (void)state;
    struct otlp_sampler_options options = {.ratio = 0.25, .slower_than_ns = 1000 * MS};
    struct otlp_sampler *one = otlp_sampler_new(&options);
    struct otlp_sampler *other = otlp_sampler_new(&options);
    struct exchange_record record = record_of(MS);
    unsigned wanted = 0;
    for (unsigned i = 0; i < 4000; i++) {
        char id[33];
        snprintf(id, sizeof(id), "0000000000000000ff%014llx",
                 (unsigned long long)i * 0x10624dd2f1a9f % (1ULL << 56));
        record.trace_id = (struct text){id, 32};
        bool is = otlp_sampler_wants(one, &record);
        assert_int_equal(otlp_sampler_wants(other, &record), is);
        record.trace_id = (struct text){id + 16, 16}; /* its last 64 bits */
        assert_int_equal(otlp_sampler_wants(other, &record), is);
        wanted += is;
    }
    assert_in_range(wanted, 900, 1100);
    record.trace_id = text_of("0000000000000000ffffffffffffffff");
    assert_true(otlp_sampler_wants(one, &record));
    record.trace_id = text_of("0000000000000000ff00000000000000");
    assert_false(otlp_sampler_wants(one, &record));
    otlp_sampler_free(one);
    otlp_sampler_free(other);
}

static void test_chance_without_an_id(void **state)
{
    (void)state;
    struct otlp_sampler_options options = {.ratio = 0.1, .slower_than_ns = 1000 * MS};
    struct otlp_sampler *sampler = otlp_sampler_new(&options);
    struct exchange_record record = record_of(MS);
    /* 2000 of 20000, and ten standard deviations. */
    assert_in_range(count_wanted(sampler, &record, 20000), 1570, 2430);
    otlp_sampler_free(sampler);
}

static void test_shares_of_services(void **state)
{
    (void)state;
    static const struct otlp_sampler_rule rules[] = {
        {"shop", "ca*", 1}, {NULL, "cart", 0.5}, {"batch", NULL, 1}};
    struct otlp_sampler_options options = {
        .ratio = 0, .rules = rules, .rule_count = 3, .slower_than_ns = 1000 * MS};
    struct otlp_sampler *sampler = otlp_sampler_new(&options);
    struct exchange_record record = record_of(MS);
    assert_int_equal(count_wanted(sampler, &record, 100), 100);
    record.server_namespace = text_of("batch");
    assert_in_range(count_wanted(sampler, &record, 10000), 4500, 5500);
    record.server_service = text_of("report");
    assert_int_equal(count_wanted(sampler, &record, 100), 100);
    record.server_namespace = text_of("other");
    assert_int_equal(count_wanted(sampler, &record, 100), 0);
    otlp_sampler_free(sampler);
}

/* Durations from 1 to 1000 ms, all alike: those above 990 ms are the slowest percent. */
static void test_the_slowest_percent(void **state)
{
    (void)state;
    struct otlp_sampler_options options = {.ratio = 0};
    struct otlp_sampler *sampler = otlp_sampler_new(&options);
    uint64_t random = 1;
    unsigned wanted = 0;
    unsigned slow = 0;
    unsigned slow_wanted = 0;
    for (unsigned i = 0; i < 200000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint64_t duration_ms = 1 + (random >> 33) % 1000;
        struct exchange_record record = record_of(duration_ms * MS);
        bool is = otlp_sampler_wants(sampler, &record);
        if (i >= 100000) {
            wanted += is;
            slow += duration_ms > 995;
            slow_wanted += is && duration_ms > 995;
        }
    }
    assert_in_range(wanted, 500, 2000);       /* 1000 */
    assert_true(slow_wanted * 10 > slow * 8); /* of the slowest half percent */
    /* Another service knows nothing of it. */
    struct exchange_record record = record_of(MS);
    record.server_service = text_of("quick");
    assert_in_range(count_wanted(sampler, &record, 1000), 0, 20); /* one in a hundred at most */
    record.duration_ns = 5 * MS;
    assert_true(otlp_sampler_wants(sampler, &record));
    otlp_sampler_free(sampler);
}

static void test_more_services_than_places(void **state)
{
    (void)state;
    struct otlp_sampler_options options = {.ratio = 1};
    struct otlp_sampler *sampler = otlp_sampler_new(&options);
    for (unsigned i = 0; i < 3 * OTLP_SAMPLER_SERVICES; i++) {
        char name[32];
        snprintf(name, sizeof(name), "service-%u", i);
        struct exchange_record record = record_of(MS);
        record.server_service = text_of(name);
        assert_true(otlp_sampler_wants(sampler, &record));
    }
    otlp_sampler_free(sampler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none_and_all),
        cmocka_unit_test(test_errors_and_the_slow_are_always_wanted),
        cmocka_unit_test(test_the_context_decides),
        cmocka_unit_test(test_the_trace_id_decides),
        cmocka_unit_test(test_chance_without_an_id),
        cmocka_unit_test(test_shares_of_services),
        cmocka_unit_test(test_the_slowest_percent),
        cmocka_unit_test(test_more_services_than_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
