#include "agent/aggregate/feed.h"

#include "agent/aggregate/measure.h"
#include "agent/aggregate/method.h"
#include "agent/aggregate/names.h"
#include "agent/aggregate/tally.h"

/* A duration that is not known. */
#define DURATION_UNKNOWN UINT64_MAX

/* Nothing is added to NULL. */
static void add_to(const struct aggregate_shard *shard, struct series *series, uint64_t first,
                   uint64_t second)
{
    if (series != NULL) {
        series->used_ns = shard->clock_ns;
        series_write_begin(series);
        cell_add(&series->value[0], first);
        cell_add(&series->value[1], second);
        series_write_end(series);
    }
}

static void add_numbers(struct aggregate_shard *shard, const struct series_key *key, uint64_t first,
                        uint64_t second)
{
    add_to(shard, shard_series(shard, key), first, second);
}

/* Nothing is counted in NULL. */
static void count(const struct aggregate_shard *shard, const struct histogram_layout *layout,
                  struct series *series, const struct measure *measure)
{
    if (series != NULL) {
        series->used_ns = shard->clock_ns;
        series_write_begin(series);
        measure_count(layout, (struct histogram *)series->value, measure);
        series_write_end(series);
    }
}

/* As an observation without a value. */
static void count_unknown(const struct aggregate_shard *shard, struct series *series)
{
    if (series != NULL) {
        series->used_ns = shard->clock_ns;
        series_write_begin(series);
        histogram_observe_unknown(&shard->durations, (struct histogram *)series->value);
        series_write_end(series);
    }
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
                      const struct exchange *exchange, const struct measure *duration)
{
    struct slice id = exchange->trace_id;
    bool whole = id.length == HISTOGRAM_TRACE_DIGITS;
    if (series == NULL || (!whole && id.length != HISTOGRAM_TRACE_DIGITS / 2)) {
        return;
    }
    const char *low = id.data + (whole ? HISTOGRAM_TRACE_DIGITS / 2 : 0);
    const struct histogram_exemplar exemplar = {
        .trace_id = {whole ? read_hex(id.data) : 0, read_hex(low)},
        .raw = duration->raw,
        .time_ns = (uint64_t)exchange->response_end_ns};
    series_write_begin(series);
    histogram_exemplify(&shard->durations, (struct histogram *)series->value, &exemplar);
    series_write_end(series);
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

/* The pod behind the interface, whose series these are. */
static struct series_key key_of_tally(const struct tally *tally, enum series_kind kind)
{
    const struct tally_key *key = &tally->key;
    return (struct series_key){.service = key->side == EXCHANGE_SERVER ? key->server : key->client,
                               .kind = (uint8_t)kind,
                               .side = key->side};
}

/* The record for a body, if it is wanted and not known yet. */
static void look_up_body(struct aggregate_shard *shard, struct series **body, struct series_key key,
                         enum series_kind kind, uint64_t size)
{
    key.kind = (uint8_t)kind;
    if (*body == NULL && size != EXCHANGE_SIZE_UNKNOWN) {
        *body = shard_series(shard, &key);
    }
}

/* The records of its requests, as far as they are missing. */
static void look_up_requests(struct aggregate_shard *shard, struct tally *tally,
                             const struct exchange *exchange)
{
    struct series_key key = key_of_tally(tally, SERIES_REQUEST_DURATION);
    key.label = names_route(shard, key.service, exchange->route);
    key.peer = tally->key.address;
    key.port = tally->key.port;
    key.method = tally->key.method;
    key.status = tally->key.status;
    key.outcome = tally->key.outcome;
    tally->route_rejected = key.label == shard->other_route;
    if (tally->route_rejected && shard->labels.used == shard->labels.capacity) {
        tally->removals = 0; /* room among the labels may come any time */
    }
    if (tally->request == NULL) {
        tally->request = shard_series(shard, &key);
    }
    if (shard->body_sizes) {
        look_up_body(shard, &tally->request_body, key, SERIES_REQUEST_BODY,
                     exchange->request_body_bytes);
        look_up_body(shard, &tally->response_body, key, SERIES_RESPONSE_BODY,
                     exchange->response_body_bytes);
    }
    label_table_release(&shard->labels, key.label);
}

static bool lacks_body(const struct series *body, uint64_t size)
{
    return body == NULL && size != EXCHANGE_SIZE_UNKNOWN;
}

static void feed_body(const struct aggregate_shard *shard, struct series *body, uint64_t size)
{
    if (size != EXCHANGE_SIZE_UNKNOWN) {
        struct measure measure = measure_of(&shard->sizes, size);
        count(shard, &shard->sizes, body, &measure);
    }
}

/* `duration` NULL: nobody knows it; it counts all the same. */
static void feed_request(struct aggregate_shard *shard, struct tally *tally,
                         const struct exchange *exchange, const struct measure *duration)
{
    bool lacks = tally->request == NULL;
    if (shard->body_sizes) {
        lacks = lacks || lacks_body(tally->request_body, exchange->request_body_bytes) ||
                lacks_body(tally->response_body, exchange->response_body_bytes);
    }
    if (lacks) {
        look_up_requests(shard, tally, exchange);
    } else if (tally->route_rejected) {
        cell_add(&shard->routes_rejected, 1);
    }
    if (duration == NULL) {
        count_unknown(shard, tally->request);
    } else {
        count(shard, &shard->durations, tally->request, duration);
        exemplify(shard, tally->request, exchange, duration);
    }
    if (shard->body_sizes) {
        feed_body(shard, tally->request_body, exchange->request_body_bytes);
        feed_body(shard, tally->response_body, exchange->response_body_bytes);
    }
}

static void feed_phase(struct aggregate_shard *shard, struct tally *tally, enum series_phase phase,
                       uint64_t duration_ns)
{
    if (duration_ns == DURATION_UNKNOWN) {
        return;
    }
    if (tally->phases[phase] == NULL) {
        struct series_key key = key_of_tally(tally, SERIES_PHASE);
        key.part = (uint8_t)phase;
        tally->phases[phase] = shard_series(shard, &key);
    }
    struct measure measure = measure_of(&shard->durations, duration_ns);
    count(shard, &shard->durations, tally->phases[phase], &measure);
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

static void feed_phases(struct aggregate_shard *shard, struct tally *tally,
                        const struct exchange *exchange)
{
    feed_phase(shard, tally, SERIES_PHASE_REQUEST,
               between(exchange->start_ns, exchange->request_end_ns));
    feed_phase(shard, tally, SERIES_PHASE_SERVER, server_time(exchange));
    feed_phase(shard, tally, SERIES_PHASE_RESPONSE,
               between(exchange->response_start_ns, exchange->response_end_ns));
}

/* What a graph calls failed is the same from both sides: no whole answer, or a server's error. */
static bool failed(const struct exchange *exchange)
{
    return exchange->outcome != EXCHANGE_COMPLETE || exchange->status >= 500;
}

static struct series *look_up_edge(struct aggregate_shard *shard, const struct tally *tally,
                                   enum series_kind kind)
{
    const struct series_key key = {.service = tally->key.client,
                                   .peer = tally->key.server,
                                   .kind = (uint8_t)kind,
                                   .side = tally->key.side};
    return shard_series(shard, &key);
}

static void feed_graph(struct aggregate_shard *shard, struct tally *tally,
                       const struct exchange *exchange, const struct measure *duration)
{
    if (tally->graph == NULL) {
        tally->graph = look_up_edge(shard, tally, SERIES_GRAPH_REQUESTS);
    }
    add_to(shard, tally->graph, 1, failed(exchange) ? 1 : 0);
    if (duration != NULL) {
        if (tally->seconds == NULL) {
            tally->seconds = look_up_edge(shard, tally, SERIES_GRAPH_SECONDS);
        }
        count(shard, &shard->durations, tally->seconds, duration);
    }
}

static void feed_matched(struct aggregate_shard *shard, const struct connection *connection,
                         struct names *names, const struct exchange *exchange)
{
    const struct tally_key key = tally_key_of(connection, names, exchange);
    struct tally *tally = tally_find(shard, names, &key);
    uint64_t duration_ns = between(exchange->start_ns, exchange->response_end_ns);
    bool known = duration_ns != DURATION_UNKNOWN;
    struct measure duration;
    if (known) {
        duration = measure_of(&shard->durations, duration_ns);
    }
    feed_request(shard, tally, exchange, known ? &duration : NULL);
    feed_phases(shard, tally, exchange);
    feed_graph(shard, tally, exchange, known ? &duration : NULL);
}

void feed_exchange(struct aggregate_shard *shard, struct connection *connection,
                   const struct exchange *exchange)
{
    shard->exchanges++;
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
    feed_matched(shard, connection, &names, exchange);
    if (names.standing.epoch != 0) { /* else its labels are not the connection's */
        names_store(connection, &names);
    }
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

static void end_active(struct aggregate_shard *shard, struct names *names,
                       const struct series_key *key)
{
    struct series *series = series_table_check(&shard->numbers, names->active, key);
    if (series == NULL) {
        series = shard_look_up(shard, key);
    }
    if (series != NULL && series->value[0] > 0) {
        set_active(shard, series, series->value[0] - 1);
    }
    names->in_flight--;
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
        begin_active(shard, &names, &key);
    } else if (names.in_flight > 0) {
        end_active(shard, &names, &key);
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
    struct measure measure = measure_of(&shard->durations, duration_ns);
    count(shard, &shard->durations, shard_series(shard, &key), &measure);
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
