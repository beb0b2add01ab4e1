/* Names while the directory is still being filled: they may get better, never another pod's. */
#include "agent/aggregate/naming.h"

#include "agent/aggregate/shard.h"

#include "tests/unit/aggregate/fake_directory.h"
#include "tests/unit/aggregate/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)
#define ROOM_BYTES 65536

static struct aggregate_shard *shard;
static struct naming *naming;
static struct directory nobody;
static struct connection server;

/* Who is behind the server's address; who asks is known from the start. */
static struct directory directory_of(const char *service, const char *kind, const char *pod)
{
    struct directory directory = {.otherwise = DIRECTORY_AWAITED};
    fake_directory_add(&directory, "10.0.0.1", "shop", "gateway", SECOND);
    fake_directory_add(&directory, "10.0.0.2", "store", service, SECOND);
    directory.rows[1].workload.kind = slice_of(kind);
    directory.rows[1].workload.pod = slice_of(pod);
    return directory;
}

static int set_up(void **state)
{
    (void)state;
    struct aggregate_options options = scene_options();
    options.await_pods = true;
    nobody = (struct directory){.otherwise = DIRECTORY_AWAITED};
    shard = aggregate_shard_new(&options, &nobody);
    assert_non_null(shard);
    const struct exchange_sink next = aggregate_shard_sink(shard);
    const struct naming_options naming_options = {
        .shard = shard, .hold_ns = SECOND, .memory_bytes = ROOM_BYTES};
    naming = naming_new(&naming_options, &next);
    assert_non_null(naming);
    server = scene_connection(EXCHANGE_SERVER, "10.0.0.1:40000", "10.0.0.2:80");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    naming_free(naming);
    aggregate_shard_free(shard);
    return 0;
}

static void exchange(struct connection *connection)
{
    const struct exchange_sink sink = naming_sink(naming);
    const struct exchange exchange = scene_exchange("/a", 200);
    sink.exchange(sink.context, connection, &exchange);
}

/* So many exchanges were counted at this service. */
static void expect(const char *service, unsigned count)
{
    char line[256];
    snprintf(line, sizeof(line),
             "http_server_request_duration_seconds_count{service_namespace=\"store\","
             "service_name=\"%s\",http_request_method=\"GET\",http_route=\"/a\","
             "http_response_status_code=\"200\",url_scheme=\"http\"} %u",
             service, count);
    scene_expect(shard, line);
}

/* A pod's owner may be heard of after the pod: its connections are called by it from then on. */
static void early_names_get_better(void **state)
{
    (void)state;
    struct directory early = directory_of("orders-2893", "Job", "orders-x");
    struct directory better = directory_of("orders", "CronJob", "orders-x");
    naming_set_directory(naming, &early);
    exchange(&server);
    expect("orders-2893", 1); /* at once: there is a name */
    naming_set_directory(naming, &better);
    exchange(&server);
    expect("orders", 1);
    expect("orders-2893", 1);
}

static void but_not_another_pods(void **state)
{
    (void)state;
    struct directory early = directory_of("orders", "Deployment", "orders-x");
    struct directory next = directory_of("next", "Deployment", "next-y");
    naming_set_directory(naming, &early);
    exchange(&server);
    naming_set_directory(naming, &next);
    exchange(&server);
    naming_set_directory(naming, &nobody);
    exchange(&server);
    naming_set_complete(naming);
    exchange(&server);
    expect("orders", 4);
}

/* The last look is at the directory that is complete. */
static void once_all_was_heard_of_names_are_fixed(void **state)
{
    (void)state;
    struct directory complete = directory_of("orders", "Deployment", "orders-x");
    struct directory later = directory_of("renamed", "Deployment", "orders-x");
    naming_set_directory(naming, &complete);
    exchange(&server);
    naming_set_complete(naming);
    exchange(&server);
    naming_set_directory(naming, &later);
    exchange(&server);
    expect("orders", 3);
}

/* The configuration's name of a range stands in until the cluster's names are there. */
static void configured_ranges_stand_in(void **state)
{
    (void)state;
    struct directory configured = directory_of("corp", "", "");
    struct directory cluster = directory_of("orders", "Deployment", "orders-x");
    naming_set_directory(naming, &configured);
    exchange(&server);
    expect("corp", 1);
    naming_set_directory(naming, &cluster);
    naming_set_complete(naming);
    exchange(&server);
    expect("orders", 1);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(early_names_get_better),
        test(but_not_another_pods),
        test(once_all_was_heard_of_names_are_fixed),
        test(configured_ranges_stand_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
