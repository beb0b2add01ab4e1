#include "agent/aggregate/quantile.h"

#include "agent/aggregate/histogram.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static double quantile(const uint64_t *values, size_t count, double rank)
{
    static const double bounds[] = {1};
    struct histogram_layout layout;
    assert_int_equal(histogram_layout_init(&layout, bounds, 1, 1e9), 0);
    struct histogram *histogram = calloc(histogram_cells(&layout), sizeof(uint64_t));
    assert_non_null(histogram);
    for (size_t i = 0; i < count; i++) {
        histogram_observe(&layout, histogram, values[i]);
    }
    uint64_t counts[HISTOGRAM_WINDOW];
    struct metric_exponential exponential;
    histogram_metric(&layout, histogram, &exponential, counts);
    double result = quantile_of(&exponential, rank);
    free(histogram);
    histogram_layout_fini(&layout);
    return result;
}

/* One bucket is 2.2 percent wide. */
static void expect_near(double found, double expected)
{
    assert_true(fabs(found / expected - 1) < 0.022);
}

static void test_of_nothing(void **state)
{
    (void)state;
    assert_true(isnan(quantile(NULL, 0, 0.5)));
}

static void test_of_one_value(void **state)
{
    (void)state;
    const uint64_t value = 5000000;
    expect_near(quantile(&value, 1, 0), 0.005);
    expect_near(quantile(&value, 1, 0.5), 0.005);
    expect_near(quantile(&value, 1, 0.99), 0.005);
    expect_near(quantile(&value, 1, 1), 0.005);
    expect_near(quantile(&value, 1, 7), 0.005);
}

static void test_of_many_values(void **state)
{
    (void)state;
    static uint64_t values[10000];
    for (size_t i = 0; i < 10000; i++) {
        values[i] = (i + 1) * 1000; /* 1 us to 10 ms; coarser than the finest schema */
    }
    const struct {
        double rank;
        double expected;
    } cases[] = {{0.5, 0.005}, {0.9, 0.009}, {0.99, 0.0099}, {1, 0.01}};
    for (size_t i = 0; i < 4; i++) {
        double found = quantile(values, 10000, cases[i].rank);
        /* The range needs schema 3: one bucket is 9 percent wide. */
        assert_true(fabs(found / cases[i].expected - 1) < 0.09);
    }
}

static void test_two_groups(void **state)
{
    (void)state;
    static uint64_t values[100];
    for (size_t i = 0; i < 100; i++) {
        values[i] = i < 90 ? 10000000 : 200000000;
    }
    expect_near(quantile(values, 100, 0.5), 0.01);
    expect_near(quantile(values, 100, 0.9), 0.01);
    expect_near(quantile(values, 100, 0.91), 0.2);
    expect_near(quantile(values, 100, 0.99), 0.2);
}

static void test_zeros(void **state)
{
    (void)state;
    const uint64_t values[] = {0, 0, 1000000, 1000000};
    assert_true(quantile(values, 4, 0.25) == 0);
    assert_true(quantile(values, 4, 0.5) == 0);
    expect_near(quantile(values, 4, 0.9), 0.001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_nothing),     cmocka_unit_test(test_of_one_value),
        cmocka_unit_test(test_of_many_values), cmocka_unit_test(test_two_groups),
        cmocka_unit_test(test_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
