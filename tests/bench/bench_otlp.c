/* bench_otlp [quick]: what OpenTelemetry's exporters cost: deciding about an exchange and packing
 * it as a span; packing a histogram's data point, cumulative and as a delta; and the request made
 * of them.
 */
#include "exporters/otlp/otlp_points.h"
#include "exporters/otlp/otlp_sampler.h"
#include "exporters/otlp/otlp_span.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SPANS 1000000
#define SERIES 5000
#define REPORTS 40
#define BUCKETS 60
#define TIME INT64_C(1769860800000000000)

static struct byte_writer items;
/* For a look at the instructions, which takes fifty times as long: a hundredth of everything. */
static bool quick;

static int64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void end(int64_t started_ns, const char *what, uint64_t count, uint64_t bytes)
{
    printf("%-44s %7.0f ns", what, (double)(cpu_ns() - started_ns) / (double)count);
    if (bytes > 0) {
        printf(" %5.0f bytes", (double)bytes / (double)count);
    }
    printf("\n");
}

static struct exchange_record usual_record(unsigned number)
{
    return (struct exchange_record){.time_ns = TIME + number,
                                    .side = text_of("server"),
                                    .client = text_of("10.244.3.17:40312"),
                                    .server = text_of("10.244.1.9:8080"),
                                    .client_service = text_of("checkout"),
                                    .server_namespace = text_of("shop"),
                                    .server_service = text_of("orders"),
                                    .method = text_of("GET"),
                                    .target = text_of("/api/v1/users/48210/orders?limit=20"),
                                    .route = text_of("/api/v1/users/{id}/orders"),
                                    .host = text_of("orders.shop.svc.cluster.local"),
                                    .user_agent = text_of("Go-http-client/1.1"),
                                    .trace_id = text_of("0af7651916cd43dd8448eb211c80319c"),
                                    .parent_span_id = 0xb7ad6b7169203331U,
                                    .version = text_of("1.1"),
                                    .outcome = text_of("complete"),
                                    .status = 200,
                                    .request_body_bytes = 0,
                                    .response_body_bytes = 2312 + number % 1000,
                                    .request_ns = 1200 + number % 100,
                                    .server_ns = 812345 + number % 10000,
                                    .response_ns = 12000 + number % 1000,
                                    .duration_ns = 825545 + number % 10000,
                                    .connect_ns = RECORD_UNKNOWN};
}

static void bench_sampler(void)
{
    struct otlp_sampler_options options = {.ratio = 0.1};
    struct otlp_sampler *sampler = otlp_sampler_new(&options);
    if (sampler == NULL) {
        abort();
    }
    unsigned wanted = 0;
    unsigned count = quick ? SPANS / 100 : SPANS;
    int64_t started = cpu_ns();
    for (unsigned i = 0; i < count; i++) {
        struct exchange_record record = usual_record(i);
        wanted += otlp_sampler_wants(sampler, &record);
    }
    end(started, "an exchange: whether it becomes a span", count, 0);
    printf("    %.1f %% do\n", 100.0 * wanted / count);
    otlp_sampler_free(sampler);
}

static void bench_spans(void)
{
    struct otlp_random random;
    struct otlp_span span;
    otlp_random_init(&random);
    otlp_span_init(&span, &random, false);
    uint64_t bytes = 0;
    unsigned count = quick ? SPANS / 100 : SPANS;
    struct byte_writer body = {0};
    int64_t started = cpu_ns();
    for (unsigned i = 0; i < count; i++) {
        struct exchange_record record = usual_record(i);
        byte_writer_reset(&body);
        otlp_span_append(&span, &record, &body);
        bytes += body.length;
    }
    end(started, "an exchange as a span", count, bytes);
    byte_writer_fini(&body);
    otlp_span_fini(&span);
}

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
    abort();
}

/* All series once; `grown` more requests in one bucket of each. */
static void report(struct otlp_points *points, unsigned grown)
{
    static const struct metric_family family = {"http_server_request_duration_seconds", "Time.",
                                                "seconds", METRIC_HISTOGRAM};
    static const double bounds[] = {0.1, 1};
    static uint64_t counts[BUCKETS];
    counts[BUCKETS / 2] = grown + 1;
    struct metric_exponential exponential = {
        .schema = 5, .first_index = -300, .counts = counts, .count = BUCKETS};
    struct metric_sink sink = otlp_points_begin(points, TIME + grown);
    sink.family(sink.context, &family);
    for (unsigned i = 0; i < SERIES; i++) {
        char service[16];
        char route[32];
        snprintf(service, sizeof(service), "service-%u", i / 100);
        snprintf(route, sizeof(route), "/api/v1/things/%u", i);
        const struct metric_label labels[] = {
            {"service_namespace", text_of("shop")},        {"service_name", text_of(service)},
            {"http_request_method", text_of("GET")},       {"http_route", text_of(route)},
            {"http_response_status_code", text_of("200")}, {"url_scheme", text_of("http")}};
        struct metric_point point = {.labels = labels, .label_count = 6, .created_ns = TIME - 1};
        point.histogram = (struct metric_histogram){.bounds = bounds,
                                                    .bucket_counts = counts,
                                                    .bound_count = 2,
                                                    .count = grown + 1,
                                                    .sum = 1,
                                                    .exponential = &exponential};
        sink.point(sink.context, &point);
    }
    otlp_points_end(points);
}

static void bench_points(const char *what, bool delta)
{
    struct otlp_points_options options = {
        .delta = delta, .max_series = SERIES, .emit = emit, .lose = lose};
    struct otlp_points *points = otlp_points_new(&options);
    if (points == NULL) {
        abort();
    }
    uint64_t bytes = 0;
    unsigned reports = quick ? 2 : REPORTS;
    int64_t started = cpu_ns();
    for (unsigned i = 0; i < reports; i++) {
        byte_writer_reset(&items);
        report(points, i);
        bytes += items.length;
    }
    end(started, what, (uint64_t)reports * SERIES, bytes);
    struct otlp_request_options request = {.scope = {"", 0},
                                           .families = otlp_points_families(points)};
    struct byte_writer body = {0};
    started = cpu_ns();
    for (unsigned i = 0; i < reports; i++) {
        byte_writer_reset(&body);
        if (otlp_request_write(&request, (struct text){items.data, items.length}, &body) != 0) {
            abort();
        }
    }
    end(started, "    in a request", (uint64_t)reports * SERIES, body.length * reports);
    byte_writer_fini(&body);
    otlp_points_free(points);
}

int main(int argc, char **argv)
{
    quick = argc > 1 && strcmp(argv[1], "quick") == 0;
    bench_sampler();
    bench_spans();
    bench_points("a data point of 60 buckets, cumulative", false);
    bench_points("a data point of 60 buckets, delta", true);
    byte_writer_fini(&items);
    return 0;
}
