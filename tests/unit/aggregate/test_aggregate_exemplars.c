#include "exporters/prometheus/openmetrics_text.h"
#include "tests/unit/aggregate/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BUCKET                                                                                     \
    "http_server_request_duration_seconds_bucket{service_name=\"10.0.0.2:80\","                    \
    "http_request_method=\"GET\",http_route=\"/a\",http_response_status_code=\"200\","             \
    "url_scheme=\"http\",le=\"0.01\"} "

/* The OpenMetrics exposition of some shards. */
static struct byte_writer render(struct aggregate_shard *const *shards, size_t count)
{
    struct byte_writer out;
    struct openmetrics_text text;
    byte_writer_init(&out);
    openmetrics_text_init(&text, &out, false);
    struct metric_sink sink = openmetrics_text_sink(&text);
    assert_int_equal(aggregate_write(shards, count, &sink), 0);
    assert_int_equal(openmetrics_text_fini(&text), 0);
    byte_writer_byte(&out, '\0');
    assert_false(out.failed);
    return out;
}

static void expect(struct aggregate_shard *const *shards, size_t count, const char *line)
{
    struct byte_writer out = render(shards, count);
    if (strstr(out.data, line) == NULL) {
        fail_msg("no line %s in\n%s", line, out.data);
    }
    byte_writer_fini(&out);
}

static struct aggregate_shard *shard_new(void)
{
    struct aggregate_options options = scene_options();
    struct aggregate_shard *shard = aggregate_shard_new(&options, NULL);
    assert_non_null(shard);
    return shard;
}

static void feed(struct aggregate_shard *shard, const char *trace_id, int64_t later_ns)
{
    struct connection connection =
        scene_connection(EXCHANGE_SERVER, "10.0.0.1:4000", "10.0.0.2:80");
    struct exchange exchange = scene_exchange("/a", 200);
    exchange.start_ns += later_ns;
    exchange.request_end_ns += later_ns;
    exchange.response_start_ns += later_ns;
    exchange.response_end_ns += later_ns;
    exchange.trace_id = slice_of(trace_id);
    scene_feed(shard, &connection, &exchange);
    scene_event(shard, &connection, CONNECTION_CLOSED, 0);
}

static void test_trace_ids(void **state)
{
    (void)state;
    struct aggregate_shard *shard = shard_new();
    feed(shard, "", 0);
    expect(&shard, 1, BUCKET "1\n");
    feed(shard, "0af7651916cd43dd8448eb211c80319c", 0);
    expect(&shard, 1,
           BUCKET "2 # {trace_id=\"0af7651916cd43dd8448eb211c80319c\"} 0.002 1.002000000\n");
    feed(shard, "fedcba9876543210", 7); /* 64 bits */
    expect(&shard, 1,
           BUCKET "3 # {trace_id=\"0000000000000000fedcba9876543210\"} 0.002 1.002000007\n");
    feed(shard, "abc", 9); /* no id: the one before stays */
    expect(&shard, 1, BUCKET "4 # {trace_id=\"0000000000000000fedcba9876543210\"}");
    aggregate_shard_free(shard);
}

/* Equal series of two workers: the later exemplar. */
static void test_workers(void **state)
{
    (void)state;
    struct aggregate_shard *shards[] = {shard_new(), shard_new()};
    feed(shards[0], "11111111111111111111111111111111", 2);
    feed(shards[1], "22222222222222222222222222222222", 1);
    expect(shards, 2,
           BUCKET "2 # {trace_id=\"11111111111111111111111111111111\"} 0.002 1.002000002\n");
    aggregate_shard_free(shards[0]);
    aggregate_shard_free(shards[1]);
}

/* A request that was never answered has no duration that an exemplar could have. */
static void test_unanswered(void **state)
{
    (void)state;
    struct aggregate_shard *shard = shard_new();
    struct connection connection =
        scene_connection(EXCHANGE_SERVER, "10.0.0.1:4000", "10.0.0.2:80");
    struct exchange exchange = scene_exchange("/a", 0);
    exchange.outcome = EXCHANGE_CLIENT_CLOSED;
    exchange.response_start_ns = EXCHANGE_TIME_UNKNOWN;
    exchange.response_end_ns = EXCHANGE_TIME_UNKNOWN;
    exchange.trace_id = slice_of("0af7651916cd43dd8448eb211c80319c");
    scene_feed(shard, &connection, &exchange);
    struct byte_writer out = render(&shard, 1);
    assert_non_null(strstr(out.data, "le=\"+Inf\"} 1\n"));
    assert_null(strstr(out.data, "trace_id"));
    byte_writer_fini(&out);
    aggregate_shard_free(shard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trace_ids),
        cmocka_unit_test(test_workers),
        cmocka_unit_test(test_unanswered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
