#include "exporters/prometheus/prometheus_text.h"

#include "exporters/metric_emit.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct byte_writer out;
static struct prometheus_text text;
static struct metric_sink sink;

static int setup(void **state)
{
    (void)state;
    byte_writer_init(&out);
    prometheus_text_init(&text, &out);
    sink = prometheus_text_sink(&text);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    byte_writer_fini(&out);
    return 0;
}

static void expect(const char *expected)
{
    assert_int_equal(prometheus_text_fini(&text), 0);
    byte_writer_byte(&out, '\0');
    assert_string_equal(out.data, expected);
}

static void test_single_values(void **state)
{
    (void)state;
    const struct metric_label labels[] = {{"version", text_of("0.1.0")}};
    metric_emit_counter(&sink, "a_bytes_total", "Bytes.", 12);
    metric_emit_gauge(&sink, "b_ratio", "A share.", 0.25);
    metric_emit_info(&sink, "c_info", "What this is.", labels, 1);
    expect("# HELP a_bytes_total Bytes.\n# TYPE a_bytes_total counter\na_bytes_total 12\n"
           "# HELP b_ratio A share.\n# TYPE b_ratio gauge\nb_ratio 0.25\n"
           "# HELP c_info What this is.\n# TYPE c_info gauge\nc_info{version=\"0.1.0\"} 1\n");
}

static void test_escapes(void **state)
{
    (void)state;
    const struct metric_label labels[] = {
        {"a", text_of("back\\slash \"quoted\" line\nfeed")},
        {"empty", text_of("")},
        {"b", {"bad\xff\0utf8\xc3", 9}},
        {"c", text_of("snowman \xe2\x98\x83")},
    };
    const struct metric_family family = {"x", "Help with \"quotes\", \\ and\nnew line.", "",
                                         METRIC_GAUGE};
    sink.family(sink.context, &family);
    sink.point(sink.context,
               &(struct metric_point){.labels = labels, .label_count = 4, .value = 1});
    expect("# HELP x Help with \"quotes\", \\\\ and\\nnew line.\n# TYPE x gauge\n"
           "x{a=\"back\\\\slash \\\"quoted\\\" line\\nfeed\",b=\"bad\xef\xbf\xbd\xef\xbf\xbdutf8"
           "\",c=\"snowman \xe2\x98\x83\"} 1\n");
}

static void test_only_empty_labels(void **state)
{
    (void)state;
    const struct metric_label labels[] = {{"a", text_of("")}, {"b", {NULL, 0}}};
    const struct metric_family family = {"x_total", "Help.", "", METRIC_COUNTER};
    sink.family(sink.context, &family);
    sink.point(sink.context,
               &(struct metric_point){.labels = labels, .label_count = 2, .value = 3});
    expect("# HELP x_total Help.\n# TYPE x_total counter\nx_total 3\n");
}

static void emit_histogram(const double *bounds, const uint64_t *counts, size_t count,
                           const char *label)
{
    uint64_t total = 0;
    for (size_t i = 0; i <= count; i++) {
        total += counts[i];
    }
    const struct metric_label labels[] = {{"s", text_of(label)}};
    struct metric_point point = {.labels = labels, .label_count = 1};
    point.histogram = (struct metric_histogram){.bounds = bounds,
                                                .bucket_counts = counts,
                                                .bound_count = count,
                                                .count = total,
                                                .sum = 1.5};
    sink.point(sink.context, &point);
}

static void test_histograms(void **state)
{
    (void)state;
    static const double bounds[] = {0.001, 0.5, 1};
    static const double others[] = {64};
    static const uint64_t counts[] = {1, 0, 2, 4};
    const struct metric_family family = {"h_seconds", "Help.", "seconds", METRIC_HISTOGRAM};
    sink.family(sink.context, &family);
    emit_histogram(bounds, counts, 3, "one");
    emit_histogram(bounds, counts, 3, "");
    emit_histogram(others, counts, 1, "two");
    expect("# HELP h_seconds Help.\n# TYPE h_seconds histogram\n"
           "h_seconds_bucket{s=\"one\",le=\"0.001\"} 1\n"
           "h_seconds_bucket{s=\"one\",le=\"0.5\"} 1\n"
           "h_seconds_bucket{s=\"one\",le=\"1\"} 3\n"
           "h_seconds_bucket{s=\"one\",le=\"+Inf\"} 7\n"
           "h_seconds_sum{s=\"one\"} 1.5\nh_seconds_count{s=\"one\"} 7\n"
           "h_seconds_bucket{le=\"0.001\"} 1\nh_seconds_bucket{le=\"0.5\"} 1\n"
           "h_seconds_bucket{le=\"1\"} 3\nh_seconds_bucket{le=\"+Inf\"} 7\n"
           "h_seconds_sum 1.5\nh_seconds_count 7\n"
           "h_seconds_bucket{s=\"two\",le=\"64\"} 1\nh_seconds_bucket{s=\"two\",le=\"+Inf\"} 1\n"
           "h_seconds_sum{s=\"two\"} 1.5\nh_seconds_count{s=\"two\"} 1\n");
}

/* Bounds at the same address with other values are not taken for the former ones. */
static void test_bounds_that_changed(void **state)
{
    (void)state;
    double bounds[] = {1};
    static const uint64_t counts[] = {1, 0};
    const struct metric_family family = {"h", "Help.", "", METRIC_HISTOGRAM};
    sink.family(sink.context, &family);
    emit_histogram(bounds, counts, 1, "");
    bounds[0] = 2;
    emit_histogram(bounds, counts, 1, "");
    expect("# HELP h Help.\n# TYPE h histogram\n"
           "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 1.5\nh_count 1\n"
           "h_bucket{le=\"2\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 1.5\nh_count 1\n");
}

static void test_out_of_memory_is_told(void **state)
{
    (void)state;
    out.failed = true;
    metric_emit_gauge(&sink, "x", "Help.", 1);
    assert_int_equal(prometheus_text_fini(&text), -ENOMEM);
    assert_int_equal(out.length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_single_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_escapes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_empty_labels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_histograms, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bounds_that_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_out_of_memory_is_told, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
