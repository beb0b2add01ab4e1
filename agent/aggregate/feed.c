#include "agent/aggregate/feed.h"

#include "agent/aggregate/cell.h"
#include "agent/aggregate/method.h"
#include "agent/aggregate/names.h"

/* A duration that is not known. */
#define DURATION_UNKNOWN UINT64_MAX

/* Nothing is added to NULL. */
static void add_to(struct series *series, uint64_t first, uint64_t second)
{
    if (series != NULL) {
        series_write_begin(series);
        cell_add(&series->value[0], first);
        cell_add(&series->value[1], second);
        series_write_end(series);
    }
}

/* False: there was no room. */
static bool add_numbers(struct aggregate_shard *shard, const struct series_key *key, uint64_t first,
                        uint64_t second)
{
    struct series *series = shard_series(shard, key, NULL);
    add_to(series, first, second);
    return series != NULL;
}

/* DURATION_UNKNOWN counts too: as an observation without a value. Returns NULL when there was no
 * room. */
static struct series *observe(struct aggregate_shard *shard, const struct series_key *key,
                              uint64_t raw, uint32_t *recent)
{
    struct series *series = shard_series(shard, key, recent);
    if (series == NULL) {
        return NULL;
    }
    const struct histogram_layout *layout = shard_layout(shard, key->kind);
    struct histogram *histogram = (struct histogram *)series->value;
    series_write_begin(series);
    if (raw == DURATION_UNKNOWN) {
        histogram_observe_unknown(layout, histogram);
    } else {
        histogram_observe(layout, histogram, raw);
    }
    series_write_end(series);
    return series;
}

/* 64 bits of a trace id, from 16 lower-case hexadecimal digits. */
static uint64_t read_hex(const char *digits)
{
    uint64_t value = 0;
    for (size_t i = 0; i < HISTOGRAM_TRACE_DIGITS / 2; i++) {
        uint8_t digit = (uint8_t)digits[i];
        value = value << 4 | (uint64_t)((digit & 0xf) + (digit >> 6) * 9);
    }
    return value;
}

/* A trace id of 64 bits is shown with 64 zero bits in front, as OpenTelemetry does. */
static void exemplify(struct aggregate_shard *shard, struct series *series,
                      const struct exchange *exchange, uint64_t raw)
{
    struct slice id = exchange->trace_id;
    bool whole = id.length == HISTOGRAM_TRACE_DIGITS;
    if (series == NULL || raw == DURATION_UNKNOWN ||
        (!whole && id.length != HISTOGRAM_TRACE_DIGITS / 2)) {
        return;
    }
    const char *low = id.data + (whole ? HISTOGRAM_TRACE_DIGITS / 2 : 0);
    const struct histogram_exemplar exemplar = {
        .trace_id = {whole ? read_hex(id.data) : 0, read_hex(low)},
        .raw = raw,
        .time_ns = (uint64_t)exchange->response_end_ns};
    series_write_begin(series);
    histogram_exemplify(&shard->durations, (struct histogram *)series->value, &exemplar);
    series_write_end(series);
}

static void observe_known(struct aggregate_shard *shard, struct series_key key,
                          enum series_kind kind, uint64_t raw)
{
    key.kind = (uint8_t)kind;
    if (raw != DURATION_UNKNOWN) {
        observe(shard, &key, raw, NULL);
    }
}

static uint64_t between(int64_t start_ns, int64_t end_ns)
{
    if (start_ns == EXCHANGE_TIME_UNKNOWN || end_ns == EXCHANGE_TIME_UNKNOWN || end_ns < start_ns) {
        return DURATION_UNKNOWN;
    }
    return (uint64_t)end_ns - (uint64_t)start_ns;
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

static void feed_request(struct aggregate_shard *shard, const struct connection *connection,
                         struct names *names, const struct exchange *exchange)
{
    struct series_key key = key_of(connection, names, SERIES_REQUEST_DURATION);
    key.label = names_route(shard, key.service, exchange->route);
    key.method = (uint8_t)method_of(exchange->method);
    key.status = exchange->status;
    key.outcome = (uint8_t)exchange->outcome;
    if (connection->side == EXCHANGE_CLIENT) {
        key.peer = names->address;
        key.port = connection->server.port;
    }
    uint64_t duration_ns = between(exchange->start_ns, exchange->response_end_ns);
    struct series *series = observe(shard, &key, duration_ns, &names->recent[NAMES_RECENT_REQUEST]);
    exemplify(shard, series, exchange, duration_ns);
    if (shard->body_sizes) {
        observe_known(shard, key, SERIES_REQUEST_BODY, exchange->request_body_bytes);
        observe_known(shard, key, SERIES_RESPONSE_BODY, exchange->response_body_bytes);
    }
    label_table_release(&shard->labels, key.label);
}

/* Last request byte to first response byte; 0 where the answer began before the request ended. */
static uint64_t server_time(const struct exchange *exchange)
{
    if (exchange->request_end_ns > exchange->response_start_ns &&
        exchange->response_start_ns != EXCHANGE_TIME_UNKNOWN) {
        return 0;
    }
    return between(exchange->request_end_ns, exchange->response_start_ns);
}

static void feed_phases(struct aggregate_shard *shard, const struct connection *connection,
                        const struct names *names, const struct exchange *exchange)
{
    struct series_key key = key_of(connection, names, SERIES_PHASE);
    key.part = SERIES_PHASE_REQUEST;
    observe_known(shard, key, SERIES_PHASE, between(exchange->start_ns, exchange->request_end_ns));
    key.part = SERIES_PHASE_SERVER;
    observe_known(shard, key, SERIES_PHASE, server_time(exchange));
    key.part = SERIES_PHASE_RESPONSE;
    observe_known(shard, key, SERIES_PHASE,
                  between(exchange->response_start_ns, exchange->response_end_ns));
}

/* What a graph calls failed is the same from both sides: no whole answer, or a server's error. */
static bool failed(const struct exchange *exchange)
{
    return exchange->outcome != EXCHANGE_COMPLETE || exchange->status >= 500;
}

static void feed_graph(struct aggregate_shard *shard, const struct connection *connection,
                       struct names *names, const struct exchange *exchange)
{
    struct series_key key = {.service = names->client,
                             .peer = names->server,
                             .kind = SERIES_GRAPH_REQUESTS,
                             .side = (uint8_t)connection->side};
    add_to(shard_series(shard, &key, &names->recent[NAMES_RECENT_GRAPH]), 1,
           failed(exchange) ? 1 : 0);
    uint64_t duration_ns = between(exchange->start_ns, exchange->response_end_ns);
    if (duration_ns != DURATION_UNKNOWN) {
        key.kind = SERIES_GRAPH_SECONDS;
        observe(shard, &key, duration_ns, &names->recent[NAMES_RECENT_SECONDS]);
    }
}

void feed_exchange(struct aggregate_shard *shard, struct connection *connection,
                   const struct exchange *exchange)
{
    struct names names = names_get(shard, connection);
    if (exchange->outcome == EXCHANGE_REQUEST_ONLY || exchange->outcome == EXCHANGE_RESPONSE_ONLY) {
        struct series_key key = key_of_service(connection, &names, SERIES_UNMATCHED);
        key.part = (uint8_t)exchange->reason;
        add_numbers(shard, &key, 1, 0);
        return;
    }
    if (exchange->ambiguous) {
        struct series_key key = key_of_service(connection, &names, SERIES_UNSEEN);
        add_numbers(shard, &key, 0, 1);
    }
    feed_request(shard, connection, &names, exchange);
    feed_phases(shard, connection, &names, exchange);
    feed_graph(shard, connection, &names, exchange);
    if (names.standing.epoch != 0) { /* else its labels are not the connection's */
        names_store(connection, &names);
    }
}

static void end_active(struct aggregate_shard *shard, const struct series_key *key)
{
    struct series *series = shard_look_up(shard, key);
    if (series != NULL && series->value[0] > 0) {
        series_write_begin(series);
        cell_set(&series->value[0], series->value[0] - 1);
        series_write_end(series);
    }
}

/* The gauge and the connection agree: what was not added is not taken away. */
static void feed_active(struct aggregate_shard *shard, struct connection *connection,
                        const struct connection_event *event)
{
    struct names names = names_get(shard, connection);
    if (connection->side != EXCHANGE_SERVER) {
        return;
    }
    struct series_key key = key_of(connection, &names, SERIES_ACTIVE);
    key.method = (uint8_t)method_of(event->method);
    if (event->kind == CONNECTION_REQUEST_BEGAN) {
        names.in_flight += add_numbers(shard, &key, 1, 0) ? 1 : 0;
    } else if (names.in_flight > 0) {
        end_active(shard, &key);
        names.in_flight--;
    }
    if (names.standing.epoch != 0) {
        names_store(connection, &names);
    }
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
    observe(shard, &key, duration_ns, NULL);
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

void feed_event(struct aggregate_shard *shard, struct connection *connection,
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
        feed_active(shard, connection, event);
        break;
    case CONNECTION_CLOSED:
        names_release(shard, connection);
        break;
    }
}
