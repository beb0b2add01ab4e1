#include "agent/aggregate/tally.h"

#include "agent/aggregate/measure.h"
#include "agent/aggregate/region.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>

/*
 * Tallies are where their key's hash says, and whoever comes later takes the place: what is thrown
 * out costs its next exchange the look-ups that it saves the others. Nothing has to be told that a
 * tally is gone, since a remembered number is worth only as much as the key that is found there.
 */

int tally_init(struct aggregate_shard *shard)
{
    uint32_t size = region_index_size(shard->histograms.capacity);
    if (size > UINT32_C(1) << TALLY_BITS_MAX) {
        size = UINT32_C(1) << TALLY_BITS_MAX;
    }
    shard->tally_mask = size - 1;
    shard->removals = 1;
    shard->tallies = region_reserve((size_t)size + 1, sizeof(*shard->tallies));
    return shard->tallies == NULL ? -ENOMEM : 0;
}

void tally_fini(struct aggregate_shard *shard)
{
    region_free(shard->tallies, (size_t)shard->tally_mask + 2, sizeof(*shard->tallies));
    shard->tallies = NULL;
}

static uint32_t position_of(const struct aggregate_shard *shard, const struct tally_key *key)
{
    uint64_t words[TALLY_KEY_WORDS];
    memcpy(words, key, sizeof(words));
    uint64_t hash = shard->histograms.seed;
    for (size_t i = 0; i < TALLY_KEY_WORDS; i++) {
        hash = region_fold(hash ^ words[i]);
    }
    return (uint32_t)(hash >> 32) & shard->tally_mask;
}

struct tally *tally_look_up(struct aggregate_shard *shard, const struct tally_key *key,
                            uint32_t *number)
{
    uint32_t position = shard->tally_mask + 1;
    if (key->route != 0) {
        position = position_of(shard, key);
        *number = position;
    }
    struct tally *tally = &shard->tallies[position];
    if (key->route == 0 || !tally_is(shard, tally, key)) {
        *tally = (struct tally){.key = *key, .removals = shard->removals};
    }
    return tally;
}

/* ---- records ---- */

/* The pod behind the interface, whose series these are. */
static struct series_key key_of(const struct tally *tally, enum series_kind kind)
{
    const struct tally_key *key = &tally->key;
    return (struct series_key){.service = key->side == EXCHANGE_SERVER ? key->server : key->client,
                               .kind = (uint8_t)kind,
                               .side = key->side};
}

static bool lacks_body(const struct series *body, uint64_t size)
{
    return body == NULL && size != EXCHANGE_SIZE_UNKNOWN;
}

static void look_up_body(struct aggregate_shard *shard, struct series **body, struct series_key key,
                         enum series_kind kind, uint64_t size)
{
    key.kind = (uint8_t)kind;
    if (lacks_body(*body, size)) {
        *body = shard_series(shard, &key);
    }
}

/* The records of its requests, as far as they are missing. */
static void look_up_requests(struct aggregate_shard *shard, struct tally *tally,
                             const struct exchange *exchange)
{
    struct series_key key = key_of(tally, SERIES_REQUEST_DURATION);
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

static struct series *look_up_phase(struct aggregate_shard *shard, const struct tally *tally,
                                    enum series_phase phase)
{
    struct series_key key = key_of(tally, SERIES_PHASE);
    key.part = (uint8_t)phase;
    return shard_series(shard, &key);
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

struct series *tally_active(struct aggregate_shard *shard, struct tally *tally)
{
    if (tally->active == NULL) {
        struct series_key key = key_of(tally, SERIES_ACTIVE);
        key.method = tally->key.method;
        tally->active = shard_look_up(shard, &key);
    }
    return tally->active;
}

/* ---- counting ---- */

/* A duration that is not known. */
#define DURATION_UNKNOWN UINT64_MAX

static void use(const struct aggregate_shard *shard, struct series *series)
{
    series->used_ns = shard->clock_ns;
    series_write_begin(series);
}

/* Nothing is counted in NULL. `measure`: of `raw`, if that is not 0. */
MEASURE_INLINE void count(const struct aggregate_shard *shard,
                          const struct histogram_layout *layout, struct series *series,
                          uint64_t raw, const struct measure *measure)
{
    if (series == NULL) {
        return;
    }
    struct histogram *histogram = (struct histogram *)series->value;
    use(shard, series);
    if (raw == 0) {
        measure_count_zero(histogram);
    } else {
        measure_count(layout, histogram, measure);
    }
    series_write_end(series);
}

static void count_size(const struct aggregate_shard *shard, struct series *series, uint64_t size)
{
    if (series != NULL && size != EXCHANGE_SIZE_UNKNOWN) {
        use(shard, series);
        histogram_observe(&shard->sizes, (struct histogram *)series->value, size);
        series_write_end(series);
    }
}

/* As an observation without a value. */
static void count_unknown(const struct aggregate_shard *shard, struct series *series)
{
    if (series != NULL) {
        use(shard, series);
        histogram_observe_unknown(&shard->durations, (struct histogram *)series->value);
        series_write_end(series);
    }
}

/* 8 lower-case hexadecimal digits, all at once. */
static uint64_t read_digits(const char *digits)
{
    uint64_t word;
    memcpy(&word, digits, sizeof(word));
    word = be64toh(word);
    word = (word & UINT64_C(0x0f0f0f0f0f0f0f0f)) + (word >> 6 & UINT64_C(0x0101010101010101)) * 9;
    word = (word | word >> 4) & UINT64_C(0x00ff00ff00ff00ff);
    word = (word | word >> 8) & UINT64_C(0x0000ffff0000ffff);
    return (word | word >> 16) & UINT32_MAX;
}

/* 64 bits of a trace id. */
static uint64_t read_hex(const char *digits)
{
    return read_digits(digits) << 32 | read_digits(digits + 8);
}

/* A trace id of 64 bits is shown with 64 zero bits in front, as OpenTelemetry does. */
static void exemplify(const struct aggregate_shard *shard, struct series *series,
                      const struct exchange *exchange, uint64_t duration_ns)
{
    struct slice id = exchange->trace_id;
    bool whole = id.length == HISTOGRAM_TRACE_DIGITS;
    if (series == NULL || (!whole && id.length != HISTOGRAM_TRACE_DIGITS / 2)) {
        return;
    }
    const char *low = id.data + (whole ? HISTOGRAM_TRACE_DIGITS / 2 : 0);
    const struct histogram_exemplar exemplar = {
        .trace_id = {whole ? read_hex(id.data) : 0, read_hex(low)},
        .raw = duration_ns,
        .time_ns = (uint64_t)exchange->response_end_ns};
    series_write_begin(series);
    histogram_exemplify(&shard->durations, (struct histogram *)series->value, &exemplar);
    series_write_end(series);
}

/* An end that is not known, INT64_MIN, is before any start. */
static uint64_t between(int64_t start_ns, int64_t end_ns)
{
    if (start_ns == EXCHANGE_TIME_UNKNOWN || end_ns < start_ns) {
        return DURATION_UNKNOWN;
    }
    return (uint64_t)end_ns - (uint64_t)start_ns;
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

static bool lacks_requests(const struct aggregate_shard *shard, const struct tally *tally,
                           const struct exchange *exchange)
{
    return tally->request == NULL ||
           (shard->body_sizes && (lacks_body(tally->request_body, exchange->request_body_bytes) ||
                                  lacks_body(tally->response_body, exchange->response_body_bytes)));
}

/* `total`: of `total_ns`, which is mostly the server's time, too: messages of one packet. */
MEASURE_INLINE void count_phase(struct aggregate_shard *shard, struct tally *tally,
                                enum series_phase phase, uint64_t duration_ns, uint64_t total_ns,
                                const struct measure *total)
{
    struct measure own;
    if (duration_ns == DURATION_UNKNOWN) {
        return;
    }
    if (tally->phases[phase] == NULL) {
        tally->phases[phase] = look_up_phase(shard, tally, phase);
    }
    if (duration_ns != 0 && duration_ns != total_ns) {
        own = measure_of(&shard->durations, duration_ns);
        total = &own;
    }
    count(shard, &shard->durations, tally->phases[phase], duration_ns, total);
}

/* What a graph calls failed is the same from both sides: no whole answer, or a server's error. */
static bool failed(const struct exchange *exchange)
{
    return exchange->outcome != EXCHANGE_COMPLETE || exchange->status >= 500;
}

static void count_edge(struct aggregate_shard *shard, struct tally *tally,
                       const struct exchange *exchange)
{
    if (tally->graph == NULL) {
        tally->graph = look_up_edge(shard, tally, SERIES_GRAPH_REQUESTS);
    }
    if (tally->graph != NULL) {
        use(shard, tally->graph);
        cell_add(&tally->graph->value[0], 1);
        if (failed(exchange)) {
            cell_add(&tally->graph->value[1], 1);
        }
        series_write_end(tally->graph);
    }
}

void tally_count(struct aggregate_shard *shard, struct tally *tally,
                 const struct exchange *exchange)
{
    uint64_t total_ns = between(exchange->start_ns, exchange->response_end_ns);
    bool known = total_ns != DURATION_UNKNOWN;
    struct measure total = {0};
    if (known && total_ns != 0) {
        total = measure_of(&shard->durations, total_ns);
    }
    if (lacks_requests(shard, tally, exchange)) {
        look_up_requests(shard, tally, exchange);
    } else if (tally->route_rejected) {
        cell_add(&shard->routes_rejected, 1);
    }
    if (known) {
        count(shard, &shard->durations, tally->request, total_ns, &total);
        exemplify(shard, tally->request, exchange, total_ns);
    } else {
        count_unknown(shard, tally->request);
    }
    if (shard->body_sizes) {
        count_size(shard, tally->request_body, exchange->request_body_bytes);
        count_size(shard, tally->response_body, exchange->response_body_bytes);
    }
    count_phase(shard, tally, SERIES_PHASE_REQUEST,
                between(exchange->start_ns, exchange->request_end_ns), total_ns, &total);
    count_phase(shard, tally, SERIES_PHASE_SERVER, server_time(exchange), total_ns, &total);
    count_phase(shard, tally, SERIES_PHASE_RESPONSE,
                between(exchange->response_start_ns, exchange->response_end_ns), total_ns, &total);
    count_edge(shard, tally, exchange);
    if (known) {
        if (tally->seconds == NULL) {
            tally->seconds = look_up_edge(shard, tally, SERIES_GRAPH_SECONDS);
        }
        count(shard, &shard->durations, tally->seconds, total_ns, &total);
    }
}
