#include "agent/aggregate/families.h"

#include "agent/aggregate/labels.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * The families are a table: which kind of record each is written from, which of its two numbers,
 * and which records belong to it. A point is the sum of a run of equal entries, one of each shard.
 */

/* A writing pass: what the points need room for, made once. */
struct pass {
    const struct snapshot *snapshot;
    const struct metric_sink *sink;
    struct histogram *sum;
    uint64_t *value;
    uint64_t counts[HISTOGRAM_WINDOW];
    struct metric_exemplar *exemplars;
    char (*trace_ids)[HISTOGRAM_TRACE_DIGITS];
    size_t *answered; /* entries of the graph's server side, sorted by their server */
    size_t answered_count;
};

struct family {
    struct metric_family metric;
    enum series_kind kind;
    unsigned number; /* which of the two, where the kind has numbers */
    bool (*takes)(const struct pass *pass, const struct snapshot_entry *entry); /* NULL: all */
};

static bool takes_server(const struct pass *pass, const struct snapshot_entry *entry)
{
    (void)pass;
    return entry->key.side == EXCHANGE_SERVER;
}

static bool takes_client(const struct pass *pass, const struct snapshot_entry *entry)
{
    (void)pass;
    return entry->key.side == EXCHANGE_CLIENT;
}

static bool takes_once(const struct pass *pass, const struct snapshot_entry *entry);

static const struct family families[] = {
    {{"http_server_request_duration_seconds",
      "Time from the first byte of a request to the last byte of its response, seen at the "
      "interface of the pod that was asked. A request that got no response, or whose times are not "
      "known, counts in the +Inf bucket and adds nothing to the sum.",
      "seconds", METRIC_HISTOGRAM},
     SERIES_REQUEST_DURATION,
     0,
     takes_server},
    {{"http_client_request_duration_seconds",
      "Time from the first byte of a request to the last byte of its response, seen at the "
      "interface of the pod that asked. A request that got no response, or whose times are not "
      "known, counts in the +Inf bucket and adds nothing to the sum.",
      "seconds", METRIC_HISTOGRAM},
     SERIES_REQUEST_DURATION,
     0,
     takes_client},
    {{"http_server_request_body_size_bytes",
      "Size of request contents as transferred, from the first byte behind the head to the last "
      "byte of the content, without chunk framing and trailers, seen at the interface of the pod "
      "that was asked.",
      "bytes", METRIC_HISTOGRAM},
     SERIES_REQUEST_BODY,
     0,
     takes_server},
    {{"http_client_request_body_size_bytes",
      "Size of request contents as transferred, from the first byte behind the head to the last "
      "byte of the content, without chunk framing and trailers, seen at the interface of the pod "
      "that asked.",
      "bytes", METRIC_HISTOGRAM},
     SERIES_REQUEST_BODY,
     0,
     takes_client},
    {{"http_server_response_body_size_bytes",
      "Size of response contents as transferred, from the first byte behind the head to the last "
      "byte of the content, without chunk framing and trailers, seen at the interface of the pod "
      "that was asked.",
      "bytes", METRIC_HISTOGRAM},
     SERIES_RESPONSE_BODY,
     0,
     takes_server},
    {{"http_client_response_body_size_bytes",
      "Size of response contents as transferred, from the first byte behind the head to the last "
      "byte of the content, without chunk framing and trailers, seen at the interface of the pod "
      "that asked.",
      "bytes", METRIC_HISTOGRAM},
     SERIES_RESPONSE_BODY,
     0,
     takes_client},
    {{"http_server_active_requests",
      "Requests whose first byte was seen and whose last response byte was not yet, at the "
      "interface of the pod that was asked.",
      "", METRIC_GAUGE},
     SERIES_ACTIVE,
     0,
     NULL},
    {{"vethscope_http_phase_duration_seconds",
      "Parts of an exchange: request is from the first to the last byte of the request, server "
      "from there to the first byte of the final response (0 where it came before the request's "
      "last byte), response from there to the last byte of the response.",
      "seconds", METRIC_HISTOGRAM},
     SERIES_PHASE,
     0,
     NULL},
    {{"traces_service_graph_request_total",
      "Requests from client to server, seen at the server's interface, or at the client's where "
      "the server has none of its own here.",
      "", METRIC_COUNTER},
     SERIES_GRAPH_REQUESTS,
     0,
     takes_once},
    {{"traces_service_graph_request_failed_total",
      "Of these, the requests that got no whole response or one with a 5xx status.", "",
      METRIC_COUNTER},
     SERIES_GRAPH_REQUESTS,
     1,
     takes_once},
    {{"traces_service_graph_request_server_seconds",
      "Time from the first byte of a request to the last byte of its response, seen at the "
      "server's interface, or at the client's where the server has none of its own here.",
      "seconds", METRIC_HISTOGRAM},
     SERIES_GRAPH_SECONDS,
     0,
     takes_once},
    {{"traces_service_graph_request_client_seconds",
      "Time from the first byte of a request to the last byte of its response, seen at the "
      "client's interface.",
      "seconds", METRIC_HISTOGRAM},
     SERIES_GRAPH_SECONDS,
     0,
     takes_client},
    {{"vethscope_tcp_connections_total",
      "TCP connections whose handshake, or else whose first payload byte, was seen.", "",
      METRIC_COUNTER},
     SERIES_CONNECTIONS,
     0,
     NULL},
    {{"vethscope_tcp_connect_failures_total",
      "TCP connection attempts that were refused or never answered.", "", METRIC_COUNTER},
     SERIES_CONNECTIONS,
     1,
     NULL},
    {{"vethscope_tcp_retransmitted_bytes_total",
      "Payload bytes of both directions that had been seen before.", "bytes", METRIC_COUNTER},
     SERIES_RESENT_BYTES,
     0,
     NULL},
    {{"vethscope_tcp_conflicting_bytes_total",
      "Retransmitted payload bytes that differed from those seen first.", "bytes", METRIC_COUNTER},
     SERIES_RESENT_BYTES,
     1,
     NULL},
    {{"vethscope_tcp_connect_duration_seconds",
      "Time of the handshake: part server is from the SYN to the SYN-ACK, part client from the "
      "SYN-ACK to the ACK.",
      "seconds", METRIC_HISTOGRAM},
     SERIES_CONNECT,
     0,
     NULL},
    {{"vethscope_missed_bytes_total",
      "Payload bytes that were on the wire and were not captured or could not be read.", "bytes",
      METRIC_COUNTER},
     SERIES_UNSEEN,
     0,
     NULL},
    {{"vethscope_ambiguous_exchanges_total",
      "Exchanges whose bytes allow two readings; they are counted in the other families as well.",
      "", METRIC_COUNTER},
     SERIES_UNSEEN,
     1,
     NULL},
    {{"vethscope_unmatched_messages_total",
      "Requests or responses whose counterpart the observer missed; they are in no other family.",
      "", METRIC_COUNTER},
     SERIES_UNMATCHED,
     0,
     NULL},
    {{"vethscope_blind_connections_total",
      "TCP connections that carry something else than readable HTTP/1.x.", "", METRIC_COUNTER},
     SERIES_BLIND,
     0,
     NULL},
    {{"vethscope_blind_bytes_total", "Payload bytes of such connections, both directions.", "bytes",
      METRIC_COUNTER},
     SERIES_BLIND,
     1,
     NULL},
};
#define FAMILY_COUNT (sizeof(families) / sizeof(families[0]))

static int compare_servers(const struct snapshot *snapshot, struct slice server, size_t entry)
{
    struct slice other = snapshot_peer(snapshot, &snapshot->entries[entry]);
    size_t length = server.length < other.length ? server.length : other.length;
    int order = length == 0 ? 0 : memcmp(server.data, other.data, length);
    return order != 0 ? order : (server.length > other.length) - (server.length < other.length);
}

static int compare_answered(const void *left, const void *right, void *context)
{
    const struct snapshot *snapshot = ((const struct pass *)context)->snapshot;
    const size_t *a = left;
    const size_t *b = right;
    return compare_servers(snapshot, snapshot_peer(snapshot, &snapshot->entries[*a]), *b);
}

/* Which servers have a link of their own: those seen answering. */
static int find_answered(struct pass *pass)
{
    const struct snapshot *snapshot = pass->snapshot;
    pass->answered = calloc(snapshot->count + 1, sizeof(*pass->answered));
    if (pass->answered == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < snapshot->count; i++) {
        const struct series_key *key = &snapshot->entries[i].key;
        if (key->kind == SERIES_GRAPH_REQUESTS && key->side == EXCHANGE_SERVER) {
            pass->answered[pass->answered_count++] = i;
        }
    }
    qsort_r(pass->answered, pass->answered_count, sizeof(*pass->answered), compare_answered, pass);
    return 0;
}

static bool is_answered(const struct pass *pass, struct slice server)
{
    size_t low = 0;
    size_t high = pass->answered_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare_servers(pass->snapshot, server, pass->answered[middle]);
        if (order == 0) {
            return true;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return false;
}

/* Each request of the graph once: from the server's side wherever there is one. */
static bool takes_once(const struct pass *pass, const struct snapshot_entry *entry)
{
    return entry->key.side == EXCHANGE_SERVER ||
           !is_answered(pass, snapshot_peer(pass->snapshot, entry));
}

/* Adds up the entries [first, end), which are equal. False: all their records are gone. */
static bool add_up(struct pass *pass, const struct family *family,
                   const struct snapshot_entry *first, const struct snapshot_entry *end,
                   struct metric_point *point)
{
    const struct histogram_layout *layout = shard_layout(pass->snapshot->shards[0], family->kind);
    bool any = false;
    uint64_t number = 0;
    memset(pass->sum, 0, histogram_cells(layout) * sizeof(uint64_t));
    for (const struct snapshot_entry *entry = first; entry < end; entry++) {
        if (!snapshot_read(pass->snapshot, entry, pass->value)) {
            continue;
        }
        if (!any || entry->created_ns < point->created_ns) {
            point->created_ns = entry->created_ns;
        }
        any = true;
        if (family->kind < SERIES_HISTOGRAM_KINDS) {
            histogram_merge(layout, pass->sum, (struct histogram *)pass->value);
        } else {
            number += pass->value[family->number];
        }
    }
    point->value = (double)number;
    return any;
}

static bool write_point(struct pass *pass, const struct family *family,
                        const struct snapshot_entry *first, const struct snapshot_entry *end,
                        bool began)
{
    struct metric_point point = {0};
    if (!add_up(pass, family, first, end, &point)) {
        return began;
    }
    struct metric_exponential exponential;
    if (family->kind < SERIES_HISTOGRAM_KINDS) {
        const struct histogram_layout *layout =
            shard_layout(pass->snapshot->shards[0], family->kind);
        point.histogram = histogram_metric(layout, pass->sum, &exponential, pass->counts);
        if (histogram_exemplars(layout, pass->sum, pass->exemplars, pass->trace_ids)) {
            point.histogram.exemplars = pass->exemplars;
        }
    }
    struct labels labels;
    labels_of(pass->snapshot, first, &labels);
    point.labels = labels.labels;
    point.label_count = labels.count;
    if (!began) {
        pass->sink->family(pass->sink->context, &family->metric);
    }
    pass->sink->point(pass->sink->context, &point);
    return true;
}

/* Behind the last entry that is equal to this one. */
static const struct snapshot_entry *end_of_run(const struct snapshot *snapshot,
                                               const struct snapshot_entry *entry)
{
    const struct snapshot_entry *last = snapshot->entries + snapshot->count;
    const struct snapshot_entry *end = entry + 1;
    while (end < last && snapshot_same(snapshot, entry, end)) {
        end++;
    }
    return end;
}

static void write_family(struct pass *pass, const struct family *family)
{
    const struct snapshot_entry *entry = pass->snapshot->entries;
    const struct snapshot_entry *last = entry + pass->snapshot->count;
    bool began = false;
    while (entry < last && entry->key.kind != family->kind) {
        entry++;
    }
    while (entry < last && entry->key.kind == family->kind) {
        const struct snapshot_entry *end = end_of_run(pass->snapshot, entry);
        if (family->takes == NULL || family->takes(pass, entry)) {
            began = write_point(pass, family, entry, end, began);
        }
        entry = end;
    }
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Room for the largest value of any record. */
static int make_room(struct pass *pass, const struct aggregate_shard *shard)
{
    size_t cells = larger(histogram_cells(&shard->durations), histogram_cells(&shard->sizes));
    size_t buckets = larger(shard->durations.bound_count, shard->sizes.bound_count) + 1;
    pass->sum = calloc(cells, sizeof(uint64_t));
    pass->value = calloc(cells, sizeof(uint64_t));
    pass->exemplars = calloc(buckets, sizeof(*pass->exemplars));
    pass->trace_ids = calloc(buckets, sizeof(*pass->trace_ids));
    return pass->sum == NULL || pass->value == NULL || pass->exemplars == NULL ||
                   pass->trace_ids == NULL
               ? -ENOMEM
               : 0;
}

int families_write(const struct snapshot *snapshot, const struct metric_sink *sink)
{
    if (snapshot->count == 0) {
        return 0;
    }
    struct pass pass = {.snapshot = snapshot, .sink = sink};
    int result = make_room(&pass, snapshot->shards[0]);
    if (result == 0) {
        result = find_answered(&pass);
    }
    for (size_t i = 0; result == 0 && i < FAMILY_COUNT; i++) {
        write_family(&pass, &families[i]);
    }
    free(pass.sum);
    free(pass.value);
    free(pass.exemplars);
    free(pass.trace_ids);
    free(pass.answered);
    return result;
}
