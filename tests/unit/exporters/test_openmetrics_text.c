#include "exporters/prometheus/openmetrics_text.h"

#include "exporters/metric_emit.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct byte_writer out;
static struct openmetrics_text text;
static struct metric_sink sink;

static int setup(void **state)
{
    (void)state;
    byte_writer_init(&out);
    openmetrics_text_init(&text, &out, true);
    sink = openmetrics_text_sink(&text);
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
    assert_int_equal(openmetrics_text_fini(&text), 0);
    byte_writer_byte(&out, '\0');
    assert_string_equal(out.data, expected);
}

static void test_nothing(void **state)
{
    (void)state;
    expect("# EOF\n");
}

/* Counters lose "_total" where they are described, and the unit has to be what is left's end. */
static void test_single_values(void **state)
{
    (void)state;
    const struct metric_label labels[] = {{"version", text_of("0.1.0")}};
    metric_emit_counter(&sink, "a_bytes_total", "Bytes.", 12);
    metric_emit_counter(&sink, "total", "A counter of another name.", 1);
    metric_emit_gauge(&sink, "b_seconds", "A \"time\".", 0.25);
    sink.family(sink.context, &(struct metric_family){"seconds", "No word in front of its unit.",
                                                      "seconds", METRIC_GAUGE});
    metric_emit_info(&sink, "c_info", "What this is.", labels, 1);
    expect("# TYPE a_bytes counter\n# UNIT a_bytes bytes\n# HELP a_bytes Bytes.\n"
           "a_bytes_total 12\n"
           "# TYPE total counter\n# HELP total A counter of another name.\ntotal_total 1\n"
           "# TYPE b_seconds gauge\n# UNIT b_seconds seconds\n# HELP b_seconds A \\\"time\\\".\n"
           "b_seconds 0.25\n"
           "# TYPE seconds gauge\n# HELP seconds No word in front of its unit.\n"
           "# TYPE c_info gauge\n# HELP c_info What this is.\nc_info{version=\"0.1.0\"} 1\n"
           "# EOF\n");
}

static void test_hostile_labels(void **state)
{
    (void)state;
    const struct metric_label labels[] = {
        {"a", text_of("\"} 1\n# EOF\n\\")}, {"empty", text_of("")}, {"b", {"\xff\0\xc3", 3}}};
    sink.family(sink.context, &(struct metric_family){"x", "\n\\\"", "", METRIC_GAUGE});
    sink.point(sink.context,
               &(struct metric_point){.labels = labels, .label_count = 3, .value = 1});
    expect("# TYPE x gauge\n# HELP x \\n\\\\\\\"\n"
           "x{a=\"\\\"} 1\\n# EOF\\n\\\\\",b=\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"} 1\n# EOF\n");
}

static void test_created(void **state)
{
    (void)state;
    sink.family(sink.context, &(struct metric_family){"x_total", "X.", "", METRIC_COUNTER});
    sink.point(sink.context, &(struct metric_point){.created_ns = 1769860800000000001, .value = 7});
    sink.family(sink.context, &(struct metric_family){"g", "G.", "", METRIC_GAUGE});
    sink.point(sink.context, &(struct metric_point){.created_ns = 1769860800000000001, .value = 7});
    expect("# TYPE x counter\n# HELP x X.\nx_total 7\nx_created 1769860800.000000001\n"
           "# TYPE g gauge\n# HELP g G.\ng 7\n# EOF\n");
}

static const double bounds[] = {0.00001, 0.0025, 1, 64, 1048576, 1234567.5};
static const uint64_t counts[] = {1, 0, 2, 0, 0, 1, 4};
#define BOUNDS (sizeof(bounds) / sizeof(bounds[0]))

static void emit_histogram(int64_t created_ns, const struct metric_exemplar *exemplars)
{
    struct metric_point point = {.created_ns = created_ns};
    point.histogram = (struct metric_histogram){.bounds = bounds,
                                                .bucket_counts = counts,
                                                .bound_count = BOUNDS,
                                                .count = 8,
                                                .sum = 1.5,
                                                .exemplars = exemplars};
    sink.family(sink.context,
                &(struct metric_family){"h_seconds", "H.", "seconds", METRIC_HISTOGRAM});
    sink.point(sink.context, &point);
}

/* Bounds are canonical numbers: a dot or an exponent in each. */
static void test_histogram(void **state)
{
    (void)state;
    struct metric_exemplar exemplars[BOUNDS + 1] = {0};
    exemplars[0] = (struct metric_exemplar){text_of("0af7651916cd43dd8448eb211c80319c"), 0.000005,
                                            1769860800250000000};
    exemplars[2] = (struct metric_exemplar){text_of("00000000000000000000000000000001"), 1, 0};
    exemplars[BOUNDS] = (struct metric_exemplar){text_of("\"\n"), 2000000, 1};
    emit_histogram(1500000000, exemplars);
    expect("# TYPE h_seconds histogram\n# UNIT h_seconds seconds\n# HELP h_seconds H.\n"
           "h_seconds_bucket{le=\"1e-05\"} 1 # {trace_id=\"0af7651916cd43dd8448eb211c80319c\"} "
           "5e-06 1769860800.250000000\n"
           "h_seconds_bucket{le=\"0.0025\"} 1\nh_seconds_bucket{le=\"1.0\"} 3\n"
           "h_seconds_bucket{le=\"64.0\"} 3\nh_seconds_bucket{le=\"1.048576e+06\"} 3\n"
           "h_seconds_bucket{le=\"1.2345675e+06\"} 4\n"
           "h_seconds_bucket{le=\"+Inf\"} 8 # {trace_id=\"\\\"\\n\"} 2000000 0.000000001\n"
           "h_seconds_sum 1.5\nh_seconds_count 8\nh_seconds_created 1.500000000\n# EOF\n");
}

static void test_created_is_optional(void **state)
{
    (void)state;
    text.created = false;
    emit_histogram(1500000000, NULL);
    assert_int_equal(openmetrics_text_fini(&text), 0);
    byte_writer_byte(&out, '\0');
    assert_null(strstr(out.data, "_created"));
    assert_null(strstr(out.data, " # {"));
}

static void test_out_of_memory_is_told(void **state)
{
    (void)state;
    out.failed = true;
    metric_emit_gauge(&sink, "x", "Help.", 1);
    assert_int_equal(openmetrics_text_fini(&text), -ENOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_single_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile_labels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_created, setup, teardown),
        cmocka_unit_test_setup_teardown(test_histogram, setup, teardown),
        cmocka_unit_test_setup_teardown(test_created_is_optional, setup, teardown),
        cmocka_unit_test_setup_teardown(test_out_of_memory_is_told, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
