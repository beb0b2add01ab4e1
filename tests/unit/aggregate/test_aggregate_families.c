#include "tests/unit/aggregate/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct aggregate_shard *shard_new(void)
{
    struct aggregate_options options = scene_options();
    struct aggregate_shard *shard = aggregate_shard_new(&options, NULL);
    assert_non_null(shard);
    return shard;
}

/* Labels of what the scene's exchange makes on the server's side. */
#define HTTP                                                                                       \
    "service_name=\"10.0.0.2:80\",http_request_method=\"GET\",http_route=\"/a\","                  \
    "http_response_status_code=\"200\",url_scheme=\"http\""
#define PHASES "service_name=\"10.0.0.2:80\",side=\"server\",phase="
#define EDGE "client=\"10.0.0.1\",server=\"10.0.0.2:80\""
/* The lines of a histogram with one value: in the first bucket (0 or 1), the sum. */
#define ONE_VALUE(name, labels, first, sum)                                                        \
    name "_bucket{" labels ",le=\"0.001\"} " first "\n" name "_bucket{" labels                     \
         ",le=\"0.01\"} 1\n" name "_bucket{" labels ",le=\"+Inf\"} 1\n" name "_sum{" labels        \
         "} " sum "\n" name "_count{" labels "} 1\n"

/* clang-format off */
static const char one_exchange[] =
    ONE_VALUE("http_server_request_duration_seconds", HTTP, "0", "0.002")
    ONE_VALUE("vethscope_http_phase_duration_seconds", PHASES "\"request\"", "1", "0.0005")
    ONE_VALUE("vethscope_http_phase_duration_seconds", PHASES "\"server\"", "1", "0.001")
    ONE_VALUE("vethscope_http_phase_duration_seconds", PHASES "\"response\"", "1", "0.0005")
    "traces_service_graph_request_total{" EDGE "} 1\n"
    "traces_service_graph_request_failed_total{" EDGE "} 0\n"
    ONE_VALUE("traces_service_graph_request_server_seconds", EDGE, "0", "0.002")
    "vethscope_series 27\n"
    "vethscope_series_rejected_total 0\n"
    "vethscope_routes_rejected_total 0\n";
/* clang-format on */

/* One exchange on the server's side, all of what it makes and nothing else. */
static void test_one_server_exchange(void **state)
{
    (void)state;
    struct aggregate_shard *shard = shard_new();
    struct connection connection =
        scene_connection(EXCHANGE_SERVER, "10.0.0.1:40000", "10.0.0.2:80");
    struct exchange exchange = scene_exchange("/a", 200);
    scene_feed(shard, &connection, &exchange);
    assert_string_equal(scene_text(&shard, 1), one_exchange);
    aggregate_shard_free(shard);
}

static void test_client_side(void **state)
{
    (void)state;
    struct aggregate_shard *shard = shard_new();
    struct connection connection =
        scene_connection(EXCHANGE_CLIENT, "10.0.0.1:40000", "2001:db8::2:8080");
    struct exchange exchange = scene_exchange("/a", 200);
    scene_feed(shard, &connection, &exchange);
    scene_expect(shard, "http_client_request_duration_seconds_count{service_name=\"10.0.0.1\","
                        "server_address=\"2001:db8::2\",server_port=\"8080\","
                        "http_request_method=\"GET\",http_route=\"/a\","
                        "http_response_status_code=\"200\",url_scheme=\"http\"} 1");
    scene_expect(shard, "vethscope_http_phase_duration_seconds_count{service_name=\"10.0.0.1\","
                        "side=\"client\",phase=\"server\"} 1");
    assert_int_equal(scene_count(shard, "http_server_request_duration_seconds"), 0);
    aggregate_shard_free(shard);
}

/* Status, outcome, side: what is in http_response_status_code and what in error_type. */
static void test_errors(void **state)
{
    (void)state;
    static const struct {
        enum exchange_side side;
        enum exchange_outcome outcome;
        uint16_t status;
        const char *labels;
    } cases[] = {
        {EXCHANGE_SERVER, EXCHANGE_COMPLETE, 404, "http_response_status_code=\"404\""},
        {EXCHANGE_SERVER, EXCHANGE_COMPLETE, 499, "http_response_status_code=\"499\""},
        {EXCHANGE_SERVER, EXCHANGE_COMPLETE, 500,
         "http_response_status_code=\"500\",error_type=\"500\""},
        {EXCHANGE_SERVER, EXCHANGE_COMPLETE, 503,
         "http_response_status_code=\"503\",error_type=\"503\""},
        {EXCHANGE_SERVER, EXCHANGE_TRUNCATED_RESPONSE, 200,
         "http_response_status_code=\"200\",error_type=\"truncated_response\""},
        {EXCHANGE_SERVER, EXCHANGE_CONNECTION_RESET, 500,
         "http_response_status_code=\"500\",error_type=\"connection_reset\""},
        {EXCHANGE_SERVER, EXCHANGE_TIMEOUT, 0, "error_type=\"timeout\""},
        {EXCHANGE_SERVER, EXCHANGE_CLIENT_CLOSED, 0, "error_type=\"client_closed\""},
        {EXCHANGE_SERVER, EXCHANGE_SERVER_CLOSED, 0, "error_type=\"server_closed\""},
        {EXCHANGE_SERVER, EXCHANGE_UNPARSABLE, 0, "error_type=\"unparsable\""},
        {EXCHANGE_CLIENT, EXCHANGE_COMPLETE, 304, "http_response_status_code=\"304\""},
        {EXCHANGE_CLIENT, EXCHANGE_COMPLETE, 400,
         "http_response_status_code=\"400\",error_type=\"400\""},
        {EXCHANGE_CLIENT, EXCHANGE_COMPLETE, 502,
         "http_response_status_code=\"502\",error_type=\"502\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct aggregate_shard *shard = shard_new();
        bool server = cases[i].side == EXCHANGE_SERVER;
        struct connection connection =
            scene_connection(cases[i].side, "10.0.0.1:40000", "10.0.0.2:80");
        struct exchange exchange = scene_exchange("/a", cases[i].status);
        exchange.outcome = cases[i].outcome;
        scene_feed(shard, &connection, &exchange);
        char line[512];
        strcpy(line, server ? "http_server_request_duration_seconds_count{"
                              "service_name=\"10.0.0.2:80\","
                            : "http_client_request_duration_seconds_count{"
                              "service_name=\"10.0.0.1\",server_address=\"10.0.0.2\","
                              "server_port=\"80\",");
        strcat(line, "http_request_method=\"GET\",http_route=\"/a\",");
        strcat(line, cases[i].labels);
        strcat(line, ",url_scheme=\"http\"} 1");
        scene_expect(shard, line);
        aggregate_shard_free(shard);
    }
}

/* Without a response there is no duration: the request is counted all the same. */
static void test_no_response(void **state)
{
    (void)state;
    struct aggregate_shard *shard = shard_new();
    struct connection connection =
        scene_connection(EXCHANGE_SERVER, "10.0.0.1:40000", "10.0.0.2:80");
    struct exchange exchange = scene_exchange("/a", EXCHANGE_STATUS_UNKNOWN);
    exchange.response_start_ns = EXCHANGE_TIME_UNKNOWN;
    exchange.response_end_ns = EXCHANGE_TIME_UNKNOWN;
    exchange.outcome = EXCHANGE_CLIENT_CLOSED;
    scene_feed(shard, &connection, &exchange);
#define GONE                                                                                       \
    "{service_name=\"10.0.0.2:80\",http_request_method=\"GET\",http_route=\"/a\","                 \
    "error_type=\"client_closed\",url_scheme=\"http\""
    scene_expect(shard, "http_server_request_duration_seconds_bucket" GONE ",le=\"0.01\"} 0");
    scene_expect(shard, "http_server_request_duration_seconds_bucket" GONE ",le=\"+Inf\"} 1");
    scene_expect(shard, "http_server_request_duration_seconds_sum" GONE "} 0");
    scene_expect(shard, "http_server_request_duration_seconds_count" GONE "} 1");
    scene_expect(shard, "traces_service_graph_request_failed_total{" EDGE "} 1");
    assert_int_equal(scene_count(shard, "traces_service_graph_request_server_seconds"), 0);
    assert_int_equal(scene_count(shard, "vethscope_http_phase_duration_seconds_count"), 1);
    aggregate_shard_free(shard);
}

/* An answer that began before the request ended took no time of the server's own. */
static void test_early_answer(void **state)
{
    (void)state;
    struct aggregate_shard *shard = shard_new();
    struct connection connection =
        scene_connection(EXCHANGE_SERVER, "10.0.0.1:40000", "10.0.0.2:80");
    struct exchange exchange = scene_exchange("/a", 413);
    exchange.response_start_ns = exchange.request_end_ns - 1;
    scene_feed(shard, &connection, &exchange);
    scene_expect(shard, "vethscope_http_phase_duration_seconds_sum{" PHASES "\"server\"} 0");
    scene_expect(shard, "vethscope_http_phase_duration_seconds_count{" PHASES "\"server\"} 1");
    aggregate_shard_free(shard);
}

/* What the observer missed is in the unmatched counters and nowhere else. */
static void test_unmatched(void **state)
{
    (void)state;
    struct aggregate_shard *shard = shard_new();
    struct connection connection =
        scene_connection(EXCHANGE_SERVER, "10.0.0.1:40000", "10.0.0.2:80");
    struct exchange exchange = scene_exchange("/a", 0);
    exchange.outcome = EXCHANGE_REQUEST_ONLY;
    exchange.reason = EXCHANGE_REASON_GAP;
    exchange.ambiguous = true;
    scene_feed(shard, &connection, &exchange);
    scene_feed(shard, &connection, &exchange);
    exchange.outcome = EXCHANGE_RESPONSE_ONLY;
    exchange.reason = EXCHANGE_REASON_MIDSTREAM;
    scene_feed(shard, &connection, &exchange);
    assert_string_equal(
        scene_text(&shard, 1),
        "vethscope_unmatched_messages_total{service_name=\"10.0.0.2:80\",reason=\"gap\"} 2\n"
        "vethscope_unmatched_messages_total{service_name=\"10.0.0.2:80\",reason=\"midstream\"} 1\n"
        "vethscope_series 2\nvethscope_series_rejected_total 0\n"
        "vethscope_routes_rejected_total 0\n");
    aggregate_shard_free(shard);
}

static void test_body_sizes(void **state)
{
    (void)state;
    struct aggregate_options options = scene_options();
    options.body_sizes = true;
    struct aggregate_shard *shard = aggregate_shard_new(&options, NULL);
    struct connection server = scene_connection(EXCHANGE_SERVER, "10.0.0.1:40000", "10.0.0.2:80");
    struct connection client = scene_connection(EXCHANGE_CLIENT, "10.0.0.1:40000", "10.0.0.2:80");
    struct exchange exchange = scene_exchange("/a", 200);
    exchange.request_body_bytes = 64;
    exchange.response_body_bytes = 67108865;
    scene_feed(shard, &server, &exchange);
    scene_feed(shard, &client, &exchange);
    exchange.response_body_bytes = EXCHANGE_SIZE_UNKNOWN;
    scene_feed(shard, &server, &exchange);
    scene_expect(shard, "http_server_request_body_size_bytes_bucket{" HTTP ",le=\"64\"} 2");
    scene_expect(shard, "http_server_request_body_size_bytes_sum{" HTTP "} 128");
    scene_expect(shard, "http_server_response_body_size_bytes_bucket{" HTTP ",le=\"67108864\"} 0");
    scene_expect(shard, "http_server_response_body_size_bytes_count{" HTTP "} 1");
    assert_int_equal(scene_count(shard, "http_server_request_body_size_bytes_bucket"), 12);
    assert_int_equal(scene_count(shard, "http_client_request_body_size_bytes_count"), 1);
    assert_int_equal(scene_count(shard, "http_client_response_body_size_bytes_count"), 1);
    aggregate_shard_free(shard);
}

static void test_connection_events(void **state)
{
    (void)state;
    struct aggregate_shard *shard = shard_new();
    struct connection connection =
        scene_connection(EXCHANGE_CLIENT, "10.0.0.1:40000", "10.0.0.2:80");
    scene_event(shard, &connection, CONNECTION_CONNECT_SERVER_NS, 1000000);
    scene_event(shard, &connection, CONNECTION_CONNECT_CLIENT_NS, 20000000);
    scene_event(shard, &connection, CONNECTION_OPENED, 0);
    scene_event(shard, &connection, CONNECTION_FAILED, 0);
    scene_event(shard, &connection, CONNECTION_RETRANSMITTED, 1460);
    scene_event(shard, &connection, CONNECTION_CONFLICTING, 12);
    scene_event(shard, &connection, CONNECTION_MISSED, 100);
    scene_event(shard, &connection, CONNECTION_BLIND, 0);
    scene_event(shard, &connection, CONNECTION_BLIND_BYTES, 5000);
    scene_event(shard, &connection, CONNECTION_BLIND_BYTES, 500);
    scene_event(shard, &connection, CONNECTION_CLOSED, 0);
#define SIDE "service_name=\"10.0.0.1\",side=\"client\""
    assert_string_equal(
        scene_text(&shard, 1),
        "vethscope_tcp_connections_total{" SIDE "} 1\n"
        "vethscope_tcp_connect_failures_total{" SIDE "} 1\n"
        "vethscope_tcp_retransmitted_bytes_total{" SIDE "} 1460\n"
        "vethscope_tcp_conflicting_bytes_total{" SIDE "} 12\n"
        "vethscope_tcp_connect_duration_seconds_bucket{" SIDE ",part=\"server\",le=\"0.001\"} 1\n"
        "vethscope_tcp_connect_duration_seconds_bucket{" SIDE ",part=\"server\",le=\"0.01\"} 1\n"
        "vethscope_tcp_connect_duration_seconds_bucket{" SIDE ",part=\"server\",le=\"+Inf\"} 1\n"
        "vethscope_tcp_connect_duration_seconds_sum{" SIDE ",part=\"server\"} 0.001\n"
        "vethscope_tcp_connect_duration_seconds_count{" SIDE ",part=\"server\"} 1\n"
        "vethscope_tcp_connect_duration_seconds_bucket{" SIDE ",part=\"client\",le=\"0.001\"} 0\n"
        "vethscope_tcp_connect_duration_seconds_bucket{" SIDE ",part=\"client\",le=\"0.01\"} 0\n"
        "vethscope_tcp_connect_duration_seconds_bucket{" SIDE ",part=\"client\",le=\"+Inf\"} 1\n"
        "vethscope_tcp_connect_duration_seconds_sum{" SIDE ",part=\"client\"} 0.02\n"
        "vethscope_tcp_connect_duration_seconds_count{" SIDE ",part=\"client\"} 1\n"
        "vethscope_missed_bytes_total{service_name=\"10.0.0.1\"} 100\n"
        "vethscope_ambiguous_exchanges_total{service_name=\"10.0.0.1\"} 0\n"
        "vethscope_blind_connections_total{service_name=\"10.0.0.1\",protocol=\"tls\"} 1\n"
        "vethscope_blind_bytes_total{service_name=\"10.0.0.1\",protocol=\"tls\"} 5500\n"
        "vethscope_series 18\nvethscope_series_rejected_total 0\n"
        "vethscope_routes_rejected_total 0\n");
    aggregate_shard_free(shard);
}

static void test_ambiguous(void **state)
{
    (void)state;
    struct aggregate_shard *shard = shard_new();
    struct connection connection =
        scene_connection(EXCHANGE_SERVER, "10.0.0.1:40000", "10.0.0.2:80");
    struct exchange exchange = scene_exchange("/a", 200);
    exchange.ambiguous = true;
    scene_feed(shard, &connection, &exchange);
    scene_expect(shard, "vethscope_ambiguous_exchanges_total{service_name=\"10.0.0.2:80\"} 1");
    scene_expect(shard, "http_server_request_duration_seconds_count{" HTTP "} 1");
    aggregate_shard_free(shard);
}

#define ACTIVE                                                                                     \
    "http_server_active_requests{service_name=\"10.0.0.2:80\",http_request_method=\"GET\","        \
    "url_scheme=\"http\"}"

static void test_active_requests(void **state)
{
    (void)state;
    struct aggregate_shard *shard = shard_new();
    struct connection server = scene_connection(EXCHANGE_SERVER, "10.0.0.1:40000", "10.0.0.2:80");
    struct connection client = scene_connection(EXCHANGE_CLIENT, "10.0.0.1:40000", "10.0.0.2:80");
    scene_event(shard, &server, CONNECTION_REQUEST_BEGAN, 0);
    scene_event(shard, &server, CONNECTION_REQUEST_BEGAN, 0);
    scene_event(shard, &client, CONNECTION_REQUEST_BEGAN, 0);
    scene_expect(shard, ACTIVE " 2");
    scene_event(shard, &server, CONNECTION_REQUEST_ENDED, 0);
    scene_expect(shard, ACTIVE " 1");
    scene_event(shard, &server, CONNECTION_REQUEST_ENDED, 0);
    scene_event(shard, &client, CONNECTION_REQUEST_ENDED, 0);
    scene_expect(shard, ACTIVE " 0");
    assert_int_equal(scene_count(shard, "http_server_active_requests"), 1);
    aggregate_shard_free(shard);
}

/* Equal series of several workers are one series; each family is in one piece, its series sorted.
 */
static void test_shards_are_added(void **state)
{
    (void)state;
    struct aggregate_shard *shards[2] = {shard_new(), shard_new()};
    struct connection one[2];
    struct connection other = scene_connection(EXCHANGE_SERVER, "10.0.0.1:9", "10.0.0.0:80");
    for (size_t i = 0; i < 2; i++) {
        one[i] = scene_connection(EXCHANGE_SERVER, "10.0.0.1:40000", "10.0.0.2:80");
        struct exchange exchange = scene_exchange("/a", 200);
        exchange.response_end_ns += (int64_t)i * 9000000;
        scene_feed(shards[i], &one[i], &exchange);
        scene_feed(shards[i], &one[i], &exchange);
        scene_event(shards[i], &one[i], CONNECTION_REQUEST_BEGAN, 0);
    }
    struct exchange exchange = scene_exchange("/b", 200);
    scene_feed(shards[1], &other, &exchange);
    const char *text = scene_text(shards, 2);
    assert_non_null(strstr(text, "_duration_seconds_bucket{" HTTP ",le=\"0.01\"} 2\n"));
    assert_non_null(strstr(text, "_duration_seconds_bucket{" HTTP ",le=\"+Inf\"} 4\n"));
    assert_non_null(strstr(text, "_duration_seconds_sum{" HTTP "} 0.026\n"));
    assert_non_null(strstr(text, ACTIVE " 2\n"));
    const char *first = strstr(text, "service_name=\"10.0.0.0:80\"");
    const char *second = strstr(text, "service_name=\"10.0.0.2:80\"");
    assert_true(first != NULL && first < second);
    char kept[SCENE_TEXT_SIZE];
    strcpy(kept, text);
    struct aggregate_shard *swapped[2] = {shards[1], shards[0]};
    assert_string_equal(scene_text(swapped, 2), kept);
    aggregate_shard_free(shards[0]);
    aggregate_shard_free(shards[1]);
}

static size_t count_in(const char *text, const char *needle)
{
    size_t count = 0;
    for (; (text = strstr(text, needle)) != NULL; text++) {
        count++;
    }
    return count;
}

/* Each request is in the graph once: both views of a pod on this node, one of any other server. */
static void test_graph_counts_once(void **state)
{
    (void)state;
    struct aggregate_shard *shards[2] = {shard_new(), shard_new()};
    struct connection client = scene_connection(EXCHANGE_CLIENT, "10.0.0.1:1", "10.0.0.2:80");
    struct connection server = scene_connection(EXCHANGE_SERVER, "10.0.0.1:1", "10.0.0.2:80");
    struct connection outside = scene_connection(EXCHANGE_CLIENT, "10.0.0.1:2", "192.0.2.9:80");
    struct exchange exchange = scene_exchange("/a", 200);
    scene_feed(shards[0], &client, &exchange);
    scene_feed(shards[0], &outside, &exchange);
    exchange.response_end_ns -= 1000000;
    exchange.status = 500;
    scene_feed(shards[1], &server, &exchange);
    exchange.status = 404; /* no failure of the server's, from either side */
    scene_feed(shards[1], &server, &exchange);
    scene_feed(shards[0], &outside, &exchange);
#define OUTSIDE "client=\"10.0.0.1\",server=\"192.0.2.9:80\""
    const char *text = scene_text(shards, 2);
    assert_non_null(strstr(text, "traces_service_graph_request_total{" EDGE "} 2\n"));
    assert_non_null(strstr(text, "traces_service_graph_request_failed_total{" EDGE "} 1\n"));
    assert_non_null(strstr(text, "_graph_request_server_seconds_sum{" EDGE "} 0.002\n"));
    assert_non_null(strstr(text, "_graph_request_client_seconds_sum{" EDGE "} 0.002\n"));
    assert_non_null(strstr(text, "_graph_request_client_seconds_count{" EDGE "} 1\n"));
    assert_non_null(strstr(text, "traces_service_graph_request_total{" OUTSIDE "} 2\n"));
    assert_non_null(strstr(text, "traces_service_graph_request_failed_total{" OUTSIDE "} 0\n"));
    assert_non_null(strstr(text, "_graph_request_server_seconds_count{" OUTSIDE "} 2\n"));
    assert_non_null(strstr(text, "_graph_request_client_seconds_count{" OUTSIDE "} 2\n"));
    assert_int_equal(count_in(text, "traces_service_graph_request_total{"), 2);
    assert_int_equal(count_in(text, "traces_service_graph_request_server_seconds_count{"), 2);
    assert_int_equal(count_in(text, "traces_service_graph_request_client_seconds_count{"), 2);
    aggregate_shard_free(shards[0]);
    aggregate_shard_free(shards[1]);
}

static void test_nothing(void **state)
{
    (void)state;
    struct aggregate_shard *shard = shard_new();
    assert_string_equal(scene_text(&shard, 1),
                        "vethscope_series 0\nvethscope_series_rejected_total 0\n"
                        "vethscope_routes_rejected_total 0\n");
    assert_string_equal(scene_text(NULL, 0),
                        "vethscope_series 0\nvethscope_series_rejected_total 0\n"
                        "vethscope_routes_rejected_total 0\n");
    aggregate_shard_free(shard);
    aggregate_shard_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_server_exchange),
        cmocka_unit_test(test_client_side),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_no_response),
        cmocka_unit_test(test_early_answer),
        cmocka_unit_test(test_unmatched),
        cmocka_unit_test(test_body_sizes),
        cmocka_unit_test(test_connection_events),
        cmocka_unit_test(test_ambiguous),
        cmocka_unit_test(test_active_requests),
        cmocka_unit_test(test_shards_are_added),
        cmocka_unit_test(test_graph_counts_once),
        cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
