#include "tests/unit/aggregate/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*
 * What a shard remembers must not show: one shard is told which routes are equal, the other one has
 * to look for every record, and both say the same at any time. An exchange that ends its request
 * is to the other one an end and an exchange.
 */

#define SECOND INT64_C(1000000000)
#define CONNECTIONS 24
#define ROUTES 12
#define STEPS 6000

static const char *const methods[] = {"GET", "GET", "GET", "POST", "SPY"};
#define METHODS (sizeof(methods) / sizeof(methods[0]))

struct twin {
    struct aggregate_shard *shard;
    struct connection connections[CONNECTIONS];
};

struct world {
    struct twin quick; /* knows ids */
    struct twin slow;
    uint64_t random;
    int64_t now_ns;
};

static uint32_t pick(struct world *world, uint32_t below)
{
    world->random = world->random * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(world->random >> 33) % below;
}

static void connect_one(struct world *world, size_t number)
{
    char client[32];
    char server[32];
    enum exchange_side side = pick(world, 2) == 0 ? EXCHANGE_SERVER : EXCHANGE_CLIENT;
    snprintf(client, sizeof(client), "10.0.0.%u:4000", pick(world, 6) + 1);
    snprintf(server, sizeof(server), "10.0.1.%u:%u", pick(world, 3) + 1, 80 + pick(world, 2));
    world->quick.connections[number] = scene_connection(side, client, server);
    world->slow.connections[number] = world->quick.connections[number];
}

static void tell(struct twin *twin, size_t number, enum connection_event_kind kind,
                 const char *method)
{
    struct exchange_sink sink = aggregate_shard_sink(twin->shard);
    const struct connection_event event = {.kind = kind, .amount = 1, .method = slice_of(method)};
    sink.event(sink.context, &twin->connections[number], &event);
}

static void tell_both(struct world *world, size_t number, enum connection_event_kind kind)
{
    const char *method = methods[pick(world, METHODS)];
    tell(&world->quick, number, kind, method);
    tell(&world->slow, number, kind, method);
}

static void set_times(struct world *world, struct exchange *exchange)
{
    exchange->request_end_ns = exchange->start_ns + pick(world, 3) * 100000;
    exchange->response_start_ns = exchange->request_end_ns + pick(world, 20000000);
    exchange->response_end_ns = exchange->response_start_ns + pick(world, 3) * 1000;
    if (pick(world, 10) == 0) {
        exchange->response_start_ns = EXCHANGE_TIME_UNKNOWN;
        exchange->response_end_ns = EXCHANGE_TIME_UNKNOWN;
    }
}

static void exchange_one(struct world *world, size_t number)
{
    static const uint16_t statuses[] = {200, 200, 200, 404, 500, 0};
    static const char trace_id[] = "0af7651916cd43dd8448eb211c80319c";
    char route[16];
    uint32_t at = pick(world, ROUTES);
    snprintf(route, sizeof(route), "/r%u", at);
    struct exchange exchange = scene_exchange(at == 0 ? "" : route, statuses[pick(world, 6)]);
    const char *method = methods[pick(world, METHODS)];
    exchange.method = slice_of(method);
    exchange.request_body_bytes = pick(world, 5) == 0 ? EXCHANGE_SIZE_UNKNOWN : pick(world, 1000);
    exchange.response_body_bytes = pick(world, 5) == 0 ? EXCHANGE_SIZE_UNKNOWN : pick(world, 90000);
    exchange.ambiguous = pick(world, 50) == 0;
    if (pick(world, 20) == 0) {
        exchange.outcome = (enum exchange_outcome)pick(world, EXCHANGE_RESPONSE_ONLY + 1);
    }
    if (pick(world, 4) == 0) {
        exchange.trace_id = slice_of(trace_id);
    }
    set_times(world, &exchange);
    bool ends = pick(world, 3) == 0;
    if (ends) {
        tell(&world->slow, number, CONNECTION_REQUEST_ENDED, method);
    }
    scene_feed(world->slow.shard, &world->slow.connections[number], &exchange);
    exchange.route_id = at;
    exchange.ends_request = ends;
    scene_feed(world->quick.shard, &world->quick.connections[number], &exchange);
}

static void tick(struct world *world)
{
    world->now_ns += (1 + pick(world, 9)) * SECOND;
    aggregate_shard_tick(world->quick.shard, world->now_ns);
    aggregate_shard_tick(world->slow.shard, world->now_ns);
}

static void step(struct world *world)
{
    size_t number = pick(world, CONNECTIONS);
    uint32_t what = pick(world, 100);
    if (what < 70) {
        exchange_one(world, number);
    } else if (what < 85) {
        tell_both(world, number, CONNECTION_REQUEST_BEGAN);
    } else if (what < 95) {
        tell_both(world, number, CONNECTION_REQUEST_ENDED);
    } else if (what < 98) {
        tell_both(world, number, CONNECTION_CLOSED);
        connect_one(world, number);
    } else {
        tick(world);
    }
}

static void compare(struct world *world)
{
    static char quick[SCENE_TEXT_SIZE];
    snprintf(quick, sizeof(quick), "%s", scene_text(&world->quick.shard, 1));
    assert_string_equal(quick, scene_text(&world->slow.shard, 1));
}

static void run(const struct aggregate_options *options, uint64_t seed)
{
    struct world world = {.random = seed, .now_ns = SECOND};
    world.quick.shard = aggregate_shard_new(options, NULL);
    world.slow.shard = aggregate_shard_new(options, NULL);
    assert_non_null(world.quick.shard);
    assert_non_null(world.slow.shard);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        connect_one(&world, i);
    }
    for (int i = 0; i < STEPS; i++) {
        step(&world);
        if (i % 50 == 0) {
            compare(&world);
        }
    }
    compare(&world);
    aggregate_shard_free(world.quick.shard);
    aggregate_shard_free(world.slow.shard);
}

static void test_with_room(void **state)
{
    (void)state;
    struct aggregate_options options = scene_options();
    options.max_series = 1500;
    run(&options, 1);
    options.body_sizes = true;
    run(&options, 2);
}

static void test_series_that_go(void **state)
{
    (void)state;
    struct aggregate_options options = scene_options();
    options.max_series = 1500;
    options.series_idle_ns = 3 * SECOND;
    run(&options, 3);
    options.body_sizes = true;
    run(&options, 4);
}

static void test_full_tables(void **state)
{
    (void)state;
    struct aggregate_options options = scene_options();
    for (uint32_t lines = 10; lines < 500; lines += 70) {
        options.max_series = lines;
        options.series_idle_ns = (lines % 20) * SECOND;
        options.body_sizes = lines % 3 == 0;
        run(&options, lines);
    }
}

static void test_route_bound(void **state)
{
    (void)state;
    struct aggregate_options options = scene_options();
    options.max_series = 1500;
    options.max_routes_per_service = 4;
    options.series_idle_ns = 5 * SECOND;
    run(&options, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_with_room),
        cmocka_unit_test(test_series_that_go),
        cmocka_unit_test(test_full_tables),
        cmocka_unit_test(test_route_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
