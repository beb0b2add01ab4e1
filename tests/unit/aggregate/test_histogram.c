#include "agent/aggregate/histogram.h"

#include "agent/aggregate/measure.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const double seconds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,
                                 0.5,   0.75,   1,     2.5,  5,     7.5,  10,    30};
#define BOUNDS (sizeof(seconds) / sizeof(seconds[0]))

static struct histogram_layout layout;

static int setup(void **state)
{
    (void)state;
    return histogram_layout_init(&layout, seconds, BOUNDS, 1e9);
}

static int teardown(void **state)
{
    (void)state;
    histogram_layout_fini(&layout);
    return 0;
}

static struct histogram *histogram_new(void)
{
    struct histogram *histogram = calloc(histogram_cells(&layout), sizeof(uint64_t));
    assert_non_null(histogram);
    return histogram;
}

/* What the counts of a histogram's exponential buckets add up to, the zero bucket included. */
static uint64_t exponential_total(const struct histogram *histogram)
{
    uint64_t counts[HISTOGRAM_WINDOW];
    struct metric_exponential exponential;
    histogram_metric(&layout, histogram, &exponential, counts);
    uint64_t total = exponential.zero_count;
    for (size_t i = 0; i < exponential.count; i++) {
        total += counts[i];
    }
    return total;
}

/* Each bound takes what equals it; a nanosecond more is the next bucket's. */
static void test_bounds_are_inclusive(void **state)
{
    (void)state;
    for (size_t i = 0; i < BOUNDS; i++) {
        uint64_t raw = (uint64_t)llround(seconds[i] * 1e9);
        struct histogram *histogram = histogram_new();
        histogram_observe(&layout, histogram, raw - 1);
        histogram_observe(&layout, histogram, raw);
        histogram_observe(&layout, histogram, raw + 1);
        assert_int_equal(histogram->buckets[i], 2);
        assert_int_equal(histogram->buckets[i + 1], 1);
        free(histogram);
    }
}

/* 0.29 s is a little less than 290 ms as a double, 1.1 s a little more than 1100 ms. */
static void test_decimal_bounds(void **state)
{
    (void)state;
    static const double bounds[] = {0.0000000014, 0.29, 1.1, 86400.000000001, 2e10};
    struct histogram_layout decimal;
    assert_int_equal(histogram_layout_init(&decimal, bounds, 5, 1e9), 0);
    assert_int_equal(decimal.raw_bounds[0], 1);
    assert_int_equal(decimal.raw_bounds[1], 290000000);
    assert_int_equal(decimal.raw_bounds[2], 1100000000);
    assert_int_equal(decimal.raw_bounds[3], 86400000000001);
    assert_true(decimal.raw_bounds[4] == UINT64_MAX);
    histogram_layout_fini(&decimal);
}

static void test_sum_is_exact(void **state)
{
    (void)state;
    struct histogram *histogram = histogram_new();
    for (int i = 0; i < 1000; i++) {
        histogram_observe(&layout, histogram, 999999999);
    }
    histogram_observe(&layout, histogram, UINT64_MAX);
    /* 1000 * 0.999999999 + 18446744073.709551615 */
    assert_int_equal(histogram->sum_units, 999 + 18446744073 + 1);
    assert_int_equal(histogram->sum_rest, 999999000 + 709551615 - 1000000000);
    free(histogram);
}

static void test_unknown_counts_without_a_value(void **state)
{
    (void)state;
    struct histogram *histogram = histogram_new();
    histogram_observe(&layout, histogram, 2000000);
    histogram_observe_unknown(&layout, histogram);
    uint64_t counts[HISTOGRAM_WINDOW];
    struct metric_exponential exponential;
    struct metric_histogram metric = histogram_metric(&layout, histogram, &exponential, counts);
    assert_int_equal(metric.count, 2);
    assert_int_equal(metric.bucket_counts[BOUNDS], 1);
    assert_true(metric.sum == 0.002);
    assert_int_equal(exponential_total(histogram), 1);
    free(histogram);
}

static int64_t index_of(uint64_t raw)
{
    return measure_index(&layout, measure_value(&layout, raw));
}

/* The definition, in long double: (base^i, base^(i+1)]. */
static void check_index(uint64_t raw)
{
    double value = (double)raw / 1e9;
    int64_t index = index_of(raw);
    long double low = exp2l((long double)index / (1 << HISTOGRAM_SCHEMA));
    long double high = exp2l((long double)(index + 1) / (1 << HISTOGRAM_SCHEMA));
    /* Bounds are doubles, so a value is compared with the double nearest to the bound. */
    assert_true((double)low < value);
    assert_true(value <= (double)high);
}

static void test_exponential_index(void **state)
{
    (void)state;
    /* Around every bound between one nanosecond and a day. */
    for (int index = -957; index < 525; index++) {
        long double bound = exp2l((long double)index / (1 << HISTOGRAM_SCHEMA)) * 1e9L;
        uint64_t raw = (uint64_t)bound;
        for (uint64_t near = raw < 2 ? 1 : raw - 1; near <= raw + 2; near++) {
            check_index(near);
        }
    }
    /* Powers of two are the last value of their bucket. */
    assert_int_equal(index_of(1000000000), -1);
    assert_int_equal(index_of(1000000001), 0);
    assert_int_equal(index_of(2000000000), 31);
    assert_int_equal(index_of(500000000), -33);
    check_index(UINT64_MAX);
}

static void test_zero(void **state)
{
    (void)state;
    struct histogram *histogram = histogram_new();
    histogram_observe(&layout, histogram, 0);
    assert_int_equal(histogram->zero_count, 1);
    assert_int_equal(histogram->width, 0);
    assert_int_equal(histogram->buckets[0], 1);
    free(histogram);
}

/* The widest range that fits at the finest schema, and one bucket more. */
static void test_window_at_its_bound(void **state)
{
    (void)state;
    struct histogram *histogram = histogram_new();
    histogram_observe(&layout, histogram, 1000000001);  /* bucket 0 */
    histogram_observe(&layout, histogram, 31300000000); /* bucket 158 */
    histogram_observe(&layout, histogram, 32000000000); /* bucket 159, the last */
    assert_int_equal(index_of(32000000000), HISTOGRAM_WINDOW - 1);
    assert_int_equal(histogram->coarsened, 0);
    assert_int_equal(histogram->width, HISTOGRAM_WINDOW);
    histogram_observe(&layout, histogram, 32000000001); /* bucket 160 */
    assert_int_equal(histogram->coarsened, 1);
    assert_int_equal(histogram->width, HISTOGRAM_WINDOW / 2 + 1);
    assert_int_equal(exponential_total(histogram), 4);
    free(histogram);
}

static uint64_t random_next(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

/* Whatever the values and their order: no count is lost, and every bucket holds what it says. */
static void test_coarsening_keeps_counts(void **state)
{
    (void)state;
    uint64_t random = 0x9e3779b97f4a7c15;
    for (int round = 0; round < 20; round++) {
        struct histogram *histogram = histogram_new();
        static uint64_t values[500];
        for (size_t i = 0; i < 500; i++) {
            values[i] = random_next(&random) >> (random_next(&random) % 64);
            histogram_observe(&layout, histogram, values[i]);
        }
        uint64_t counts[HISTOGRAM_WINDOW];
        struct metric_exponential shown;
        histogram_metric(&layout, histogram, &shown, counts);
        assert_int_equal(exponential_total(histogram), 500);
        assert_true(shown.schema >= 1);
        for (size_t i = 0; i < 500; i++) {
            if (values[i] > 0) {
                int64_t index = index_of(values[i]) >> (HISTOGRAM_SCHEMA - shown.schema);
                assert_in_range(index - shown.first_index, 0, shown.count - 1);
                assert_true(counts[index - shown.first_index]-- > 0);
            }
        }
        for (size_t i = 0; i < shown.count; i++) {
            assert_int_equal(counts[i], 0);
        }
        free(histogram);
    }
}

/* Merging two is the same as one that saw all values, at the coarser schema. */
static void test_merge(void **state)
{
    (void)state;
    uint64_t random = 42;
    struct histogram *all = histogram_new();
    struct histogram *parts[2] = {histogram_new(), histogram_new()};
    for (int i = 0; i < 2000; i++) {
        uint64_t value = random_next(&random) % (i % 2 == 0 ? 1000000 : 100000000000);
        histogram_observe(&layout, all, value);
        histogram_observe(&layout, parts[i % 2], value);
    }
    histogram_observe_unknown(&layout, all);
    histogram_observe_unknown(&layout, parts[0]);
    struct histogram *sum = histogram_new();
    histogram_merge(&layout, sum, parts[0]);
    histogram_merge(&layout, sum, parts[1]);
    assert_int_equal(sum->coarsened, all->coarsened);
    assert_memory_equal(sum, all, histogram_cells(&layout) * sizeof(uint64_t));
    free(sum);
    free(parts[0]);
    free(parts[1]);
    free(all);
}

static void test_no_bounds(void **state)
{
    (void)state;
    struct histogram_layout none;
    assert_int_equal(histogram_layout_init(&none, NULL, 0, 1), 0);
    struct histogram *histogram = calloc(histogram_cells(&none), sizeof(uint64_t));
    assert_non_null(histogram);
    histogram_observe(&none, histogram, 7);
    assert_int_equal(histogram->buckets[0], 1);
    assert_int_equal(histogram->sum_units, 7);
    free(histogram);
    histogram_layout_fini(&none);
}

/* Every schema, beside the definition: the bounds of each bucket of a power of two. */
static void test_schemas(void **state)
{
    (void)state;
    for (int schema = 0; schema <= HISTOGRAM_SCHEMA_MAX; schema++) {
        int64_t size = INT64_C(1) << schema;
        histogram_layout_resolve(&layout, schema, HISTOGRAM_WINDOW);
        for (int64_t i = 0; i < size; i++) {
            long double bound = exp2l((long double)i / (long double)size) * 1e9L;
            uint64_t below = (uint64_t)floorl(bound - 1);
            uint64_t above = (uint64_t)ceill(bound + 1);
            assert_int_equal(index_of(below), i - 1);
            assert_int_equal(index_of(above), i);
        }
        assert_int_equal(index_of(1000000000), -1); /* 1 s ends its bucket */
        assert_int_equal(index_of(4000000000), 2 * size - 1);
    }
    histogram_layout_resolve(&layout, HISTOGRAM_SCHEMA, HISTOGRAM_WINDOW);
}

/* A lower limit halves the resolution earlier; the counts stay whole. */
static void test_bucket_limit(void **state)
{
    (void)state;
    histogram_layout_resolve(&layout, HISTOGRAM_SCHEMA_MAX, HISTOGRAM_WINDOW_MIN);
    struct histogram *histogram = histogram_new();
    uint64_t counts[HISTOGRAM_WINDOW];
    struct metric_exponential shown;
    for (uint64_t raw = 1; raw < UINT64_C(1) << 63; raw *= 2) {
        histogram_observe(&layout, histogram, raw);
        histogram_metric(&layout, histogram, &shown, counts);
        assert_true(shown.count <= HISTOGRAM_WINDOW_MIN);
        assert_true(shown.schema >= -4);
    }
    assert_int_equal(shown.schema, -3);
    assert_int_equal(exponential_total(histogram), 63);
    free(histogram);
    histogram_layout_resolve(&layout, HISTOGRAM_SCHEMA, HISTOGRAM_WINDOW);
}

static const struct histogram_exemplar early = {{0, 0xabc}, 2000000, 1000};
static const struct histogram_exemplar late = {
    {0x0af7651916cd43dd, 0x8448eb211c80319c}, 2500000, 2000};

static void expect_exemplar(const struct histogram *histogram, const char *trace_id, double value)
{
    struct metric_exemplar exemplars[BOUNDS + 1];
    char texts[BOUNDS + 1][HISTOGRAM_TRACE_DIGITS];
    assert_true(histogram_exemplars(&layout, histogram, exemplars, texts));
    for (size_t i = 0; i <= BOUNDS; i++) {
        /* 2 ms and 2.5 ms are both in the second bucket. */
        assert_int_equal(exemplars[i].trace_id.length, i == 1 ? HISTOGRAM_TRACE_DIGITS : 0);
    }
    assert_memory_equal(exemplars[1].trace_id.data, trace_id, HISTOGRAM_TRACE_DIGITS);
    assert_true(exemplars[1].value == value);
}

static void test_exemplars(void **state)
{
    (void)state;
    struct histogram *histogram = histogram_new();
    struct metric_exemplar exemplars[BOUNDS + 1];
    char texts[BOUNDS + 1][HISTOGRAM_TRACE_DIGITS];
    histogram_observe(&layout, histogram, 2000000);
    assert_false(histogram_exemplars(&layout, histogram, exemplars, texts));
    histogram_exemplify(&layout, histogram, &early);
    expect_exemplar(histogram, "00000000000000000000000000000abc", 0.002);
    histogram_exemplify(&layout, histogram, &late);
    expect_exemplar(histogram, "0af7651916cd43dd8448eb211c80319c", 0.0025);
    assert_int_equal(histogram->buckets[1], 1); /* they are no observations of their own */
    free(histogram);
}

/* Of two workers' exemplars the later stays, whichever is merged first. */
static void test_exemplars_merge(void **state)
{
    (void)state;
    struct histogram *sum = histogram_new();
    struct histogram *one = histogram_new();
    histogram_exemplify(&layout, one, &late);
    histogram_merge(&layout, sum, one);
    histogram_exemplify(&layout, one, &early);
    histogram_merge(&layout, sum, one);
    expect_exemplar(sum, "0af7651916cd43dd8448eb211c80319c", 0.0025);
    free(one);
    free(sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds_are_inclusive),
        cmocka_unit_test(test_decimal_bounds),
        cmocka_unit_test(test_sum_is_exact),
        cmocka_unit_test(test_unknown_counts_without_a_value),
        cmocka_unit_test(test_exponential_index),
        cmocka_unit_test(test_zero),
        cmocka_unit_test(test_window_at_its_bound),
        cmocka_unit_test(test_coarsening_keeps_counts),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_no_bounds),
        cmocka_unit_test(test_schemas),
        cmocka_unit_test(test_bucket_limit),
        cmocka_unit_test(test_exemplars),
        cmocka_unit_test(test_exemplars_merge),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
