#include "exporters/otlp/otlp_points.h"

#include "tests/unit/otlp/messages.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW INT64_C(1769860800000000000)
#define LATER (NOW + INT64_C(60000000000))
#define CREATED (NOW - 5000)
#define START (NOW - 9000)

static const struct metric_family duration = {"http_server_request_duration_seconds", "How long.",
                                              "seconds", METRIC_HISTOGRAM};
static const struct metric_family requests = {"vethscope_flows_evicted_total", "Flows.", "",
                                              METRIC_COUNTER};
static const struct metric_family active = {"http_server_active_requests", "Now.", "",
                                            METRIC_GAUGE};
static const struct metric_family memory = {"vethscope_memory_bytes", "Bytes.", "bytes",
                                            METRIC_GAUGE};

static struct otlp_points *points;
static struct byte_writer items;
static struct byte_writer body;
static unsigned lost;
static metrics_request *request;

static const struct otlp_extra extras[] = {{{"k8s.cluster.name", 16}, {"blue", 4}},
                                           {{"service.name", 12}, {"mine", 4}}};

static void emit(void *context, const struct text *parts, size_t count)
{
    (void)context;
    for (size_t i = 0; i < count; i++) {
        byte_writer_text(&items, parts[i]);
    }
}

static void lose(void *context)
{
    (void)context;
    lost++;
}

static void open_points(bool delta, bool explicit_buckets, size_t max_series)
{
    struct otlp_points_options options = {.agent_resource = {"\n\0", 0},
                                          .explicit_buckets = explicit_buckets,
                                          .delta = delta,
                                          .max_series = max_series,
                                          .start_ns = START,
                                          .extras = {extras, 2},
                                          .emit = emit,
                                          .lose = lose};
    points = otlp_points_new(&options);
    assert_non_null(points);
}

static int setup(void **state)
{
    (void)state;
    lost = 0;
    byte_writer_init(&items);
    byte_writer_init(&body);
    request = NULL;
    return 0;
}

static void forget(void)
{
    opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__free_unpacked(
        request, NULL);
    request = NULL;
}

static int teardown(void **state)
{
    (void)state;
    forget();
    otlp_points_free(points);
    points = NULL;
    byte_writer_fini(&items);
    byte_writer_fini(&body);
    return 0;
}

/* Ends a report and reads the request made of it. */
static void read_report(void)
{
    otlp_points_end(points);
    forget();
    byte_writer_reset(&body);
    struct otlp_request_options options = {.scope = {"", 0},
                                           .families = otlp_points_families(points)};
    struct text text = {items.data, items.length};
    assert_int_equal(otlp_request_write(&options, text, &body), 0);
    byte_writer_reset(&items);
    request = opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__unpack(
        NULL, body.length, (const uint8_t *)body.data);
    assert_non_null(request);
}

static otlp_metric *only_metric(void)
{
    assert_int_equal(request->n_resource_metrics, 1);
    assert_int_equal(request->resource_metrics[0]->n_scope_metrics, 1);
    assert_int_equal(request->resource_metrics[0]->scope_metrics[0]->n_metrics, 1);
    return request->resource_metrics[0]->scope_metrics[0]->metrics[0];
}

/* "key=value ..." in their order; numbers with a # in front. */
static const char *attributes_text(size_t count, otlp_key_value **list)
{
    static char text[512];
    int length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        const otlp_any_value *value = list[i]->value;
        bool number =
            value->value_case == OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_INT_VALUE;
        length += snprintf(text + length, sizeof(text) - (size_t)length, "%s%s=", i > 0 ? " " : "",
                           list[i]->key);
        length += number ? snprintf(text + length, sizeof(text) - (size_t)length, "#%" PRId64,
                                    value->int_value)
                         : snprintf(text + length, sizeof(text) - (size_t)length, "%s",
                                    value->string_value);
    }
    return text;
}

static const struct metric_label labels[] = {
    {"service_namespace", {"shop", 4}},
    {"service_name", {"cart", 4}},
    {"http_request_method", {"GET", 3}},
    {"http_route", {"/a", 2}},
    {"http_response_status_code", {"200", 3}},
    {"error_type", {"", 0}},
    {"url_scheme", {"http", 4}},
};
#define LABEL_COUNT (sizeof(labels) / sizeof(labels[0]))

static const double bounds[] = {0.1, 1};
static const uint64_t bucket_counts[] = {4, 3, 2};
static const uint64_t exponential_counts[] = {3, 0, 4};
static const struct metric_exponential exponential = {
    .schema = 5, .zero_count = 1, .first_index = -90, .counts = exponential_counts, .count = 3};

static struct metric_point histogram_point(void)
{
    struct metric_point point = {
        .labels = labels, .label_count = LABEL_COUNT, .created_ns = CREATED};
    point.histogram = (struct metric_histogram){.bounds = bounds,
                                                .bucket_counts = bucket_counts,
                                                .bound_count = 2,
                                                .count = 9,
                                                .sum = 1.25,
                                                .exponential = &exponential};
    return point;
}

static void test_exponential(void **state)
{
    (void)state;
    open_points(false, false, 0);
    struct metric_exemplar exemplars[3] = {{{0}, 0, 0}};
    exemplars[1] =
        (struct metric_exemplar){text_of("0af7651916cd43dd8448eb211c80319c"), 0.5, NOW - 1};
    struct metric_point point = histogram_point();
    point.histogram.exemplars = exemplars;
    struct metric_sink sink = otlp_points_begin(points, NOW);
    sink.family(sink.context, &duration);
    sink.point(sink.context, &point);
    read_report();
    const otlp_metric *metric = only_metric();
    assert_string_equal(metric->name, "http.server.request.duration");
    assert_string_equal(metric->unit, "s");
    assert_string_equal(metric->description, "How long.");
    assert_int_equal(metric->data_case,
                     OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_EXPONENTIAL_HISTOGRAM);
    assert_int_equal(metric->exponential_histogram->aggregation_temporality, 2);
    const otlp_exponential_point *is = metric->exponential_histogram->data_points[0];
    assert_int_equal(is->count, 9);
    assert_true(is->sum == 1.25);
    assert_int_equal(is->scale, 5);
    /* One at zero, and one whose value nobody knows. */
    assert_int_equal(is->zero_count, 2);
    assert_int_equal(is->positive->offset, -90);
    assert_int_equal(is->positive->n_bucket_counts, 3);
    assert_int_equal(is->positive->bucket_counts[2], 4);
    assert_int_equal(is->start_time_unix_nano, CREATED);
    assert_int_equal(is->time_unix_nano, NOW);
    assert_int_equal(is->n_exemplars, 1);
    assert_int_equal(is->exemplars[0]->trace_id.data[15], 0x9c);
    assert_true(is->exemplars[0]->as_double == 0.5);
    assert_string_equal(attributes_text(is->n_attributes, is->attributes),
                        "http.request.method=GET http.route=/a http.response.status_code=#200 "
                        "url.scheme=http");
    const otlp_resource_message *about = request->resource_metrics[0]->resource;
    assert_string_equal(attributes_text(about->n_attributes, about->attributes),
                        "service.namespace=shop service.name=cart k8s.cluster.name=blue");
}

static void test_explicit(void **state)
{
    (void)state;
    open_points(false, true, 0);
    struct metric_point point = histogram_point();
    struct metric_sink sink = otlp_points_begin(points, NOW);
    sink.family(sink.context, &duration);
    sink.point(sink.context, &point);
    read_report();
    const otlp_metric *metric = only_metric();
    assert_int_equal(metric->data_case, OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_HISTOGRAM);
    const otlp_histogram_point *is = metric->histogram->data_points[0];
    assert_int_equal(is->count, 9);
    assert_true(is->sum == 1.25);
    assert_int_equal(is->n_bucket_counts, 3);
    assert_int_equal(is->n_explicit_bounds, 2);
    assert_memory_equal(is->bucket_counts, bucket_counts, sizeof(bucket_counts));
    assert_memory_equal(is->explicit_bounds, bounds, sizeof(bounds));
}

static void test_numbers(void **state)
{
    (void)state;
    open_points(false, false, 0);
    struct metric_sink sink = otlp_points_begin(points, NOW);
    sink.family(sink.context, &requests);
    sink.point(sink.context, &(struct metric_point){.value = 42});
    sink.family(sink.context, &memory);
    sink.point(sink.context, &(struct metric_point){.value = 4096});
    sink.family(sink.context, &active);
    sink.point(sink.context,
               &(struct metric_point){.labels = labels, .label_count = LABEL_COUNT, .value = 3});
    read_report();
    assert_int_equal(request->n_resource_metrics, 2); /* the agent's, the service's */
    assert_int_equal(request->resource_metrics[0]->scope_metrics[0]->n_metrics, 2);
    const otlp_metric *metric = request->resource_metrics[0]->scope_metrics[0]->metrics[0];
    assert_string_equal(metric->name, "vethscope.flows_evicted");
    assert_int_equal(metric->sum->aggregation_temporality, 2);
    assert_true(metric->sum->is_monotonic);
    assert_int_equal(metric->sum->data_points[0]->as_int, 42);
    assert_int_equal(metric->sum->data_points[0]->start_time_unix_nano, START);
    metric = request->resource_metrics[0]->scope_metrics[0]->metrics[1];
    assert_string_equal(metric->name, "vethscope.memory");
    assert_true(metric->gauge->data_points[0]->as_double == 4096);
    assert_int_equal(metric->gauge->data_points[0]->start_time_unix_nano, 0);
    metric = request->resource_metrics[1]->scope_metrics[0]->metrics[0];
    assert_string_equal(metric->name, "http.server.active_requests");
    assert_false(metric->sum->is_monotonic);
    assert_int_equal(metric->sum->data_points[0]->as_int, 3);
}

static void test_delta(void **state)
{
    (void)state;
    open_points(true, false, 10);
    struct metric_point point = histogram_point();
    for (unsigned i = 0; i < 2; i++) {
        struct metric_sink sink = otlp_points_begin(points, i == 0 ? NOW : LATER);
        sink.family(sink.context, &duration);
        sink.point(sink.context, &point);
        sink.family(sink.context, &requests);
        sink.point(sink.context, &(struct metric_point){.value = 42 + i});
        sink.family(sink.context, &active);
        sink.point(sink.context, &(struct metric_point){.value = 3});
        read_report();
    }
    /* The histogram did not change and is left out; a gauge is told as it stands. */
    assert_int_equal(request->n_resource_metrics, 1);
    assert_int_equal(request->resource_metrics[0]->scope_metrics[0]->n_metrics, 2);
    const otlp_metric *metric = request->resource_metrics[0]->scope_metrics[0]->metrics[0];
    assert_string_equal(metric->name, "vethscope.flows_evicted");
    assert_int_equal(metric->sum->aggregation_temporality, 1);
    assert_int_equal(metric->sum->data_points[0]->as_int, 1);
    assert_int_equal(metric->sum->data_points[0]->start_time_unix_nano, NOW);
    assert_int_equal(metric->sum->data_points[0]->time_unix_nano, LATER);
    metric = request->resource_metrics[0]->scope_metrics[0]->metrics[1];
    assert_int_equal(metric->sum->aggregation_temporality, 2);
    assert_int_equal(metric->sum->data_points[0]->as_int, 3);
}

/* Series that differ in one attribute, or in whom they are about, are different. */
static void test_delta_tells_series_apart(void **state)
{
    (void)state;
    open_points(true, false, 10);
    struct metric_label own[LABEL_COUNT];
    for (unsigned report = 0; report < 2; report++) {
        struct metric_sink sink = otlp_points_begin(points, report == 0 ? NOW : LATER);
        sink.family(sink.context, &duration);
        for (unsigned i = 0; i < 3; i++) {
            struct metric_point point = histogram_point();
            memcpy(own, labels, sizeof(own));
            own[i == 1 ? 1 : 4].value = i == 0 ? labels[4].value : text_of("500");
            point.labels = own;
            sink.point(sink.context, &point);
        }
        assert_int_equal(items.length > 0, report == 0);
        read_report();
    }
}

static void test_delta_bound(void **state)
{
    (void)state;
    open_points(true, false, 1);
    struct metric_point point = histogram_point();
    struct metric_sink sink = otlp_points_begin(points, NOW);
    sink.family(sink.context, &requests);
    sink.point(sink.context, &(struct metric_point){.value = 42});
    sink.family(sink.context, &duration);
    sink.point(sink.context, &point);
    read_report();
    assert_int_equal(lost, 1);
    assert_string_equal(only_metric()->name, "vethscope.flows_evicted");
}

/* What is known of a service is not changed by what the user says of the agent. */
static void test_resource_without_anything_twice(void **state)
{
    (void)state;
    static const struct otlp_extra all[] = {{{"k8s.node.name", 13}, {"mine", 4}},
                                            {{"service.version", 15}, {"9", 1}},
                                            {{"k8s.pod.uid", 11}, {"", 0}},
                                            {{"zone", 4}, {"b", 1}}};
    const struct otlp_extras given = {all, 4};
    struct byte_writer bytes = {0};
    otlp_resource_add(&bytes, "service.name", text_of("cart"));
    otlp_resource_add(&bytes, "k8s.node.name", text_of("its"));
    otlp_resource_add_extras(&bytes, &given, false);
    otlp_resource_message *about = opentelemetry__proto__resource__v1__resource__unpack(
        NULL, bytes.length, (const uint8_t *)bytes.data);
    assert_non_null(about);
    assert_string_equal(attributes_text(about->n_attributes, about->attributes),
                        "service.name=cart k8s.node.name=its zone=b");
    opentelemetry__proto__resource__v1__resource__free_unpacked(about, NULL);
    byte_writer_reset(&bytes);
    const struct otlp_agent agent = {text_of("watcher"), text_of("1"), text_of("host")};
    otlp_resource_append_agent(&bytes, &agent, &given);
    about = opentelemetry__proto__resource__v1__resource__unpack(NULL, bytes.length,
                                                                 (const uint8_t *)bytes.data);
    assert_non_null(about);
    assert_string_equal(attributes_text(about->n_attributes, about->attributes),
                        "service.name=watcher service.version=1 host.name=host "
                        "k8s.node.name=mine zone=b");
    opentelemetry__proto__resource__v1__resource__free_unpacked(about, NULL);
    byte_writer_fini(&bytes);
}

/* One more family than there is room for. */
static void test_family_bound(void **state)
{
    (void)state;
    open_points(false, false, 0);
    struct metric_sink sink = otlp_points_begin(points, NOW);
    for (unsigned i = 0; i <= OTLP_FAMILIES_MAX; i++) {
        char name[32];
        snprintf(name, sizeof(name), "vethscope_%u_total", i);
        struct metric_family family = {name, "Some.", "", METRIC_COUNTER};
        sink.family(sink.context, &family);
        sink.point(sink.context, &(struct metric_point){.value = i});
    }
    assert_int_equal(lost, 1);
    read_report();
    assert_int_equal(request->resource_metrics[0]->scope_metrics[0]->n_metrics, OTLP_FAMILIES_MAX);
}

/* A clock that was set back: no interval ends before it begins. */
static void test_a_start_behind_the_end(void **state)
{
    (void)state;
    open_points(false, false, 0);
    struct metric_point point = histogram_point();
    point.created_ns = NOW + 1;
    struct metric_sink sink = otlp_points_begin(points, NOW);
    sink.family(sink.context, &duration);
    sink.point(sink.context, &point);
    read_report();
    assert_int_equal(only_metric()->exponential_histogram->data_points[0]->start_time_unix_nano,
                     NOW);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_exponential),
        TEST(test_explicit),
        TEST(test_numbers),
        TEST(test_delta),
        TEST(test_delta_bound),
        TEST(test_delta_tells_series_apart),
        TEST(test_resource_without_anything_twice),
        TEST(test_family_bound),
        TEST(test_a_start_behind_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
