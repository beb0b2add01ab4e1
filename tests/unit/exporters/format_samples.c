/* format_samples prometheus|json|protobuf: the same nasty bytes in each format, on standard output,
 * for readers that are not ours. */
#include "exporters/events/event_json.h"
#include "exporters/events/event_protobuf.h"
#include "exporters/prometheus/prometheus_text.h"

#include <math.h>
#include <stdio.h>

static const struct text nasty[] = {
    {"plain", 5},
    {"\"quotes\" and \\backslashes\\", 26},
    {"line\nfeed\r\ttab", 14},
    {"nul\0inside", 10},
    {"\x01\x02\x1f\x7f", 4},
    {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", 14},
    {"overlong \xc0\xaf surrogate \xed\xa0\x80", 25},
    {"cut \xe2\x82", 6},
    {"\xff\xfe{}=,#", 7},
    {"${x} {{y}} <z>", 14},
};
#define NASTY_COUNT (sizeof(nasty) / sizeof(nasty[0]))

static void write_prometheus(struct byte_writer *out)
{
    static const double bounds[] = {0.001, 0.0025, 1, 30};
    static const uint64_t counts[] = {1, 2, 3, 4, 5};
    struct prometheus_text text;
    prometheus_text_init(&text, out);
    struct metric_sink sink = prometheus_text_sink(&text);
    sink.family(sink.context,
                &(struct metric_family){"sample_seconds", "Quotes \" backslash \\ and\nline feed.",
                                        "seconds", METRIC_HISTOGRAM});
    for (size_t i = 0; i < NASTY_COUNT; i++) {
        const struct metric_label labels[] = {{"nasty", nasty[i]}, {"empty", {"", 0}}};
        struct metric_point point = {.labels = labels, .label_count = 2};
        point.histogram = (struct metric_histogram){
            .bounds = bounds, .bucket_counts = counts, .bound_count = 4, .count = 15, .sum = 0.1};
        sink.point(sink.context, &point);
    }
    sink.family(sink.context,
                &(struct metric_family){"sample_requests_total", "Requests.", "", METRIC_COUNTER});
    sink.point(sink.context, &(struct metric_point){.value = 1e300});
    sink.family(sink.context,
                &(struct metric_family){"sample_share", "A share.", "", METRIC_GAUGE});
    sink.point(sink.context, &(struct metric_point){.value = INFINITY});
    prometheus_text_fini(&text);
}

static struct exchange_record record_of(size_t i)
{
    static const uint16_t interim[] = {100};
    return (struct exchange_record){.time_ns = 1769860800000000001 + (int64_t)i,
                                    .side = text_of("server"),
                                    .client = text_of("10.0.0.1:40312"),
                                    .server = text_of("[2001:db8::1]:80"),
                                    .method = nasty[i],
                                    .target = nasty[i],
                                    .route = nasty[i],
                                    .host = nasty[i],
                                    .user_agent = nasty[i],
                                    .server_service = nasty[i],
                                    .outcome = text_of("complete"),
                                    .status = 200,
                                    .interim = interim,
                                    .interim_count = i % 2,
                                    .request_body_bytes = 0,
                                    .response_body_bytes = UINT64_MAX - 1,
                                    .request_ns = 0,
                                    .server_ns = RECORD_UNKNOWN,
                                    .response_ns = 1200,
                                    .duration_ns = 813545,
                                    .connect_ns = RECORD_UNKNOWN};
}

static void write_json(struct byte_writer *out)
{
    for (size_t i = 0; i < NASTY_COUNT; i++) {
        struct exchange_record record = record_of(i);
        event_json_append(&record, out);
    }
}

static void write_protobuf(struct byte_writer *out)
{
    struct event_protobuf events;
    event_protobuf_init(&events);
    for (size_t i = 0; i < NASTY_COUNT; i++) {
        struct exchange_record record = record_of(i);
        event_protobuf_append(&events, &record, out);
    }
    event_protobuf_fini(&events);
}

int main(int argc, char **argv)
{
    struct byte_writer out;
    byte_writer_init(&out);
    const char *format = argc == 2 ? argv[1] : "";
    if (strcmp(format, "prometheus") == 0) {
        write_prometheus(&out);
    } else if (strcmp(format, "json") == 0) {
        write_json(&out);
    } else if (strcmp(format, "protobuf") == 0) {
        write_protobuf(&out);
    } else {
        return 2;
    }
    bool failed = out.failed || fwrite(out.data, 1, out.length, stdout) != out.length;
    byte_writer_fini(&out);
    return failed ? 1 : 0;
}
