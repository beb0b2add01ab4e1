#include "tests/unit/aggregate/scene.h"

#include "agent/aggregate/histogram.h"
#include "exporters/prometheus/prometheus_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)

struct aggregate_options scene_options(void)
{
    static const double buckets[] = {0.001, 0.01};
    return (struct aggregate_options){.duration_buckets = buckets,
                                      .duration_bucket_count = 2,
                                      .max_series = 10000,
                                      .max_routes_per_service = 100,
                                      .native_schema = HISTOGRAM_SCHEMA,
                                      .series_idle_ns = 60 * SECOND};
}

struct endpoint scene_endpoint(const char *text)
{
    char address[ENDPOINT_TEXT_SIZE];
    struct endpoint endpoint;
    const char *colon = strrchr(text, ':');
    assert_non_null(colon);
    snprintf(address, sizeof(address), "%.*s", (int)(colon - text), text);
    assert_int_equal(address_parse(address, &endpoint.address), 0);
    endpoint.port = (uint16_t)strtoul(colon + 1, NULL, 10);
    return endpoint;
}

struct connection scene_connection(enum exchange_side side, const char *client, const char *server)
{
    return (struct connection){
        .client = scene_endpoint(client), .server = scene_endpoint(server), .side = side};
}

struct exchange scene_exchange(const char *route, uint16_t status)
{
    return (struct exchange){.start_ns = SECOND,
                             .request_end_ns = SECOND + 500000,
                             .response_start_ns = SECOND + 1500000,
                             .response_end_ns = SECOND + 2000000,
                             .connect_server_ns = EXCHANGE_TIME_UNKNOWN,
                             .connect_client_ns = EXCHANGE_TIME_UNKNOWN,
                             .request_body_bytes = 3,
                             .response_body_bytes = 700,
                             .method = slice_of("GET"),
                             .target = slice_of(route),
                             .route = slice_of(route),
                             .status = status,
                             .outcome = EXCHANGE_COMPLETE};
}

void scene_feed(struct aggregate_shard *shard, struct connection *connection,
                const struct exchange *exchange)
{
    struct exchange_sink sink = aggregate_shard_sink(shard);
    sink.exchange(sink.context, connection, exchange);
}

void scene_event(struct aggregate_shard *shard, struct connection *connection,
                 enum connection_event_kind kind, uint64_t amount)
{
    struct exchange_sink sink = aggregate_shard_sink(shard);
    const struct connection_event event = {
        .kind = kind, .amount = amount, .protocol = "tls", .method = slice_of("GET")};
    sink.event(sink.context, connection, &event);
}

static void keep_samples(const struct byte_writer *out, char *text)
{
    size_t length = 0;
    const char *end = out->data + out->length;
    for (const char *line = out->data; line < end;) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        assert_non_null(next);
        next++;
        if (line[0] != '#') {
            assert_true(length + (size_t)(next - line) < SCENE_TEXT_SIZE);
            memcpy(text + length, line, (size_t)(next - line));
            length += (size_t)(next - line);
        }
        line = next;
    }
    text[length] = '\0';
}

const char *scene_text(struct aggregate_shard *const *shards, size_t count)
{
    static char kept[SCENE_TEXT_SIZE];
    struct byte_writer out;
    struct prometheus_text text;
    byte_writer_init(&out);
    prometheus_text_init(&text, &out);
    struct metric_sink sink = prometheus_text_sink(&text);
    assert_int_equal(aggregate_write(shards, count, &sink), 0);
    assert_int_equal(prometheus_text_fini(&text), 0);
    keep_samples(&out, kept);
    byte_writer_fini(&out);
    return kept;
}

bool scene_has(struct aggregate_shard *shard, const char *line)
{
    const char *text = scene_text(&shard, 1);
    size_t length = strlen(line);
    for (const char *found = strstr(text, line); found != NULL; found = strstr(found + 1, line)) {
        if ((found == text || found[-1] == '\n') && found[length] == '\n') {
            return true;
        }
    }
    return false;
}

void scene_expect(struct aggregate_shard *shard, const char *line)
{
    if (!scene_has(shard, line)) {
        print_error("no line %s in\n%s", line, scene_text(&shard, 1));
        fail();
    }
}

size_t scene_count(struct aggregate_shard *shard, const char *start)
{
    size_t count = 0;
    size_t length = strlen(start);
    const char *line = scene_text(&shard, 1);
    while (line != NULL && *line != '\0') {
        count += strncmp(line, start, length) == 0;
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
    return count;
}
