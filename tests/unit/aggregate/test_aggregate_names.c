#include "tests/unit/aggregate/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BITS 128

static struct directory_entry entry_of(const char *address, uint16_t port, const char *namespace,
                                       const char *service)
{
    struct directory_entry entry = {
        .prefix_bits = BITS, .port = port, .namespace = namespace, .service = service};
    assert_int_equal(address_parse(address, &entry.address), 0);
    return entry;
}

/* gateway and orders in the namespace shop; cart only on port 8080. */
static struct directory *shop_new(const char *orders)
{
    const struct directory_entry entries[] = {
        entry_of("10.0.0.1", 0, "shop", "gateway"),
        entry_of("10.0.0.2", 0, "shop", orders),
        entry_of("10.0.0.3", 8080, "", "cart"),
    };
    struct directory *directory = directory_new(entries, 3);
    assert_non_null(directory);
    return directory;
}

static struct aggregate_shard *shard_new(const struct directory *directory)
{
    struct aggregate_options options = scene_options();
    struct aggregate_shard *shard = aggregate_shard_new(&options, directory);
    assert_non_null(shard);
    return shard;
}

static void feed(struct aggregate_shard *shard, enum exchange_side side, const char *client,
                 const char *server)
{
    struct connection connection = scene_connection(side, client, server);
    struct exchange exchange = scene_exchange("/a", 200);
    scene_feed(shard, &connection, &exchange);
    scene_event(shard, &connection, CONNECTION_CLOSED, 0);
}

#define REST                                                                                       \
    "http_request_method=\"GET\",http_route=\"/a\",http_response_status_code=\"200\","             \
    "url_scheme=\"http\"} 1"

static void test_known_names(void **state)
{
    (void)state;
    struct directory *directory = shop_new("orders");
    struct aggregate_shard *shard = shard_new(directory);
    feed(shard, EXCHANGE_CLIENT, "10.0.0.1:40000", "10.0.0.2:80");
    feed(shard, EXCHANGE_SERVER, "10.0.0.1:40000", "10.0.0.2:80");
    feed(shard, EXCHANGE_SERVER, "10.0.0.2:8080", "10.0.0.3:8080");
    scene_expect(shard, "http_server_request_duration_seconds_count{service_namespace=\"shop\","
                        "service_name=\"orders\"," REST);
    scene_expect(shard,
                 "http_client_request_duration_seconds_count{service_namespace=\"shop\","
                 "service_name=\"gateway\",server_address=\"orders\",server_port=\"80\"," REST);
    scene_expect(shard, "http_server_request_duration_seconds_count{service_name=\"cart\"," REST);
    scene_expect(shard, "traces_service_graph_request_total{client_service_namespace=\"shop\","
                        "client=\"gateway\",server_service_namespace=\"shop\","
                        "server=\"orders\"} 1");
    scene_expect(shard, "traces_service_graph_request_total{client_service_namespace=\"shop\","
                        "client=\"orders\",server=\"cart\"} 1");
    aggregate_shard_free(shard);
    directory_free(directory);
}

/* The port of who asks is chance: an entry for a port says nothing about it. */
static void test_client_port_does_not_name(void **state)
{
    (void)state;
    struct directory *directory = shop_new("orders");
    struct aggregate_shard *shard = shard_new(directory);
    feed(shard, EXCHANGE_SERVER, "10.0.0.3:8080", "10.0.0.2:80");
    scene_expect(shard, "traces_service_graph_request_total{client=\"external\","
                        "server_service_namespace=\"shop\",server=\"orders\"} 1");
    aggregate_shard_free(shard);
    directory_free(directory);
}

/* With names configured, everybody else is one. */
static void test_external(void **state)
{
    (void)state;
    struct directory *directory = shop_new("orders");
    struct aggregate_shard *shard = shard_new(directory);
    feed(shard, EXCHANGE_SERVER, "192.0.2.1:1", "10.0.0.2:80");
    feed(shard, EXCHANGE_SERVER, "192.0.2.2:1", "10.0.0.2:80");
    feed(shard, EXCHANGE_CLIENT, "10.0.0.1:1", "192.0.2.3:443");
    feed(shard, EXCHANGE_SERVER, "10.0.0.1:1", "10.0.0.3:80");
    scene_expect(shard, "traces_service_graph_request_total{client=\"external\","
                        "server_service_namespace=\"shop\",server=\"orders\"} 2");
    scene_expect(shard, "http_client_request_duration_seconds_count{service_namespace=\"shop\","
                        "service_name=\"gateway\",server_address=\"external\","
                        "server_port=\"443\"," REST);
    scene_expect(shard,
                 "http_server_request_duration_seconds_count{service_name=\"external\"," REST);
    aggregate_shard_free(shard);
    directory_free(directory);
}

static void test_empty_directory(void **state)
{
    (void)state;
    struct directory *directory = directory_new(NULL, 0);
    struct aggregate_shard *shard = shard_new(directory);
    feed(shard, EXCHANGE_SERVER, "2001:db8::1:1", "2001:db8::2:80");
    scene_expect(shard, "traces_service_graph_request_total{client=\"2001:db8::1\","
                        "server=\"[2001:db8::2]:80\"} 1");
    aggregate_shard_free(shard);
    directory_free(directory);
}

#define COUNT(name)                                                                                \
    "http_server_request_duration_seconds_count{service_namespace=\"shop\",service_name=\"" name   \
    "\",http_request_method=\"GET\",http_route=\"/a\",http_response_status_code=\"200\","          \
    "url_scheme=\"http\"}"

/* Who is known keeps the name, whoever has the address later; new connections take the new one. */
static void test_known_names_stay(void **state)
{
    (void)state;
    struct directory *before = shop_new("orders");
    struct directory *after = shop_new("orders-v2");
    struct aggregate_shard *shard = shard_new(before);
    struct connection open = scene_connection(EXCHANGE_SERVER, "10.0.0.1:2", "10.0.0.2:80");
    struct exchange exchange = scene_exchange("/a", 200);
    scene_feed(shard, &open, &exchange);
    aggregate_shard_set_directory(shard, after);
    directory_free(before); /* nobody looks at it any more */
    scene_feed(shard, &open, &exchange);
    feed(shard, EXCHANGE_SERVER, "10.0.0.1:3", "10.0.0.2:80");
    scene_expect(shard, COUNT("orders") " 2");
    scene_expect(shard, COUNT("orders-v2") " 1");
    aggregate_shard_free(shard);
    directory_free(after);
}

/* Who was not known is named as soon as somebody knows; a request that is active ends under the
 * name under which it began. */
static void test_unknown_ends_are_looked_up_again(void **state)
{
    (void)state;
    struct directory *before = directory_new(NULL, 0);
    struct directory *after = shop_new("orders");
    struct aggregate_shard *shard = shard_new(before);
    struct connection busy = scene_connection(EXCHANGE_SERVER, "10.0.0.1:1", "10.0.0.2:80");
    struct connection idle = scene_connection(EXCHANGE_SERVER, "10.0.0.1:2", "10.0.0.2:80");
    struct exchange exchange = scene_exchange("/a", 200);
    scene_feed(shard, &idle, &exchange);
    scene_event(shard, &busy, CONNECTION_REQUEST_BEGAN, 0);
    aggregate_shard_set_directory(shard, after);
    directory_free(before);
    scene_feed(shard, &idle, &exchange);
#define ACTIVE(labels)                                                                             \
    "http_server_active_requests{" labels ",http_request_method=\"GET\",url_scheme=\"http\"}"
#define ADDRESS "service_name=\"10.0.0.2:80\""
#define ORDERS "service_namespace=\"shop\",service_name=\"orders\""
    scene_expect(shard, "http_server_request_duration_seconds_count{" ADDRESS "," REST);
    scene_expect(shard, COUNT("orders") " 1");
    scene_event(shard, &busy, CONNECTION_REQUEST_ENDED, 0);
    scene_expect(shard, ACTIVE(ADDRESS) " 0");
    scene_event(shard, &busy, CONNECTION_REQUEST_BEGAN, 0);
    scene_expect(shard, ACTIVE(ORDERS) " 1");
    aggregate_shard_free(shard);
    directory_free(after);
}

/* As one writes it in DNS from where the caller is. */
static void test_called_service(void **state)
{
    (void)state;
    const struct directory_entry entries[] = {
        entry_of("10.0.0.1", 0, "shop", "gateway"),
        entry_of("10.0.0.2", 0, "store", "orders"),
        entry_of("10.0.0.3", 0, "", "cart"),
        entry_of("10.0.0.4", 0, "shop", "prices"),
    };
    struct directory *directory = directory_new(entries, 4);
    struct aggregate_shard *shard = shard_new(directory);
    static const struct {
        const char *client;
        const char *server;
        const char *labels;
    } cases[] = {
        {"10.0.0.1:1", "10.0.0.2:80", "\"gateway\",server_address=\"orders.store\""},
        {"10.0.0.1:1", "10.0.0.4:80", "\"gateway\",server_address=\"prices\""},
        {"10.0.0.1:1", "10.0.0.3:80", "\"gateway\",server_address=\"cart\""},
        {"10.0.0.3:1", "10.0.0.2:80", "\"cart\",server_address=\"orders\""},
        {"10.0.0.9:1", "10.0.0.2:80", "\"external\",server_address=\"orders\""},
        {"10.0.0.1:1", "10.0.0.9:80", "\"gateway\",server_address=\"external\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char line[128];
        feed(shard, EXCHANGE_CLIENT, cases[i].client, cases[i].server);
        snprintf(line, sizeof(line), "service_name=%s,server_port=", cases[i].labels);
        assert_non_null(strstr(scene_text(&shard, 1), line));
    }
    aggregate_shard_free(shard);
    directory_free(directory);
}

/* Bytes that no URI has are encoded, so two routes never look the same after escaping. */
static void test_route_bytes(void **state)
{
    (void)state;
    struct aggregate_shard *shard = shard_new(NULL);
    struct connection connection = scene_connection(EXCHANGE_SERVER, "10.0.0.1:1", "10.0.0.2:80");
    struct exchange exchange = scene_exchange("", 200);
    exchange.route = (struct slice){"/\xff\"\0 ~{id}", 10};
    scene_feed(shard, &connection, &exchange);
    exchange.route = slice_of("/%FF\"%00%20~{id}");
    scene_feed(shard, &connection, &exchange);
    exchange.route = (struct slice){NULL, 0};
    scene_feed(shard, &connection, &exchange);
    scene_expect(shard, "http_server_request_duration_seconds_count{service_name=\"10.0.0.2:80\","
                        "http_request_method=\"GET\",http_route=\"/%FF\\\"%00%20~{id}\","
                        "http_response_status_code=\"200\",url_scheme=\"http\"} 2");
    scene_expect(shard, "http_server_request_duration_seconds_count{service_name=\"10.0.0.2:80\","
                        "http_request_method=\"GET\",http_response_status_code=\"200\","
                        "url_scheme=\"http\"} 1");
    aggregate_shard_free(shard);
}

static void test_long_names(void **state)
{
    (void)state;
    char name[1000];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    const struct directory_entry entry = entry_of("10.0.0.2", 0, name, name);
    struct directory *directory = directory_new(&entry, 1);
    struct aggregate_shard *shard = shard_new(directory);
    feed(shard, EXCHANGE_SERVER, "10.0.0.1:1", "10.0.0.2:80");
    char line[1024];
    snprintf(line, sizeof(line),
             "vethscope_http_phase_duration_seconds_count{service_namespace=\"%.128s\","
             "service_name=\"%.103s\",side=\"server\",phase=\"server\"} 1",
             name, name);
    scene_expect(shard, line);
    aggregate_shard_free(shard);
    directory_free(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_names),
        cmocka_unit_test(test_client_port_does_not_name),
        cmocka_unit_test(test_external),
        cmocka_unit_test(test_empty_directory),
        cmocka_unit_test(test_known_names_stay),
        cmocka_unit_test(test_unknown_ends_are_looked_up_again),
        cmocka_unit_test(test_called_service),
        cmocka_unit_test(test_route_bytes),
        cmocka_unit_test(test_long_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
