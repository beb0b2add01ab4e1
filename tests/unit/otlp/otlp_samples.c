/* otlp_samples metrics|traces: one request of each signal, with nasty bytes in its texts, on
 * standard output, for readers that are not ours. */
#include "exporters/otlp/otlp_points.h"
#include "exporters/otlp/otlp_span.h"

#include <stdio.h>

#define TIME INT64_C(1769860800000000000)

static struct byte_writer items;

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
    items.failed = true;
}

static int write_metrics(struct byte_writer *out)
{
    static const double bounds[] = {0.5};
    static const uint64_t counts[] = {2, 1};
    static const uint64_t sparse[] = {1, 2};
    static const struct metric_exponential exponential = {
        .schema = 5, .first_index = -3, .counts = sparse, .count = 2};
    static const struct metric_label labels[] = {{"service_name", {"cart \xff", 6}},
                                                 {"http_route", {"/a\0b", 4}}};
    struct otlp_points_options options = {
        .agent_resource = {"", 0}, .start_ns = TIME - 1, .emit = emit, .lose = lose};
    struct otlp_points *points = otlp_points_new(&options);
    if (points == NULL) {
        return -1;
    }
    struct metric_sink sink = otlp_points_begin(points, TIME);
    sink.family(sink.context, &(struct metric_family){"http_server_request_duration_seconds",
                                                      "Time.", "seconds", METRIC_HISTOGRAM});
    struct metric_point point = {.labels = labels, .label_count = 2};
    point.histogram = (struct metric_histogram){.bounds = bounds,
                                                .bucket_counts = counts,
                                                .bound_count = 1,
                                                .count = 3,
                                                .sum = 0.75,
                                                .exponential = &exponential};
    sink.point(sink.context, &point);
    sink.family(sink.context,
                &(struct metric_family){"vethscope_x_total", "X.", "", METRIC_COUNTER});
    sink.point(sink.context, &(struct metric_point){.value = 7});
    otlp_points_end(points);
    struct otlp_request_options request = {.scope = {"\n\1v", 3},
                                           .families = otlp_points_families(points)};
    int status = otlp_request_write(&request, (struct text){items.data, items.length}, out);
    otlp_points_free(points);
    return status;
}

static int write_traces(struct byte_writer *out)
{
    struct otlp_random random = {{1, 2, 3, 4}};
    struct otlp_span span;
    struct byte_writer body = {0};
    struct exchange_record record = {.time_ns = TIME,
                                     .side = text_of("server"),
                                     .client = text_of("10.0.0.1:40312"),
                                     .server = text_of("10.0.0.2:80"),
                                     .method = text_of("GET"),
                                     .target = {"/caf\xc3\xa9\xff", 7},
                                     .route = text_of("/{id}"),
                                     .trace_id = text_of("0af7651916cd43dd8448eb211c80319c"),
                                     .parent_span_id = 0xb7ad6b7169203331,
                                     .outcome = text_of("complete"),
                                     .status = 503,
                                     .request_body_bytes = 0,
                                     .response_body_bytes = UINT32_MAX,
                                     .request_ns = 10,
                                     .server_ns = 20,
                                     .response_ns = 30,
                                     .duration_ns = 60,
                                     .connect_ns = RECORD_UNKNOWN};
    otlp_span_init(&span, &random, false);
    otlp_span_append(&span, &record, &body);
    struct otlp_item item = {.body_length = (uint32_t)body.length};
    const struct text parts[] = {{(const char *)&item, sizeof(item)}, {body.data, body.length}};
    emit(NULL, parts, 2);
    struct otlp_request_options request = {.scope = {"\n\1v", 3}};
    int status = otlp_request_write(&request, (struct text){items.data, items.length}, out);
    byte_writer_fini(&body);
    otlp_span_fini(&span);
    return status;
}

int main(int argc, char **argv)
{
    struct byte_writer out = {0};
    bool metrics = argc == 2 && strcmp(argv[1], "metrics") == 0;
    int status = metrics ? write_metrics(&out) : write_traces(&out);
    bool failed = status != 0 || fwrite(out.data, 1, out.length, stdout) != out.length;
    byte_writer_fini(&items);
    byte_writer_fini(&out);
    return failed ? 1 : 0;
}
