#include "exporters/prometheus/native_histogram.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ROOM 64

static struct native_span spans[ROOM];
static int64_t deltas[ROOM];
static size_t span_count;
static size_t delta_count;

static void write_buckets(int schema, int first, const uint64_t *counts, size_t count,
                          uint64_t unknown)
{
    const struct metric_exponential exponential = {
        .schema = schema, .zero_count = 2, .first_index = first, .counts = counts, .count = count};
    struct metric_histogram histogram = {.exponential = &exponential, .count = 2 + unknown};
    for (size_t i = 0; i < count; i++) {
        histogram.count += counts[i];
    }
    assert_true(native_histogram_room(&histogram) <= ROOM);
    native_histogram_buckets(&histogram, spans, &span_count, deltas, &delta_count);
    assert_true(delta_count <= native_histogram_room(&histogram));
    assert_true(span_count <= native_histogram_room(&histogram));
}

static void expect_span(size_t i, int32_t offset, uint32_t length)
{
    assert_int_equal(spans[i].offset, offset);
    assert_int_equal(spans[i].length, length);
}

static void test_empty(void **state)
{
    (void)state;
    write_buckets(5, 0, NULL, 0, 0);
    assert_int_equal(span_count, 0);
    assert_int_equal(delta_count, 0);
}

/* Two empty buckets are written out, three begin another span. */
static void test_spans(void **state)
{
    (void)state;
    static const uint64_t counts[] = {3, 5, 0, 0, 1, 0, 0, 0, 7, 2};
    write_buckets(5, -11, counts, sizeof(counts) / sizeof(counts[0]), 0);
    assert_int_equal(span_count, 2);
    expect_span(0, -10, 5); /* a bucket is called by its upper bound */
    expect_span(1, 3, 2);
    static const int64_t expected[] = {3, 2, -5, 0, 1, 6, -5};
    assert_int_equal(delta_count, 7);
    assert_memory_equal(deltas, expected, sizeof(expected));
}

static void test_empty_ends_are_left_out(void **state)
{
    (void)state;
    static const uint64_t counts[] = {0, 0, 0, 0, 9, 0};
    write_buckets(0, 0, counts, 6, 0);
    assert_int_equal(span_count, 1);
    expect_span(0, 5, 1);
    assert_int_equal(deltas[0], 9);
}

/* What has no known value stands above every finite one, so that the buckets add up. */
static void test_unknown_values(void **state)
{
    (void)state;
    static const uint64_t counts[] = {4};
    write_buckets(5, 31, counts, 1, 3);
    assert_int_equal(span_count, 2);
    expect_span(0, 32, 1);
    expect_span(1, 1024 * 32 + 1 - 33, 1);
    assert_int_equal(deltas[1], -1);
    write_buckets(-4, 0, NULL, 0, 3);
    assert_int_equal(span_count, 1);
    expect_span(0, 1024 / 16 + 1, 1);
    assert_int_equal(deltas[0], 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_spans),
        cmocka_unit_test(test_empty_ends_are_left_out),
        cmocka_unit_test(test_unknown_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
