#include "agent/aggregate/feed.h"

#include "agent/aggregate/method.h"
#include "agent/aggregate/names.h"
#include "agent/aggregate/tally.h"

static void add_numbers(struct aggregate_shard *shard, const struct series_key *key, uint64_t first,
                        uint64_t second)
{
    struct series *series = shard_series(shard, key);
    if (series != NULL) {
        series_write_begin(series);
        cell_add(&series->value[0], first);
        cell_add(&series->value[1], second);
        series_write_end(series);
    }
}

/* The pod behind the interface, whose series these are. */
static struct series_key key_of(const struct connection *connection, const struct names *names,
                                enum series_kind kind)
{
    bool server = connection->side == EXCHANGE_SERVER;
    return (struct series_key){.service = server ? names->server : names->client,
                               .kind = (uint8_t)kind,
                               .side = (uint8_t)connection->side};
}

/* Families that do not tell the sides apart. */
static struct series_key key_of_service(const struct connection *connection,
                                        const struct names *names, enum series_kind kind)
{
    struct series_key key = key_of(connection, names, kind);
    key.side = 0;
    return key;
}

static struct tally_key tally_key_of(const struct connection *connection, const struct names *names,
                                     const struct exchange *exchange)
{
    bool client = connection->side == EXCHANGE_CLIENT;
    return (struct tally_key){.route =
                                  exchange->route.length == 0 ? TALLY_NO_ROUTE : exchange->route_id,
                              .client = names->client,
                              .server = names->server,
                              .address = client ? names->address : LABEL_NONE,
                              .port = client ? connection->server.port : 0,
                              .status = exchange->status,
                              .side = (uint8_t)connection->side,
                              .method = (uint8_t)method_of(exchange->method),
                              .outcome = (uint8_t)exchange->outcome};
}

static void set_active(const struct aggregate_shard *shard, struct series *series, uint64_t value)
{
    series->used_ns = shard->clock_ns;
    series_write_begin(series);
    cell_set(&series->value[0], value);
    series_write_end(series);
}

static void begin_active(struct aggregate_shard *shard, struct names *names,
                         const struct series_key *key)
{
    struct series *series = series_table_check(&shard->numbers, names->active, key);
    if (series == NULL) {
        series = shard_series(shard, key);
        names->active = series == NULL ? 0 : series_table_number(&shard->numbers, series);
    }
    if (series != NULL) {
        names->in_flight++;
        set_active(shard, series, series->value[0] + 1);
    }
}

static void end_active(const struct aggregate_shard *shard, struct names *names,
                       struct series *series)
{
    if (series != NULL && series->value[0] > 0) {
        set_active(shard, series, series->value[0] - 1);
    }
    names->in_flight--;
}

static struct series_key key_of_active(const struct connection *connection,
                                       const struct names *names, struct slice method)
{
    struct series_key key = key_of(connection, names, SERIES_ACTIVE);
    key.method = (uint8_t)method_of(method);
    return key;
}

static void begin_request(struct aggregate_shard *shard, const struct connection *connection,
                          struct names *names, struct slice method)
{
    if (connection->side == EXCHANGE_SERVER) {
        struct series_key key = key_of_active(connection, names, method);
        begin_active(shard, names, &key);
    }
}

/* The gauge and the connection agree: what was not added is not taken away. */
static bool is_active(const struct connection *connection, const struct names *names)
{
    return connection->side == EXCHANGE_SERVER && names->in_flight > 0;
}

static void end_request(struct aggregate_shard *shard, const struct connection *connection,
                        struct names *names, struct slice method)
{
    if (is_active(connection, names)) {
        struct series_key key = key_of_active(connection, names, method);
        struct series *series = series_table_check(&shard->numbers, names->active, &key);
        end_active(shard, names, series != NULL ? series : shard_look_up(shard, &key));
    }
}

static bool is_unmatched(const struct exchange *exchange)
{
    return exchange->outcome == EXCHANGE_REQUEST_ONLY ||
           exchange->outcome == EXCHANGE_RESPONSE_ONLY;
}

static void feed_unmatched(struct aggregate_shard *shard, const struct connection *connection,
                           const struct names *names, enum exchange_reason reason)
{
    struct series_key key = key_of_service(connection, names, SERIES_UNMATCHED);
    key.part = (uint8_t)reason;
    add_numbers(shard, &key, 1, 0);
}

/* A connection whose labels are not its own has nothing to remember. */
static void keep_active(struct connection *connection, const struct names *names)
{
    if (names->standing.epoch != 0) {
        names_store_active(connection, names);
    }
}

static void feed_matched(struct aggregate_shard *shard, struct connection *connection,
                         struct names *names, const struct exchange *exchange, bool ends)
{
    if (exchange->ambiguous) {
        struct series_key key = key_of_service(connection, names, SERIES_UNSEEN);
        add_numbers(shard, &key, 0, 1);
    }
    const struct tally_key key = tally_key_of(connection, names, exchange);
    struct tally *tally = tally_find(shard, connection, names, &key);
    if (ends && is_active(connection, names)) {
        end_active(shard, names, tally_active(shard, tally));
        keep_active(connection, names);
    }
    tally_count(shard, tally, exchange);
}

void feed_exchange(struct aggregate_shard *shard, struct connection *connection,
                   const struct exchange *exchange)
{
    struct names names = names_get(shard, connection);
    bool ends = exchange->ends_request;
    bool outdated = names.standing.epoch != shard->directory_epoch;
    shard->exchanges++;
    if (ends && (outdated || is_unmatched(exchange))) {
        end_request(shard, connection, &names, exchange->method);
        keep_active(connection, &names);
        names = names_get(shard, connection); /* now it may get other ones */
        ends = false;
    }
    if (is_unmatched(exchange)) {
        feed_unmatched(shard, connection, &names, exchange->reason);
    } else {
        feed_matched(shard, connection, &names, exchange, ends);
    }
}

static void feed_active(struct aggregate_shard *shard, struct connection *connection,
                        const struct connection_event *event)
{
    struct names names = names_get(shard, connection);
    if (event->kind == CONNECTION_REQUEST_BEGAN) {
        begin_request(shard, connection, &names, event->method);
    } else {
        end_request(shard, connection, &names, event->method);
    }
    keep_active(connection, &names);
}

static void feed_numbers(struct aggregate_shard *shard, struct connection *connection,
                         enum series_kind kind, uint64_t first, uint64_t second)
{
    struct names names = names_get(shard, connection);
    struct series_key key = kind == SERIES_UNSEEN ? key_of_service(connection, &names, kind)
                                                  : key_of(connection, &names, kind);
    add_numbers(shard, &key, first, second);
}

/* Zeros stand from the first connection on, so the first loss shows as an increase. */
static void feed_connection(struct aggregate_shard *shard, struct connection *connection,
                            uint64_t opened, uint64_t not_opened)
{
    feed_numbers(shard, connection, SERIES_CONNECTIONS, opened, not_opened);
    feed_numbers(shard, connection, SERIES_RESENT_BYTES, 0, 0);
    feed_numbers(shard, connection, SERIES_UNSEEN, 0, 0);
}

static void feed_connect(struct aggregate_shard *shard, struct connection *connection,
                         enum series_connect part, uint64_t duration_ns)
{
    struct names names = names_get(shard, connection);
    struct series_key key = key_of(connection, &names, SERIES_CONNECT);
    key.part = (uint8_t)part;
    struct series *series = shard_series(shard, &key);
    if (series != NULL) {
        series_write_begin(series);
        histogram_observe(&shard->durations, (struct histogram *)series->value, duration_ns);
        series_write_end(series);
    }
}

static void feed_blind(struct aggregate_shard *shard, struct connection *connection,
                       const struct connection_event *event, uint64_t connections, uint64_t bytes)
{
    struct names names = names_get(shard, connection);
    struct series_key key = key_of_service(connection, &names, SERIES_BLIND);
    struct slice protocol = slice_of(event->protocol != NULL ? event->protocol : "unknown");
    key.label = label_table_intern(&shard->labels, LABEL_NONE, protocol);
    if (key.label == LABEL_NONE) { /* no room for the label: the record is turned away as well */
        key.service = LABEL_NONE;
    }
    add_numbers(shard, &key, connections, bytes);
    label_table_release(&shard->labels, key.label);
}

/* Apart, as its frame would be every event's. */
static __attribute__((noinline)) void feed_rare(struct aggregate_shard *shard,
                                                struct connection *connection,
                                                const struct connection_event *event)
{
    switch (event->kind) {
    case CONNECTION_OPENED:
        feed_connection(shard, connection, 1, 0);
        break;
    case CONNECTION_FAILED:
        feed_connection(shard, connection, 0, 1);
        break;
    case CONNECTION_CONNECT_SERVER_NS:
        feed_connect(shard, connection, SERIES_CONNECT_SERVER, event->amount);
        break;
    case CONNECTION_CONNECT_CLIENT_NS:
        feed_connect(shard, connection, SERIES_CONNECT_CLIENT, event->amount);
        break;
    case CONNECTION_RETRANSMITTED:
        feed_numbers(shard, connection, SERIES_RESENT_BYTES, event->amount, 0);
        break;
    case CONNECTION_CONFLICTING:
        feed_numbers(shard, connection, SERIES_RESENT_BYTES, 0, event->amount);
        break;
    case CONNECTION_MISSED:
        feed_numbers(shard, connection, SERIES_UNSEEN, event->amount, 0);
        break;
    case CONNECTION_BLIND:
        feed_blind(shard, connection, event, 1, 0);
        break;
    case CONNECTION_BLIND_BYTES:
        feed_blind(shard, connection, event, 0, event->amount);
        break;
    case CONNECTION_REQUEST_BEGAN:
    case CONNECTION_REQUEST_ENDED:
        break; /* not rare */
    case CONNECTION_CLOSED:
        names_release(shard, connection);
        break;
    }
}

void feed_event(struct aggregate_shard *shard, struct connection *connection,
                const struct connection_event *event)
{
    if (event->kind == CONNECTION_REQUEST_BEGAN || event->kind == CONNECTION_REQUEST_ENDED) {
        feed_active(shard, connection, event);
    } else {
        feed_rare(shard, connection, event);
    }
}
