#include "exporters/prometheus/prometheus_protobuf.h"

#include "exporters/metric_emit.h"
#include "exporters/proto/io/prometheus/client/metrics.pb-c.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct byte_writer out;
static struct prometheus_protobuf protobuf;
static struct metric_sink sink;

static int setup(void **state)
{
    (void)state;
    byte_writer_init(&out);
    prometheus_protobuf_init(&protobuf, &out, true);
    sink = prometheus_protobuf_sink(&protobuf);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    byte_writer_fini(&out);
    return 0;
}

#define DOUBLE_HALF "\0\0\0\0\0\0\xe0\x3f"
#define DOUBLE_1 "\0\0\0\0\0\0\xf0\x3f"
#define DOUBLE_2_5 "\0\0\0\0\0\0\x04\x40"
#define DOUBLE_3 "\0\0\0\0\0\0\x08\x40"
#define DOUBLE_INFINITE "\0\0\0\0\0\0\xf0\x7f"
#define DOUBLE_THRESHOLD "\0\0\0\0\0\0\xf0\x37" /* 2^-128 */

static void expect(const char *bytes, size_t length)
{
    assert_int_equal(prometheus_protobuf_fini(&protobuf), 0);
    assert_int_equal(out.length, length);
    assert_memory_equal(out.data, bytes, length);
}

#define EXPECT(bytes) expect(bytes, sizeof(bytes) - 1)

/* The encoding's definition, by hand. */
static void test_counter_and_gauge(void **state)
{
    (void)state;
    const struct metric_label labels[] = {{"a", text_of("value")}, {"empty", text_of("")}};
    sink.family(sink.context, &(struct metric_family){"x_total", "X.", "bytes", METRIC_COUNTER});
    sink.point(sink.context,
               &(struct metric_point){.labels = labels, .label_count = 2, .value = 3});
    sink.family(sink.context, &(struct metric_family){"y", "Y.", "", METRIC_GAUGE});
    sink.point(sink.context, &(struct metric_point){.value = 0});
    sink.point(sink.context, &(struct metric_point){.value = 1, .created_ns = 1});
    EXPECT("\x2d\x0a\x07x_total\x12\x02X.\x2a\x05"
           "bytes"
           "\x22\x17\x0a\x0a\x0a\x01"
           "a\x12\x05value\x1a\x09\x09" DOUBLE_3 "\x1a\x0a\x01y\x12\x02Y.\x18\x01"
           "\x22\x02\x12\x00"
           "\x22\x0b\x12\x09\x09" DOUBLE_1);
}

static const double bounds[] = {1};
static const uint64_t counts[] = {2, 1};
static const uint64_t exponential_counts[] = {1};

#define EXEMPLAR                                                                                   \
    "\x0a\x0e\x0a\x08trace_id\x12\x02"                                                             \
    "ab\x11" DOUBLE_HALF "\x1a\x04\x08\x02\x10\x07"

static void emit_histogram(void)
{
    const struct metric_exponential exponential = {.schema = 5,
                                                   .zero_threshold = 0x1p-128,
                                                   .zero_count = 1,
                                                   .first_index = -1,
                                                   .counts = exponential_counts,
                                                   .count = 1};
    const struct metric_exemplar exemplars[] = {{text_of("ab"), 0.5, 2000000007},
                                                {{NULL, 0}, 0, 0}};
    struct metric_point point = {.created_ns = 1000000002};
    point.histogram = (struct metric_histogram){.bounds = bounds,
                                                .bucket_counts = counts,
                                                .bound_count = 1,
                                                .count = 3,
                                                .sum = 2.5,
                                                .exponential = &exponential,
                                                .exemplars = exemplars};
    sink.family(sink.context, &(struct metric_family){"h", "H.", "", METRIC_HISTOGRAM});
    sink.point(sink.context, &point);
}

#define CLASSIC                                                                                    \
    "\x08\x03\x11" DOUBLE_2_5                           /* count, sum */                           \
    "\x1a\x2c\x08\x02\x11" DOUBLE_1 "\x1a\x1f" EXEMPLAR /* up to 1, with the exemplar */           \
    "\x1a\x0b\x08\x03\x11" DOUBLE_INFINITE

/* One observation is not known: it stands in the bucket 1024 * 2^5 + 1. */
static void test_native_histogram(void **state)
{
    (void)state;
    emit_histogram();
    EXPECT("\x9a\x01\x0a\x01h\x12\x02H.\x18\x04\x22\x8e\x01\x3a\x8b\x01" CLASSIC
           "\x28\x0a\x31" DOUBLE_THRESHOLD "\x38\x01"
           "\x62\x02\x10\x01\x62\x06\x08\x80\x80\x04\x10\x01" /* spans */
           "\x6a\x02\x02\x00"                                 /* deltas */
           "\x7a\x04\x08\x01\x10\x02"                         /* created */
           "\x82\x01\x1f" EXEMPLAR);
}

static void test_classic_histogram(void **state)
{
    (void)state;
    protobuf.native = false;
    emit_histogram();
    EXPECT("\x59\x0a\x01h\x12\x02H.\x18\x04\x22\x4e\x3a\x4c" CLASSIC "\x7a\x04\x08\x01\x10\x02");
}

/* The only family, decoded by the library. */
static Io__Prometheus__Client__MetricFamily *decode(void)
{
    assert_int_equal(prometheus_protobuf_fini(&protobuf), 0);
    size_t length = 0;
    size_t at = 0;
    do {
        length |= (size_t)(out.data[at] & 0x7f) << (7 * at);
    } while ((out.data[at++] & 0x80) != 0);
    assert_int_equal(at + length, out.length);
    Io__Prometheus__Client__MetricFamily *family =
        io__prometheus__client__metric_family__unpack(NULL, length, (const uint8_t *)out.data + at);
    assert_non_null(family);
    return family;
}

static void test_hostile_labels(void **state)
{
    (void)state;
    const struct metric_label labels[] = {{"a", {"nul\0\xff\xc3", 6}}, {"b", {"\xed\xa0\x80", 3}}};
    sink.family(sink.context, &(struct metric_family){"x", "X.", "", METRIC_GAUGE});
    sink.point(sink.context,
               &(struct metric_point){.labels = labels, .label_count = 2, .value = 1});
    Io__Prometheus__Client__MetricFamily *family = decode();
    assert_string_equal(family->metric[0]->label[0]->value,
                        "nul\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    assert_string_equal(family->metric[0]->label[1]->value, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    io__prometheus__client__metric_family__free_unpacked(family, NULL);
}

/* Histograms of one family may differ in everything: nothing of the one before is left over. */
static void test_points_do_not_mix(void **state)
{
    (void)state;
    static const double more[] = {1, 2, 3};
    static const uint64_t fewer_counts[] = {0, 5, 0, 0};
    emit_histogram();
    struct metric_point point = {.created_ns = 0};
    point.histogram = (struct metric_histogram){
        .bounds = more, .bucket_counts = fewer_counts, .bound_count = 3, .count = 5, .sum = 7};
    sink.point(sink.context, &point);
    Io__Prometheus__Client__MetricFamily *family = decode();
    assert_int_equal(family->n_metric, 2);
    const Io__Prometheus__Client__Histogram *second = family->metric[1]->histogram;
    assert_int_equal(second->n_bucket, 4);
    assert_int_equal(second->bucket[0]->cumulative_count, 0);
    assert_null(second->bucket[0]->exemplar);
    assert_int_equal(second->bucket[1]->cumulative_count, 5);
    assert_true(isinf(second->bucket[3]->upper_bound));
    assert_int_equal(second->n_positive_span, 0);
    assert_int_equal(second->n_positive_delta, 0);
    assert_int_equal(second->n_exemplars, 0);
    assert_true(second->zero_threshold == 0);
    assert_null(second->created_timestamp);
    io__prometheus__client__metric_family__free_unpacked(family, NULL);
}

static void test_nothing(void **state)
{
    (void)state;
    EXPECT("");
}

static void test_out_of_memory_is_told(void **state)
{
    (void)state;
    out.failed = true;
    metric_emit_gauge(&sink, "x", "Help.", 1);
    assert_int_equal(prometheus_protobuf_fini(&protobuf), -ENOMEM);
    assert_int_equal(out.length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_counter_and_gauge, setup, teardown),
        cmocka_unit_test_setup_teardown(test_native_histogram, setup, teardown),
        cmocka_unit_test_setup_teardown(test_classic_histogram, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile_labels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_points_do_not_mix, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_out_of_memory_is_told, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
