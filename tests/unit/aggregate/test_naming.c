/* When exchanges wait for a name, for how long, and which names they must not get. */
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
#define HOLD (2 * SECOND)
#define ROOM_BYTES 65536
/* The interface that appeared while the agent ran, and when. */
#define NEW_INTERFACE 9
#define APPEARED_NS (100 * SECOND)

struct stage {
    struct aggregate_shard *shard;
    struct naming *naming;
    struct directory nobody; /* the cluster's ranges, and nobody in them */
    struct directory known;  /* both pods and the service */
};

static int64_t interface_since(void *context, uint32_t interface)
{
    (void)context;
    return interface == NEW_INTERFACE ? APPEARED_NS : 0;
}

static void stage_open(struct stage *stage, int64_t hold_ns, bool await_peers, size_t bytes)
{
    *stage = (struct stage){.nobody = {.otherwise = DIRECTORY_AWAITED},
                            .known = {.otherwise = DIRECTORY_AWAITED}};
    fake_directory_add(&stage->known, "10.0.0.1", "shop", "gateway", 110 * SECOND);
    fake_directory_add(&stage->known, "10.0.0.2", "store", "orders", 110 * SECOND);
    struct aggregate_options options = scene_options();
    options.await_pods = true;
    options.await_peers = await_peers;
    options.interface_since = interface_since;
    stage->shard = aggregate_shard_new(&options, &stage->nobody);
    assert_non_null(stage->shard);
    struct exchange_sink next = aggregate_shard_sink(stage->shard);
    struct naming_options naming = {
        .shard = stage->shard, .hold_ns = hold_ns, .memory_bytes = bytes};
    stage->naming = naming_new(&naming, &next);
    assert_non_null(stage->naming);
    naming_set_complete(stage->naming);
    naming_tick(stage->naming, SECOND);
}

static void stage_close(struct stage *stage)
{
    naming_free(stage->naming);
    aggregate_shard_free(stage->shard);
}

static void tell(struct stage *stage, struct connection *connection,
                 enum connection_event_kind kind)
{
    struct exchange_sink sink = naming_sink(stage->naming);
    const struct connection_event event = {.kind = kind, .amount = 1, .method = slice_of("GET")};
    sink.event(sink.context, connection, &event);
}

static void exchange(struct stage *stage, struct connection *connection, const char *route)
{
    struct exchange_sink sink = naming_sink(stage->naming);
    struct exchange exchange = scene_exchange(route, 200);
    tell(stage, connection, CONNECTION_REQUEST_BEGAN);
    tell(stage, connection, CONNECTION_REQUEST_ENDED);
    sink.exchange(sink.context, connection, &exchange);
}

static struct connection opened(struct stage *stage, struct connection *at, enum exchange_side side,
                                uint32_t interface)
{
    *at = scene_connection(side, "10.0.0.1:40000", "10.0.0.2:80");
    at->interface = interface;
    tell(stage, at, CONNECTION_OPENED);
    return *at;
}

/* Lines of requests counted at servers (or clients) of this name. */
static unsigned requests(struct stage *stage, const char *side, const char *labels)
{
    char start[256];
    snprintf(start, sizeof(start), "http_%s_request_duration_seconds_count{%s,", side, labels);
    const char *line = strstr(scene_text(&stage->shard, 1), start);
    unsigned count = 0;
    if (line != NULL) {
        assert_int_equal(sscanf(strstr(line, "} "), "} %u", &count), 1);
    }
    return count;
}

static unsigned total(struct stage *stage)
{
    return (unsigned)scene_count(stage->shard, "http_server_request_duration_seconds_count") +
           (unsigned)scene_count(stage->shard, "http_client_request_duration_seconds_count");
}

static void expect_unnamed(struct stage *stage, const char *reason, unsigned count)
{
    char line[128];
    snprintf(line, sizeof(line), "vethscope_unnamed_exchanges_total{reason=\"%s\"} %u", reason,
             count);
    scene_expect(stage->shard, line);
}

#define ORDERS "service_namespace=\"store\",service_name=\"orders\""
#define GATEWAY                                                                                    \
    "service_namespace=\"shop\",service_name=\"gateway\",server_address=\"orders.store\""
#define NOBODY "service_name=\"unknown\""

static void held_until_the_name_is_known(void **state)
{
    (void)state;
    struct stage stage;
    struct connection server;
    struct connection client;
    stage_open(&stage, HOLD, true, ROOM_BYTES);
    opened(&stage, &server, EXCHANGE_SERVER, 7);
    opened(&stage, &client, EXCHANGE_CLIENT, 8);
    exchange(&stage, &server, "/a");
    exchange(&stage, &client, "/a");
    naming_tick(stage.naming, SECOND + HOLD - 1);
    assert_int_equal(total(&stage), 0);
    assert_int_equal(scene_count(stage.shard, "vethscope_tcp_connections_total"), 0);
    naming_set_directory(stage.naming, &stage.known);
    assert_int_equal(requests(&stage, "server", ORDERS), 1);
    assert_int_equal(requests(&stage, "client", GATEWAY), 1);
    scene_expect(stage.shard, "vethscope_tcp_connections_total{" ORDERS ",side=\"server\"} 1");
    exchange(&stage, &server, "/a"); /* nothing to wait for any more */
    assert_int_equal(requests(&stage, "server", ORDERS), 2);
    expect_unnamed(&stage, "timeout", 0);
    stage_close(&stage);
}

/* The hold is the connection's, not the exchange's; later exchanges are named once somebody knows.
 */
static void unknown_when_the_hold_is_over(void **state)
{
    (void)state;
    struct stage stage;
    struct connection server;
    stage_open(&stage, HOLD, true, ROOM_BYTES);
    opened(&stage, &server, EXCHANGE_SERVER, 7);
    exchange(&stage, &server, "/a");
    naming_tick(stage.naming, SECOND + HOLD);
    assert_int_equal(requests(&stage, "server", NOBODY), 1);
    exchange(&stage, &server, "/a");
    assert_int_equal(requests(&stage, "server", NOBODY), 2);
    expect_unnamed(&stage, "timeout", 2);
    naming_set_directory(stage.naming, &stage.known);
    exchange(&stage, &server, "/a");
    assert_int_equal(requests(&stage, "server", NOBODY), 2);
    assert_int_equal(requests(&stage, "server", ORDERS), 1);
    expect_unnamed(&stage, "timeout", 2);
    stage_close(&stage);
}

static void without_a_hold_nobody_waits(void **state)
{
    (void)state;
    struct stage stage;
    struct connection server;
    stage_open(&stage, 0, true, 0);
    opened(&stage, &server, EXCHANGE_SERVER, 7);
    exchange(&stage, &server, "/a");
    assert_int_equal(requests(&stage, "server", NOBODY), 1);
    expect_unnamed(&stage, "timeout", 1);
    stage_close(&stage);
}

/* A jump of the clock, either way, neither ends every hold nor makes one last. */
static void jumps_of_the_clock(void **state)
{
    (void)state;
    struct stage stage;
    struct connection server;
    stage_open(&stage, 30 * SECOND, true, ROOM_BYTES);
    opened(&stage, &server, EXCHANGE_SERVER, 7);
    exchange(&stage, &server, "/a");
    naming_tick(stage.naming, 100000 * SECOND);
    naming_tick(stage.naming, SECOND);
    assert_int_equal(total(&stage), 0);
    naming_tick(stage.naming, 11 * SECOND);
    naming_tick(stage.naming, 21 * SECOND);
    assert_int_equal(total(&stage), 1);
    stage_close(&stage);
}

/* With this node's pods alone, who is elsewhere may never be known. */
static void peers_are_awaited_only_where_they_will_be_known(void **state)
{
    (void)state;
    struct stage stage;
    struct connection client;
    stage_open(&stage, HOLD, false, ROOM_BYTES);
    struct directory own = {.otherwise = DIRECTORY_AWAITED};
    fake_directory_add(&own, "10.0.0.1", "shop", "gateway", 110 * SECOND);
    naming_set_directory(stage.naming, &own);
    opened(&stage, &client, EXCHANGE_CLIENT, 8);
    exchange(&stage, &client, "/a");
    assert_int_equal(requests(&stage, "client",
                              "service_namespace=\"shop\",service_name=\"gateway\","
                              "server_address=\"unknown\""),
                     1);
    expect_unnamed(&stage, "timeout", 1);
    stage_close(&stage);
}

/* The pod at the link has a name or will have one, also outside of every range; who is outside and
 * at the other end is outside. Loopback is nobody's. */
static void own_ends_are_pods(void **state)
{
    (void)state;
    static const struct {
        const char *server;
        enum directory_answer otherwise;
        bool waits;
    } cases[] = {
        {"10.0.0.2:80", DIRECTORY_UNNAMED, true},   {"10.0.0.2:80", DIRECTORY_EXTERNAL, true},
        {"127.0.0.1:80", DIRECTORY_UNNAMED, false}, {"::1:80", DIRECTORY_EXTERNAL, false},
        {"127.0.0.1:80", DIRECTORY_AWAITED, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct stage stage;
        stage_open(&stage, HOLD, true, ROOM_BYTES);
        struct directory empty = {.otherwise = cases[i].otherwise};
        fake_directory_add(&empty, "10.0.0.1", "shop", "gateway", 0);
        naming_set_directory(stage.naming, &empty);
        struct connection own =
            scene_connection(EXCHANGE_SERVER, "10.0.0.1:40000", cases[i].server);
        struct connection peer = scene_connection(EXCHANGE_CLIENT, "10.0.0.1:40000", "10.0.0.2:80");
        exchange(&stage, &own, "/a");
        assert_int_equal(total(&stage), cases[i].waits ? 0 : 1);
        exchange(&stage, &peer, "/a");
        bool peer_waits = cases[i].otherwise == DIRECTORY_AWAITED;
        assert_int_equal(total(&stage), (cases[i].waits ? 0 : 1) + (peer_waits ? 0 : 1));
        stage_close(&stage);
    }
}

/* At the start everybody may still be known: a service's address, whoever is at the other end. */
static void everybody_is_awaited_until_the_names_are_complete(void **state)
{
    (void)state;
    struct stage stage;
    struct connection client;
    stage_open(&stage, HOLD, false, ROOM_BYTES);
    stage.shard->complete = false;
    stage.known.otherwise = DIRECTORY_EXTERNAL;
    struct directory first = {.otherwise = DIRECTORY_EXTERNAL};
    fake_directory_add(&first, "10.0.0.1", "shop", "gateway", 0);
    naming_set_directory(stage.naming, &first);
    opened(&stage, &client, EXCHANGE_CLIENT, 8);
    exchange(&stage, &client, "/a");
    assert_int_equal(total(&stage), 0);
    struct connection outward = scene_connection(EXCHANGE_CLIENT, "10.0.0.1:40000", "192.0.2.1:80");
    exchange(&stage, &outward, "/a");
    naming_set_directory(stage.naming, &stage.known);
    assert_int_equal(requests(&stage, "client", GATEWAY), 1);
    naming_set_directory(stage.naming, &first);
    assert_int_equal(total(&stage), 1);
    naming_set_complete(stage.naming);
    assert_int_equal(total(&stage), 2);
    expect_unnamed(&stage, "timeout", 0); /* it is outside, and that is a name */
    stage_close(&stage);
}

/* Everything that is said of both ends is the connection's, whatever becomes of the directory. */
static void ends_are_copies(void **state)
{
    (void)state;
    struct stage stage;
    struct connection server;
    struct aggregate_ends ends;
    stage_open(&stage, HOLD, true, ROOM_BYTES);
    struct workload *orders = &stage.known.rows[1].workload;
    orders->kind = slice_of("Deployment");
    orders->pod = slice_of("orders-x");
    orders->node = slice_of("node-1");
    orders->called = slice_of("orders-api");
    opened(&stage, &server, EXCHANGE_SERVER, 7);
    aggregate_shard_ends(stage.shard, &server, &ends);
    assert_false(ends.client_known || ends.server_known);
    naming_set_directory(stage.naming, &stage.known);
    naming_set_directory(stage.naming, &stage.nobody);
    memset(&stage.known, 0, sizeof(stage.known));
    aggregate_shard_ends(stage.shard, &server, &ends);
    assert_true(ends.client_known && ends.server_known);
    assert_true(slice_equal(ends.client.namespace, slice_of("shop")));
    assert_true(slice_equal(ends.client.service, slice_of("gateway")));
    assert_int_equal(ends.client.kind.length + ends.client.pod.length, 0);
    assert_true(slice_equal(ends.server.service, slice_of("orders")));
    assert_true(slice_equal(ends.server.kind, slice_of("Deployment")));
    assert_true(slice_equal(ends.server.pod, slice_of("orders-x")));
    assert_true(slice_equal(ends.server.node, slice_of("node-1")));
    assert_true(slice_equal(ends.server.called, slice_of("orders-api")));
    assert_true(slice_equal(ends.server.called_namespace, slice_of("store")));
    stage_close(&stage);
}

/* What an address was called before its interface appeared is another pod's name. */
static void former_names_are_not_taken(void **state)
{
    (void)state;
    struct stage stage;
    struct connection reused;
    struct connection old;
    stage_open(&stage, HOLD, true, ROOM_BYTES);
    struct directory former = {.otherwise = DIRECTORY_AWAITED};
    fake_directory_add(&former, "10.0.0.1", "shop", "gateway", 50 * SECOND);
    fake_directory_add(&former, "10.0.0.2", "store", "former", APPEARED_NS - 1);
    naming_set_directory(stage.naming, &former);
    opened(&stage, &reused, EXCHANGE_SERVER, NEW_INTERFACE);
    opened(&stage, &old, EXCHANGE_SERVER, 7);
    exchange(&stage, &reused, "/a");
    assert_int_equal(total(&stage), 0);
    exchange(&stage, &old, "/a");
    assert_int_equal(requests(&stage, "server",
                              "service_namespace=\"store\","
                              "service_name=\"former\""),
                     1);
    naming_set_directory(stage.naming, &stage.known);
    assert_int_equal(requests(&stage, "server", ORDERS), 1);
    opened(&stage, &reused, EXCHANGE_SERVER, NEW_INTERFACE);
    naming_set_directory(stage.naming, &former);
    exchange(&stage, &reused, "/a"); /* known is known, whatever is said later */
    assert_int_equal(requests(&stage, "server", ORDERS), 2);
    stage_close(&stage);
}

/* Names from the configuration were always there. */
static void configured_names_have_no_beginning(void **state)
{
    (void)state;
    struct stage stage;
    struct connection server;
    stage_open(&stage, HOLD, true, ROOM_BYTES);
    struct directory configured = {.otherwise = DIRECTORY_AWAITED};
    fake_directory_add(&configured, "10.0.0.1", "shop", "gateway", 0);
    fake_directory_add(&configured, "10.0.0.2", "store", "orders", 0);
    naming_set_directory(stage.naming, &configured);
    opened(&stage, &server, EXCHANGE_SERVER, NEW_INTERFACE);
    exchange(&stage, &server, "/a");
    assert_int_equal(requests(&stage, "server", ORDERS), 1);
    stage_close(&stage);
}

/* The next pod with the address must not name what the former one did. */
static void nobody_waits_beyond_the_interface(void **state)
{
    (void)state;
    struct stage stage;
    struct connection gone;
    struct connection other;
    stage_open(&stage, HOLD, true, ROOM_BYTES);
    opened(&stage, &gone, EXCHANGE_SERVER, 7);
    opened(&stage, &other, EXCHANGE_CLIENT, 8);
    exchange(&stage, &gone, "/a");
    exchange(&stage, &other, "/a");
    tell(&stage, &gone, CONNECTION_CLOSED);
    naming_interface_gone(stage.naming, 7);
    assert_int_equal(requests(&stage, "server", NOBODY), 1);
    naming_set_directory(stage.naming, &stage.known);
    assert_int_equal(requests(&stage, "server", ORDERS), 0);
    assert_int_equal(requests(&stage, "client", GATEWAY), 1);
    expect_unnamed(&stage, "interface_gone", 1);
    stage_close(&stage);
}

static void nothing_is_lost_at_the_end(void **state)
{
    (void)state;
    struct stage stage;
    struct connection closed;
    struct connection open;
    stage_open(&stage, HOLD, true, ROOM_BYTES);
    opened(&stage, &closed, EXCHANGE_SERVER, 7);
    exchange(&stage, &closed, "/a");
    tell(&stage, &closed, CONNECTION_CLOSED);
    memset(&closed, 0xff, sizeof(closed)); /* its flow is another's now */
    opened(&stage, &open, EXCHANGE_SERVER, 7);
    exchange(&stage, &open, "/a");
    naming_finish(stage.naming);
    assert_int_equal(requests(&stage, "server", NOBODY), 2);
    expect_unnamed(&stage, "shutdown", 2);
    scene_expect(stage.shard, "vethscope_tcp_connections_total{" NOBODY ",side=\"server\"} 2");
    stage_close(&stage);
}

/* A request that began while its connection waited ends under the name under which it counts. */
static void the_gauge_is_balanced(void **state)
{
    (void)state;
    struct stage stage;
    struct connection server;
    stage_open(&stage, HOLD, true, ROOM_BYTES);
#define ACTIVE(labels)                                                                             \
    "http_server_active_requests{" labels ",http_request_method=\"GET\",url_scheme=\"http\"} "
    opened(&stage, &server, EXCHANGE_SERVER, 7);
    tell(&stage, &server, CONNECTION_REQUEST_BEGAN);
    naming_tick(stage.naming, SECOND + HOLD);
    scene_expect(stage.shard, ACTIVE(NOBODY) "1");
    naming_set_directory(stage.naming, &stage.known);
    tell(&stage, &server, CONNECTION_REQUEST_BEGAN);
    scene_expect(stage.shard, ACTIVE(NOBODY) "2");
    tell(&stage, &server, CONNECTION_REQUEST_ENDED);
    tell(&stage, &server, CONNECTION_REQUEST_ENDED);
    scene_expect(stage.shard, ACTIVE(NOBODY) "0");
    tell(&stage, &server, CONNECTION_REQUEST_BEGAN);
    scene_expect(stage.shard, ACTIVE(ORDERS) "1");
    tell(&stage, &server, CONNECTION_REQUEST_ENDED);
    tell(&stage, &server, CONNECTION_CLOSED);
    scene_expect(stage.shard, ACTIVE(ORDERS) "0");
    stage_close(&stage);
}

/* At the bound the one that waits longest goes out at once, and loses nothing by it. */
static void the_oldest_makes_room(void **state)
{
    (void)state;
    struct stage stage;
    static struct connection connections[64];
    stage_open(&stage, HOLD, true, 8192);
    unsigned held = 0;
    while (total(&stage) == 0 && held < 64) {
        opened(&stage, &connections[held], EXCHANGE_SERVER, held);
        exchange(&stage, &connections[held], "/a");
        held++;
    }
    assert_in_range(held, 4, 63);
    assert_int_equal(requests(&stage, "server", NOBODY), 1);
    expect_unnamed(&stage, "full", 1);
    naming_interface_gone(stage.naming, 0); /* the first is not there any more */
    expect_unnamed(&stage, "interface_gone", 0);
    naming_set_directory(stage.naming, &stage.known);
    assert_int_equal(requests(&stage, "server", ORDERS), held - 1);
    stage_close(&stage);
}

/* One connection fills the room alone: it goes out itself, in order, and goes on. */
static void a_connection_may_be_too_much_alone(void **state)
{
    (void)state;
    struct stage stage;
    struct connection server;
    stage_open(&stage, HOLD, true, 8192);
    opened(&stage, &server, EXCHANGE_SERVER, 7);
    for (unsigned i = 0; i < 100; i++) {
        exchange(&stage, &server, "/a");
    }
    assert_int_equal(requests(&stage, "server", NOBODY), 100);
    naming_set_directory(stage.naming, &stage.known);
    exchange(&stage, &server, "/a");
    assert_int_equal(requests(&stage, "server", ORDERS), 1);
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(held_until_the_name_is_known),
        cmocka_unit_test(unknown_when_the_hold_is_over),
        cmocka_unit_test(without_a_hold_nobody_waits),
        cmocka_unit_test(jumps_of_the_clock),
        cmocka_unit_test(peers_are_awaited_only_where_they_will_be_known),
        cmocka_unit_test(own_ends_are_pods),
        cmocka_unit_test(everybody_is_awaited_until_the_names_are_complete),
        cmocka_unit_test(ends_are_copies),
        cmocka_unit_test(former_names_are_not_taken),
        cmocka_unit_test(configured_names_have_no_beginning),
        cmocka_unit_test(nobody_waits_beyond_the_interface),
        cmocka_unit_test(nothing_is_lost_at_the_end),
        cmocka_unit_test(the_gauge_is_balanced),
        cmocka_unit_test(the_oldest_makes_room),
        cmocka_unit_test(a_connection_may_be_too_much_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
