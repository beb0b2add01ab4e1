#include "agent/aggregate/lobby.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROOM_BYTES 8192
#define GUESTS 8
#define TOLD_MAX 4096
/* Steps of the random test, and what it may have waiting. */
#define STEPS 200000

/* What the sink was told, one number for each exchange or event. */
struct told {
    uint64_t numbers[TOLD_MAX];
    size_t count;
    struct connection *connection; /* of the latest */
    struct exchange exchange;
    struct connection_event event;
};

static void on_exchange(void *context, struct connection *connection,
                        const struct exchange *exchange)
{
    struct told *told = context;
    assert_true(told->count < TOLD_MAX);
    told->numbers[told->count++] = exchange->response_body_bytes;
    told->connection = connection;
    told->exchange = *exchange;
}

static void on_event(void *context, struct connection *connection,
                     const struct connection_event *event)
{
    struct told *told = context;
    assert_true(told->count < TOLD_MAX);
    told->numbers[told->count++] = event->amount;
    told->connection = connection;
    told->event = *event;
}

static struct exchange_sink sink_of(struct told *told)
{
    return (struct exchange_sink){.context = told, .exchange = on_exchange, .event = on_event};
}

static struct lobby *room_new(void)
{
    struct lobby *room = lobby_new(ROOM_BYTES, GUESTS);
    assert_non_null(room);
    return room;
}

static struct exchange numbered(uint64_t number)
{
    return (struct exchange){.response_body_bytes = number, .method = slice_of("GET")};
}

static void add_exchange(struct lobby *room, uint32_t guest, uint64_t number)
{
    struct exchange exchange = numbered(number);
    assert_int_equal(lobby_add_exchange(room, guest, &exchange), LOBBY_KEPT);
}

static void add_event(struct lobby *room, uint32_t guest, enum connection_event_kind kind,
                      uint64_t amount)
{
    struct connection_event event = {.kind = kind, .amount = amount};
    assert_int_equal(lobby_add_event(room, guest, &event), LOBBY_KEPT);
}

static void guests_are_told_in_order(void **state)
{
    (void)state;
    struct lobby *room = room_new();
    struct connection connections[2] = {0};
    struct told told = {0};
    struct exchange_sink sink = sink_of(&told);
    uint32_t first = lobby_enter(room, &connections[0], 100);
    uint32_t second = lobby_enter(room, &connections[1], 200);
    assert_int_equal(lobby_oldest(room), first);
    assert_int_equal(lobby_next(room, first), second);
    assert_int_equal(lobby_next(room, second), 0);
    assert_int_equal(lobby_until(room, second), 200);
    add_event(room, first, CONNECTION_OPENED, 1);
    add_exchange(room, second, 10);
    add_exchange(room, first, 2);
    add_event(room, second, CONNECTION_REQUEST_BEGAN, 11);
    add_exchange(room, first, 3);
    assert_int_equal(lobby_exchanges(room, first), 2);
    lobby_leave(room, second, &sink);
    assert_int_equal(told.count, 2);
    assert_int_equal(told.numbers[0], 10);
    assert_int_equal(told.numbers[1], 11);
    assert_ptr_equal(told.connection, &connections[1]);
    lobby_leave(room, first, &sink);
    assert_int_equal(told.count, 5);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(told.numbers[2 + i], i + 1);
    }
    assert_int_equal(lobby_oldest(room), 0);
    lobby_free(room);
}

/* Slices are the caller's until the call returns; what is absent is absent afterwards too. */
static void texts_are_copies(void **state)
{
    (void)state;
    struct lobby *room = room_new();
    struct connection connection = {0};
    struct told told = {0};
    struct exchange_sink sink = sink_of(&told);
    char text[] = "GET/users/7/users/{id}shopcurl0123";
    struct exchange exchange = {.method = {text, 3},
                                .target = {text + 3, 8},
                                .route = {text + 11, 11},
                                .host = {text + 22, 4},
                                .user_agent = {text + 26, 4},
                                .trace_id = {text + 30, 4},
                                .status = 204};
    uint32_t guest = lobby_enter(room, &connection, 0);
    assert_int_equal(lobby_add_exchange(room, guest, &exchange), LOBBY_KEPT);
    memset(text, 'x', sizeof(text));
    lobby_leave(room, guest, &sink);
    assert_true(slice_equal(told.exchange.method, slice_of("GET")));
    assert_true(slice_equal(told.exchange.target, slice_of("/users/7")));
    assert_true(slice_equal(told.exchange.route, slice_of("/users/{id}")));
    assert_true(slice_equal(told.exchange.host, slice_of("shop")));
    assert_true(slice_equal(told.exchange.user_agent, slice_of("curl")));
    assert_true(slice_equal(told.exchange.trace_id, slice_of("0123")));
    assert_int_equal(told.exchange.status, 204);
    char names[] = "GETshop.example";
    const struct connection_event event = {.kind = CONNECTION_BLIND,
                                           .protocol = "tls",
                                           .method = {names, 3},
                                           .server_name = {names + 3, 12}};
    guest = lobby_enter(room, &connection, 0);
    assert_int_equal(lobby_add_event(room, guest, &event), LOBBY_KEPT);
    memset(names, 'x', sizeof(names));
    lobby_leave(room, guest, &sink);
    assert_true(slice_equal(told.event.method, slice_of("GET")));
    assert_true(slice_equal(told.event.server_name, slice_of("shop.example")));
    assert_string_equal(told.event.protocol, "tls");
    exchange = (struct exchange){.route = {"", 0}};
    guest = lobby_enter(room, &connection, 0);
    assert_int_equal(lobby_add_exchange(room, guest, &exchange), LOBBY_KEPT);
    lobby_leave(room, guest, &sink);
    assert_null(told.exchange.method.data);
    assert_non_null(told.exchange.route.data);
    assert_int_equal(told.exchange.route.length, 0);
    lobby_free(room);
}

/* The flow of a closed connection is gone: what waits is told with a copy, its slots included. */
static void closed_connections_are_told_through_a_copy(void **state)
{
    (void)state;
    struct lobby *room = room_new();
    struct connection connection = {.interface = 7, .slots = {[6] = 42}};
    struct told told = {0};
    struct exchange_sink sink = sink_of(&told);
    uint32_t guest = lobby_enter(room, &connection, 0);
    assert_ptr_equal(lobby_connection(room, guest), &connection);
    add_exchange(room, guest, 1);
    add_event(room, guest, CONNECTION_CLOSED, 2);
    memset(&connection, 0xff, sizeof(connection));
    const struct connection *copy = lobby_connection(room, guest);
    assert_int_equal(copy->interface, 7);
    assert_int_equal(copy->slots[6], 42);
    lobby_leave(room, guest, &sink);
    assert_ptr_equal(told.connection, copy);
    assert_int_equal(told.event.kind, CONNECTION_CLOSED);
    lobby_free(room);
}

/* At the bound of the guests, and one past it. */
static void places_are_bounded(void **state)
{
    (void)state;
    struct lobby *room = room_new();
    struct connection connections[GUESTS + 1] = {0};
    struct told told = {0};
    struct exchange_sink sink = sink_of(&told);
    uint32_t first = lobby_enter(room, &connections[0], 0);
    for (unsigned i = 1; i < GUESTS; i++) {
        assert_int_not_equal(lobby_enter(room, &connections[i], 0), 0);
    }
    assert_int_equal(lobby_enter(room, &connections[GUESTS], 0), 0);
    lobby_leave(room, first, &sink);
    assert_int_not_equal(lobby_enter(room, &connections[GUESTS], 0), 0);
    assert_int_equal(lobby_enter(room, &connections[0], 0), 0);
    lobby_free(room);
}

/* Full of exchanges, one more finds room when the oldest guest has left, and only then. */
static void memory_is_bounded(void **state)
{
    (void)state;
    struct lobby *room = room_new();
    struct connection connections[3] = {0};
    struct told told = {0};
    struct exchange_sink sink = sink_of(&told);
    uint32_t guests[3];
    for (unsigned i = 0; i < 3; i++) {
        guests[i] = lobby_enter(room, &connections[i], 0);
    }
    unsigned kept = 0;
    struct exchange exchange = numbered(0);
    while (lobby_add_exchange(room, guests[kept % 3], &exchange) == LOBBY_KEPT) {
        exchange.response_body_bytes = ++kept;
    }
    assert_in_range(kept, 12, ROOM_BYTES / sizeof(exchange));
    assert_int_equal(lobby_add_exchange(room, guests[2], &exchange), LOBBY_FULL);
    lobby_leave(room, guests[1], &sink); /* a hole, but not where the next one goes */
    lobby_leave(room, guests[0], &sink);
    add_exchange(room, guests[2], kept);
    told.count = 0;
    lobby_leave(room, guests[2], &sink);
    for (size_t i = 0; i < told.count - 1; i++) {
        assert_int_equal(told.numbers[i], i * 3 + 2);
    }
    assert_int_equal(told.numbers[told.count - 1], kept);
    lobby_free(room);
}

/* A quarter of the room is the most that one message takes. */
static void large_messages_do_not_wait(void **state)
{
    (void)state;
    struct lobby *room = room_new();
    struct connection connection = {0};
    static char text[ROOM_BYTES];
    uint32_t guest = lobby_enter(room, &connection, 0);
    struct exchange exchange = {.target = {text, ROOM_BYTES / 4}};
    assert_int_equal(lobby_add_exchange(room, guest, &exchange), LOBBY_NEVER);
    exchange.target.length = ROOM_BYTES / 4 - 512;
    assert_int_equal(lobby_add_exchange(room, guest, &exchange), LOBBY_KEPT);
    struct connection_event event = {.kind = CONNECTION_REQUEST_BEGAN,
                                     .method = {text, ROOM_BYTES}};
    assert_int_equal(lobby_add_event(room, guest, &event), LOBBY_NEVER);
    lobby_free(room);
}

/* A flood of retransmissions is one number. */
static void byte_counts_are_added_up(void **state)
{
    (void)state;
    struct lobby *room = room_new();
    struct connection connection = {0};
    struct told told = {0};
    struct exchange_sink sink = sink_of(&told);
    uint32_t guest = lobby_enter(room, &connection, 0);
    for (unsigned i = 0; i < ROOM_BYTES; i++) {
        add_event(room, guest, CONNECTION_RETRANSMITTED, 2);
    }
    add_event(room, guest, CONNECTION_MISSED, 5);
    add_event(room, guest, CONNECTION_RETRANSMITTED, 3);
    add_event(room, guest, CONNECTION_OPENED, 1);
    add_event(room, guest, CONNECTION_OPENED, 1);
    lobby_leave(room, guest, &sink);
    assert_int_equal(told.count, 5);
    assert_int_equal(told.numbers[0], 2 * ROOM_BYTES);
    assert_int_equal(told.numbers[1], 5);
    assert_int_equal(told.numbers[2], 3);
    lobby_free(room);
}

/* ---- any order of things ---- */

/* What should be kept of one guest. */
struct model {
    struct connection connection;
    uint32_t guest;
    uint64_t numbers[TOLD_MAX];
    size_t count;
};

static uint64_t draw(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void leave(struct lobby *room, struct model *model)
{
    struct told told = {0};
    struct exchange_sink sink = sink_of(&told);
    lobby_leave(room, model->guest, &sink);
    assert_int_equal(told.count, model->count);
    assert_memory_equal(told.numbers, model->numbers, model->count * sizeof(uint64_t));
    model->guest = 0;
    model->count = 0;
}

static void leave_oldest(struct lobby *room, struct model *models)
{
    uint32_t oldest = lobby_oldest(room);
    for (unsigned i = 0; i < GUESTS; i++) {
        if (models[i].guest == oldest) {
            leave(room, &models[i]);
            return;
        }
    }
    fail();
}

static void random_step(struct lobby *room, struct model *models, uint64_t *seed, uint64_t number)
{
    static char text[ROOM_BYTES];
    struct model *model = &models[draw(seed) % GUESTS];
    if (model->guest == 0) {
        model->guest = lobby_enter(room, &model->connection, 0);
        assert_int_not_equal(model->guest, 0);
    }
    if (draw(seed) % 8 == 0) {
        leave(room, model);
        return;
    }
    struct exchange exchange = {.response_body_bytes = number, .target = {text, draw(seed) % 700}};
    enum lobby_answer answer = lobby_add_exchange(room, model->guest, &exchange);
    while (answer == LOBBY_FULL && model->guest != 0) {
        leave_oldest(room, models);
        if (model->guest != 0) {
            answer = lobby_add_exchange(room, model->guest, &exchange);
        }
    }
    assert_int_not_equal(answer, LOBBY_NEVER);
    if (model->guest != 0) {
        model->numbers[model->count++] = number;
    }
}

static void everything_is_told_once_and_in_order(void **state)
{
    (void)state;
    struct lobby *room = room_new();
    struct model *models = calloc(GUESTS, sizeof(*models));
    assert_non_null(models);
    uint64_t seed = 88172645463325252u;
    for (uint64_t i = 0; i < STEPS; i++) {
        random_step(room, models, &seed, i);
    }
    while (lobby_oldest(room) != 0) {
        leave_oldest(room, models);
    }
    free(models);
    lobby_free(room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guests_are_told_in_order),
        cmocka_unit_test(texts_are_copies),
        cmocka_unit_test(closed_connections_are_told_through_a_copy),
        cmocka_unit_test(places_are_bounded),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(large_messages_do_not_wait),
        cmocka_unit_test(byte_counts_are_added_up),
        cmocka_unit_test(everything_is_told_once_and_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
