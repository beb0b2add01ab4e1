#include "exporters/otlp/otlp_delta.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define CREATED 1000
#define FIRST 2000
#define SECOND 3000
#define THIRD 4000

static struct otlp_delta *delta;

static int setup(void **state)
{
    (void)state;
    delta = otlp_delta_new(3);
    return delta == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    otlp_delta_free(delta);
    return 0;
}

/* One report with this number alone: "value since". */
static const char *number(int64_t now, uint64_t key, double value, int64_t created)
{
    static char text[64];
    otlp_delta_begin(delta, now);
    enum otlp_delta_result result = otlp_delta_number(delta, key, &value, &created);
    otlp_delta_end(delta);
    if (result != OTLP_DELTA_CHANGED) {
        return result == OTLP_DELTA_SAME ? "same" : "full";
    }
    snprintf(text, sizeof(text), "%g since %lld", value, (long long)created);
    return text;
}

static void test_numbers(void **state)
{
    (void)state;
    assert_string_equal(number(FIRST, 7, 5, CREATED), "5 since 1000");
    assert_string_equal(number(SECOND, 7, 8, CREATED), "3 since 2000");
    assert_string_equal(number(THIRD, 7, 8, CREATED), "same");
    /* The time in which nothing happened is part of the next interval. */
    assert_string_equal(number(THIRD + 1, 7, 9, CREATED), "1 since 3000");
}

static void test_a_new_beginning_is_reported_whole(void **state)
{
    (void)state;
    assert_string_equal(number(FIRST, 7, 5, CREATED), "5 since 1000");
    assert_string_equal(number(SECOND, 7, 9, FIRST + 500), "9 since 2500");
    /* Less than before without a new beginning: the producer lost something. */
    assert_string_equal(number(THIRD, 7, 4, FIRST + 500), "4 since 2500");
}

static void test_what_is_not_reported_is_forgotten(void **state)
{
    (void)state;
    number(FIRST, 7, 5, CREATED);
    assert_int_equal(otlp_delta_series(delta), 1);
    otlp_delta_begin(delta, SECOND);
    otlp_delta_end(delta);
    assert_int_equal(otlp_delta_series(delta), 0);
    assert_string_equal(number(THIRD, 7, 6, CREATED), "6 since 1000");
}

static void test_bound(void **state)
{
    (void)state;
    otlp_delta_begin(delta, FIRST);
    for (uint64_t key = 1; key <= 4; key++) {
        double value = 1;
        int64_t created = CREATED;
        assert_int_equal(otlp_delta_number(delta, key, &value, &created),
                         key <= 3 ? OTLP_DELTA_CHANGED : OTLP_DELTA_FULL);
    }
    otlp_delta_end(delta);
    assert_int_equal(otlp_delta_series(delta), 3);
    /* Those that have a place keep it. */
    assert_string_equal(number(SECOND, 1, 3, CREATED), "2 since 2000");
    assert_string_equal(number(THIRD, 4, 3, CREATED), "3 since 1000");
}

/* One report with this histogram alone: "count sum zero schema [first: counts] since". */
static const char *histogram(int64_t now, struct otlp_distribution is)
{
    static char text[160];
    int64_t created = CREATED;
    otlp_delta_begin(delta, now);
    enum otlp_delta_result result = otlp_delta_distribution(delta, 9, &is, &created);
    otlp_delta_end(delta);
    if (result != OTLP_DELTA_CHANGED) {
        return result == OTLP_DELTA_SAME ? "same" : "full";
    }
    int length =
        snprintf(text, sizeof(text), "%llu %g %llu %d [%lld:", (unsigned long long)is.count, is.sum,
                 (unsigned long long)is.zero_count, is.schema, (long long)is.first_index);
    for (size_t i = 0; i < is.buckets; i++) {
        length += snprintf(text + length, sizeof(text) - (size_t)length, " %llu",
                           (unsigned long long)is.counts[i]);
    }
    snprintf(text + length, sizeof(text) - (size_t)length, "] since %lld", (long long)created);
    return text;
}

static void test_histograms(void **state)
{
    (void)state;
    const uint64_t one[] = {1, 0, 2};
    const uint64_t two[] = {4, 1, 0, 3, 5};
    assert_string_equal(histogram(FIRST, (struct otlp_distribution){4, 1.5, 5, 1, 10, one, 3}),
                        "4 1.5 1 5 [10: 1 0 2] since 1000");
    /* The window grew on both sides. */
    assert_string_equal(histogram(SECOND, (struct otlp_distribution){15, 4, 5, 2, 9, two, 5}),
                        "11 2.5 1 5 [9: 4 0 0 1 5] since 2000");
    assert_string_equal(histogram(THIRD, (struct otlp_distribution){15, 4, 5, 2, 9, two, 5}),
                        "same");
}

static void test_a_coarser_schema_goes_on(void **state)
{
    (void)state;
    const uint64_t fine[] = {1, 2, 3, 4};   /* -3 -2 -1 0 at schema 5 */
    const uint64_t coarse[] = {3, 7, 9, 1}; /* -2 -1 0 1 at schema 4: 1, 2 + 3, 4 before */
    histogram(FIRST, (struct otlp_distribution){10, 1, 5, 0, -3, fine, 4});
    assert_string_equal(histogram(SECOND, (struct otlp_distribution){20, 3, 4, 0, -2, coarse, 4}),
                        "10 2 0 4 [-2: 2 2 5 1] since 2000");
}

static void test_what_shrank_is_reported_whole(void **state)
{
    (void)state;
    const uint64_t one[] = {5, 5};
    const uint64_t less[] = {6, 4};
    histogram(FIRST, (struct otlp_distribution){10, 1, 5, 0, 0, one, 2});
    assert_string_equal(histogram(SECOND, (struct otlp_distribution){10, 1, 5, 0, 0, less, 2}),
                        "10 1 0 5 [0: 6 4] since 1000");
    /* A finer schema than before, or buckets that are gone. */
    assert_string_equal(histogram(THIRD, (struct otlp_distribution){11, 1, 6, 0, 0, less, 2}),
                        "11 1 0 6 [0: 6 4] since 1000");
    assert_string_equal(histogram(THIRD + 1, (struct otlp_distribution){12, 1, 6, 0, 1, less, 2}),
                        "12 1 0 6 [1: 6 4] since 1000");
}

static void test_keys(void **state)
{
    (void)state;
    struct otlp_delta *other = otlp_delta_new(1);
    assert_int_equal(otlp_delta_key(delta, "ab", 2, 1), otlp_delta_key(delta, "ab", 2, 1));
    assert_true(otlp_delta_key(delta, "ab", 2, 1) != otlp_delta_key(delta, "ab", 2, 2));
    assert_true(otlp_delta_key(delta, "ab", 2, 1) != otlp_delta_key(delta, "ac", 2, 1));
    /* Nobody outside can know which names meet in one key. */
    assert_true(otlp_delta_key(delta, "ab", 2, 1) != otlp_delta_key(other, "ab", 2, 1));
    otlp_delta_free(other);
}

static void test_many_series_come_and_go(void **state)
{
    (void)state;
    struct otlp_delta *large = otlp_delta_new(5000);
    for (uint64_t report = 1; report <= 3; report++) {
        otlp_delta_begin(large, (int64_t)report * 1000);
        for (uint64_t key = 0; key < 5000; key++) {
            double value = (double)(report * key + report);
            int64_t created = 1;
            assert_int_equal(otlp_delta_number(large, key * 977, &value, &created),
                             OTLP_DELTA_CHANGED);
            assert_true(value == (double)(key + 1));
            assert_int_equal(created, report == 1 ? 1 : (int64_t)(report - 1) * 1000);
        }
        otlp_delta_end(large);
    }
    assert_int_equal(otlp_delta_series(large), 5000);
    otlp_delta_begin(large, 4000);
    otlp_delta_end(large);
    assert_int_equal(otlp_delta_series(large), 0);
    otlp_delta_free(large);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_numbers),
        TEST(test_a_new_beginning_is_reported_whole),
        TEST(test_what_is_not_reported_is_forgotten),
        TEST(test_bound),
        TEST(test_histograms),
        TEST(test_a_coarser_schema_goes_on),
        TEST(test_what_shrank_is_reported_whole),
        TEST(test_keys),
        TEST(test_many_series_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
