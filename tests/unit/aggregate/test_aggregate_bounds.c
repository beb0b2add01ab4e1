#include "tests/unit/aggregate/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)
/* Sample lines of one server-side exchange: 5 histograms of 5 lines, 2 graph counters. */
#define EXCHANGE_LINES 27

static struct aggregate_shard *shard_new(const struct aggregate_options *options)
{
    struct aggregate_shard *shard = aggregate_shard_new(options, NULL);
    assert_non_null(shard);
    return shard;
}

static void feed_route(struct aggregate_shard *shard, const char *server, const char *route)
{
    struct connection connection = scene_connection(EXCHANGE_SERVER, "10.0.0.1:1", server);
    struct exchange exchange = scene_exchange(route, 200);
    scene_feed(shard, &connection, &exchange);
    scene_event(shard, &connection, CONNECTION_CLOSED, 0);
}

static void test_series_at_the_bound(void **state)
{
    (void)state;
    struct aggregate_options options = scene_options();
    options.max_series = EXCHANGE_LINES;
    struct aggregate_shard *shard = shard_new(&options);
    feed_route(shard, "10.0.0.2:80", "/a");
    scene_expect(shard, "vethscope_series 27");
    scene_expect(shard, "vethscope_series_rejected_total 0");
    feed_route(shard, "10.0.0.2:80", "/a");
    scene_expect(shard, "vethscope_series_rejected_total 0");

    /* One route more finds no room; what has its series goes on. */
    feed_route(shard, "10.0.0.2:80", "/b");
    scene_expect(shard, "vethscope_series 27");
    scene_expect(shard, "vethscope_series_rejected_total 1");
    scene_expect(shard, "traces_service_graph_request_total{client=\"10.0.0.1\","
                        "server=\"10.0.0.2:80\"} 3");
    assert_int_equal(scene_count(shard, "http_server_request_duration_seconds_count"), 1);
    aggregate_shard_free(shard);
}

static void test_series_one_line_short(void **state)
{
    (void)state;
    struct aggregate_options options = scene_options();
    options.max_series = EXCHANGE_LINES - 1;
    struct aggregate_shard *shard = shard_new(&options);
    feed_route(shard, "10.0.0.2:80", "/a");
    scene_expect(shard, "vethscope_series 22");
    scene_expect(shard, "vethscope_series_rejected_total 1");
    aggregate_shard_free(shard);
}

/* Exactly as many sample lines as vethscope_series says. */
static void test_series_are_sample_lines(void **state)
{
    (void)state;
    struct aggregate_options options = scene_options();
    struct aggregate_shard *shard = shard_new(&options);
    struct connection connection = scene_connection(EXCHANGE_SERVER, "10.0.0.1:1", "10.0.0.2:80");
    feed_route(shard, "10.0.0.2:80", "/a");
    feed_route(shard, "10.0.0.3:80", "/b");
    scene_event(shard, &connection, CONNECTION_OPENED, 0);
    scene_event(shard, &connection, CONNECTION_BLIND, 0);
    scene_event(shard, &connection, CONNECTION_REQUEST_BEGAN, 0);
    char line[64];
    size_t self_lines = 3;
    snprintf(line, sizeof(line), "vethscope_series %zu", scene_count(shard, "") - self_lines);
    scene_expect(shard, line);
    aggregate_shard_free(shard);
}

static void test_routes_at_the_bound(void **state)
{
    (void)state;
    struct aggregate_options options = scene_options();
    options.max_routes_per_service = 3;
    struct aggregate_shard *shard = shard_new(&options);
    feed_route(shard, "10.0.0.2:80", "/a");
    feed_route(shard, "10.0.0.2:80", "/b");
    feed_route(shard, "10.0.0.2:80", "/c");
    scene_expect(shard, "vethscope_routes_rejected_total 0");
    feed_route(shard, "10.0.0.2:80", "/d");
    feed_route(shard, "10.0.0.2:80", "/e");
    feed_route(shard, "10.0.0.2:80", "/c"); /* known ones go on */
    feed_route(shard, "10.0.0.3:80", "/e"); /* the bound is each service's own */
    scene_expect(shard, "vethscope_routes_rejected_total 2");
#define ROUTE(service, route)                                                                      \
    "http_server_request_duration_seconds_count{service_name=\"" service                           \
    "\",http_request_method=\"GET\",http_route=\"" route                                           \
    "\",http_response_status_code=\"200\",url_scheme=\"http\"}"
    scene_expect(shard, ROUTE("10.0.0.2:80", "/c") " 2");
    scene_expect(shard, ROUTE("10.0.0.2:80", "{other}") " 2");
    scene_expect(shard, ROUTE("10.0.0.3:80", "/e") " 1");
    aggregate_shard_free(shard);
}

static void test_long_routes(void **state)
{
    (void)state;
    struct aggregate_options options = scene_options();
    struct aggregate_shard *shard = shard_new(&options);
    char route[400] = "/";
    memset(route + 1, 'r', 231);
    feed_route(shard, "10.0.0.2:80", route); /* 232 bytes: as long as a label may be */
    scene_expect(shard, "vethscope_routes_rejected_total 0");
    route[232] = 'r';
    feed_route(shard, "10.0.0.2:80", route);
    scene_expect(shard, ROUTE("10.0.0.2:80", "{other}") " 1");
    memset(route + 1, ' ', 78); /* 3 bytes each once encoded */
    route[79] = '\0';
    feed_route(shard, "10.0.0.2:80", route);
    scene_expect(shard, ROUTE("10.0.0.2:80", "{other}") " 2");
    scene_expect(shard, "vethscope_routes_rejected_total 2");
    aggregate_shard_free(shard);
}

static void tick_for(struct aggregate_shard *shard, int64_t *now_ns, int seconds)
{
    for (int i = 0; i < seconds; i++) {
        *now_ns += SECOND;
        aggregate_shard_tick(shard, *now_ns);
    }
}

static void test_idle_series_go(void **state)
{
    (void)state;
    struct aggregate_options options = scene_options();
    options.max_series = 100;
    struct aggregate_shard *shard = shard_new(&options);
    int64_t now_ns = 1000 * SECOND;
    aggregate_shard_tick(shard, now_ns);
    feed_route(shard, "10.0.0.2:80", "/a");
    feed_route(shard, "10.0.0.2:80", "/b");
    tick_for(shard, &now_ns, 40);
    feed_route(shard, "10.0.0.2:80", "/b");
    tick_for(shard, &now_ns, 20);
    scene_expect(shard, ROUTE("10.0.0.2:80", "/a") " 1"); /* 60 s: not longer than allowed */
    tick_for(shard, &now_ns, 1);
    assert_false(scene_has(shard, ROUTE("10.0.0.2:80", "/a") " 1"));
    scene_expect(shard, ROUTE("10.0.0.2:80", "/b") " 2");
    scene_expect(shard, "vethscope_series 27");
    tick_for(shard, &now_ns, 40);
    scene_expect(shard, "vethscope_series 0");

    /* The room is there again, and nothing of the former series is left in the new ones. */
    for (int i = 0; i < 4; i++) {
        feed_route(shard, "10.0.0.2:80", "/c");
        scene_expect(shard, "vethscope_series 27");
        scene_expect(shard, ROUTE("10.0.0.2:80", "/c") " 1");
        tick_for(shard, &now_ns, 61);
        scene_expect(shard, "vethscope_series 0");
    }
    scene_expect(shard, "vethscope_series_rejected_total 0");
    aggregate_shard_free(shard);
}

/* A connection outlives the series it counted in; others have taken their places since. */
static void test_connection_outlives_series(void **state)
{
    (void)state;
    struct aggregate_options options = scene_options();
    struct aggregate_shard *shard = shard_new(&options);
    struct connection old = scene_connection(EXCHANGE_SERVER, "10.0.0.1:1", "10.0.0.2:80");
    struct exchange exchange = scene_exchange("/a", 200);
    int64_t now_ns = SECOND;
    aggregate_shard_tick(shard, now_ns);
    scene_feed(shard, &old, &exchange);
    tick_for(shard, &now_ns, 61);
    scene_expect(shard, "vethscope_series 0");
    scene_feed(shard, &old, &exchange); /* its places are free */
    scene_expect(shard, ROUTE("10.0.0.2:80", "/a") " 1");
    tick_for(shard, &now_ns, 61);
    feed_route(shard, "10.0.0.3:80", "/b"); /* and now they are another's */
    scene_feed(shard, &old, &exchange);
    scene_expect(shard, ROUTE("10.0.0.2:80", "/a") " 1");
    scene_expect(shard, ROUTE("10.0.0.3:80", "/b") " 1");
    scene_expect(shard, "traces_service_graph_request_total{client=\"10.0.0.1\","
                        "server=\"10.0.0.2:80\"} 1");
    scene_expect(shard, "traces_service_graph_request_total{client=\"10.0.0.1\","
                        "server=\"10.0.0.3:80\"} 1");
    aggregate_shard_free(shard);
}

/* Routes of the past make room for those of today. */
static void test_idle_routes_go(void **state)
{
    (void)state;
    struct aggregate_options options = scene_options();
    options.max_routes_per_service = 1;
    struct aggregate_shard *shard = shard_new(&options);
    int64_t now_ns = 1000 * SECOND;
    aggregate_shard_tick(shard, now_ns);
    feed_route(shard, "10.0.0.2:80", "/a");
    feed_route(shard, "10.0.0.2:80", "/b");
    scene_expect(shard, "vethscope_routes_rejected_total 1");
    tick_for(shard, &now_ns, 61);
    feed_route(shard, "10.0.0.2:80", "/b");
    scene_expect(shard, ROUTE("10.0.0.2:80", "/b") " 1");
    scene_expect(shard, "vethscope_routes_rejected_total 1");
    aggregate_shard_free(shard);
}

/* A request that hangs for longer than series live is still active. */
static void test_active_requests_stay(void **state)
{
    (void)state;
    struct aggregate_options options = scene_options();
    struct aggregate_shard *shard = shard_new(&options);
    struct connection connection = scene_connection(EXCHANGE_SERVER, "10.0.0.1:1", "10.0.0.2:80");
    int64_t now_ns = SECOND;
    aggregate_shard_tick(shard, now_ns);
    scene_event(shard, &connection, CONNECTION_REQUEST_BEGAN, 0);
    tick_for(shard, &now_ns, 200);
#define ACTIVE                                                                                     \
    "http_server_active_requests{service_name=\"10.0.0.2:80\",http_request_method=\"GET\","        \
    "url_scheme=\"http\"}"
    scene_expect(shard, ACTIVE " 1");
    scene_event(shard, &connection, CONNECTION_REQUEST_ENDED, 0);
    scene_expect(shard, ACTIVE " 0");
    tick_for(shard, &now_ns, 61);
    assert_int_equal(scene_count(shard, "http_server_active_requests"), 0);
    aggregate_shard_free(shard);
}

/* A gauge that found no room when the request began is not driven below zero by its end. */
static void test_rejected_active_request(void **state)
{
    (void)state;
    struct aggregate_options options = scene_options();
    options.max_series = 1;
    struct aggregate_shard *shard = shard_new(&options);
    struct connection first = scene_connection(EXCHANGE_SERVER, "10.0.0.1:1", "10.0.0.2:80");
    struct connection second = scene_connection(EXCHANGE_SERVER, "10.0.0.1:1", "10.0.0.3:80");
    scene_event(shard, &first, CONNECTION_REQUEST_BEGAN, 0);
    scene_event(shard, &second, CONNECTION_REQUEST_BEGAN, 0);
    scene_event(shard, &second, CONNECTION_REQUEST_ENDED, 0);
    scene_event(shard, &first, CONNECTION_REQUEST_ENDED, 0);
    scene_event(shard, &first, CONNECTION_REQUEST_ENDED, 0);
    scene_expect(shard, ACTIVE " 0");
    scene_expect(shard, "vethscope_series_rejected_total 1");
    aggregate_shard_free(shard);
}

/* Nor does its end take away the request of another, for which there was room later. */
static void test_rejected_active_request_is_not_ended(void **state)
{
    (void)state;
    struct aggregate_options options = scene_options();
    options.max_series = 1;
    struct aggregate_shard *shard = shard_new(&options);
    struct connection other = scene_connection(EXCHANGE_SERVER, "10.0.0.1:1", "10.0.0.3:80");
    struct connection first = scene_connection(EXCHANGE_SERVER, "10.0.0.1:1", "10.0.0.2:80");
    struct connection second = scene_connection(EXCHANGE_SERVER, "10.0.0.1:2", "10.0.0.2:80");
    int64_t now_ns = SECOND;
    aggregate_shard_tick(shard, now_ns);
    scene_event(shard, &other, CONNECTION_REQUEST_BEGAN, 0);
    scene_event(shard, &first, CONNECTION_REQUEST_BEGAN, 0);
    scene_event(shard, &other, CONNECTION_REQUEST_ENDED, 0);
    tick_for(shard, &now_ns, 61);
    scene_event(shard, &second, CONNECTION_REQUEST_BEGAN, 0);
    scene_event(shard, &first, CONNECTION_REQUEST_ENDED, 0);
    scene_expect(shard, ACTIVE " 1");
    scene_event(shard, &second, CONNECTION_REQUEST_ENDED, 0);
    scene_expect(shard, ACTIVE " 0");
    aggregate_shard_free(shard);
}

/* A clock that jumps does not take the series of a day with it. */
static void test_clock_jumps(void **state)
{
    (void)state;
    struct aggregate_options options = scene_options();
    struct aggregate_shard *shard = shard_new(&options);
    aggregate_shard_tick(shard, SECOND);
    feed_route(shard, "10.0.0.2:80", "/a");
    aggregate_shard_tick(shard, SECOND * 86400 * 365);
    aggregate_shard_tick(shard, SECOND);
    scene_expect(shard, ROUTE("10.0.0.2:80", "/a") " 1");
    aggregate_shard_free(shard);
}

/* More open connections than labels: those without names are turned away and counted, and when the
 * others are closed there is room again. */
static void test_no_room_for_names(void **state)
{
    (void)state;
    enum {
        CONNECTIONS = 1500
    };
    struct aggregate_options options = scene_options();
    options.max_series = EXCHANGE_LINES;
    struct aggregate_shard *shard = shard_new(&options);
    static struct connection connections[CONNECTIONS];
    for (size_t i = 0; i < CONNECTIONS; i++) {
        char client[32];
        snprintf(client, sizeof(client), "10.1.%zu.%zu:1", i / 250, i % 250);
        connections[i] = scene_connection(EXCHANGE_SERVER, client, "10.0.0.2:80");
        scene_event(shard, &connections[i], CONNECTION_CLOSED,
                    0); /* closing without names is fine */
        scene_event(shard, &connections[i], CONNECTION_OPENED, 0);
    }
    /* Labels for 1051 texts: {other}, the server, 1049 clients. 6 lines, 3 updates each. */
    scene_expect(shard, "vethscope_tcp_connections_total{service_name=\"10.0.0.2:80\","
                        "side=\"server\"} 1049");
    scene_expect(shard, "vethscope_series_rejected_total 1353");
    for (size_t i = 0; i < CONNECTIONS; i++) {
        scene_event(shard, &connections[i], CONNECTION_CLOSED, 0);
    }
    feed_route(shard, "10.0.0.2:80", "/a");
    scene_expect(shard, "vethscope_tcp_connections_total{service_name=\"10.0.0.2:80\","
                        "side=\"server\"} 1049");
    scene_event(shard, &connections[0], CONNECTION_OPENED, 0);
    scene_expect(shard, "vethscope_tcp_connections_total{service_name=\"10.0.0.2:80\","
                        "side=\"server\"} 1050");
    aggregate_shard_free(shard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_series_at_the_bound),
        cmocka_unit_test(test_series_one_line_short),
        cmocka_unit_test(test_series_are_sample_lines),
        cmocka_unit_test(test_routes_at_the_bound),
        cmocka_unit_test(test_long_routes),
        cmocka_unit_test(test_idle_series_go),
        cmocka_unit_test(test_connection_outlives_series),
        cmocka_unit_test(test_idle_routes_go),
        cmocka_unit_test(test_active_requests_stay),
        cmocka_unit_test(test_rejected_active_request),
        cmocka_unit_test(test_rejected_active_request_is_not_ended),
        cmocka_unit_test(test_clock_jumps),
        cmocka_unit_test(test_no_room_for_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
