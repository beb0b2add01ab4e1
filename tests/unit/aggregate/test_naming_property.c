/*
 * A small cluster whose pods come, talk, go, and leave their addresses to others, while what is
 * known of them comes late, in any order, or not at all: whatever happens, no exchange gets another
 * pod's name, none is lost or told twice, each connection's come in order, and the gauge of active
 * requests ends at zero.
 *
 * One thing is not left to chance: those at the other end of a connection do not see an address
 * change hands before its former name is gone, and not within a hold. Addresses of which that is
 * not so are seen from their own end alone.
 */
#include "agent/aggregate/names.h"
#include "agent/aggregate/naming.h"

#include "tests/unit/aggregate/fake_directory.h"
#include "tests/unit/aggregate/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WORLDS 400
#define STEPS 600
#define ADDRESSES 8
/* The first of these change hands at any time. */
#define HASTY 3
#define CONNECTIONS 24
#define SECOND INT64_C(1000000000)
#define STEP_NS (SECOND / 10)
#define HOLD_STEPS 20
/* Before it, names are early, in every other world. */
#define COMPLETE_STEP 100
/* Steps between two owners of an address. */
#define PAUSE (HOLD_STEPS + 5)

/* Who has an address: a pod with a number of its own, or nobody. */
struct place {
    unsigned pod;       /* 0: nobody */
    unsigned known;     /* whom the API server says is there; 0: nobody */
    unsigned published; /* whom the directory in use says is there */
    int64_t since_ns;   /* of that */
    unsigned free_from; /* step */
    bool was_before;    /* its interface was there when the agent started */
    int64_t appeared_ns;
};

struct talk {
    struct connection connection;
    unsigned client_pod;
    unsigned server_pod;
    unsigned asked; /* exchanges so far */
    bool open;
    bool active;
};

struct world {
    struct place places[ADDRESSES];
    struct talk talks[CONNECTIONS];
    struct directory directories[2];
    char names[STEPS][12]; /* of pods, by number */
    struct aggregate_shard *shard;
    struct naming *naming;
    struct exchange_sink shard_sink;
    uint64_t seed;
    int64_t now_ns;
    unsigned step;
    unsigned pods;
    unsigned directory;
    unsigned told;                          /* exchanges in */
    unsigned heard;                         /* and out */
    unsigned named;                         /* of these with both names */
    unsigned heard_of[CONNECTIONS * STEPS]; /* by serial of the connection */
    unsigned connections;
    unsigned complete_step;
};

static uint64_t draw(struct world *world, uint64_t below)
{
    world->seed ^= world->seed << 13;
    world->seed ^= world->seed >> 7;
    world->seed ^= world->seed << 17;
    return (world->seed >> 11) % below;
}

/* An interface's number is its pod's. */
static int64_t interface_since(void *context, uint32_t interface)
{
    const struct world *world = context;
    for (unsigned i = 0; i < ADDRESSES; i++) {
        if (world->places[i].pod == interface) {
            return world->places[i].was_before ? 0 : world->places[i].appeared_ns;
        }
    }
    return 0;
}

/* ---- what comes out ---- */

static bool check_name(const struct world *world, uint32_t label, unsigned pod)
{
    struct slice text = label_table_text(&world->shard->labels, label);
    assert_true(text.length > 0);
    struct slice service = {text.data + 1, text.length - 1}; /* no namespace */
    if (slice_equal(service, slice_of("unknown"))) {
        return false;
    }
    if (!slice_equal(service, slice_of(world->names[pod]))) {
        fail_msg("step %u: pod %u is called %.*s", world->step, pod, (int)service.length,
                 service.data);
    }
    return true;
}

/* The exchange says in its numbers whose it is. */
static void on_exchange(void *context, struct connection *connection,
                        const struct exchange *exchange)
{
    struct world *world = context;
    unsigned serial = (unsigned)exchange->request_body_bytes;
    assert_int_equal(exchange->response_body_bytes, world->heard_of[serial]++);
    struct names names = names_load(connection);
    bool client = check_name(world, names.client, (unsigned)exchange->start_ns);
    bool server = check_name(world, names.server, (unsigned)exchange->request_end_ns);
    world->named += client && server ? 1 : 0;
    world->heard++;
    struct exchange counted = scene_exchange("/a", 200);
    counted.ends_request = exchange->ends_request;
    world->shard_sink.exchange(world->shard_sink.context, connection, &counted);
}

static void on_event(void *context, struct connection *connection,
                     const struct connection_event *event)
{
    struct world *world = context;
    world->shard_sink.event(world->shard_sink.context, connection, event);
}

/* ---- what goes in ---- */

static void tell(struct world *world, struct talk *talk, enum connection_event_kind kind)
{
    struct exchange_sink sink = naming_sink(world->naming);
    const struct connection_event event = {.kind = kind, .amount = 1, .method = slice_of("GET")};
    sink.event(sink.context, &talk->connection, &event);
}

static void finish_exchange(struct world *world, struct talk *talk)
{
    struct exchange_sink sink = naming_sink(world->naming);
    struct exchange exchange = {.start_ns = talk->client_pod,
                                .request_end_ns = talk->server_pod,
                                .request_body_bytes = talk->connection.client.port,
                                .response_body_bytes = talk->asked++};
    exchange.method = slice_of("GET");
    exchange.ends_request = draw(world, 2) == 0;
    if (!exchange.ends_request) {
        tell(world, talk, CONNECTION_REQUEST_ENDED);
    }
    talk->active = false;
    sink.exchange(sink.context, &talk->connection, &exchange);
    world->told++;
}

static void close_talk(struct world *world, struct talk *talk)
{
    if (talk->active) {
        finish_exchange(world, talk);
    }
    tell(world, talk, CONNECTION_CLOSED);
    memset(&talk->connection, 0xee, sizeof(talk->connection)); /* the flow is another's */
    talk->open = false;
}

static struct endpoint endpoint_of(unsigned place, uint16_t port)
{
    char text[ENDPOINT_TEXT_SIZE];
    snprintf(text, sizeof(text), "10.0.0.%u:%u", place + 1, (unsigned)port);
    return scene_endpoint(text);
}

static void open_talk(struct world *world, struct talk *talk)
{
    unsigned client = (unsigned)draw(world, ADDRESSES);
    unsigned server = (unsigned)draw(world, ADDRESSES);
    bool server_side = draw(world, 2) == 0;
    if (world->places[client].pod == 0 || world->places[server].pod == 0 || client == server ||
        (server_side ? client : server) < HASTY) {
        return;
    }
    *talk = (struct talk){.open = true,
                          .client_pod = world->places[client].pod,
                          .server_pod = world->places[server].pod};
    talk->connection.side = server_side ? EXCHANGE_SERVER : EXCHANGE_CLIENT;
    talk->connection.interface = server_side ? talk->server_pod : talk->client_pod;
    talk->connection.client = endpoint_of(client, (uint16_t)world->connections++);
    talk->connection.server = endpoint_of(server, 80);
    tell(world, talk, CONNECTION_OPENED);
}

static void move_talk(struct world *world)
{
    struct talk *talk = &world->talks[draw(world, CONNECTIONS)];
    if (!talk->open) {
        open_talk(world, talk);
    } else if (draw(world, 12) == 0) {
        close_talk(world, talk);
    } else if (talk->active) {
        finish_exchange(world, talk);
    } else {
        tell(world, talk, CONNECTION_REQUEST_BEGAN);
        talk->active = true;
    }
}

/* ---- the cluster ---- */

static void add_pod(struct world *world, struct place *place)
{
    bool was_before = world->step == 0;
    place->pod = ++world->pods;
    place->was_before = was_before;
    place->appeared_ns = world->now_ns;
    snprintf(world->names[place->pod], sizeof(world->names[0]), "pod-%u", place->pod);
}

/* Its connections end with it. */
static void remove_pod(struct world *world, struct place *place)
{
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        struct talk *talk = &world->talks[i];
        if (talk->open && (talk->client_pod == place->pod || talk->server_pod == place->pod)) {
            close_talk(world, talk);
        }
    }
    naming_interface_gone(world->naming, place->pod);
    place->pod = 0;
    place->free_from = world->step + PAUSE;
}

static void move_place(struct world *world)
{
    unsigned at = (unsigned)draw(world, ADDRESSES);
    struct place *place = &world->places[at];
    bool free = at < HASTY || (place->published == 0 && world->step >= place->free_from);
    if (place->pod != 0 && draw(world, 3) == 0) {
        remove_pod(world, place);
    } else if (place->pod == 0 && free) {
        add_pod(world, place);
    }
}

/* What is said of an address: whoever is there now, or nobody. */
static void move_knowledge(struct world *world)
{
    struct place *place = &world->places[draw(world, ADDRESSES)];
    if (place->known != place->pod) {
        place->known = place->pod;
        place->since_ns = world->now_ns;
    }
}

/* Who left is forgotten before another may come; see above. */
static void forget_former(struct world *world)
{
    for (unsigned i = HASTY; i < ADDRESSES; i++) {
        struct place *place = &world->places[i];
        if (place->pod == 0 && place->known != 0 && world->step + 3 >= place->free_from) {
            place->known = 0;
        }
    }
}

/* The former directory is overwritten at the next swap: whoever looks into it shows. */
static void swap_directory(struct world *world)
{
    struct directory *former = &world->directories[world->directory];
    world->directory = 1 - world->directory;
    struct directory *next = &world->directories[world->directory];
    *next = (struct directory){.otherwise = DIRECTORY_AWAITED};
    for (unsigned i = 0; i < ADDRESSES; i++) {
        char address[ADDRESS_TEXT_SIZE];
        snprintf(address, sizeof(address), "10.0.0.%u", i + 1);
        world->places[i].published = world->places[i].known;
        if (world->places[i].known != 0) {
            fake_directory_add(next, address, "", world->names[world->places[i].known],
                               world->places[i].since_ns);
            struct workload *pod = &next->rows[next->count - 1].workload;
            pod->kind = slice_of("Pod");
            pod->pod = slice_of(world->names[world->places[i].known]);
        }
    }
    naming_set_directory(world->naming, next);
    memset(former, 0, sizeof(*former));
}

static void step(struct world *world)
{
    world->now_ns += STEP_NS;
    naming_tick(world->naming, world->now_ns);
    if (world->step == world->complete_step) {
        naming_set_complete(world->naming);
    }
    for (uint64_t i = draw(world, 8); i > 0; i--) {
        move_talk(world);
    }
    if (draw(world, 4) == 0) {
        move_place(world);
    }
    if (draw(world, 3) == 0) {
        move_knowledge(world);
    }
    forget_former(world);
    if (draw(world, 3) == 0) {
        swap_directory(world);
    }
}

static void world_open(struct world *world, uint64_t seed, size_t room_bytes)
{
    memset(world, 0, sizeof(*world));
    world->seed = seed * 0x9e3779b97f4a7c15u + 1;
    world->now_ns = SECOND;
    struct aggregate_options options = scene_options();
    options.await_pods = true;
    options.await_peers = true;
    options.interface_since = interface_since;
    options.interface_context = world;
    world->directories[0].otherwise = DIRECTORY_AWAITED;
    world->shard = aggregate_shard_new(&options, &world->directories[0]);
    assert_non_null(world->shard);
    world->shard_sink = aggregate_shard_sink(world->shard);
    struct exchange_sink sink = {world, on_exchange, on_event};
    struct naming_options naming = {
        .shard = world->shard, .hold_ns = HOLD_STEPS * STEP_NS, .memory_bytes = room_bytes};
    world->naming = naming_new(&naming, &sink);
    assert_non_null(world->naming);
    world->complete_step = seed % 2 == 0 ? COMPLETE_STEP : 1;
    for (unsigned i = 0; i < ADDRESSES / 2; i++) {
        add_pod(world, &world->places[i]);
    }
}

/* Which family is being written. */
static void on_family(void *context, const struct metric_family *family)
{
    *(const char **)context = family->name;
}

static void on_point(void *context, const struct metric_point *point)
{
    if (strcmp(*(const char **)context, "http_server_active_requests") == 0) {
        assert_true(point->value == 0);
    }
}

static void world_close(struct world *world)
{
    for (unsigned i = 0; i < ADDRESSES; i++) {
        if (world->places[i].pod != 0) {
            remove_pod(world, &world->places[i]);
        }
    }
    naming_finish(world->naming);
    assert_int_equal(world->heard, world->told);
    const char *family = "";
    const struct metric_sink sink = {&family, on_family, on_point};
    assert_int_equal(aggregate_write(&world->shard, 1, &sink), 0);
    naming_free(world->naming);
    aggregate_shard_free(world->shard);
}

static void live_through(size_t room_bytes, unsigned *told_out, unsigned *named_out)
{
    struct world *world = malloc(sizeof(*world));
    assert_non_null(world);
    for (unsigned i = 0; i < WORLDS; i++) {
        world_open(world, i + 1, room_bytes);
        for (world->step = 1; world->step < STEPS / 2; world->step++) {
            step(world);
        }
        world_close(world);
        *told_out += world->told;
        *named_out += world->named;
    }
    free(world);
}

static void no_exchange_gets_another_pods_name(void **state)
{
    (void)state;
    unsigned told = 0;
    unsigned named = 0;
    live_through(1 << 20, &told, &named);
    assert_true(told > WORLDS * 50);
    assert_true(named > told / 2); /* it is no empty promise */
}

/* The same where hardly anybody can wait. */
static void nor_in_a_small_room(void **state)
{
    (void)state;
    unsigned told = 0;
    unsigned named = 0;
    live_through(4096, &told, &named);
    assert_true(told > WORLDS * 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_exchange_gets_another_pods_name),
        cmocka_unit_test(nor_in_a_small_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
