#include "agent/commands/event.h"

static struct text text_from(struct slice slice)
{
    return (struct text){slice.data, slice.length};
}

/* A duration, unknown when either end is or when it would be negative: an answer that began before
 * its request had ended has no server time. */
static uint64_t duration(int64_t from_ns, int64_t to_ns)
{
    if (from_ns == EXCHANGE_TIME_UNKNOWN || to_ns == EXCHANGE_TIME_UNKNOWN || to_ns < from_ns) {
        return RECORD_UNKNOWN;
    }
    return (uint64_t)(to_ns - from_ns);
}

static uint64_t size_of(uint64_t bytes)
{
    return bytes == EXCHANGE_SIZE_UNKNOWN ? RECORD_UNKNOWN : bytes;
}

static uint64_t connect_time(const struct exchange *exchange)
{
    if (exchange->connect_server_ns == EXCHANGE_TIME_UNKNOWN ||
        exchange->connect_client_ns == EXCHANGE_TIME_UNKNOWN) {
        return RECORD_UNKNOWN;
    }
    return (uint64_t)(exchange->connect_server_ns + exchange->connect_client_ns);
}

static enum record_sampling sampling_of(enum exchange_sampling sampling)
{
    static const enum record_sampling same[] = {[EXCHANGE_SAMPLING_OPEN] = RECORD_SAMPLING_OPEN,
                                                [EXCHANGE_NOT_SAMPLED] = RECORD_NOT_SAMPLED,
                                                [EXCHANGE_SAMPLED] = RECORD_SAMPLED};
    return same[sampling];
}

static void set_client(struct exchange_record *record, const struct workload *workload)
{
    record->client_namespace = text_from(workload->namespace);
    record->client_service = text_from(workload->service);
    record->client_kind = text_from(workload->kind);
    record->client_pod = text_from(workload->pod);
    record->client_node = text_from(workload->node);
}

static void set_server(struct exchange_record *record, const struct workload *workload)
{
    record->server_namespace = text_from(workload->namespace);
    record->server_service = text_from(workload->service);
    record->server_kind = text_from(workload->kind);
    record->server_pod = text_from(workload->pod);
    record->server_node = text_from(workload->node);
    /* Without Kubernetes, what is called is the service itself. */
    if (workload->kind.length > 0) {
        record->called_namespace = text_from(workload->called_namespace);
        record->called_service = text_from(workload->called);
    }
}

/* Who asked is no matter of its port. */
struct aggregate_ends event_ends(const struct directory *directory,
                                 const struct connection *connection)
{
    struct aggregate_ends ends = {0};
    const struct endpoint client = {.address = connection->client.address};
    ends.client_known = directory_find(directory, &client, &ends.client) == DIRECTORY_KNOWN;
    ends.server_known =
        directory_find(directory, &connection->server, &ends.server) == DIRECTORY_KNOWN;
    return ends;
}

static void set_names(struct exchange_record *record, const struct aggregate_ends *ends)
{
    if (ends->client_known) {
        set_client(record, &ends->client);
    }
    if (ends->server_known) {
        set_server(record, &ends->server);
    }
}

struct exchange_record event_record(const struct connection *connection,
                                    const struct exchange *exchange,
                                    const struct aggregate_ends *ends, struct event_texts *texts)
{
    size_t client = endpoint_format(&connection->client, texts->client);
    size_t server = endpoint_format(&connection->server, texts->server);
    /* HTTP has single digits for versions (RFC 9112 section 2.3). */
    texts->version[0] = '1';
    texts->version[1] = '.';
    texts->version[2] = (char)('0' + exchange->minor_version % 10);
    bool alone =
        exchange->outcome == EXCHANGE_REQUEST_ONLY || exchange->outcome == EXCHANGE_RESPONSE_ONLY;
    struct exchange_record record = {
        .time_ns = exchange->start_ns,
        .side = text_of(connection->side == EXCHANGE_SERVER ? "server" : "client"),
        .client = {texts->client, client},
        .server = {texts->server, server},
        .method = text_from(exchange->method),
        .target = text_from(exchange->target),
        .route = text_from(exchange->route),
        .host = text_from(exchange->host),
        .user_agent = text_from(exchange->user_agent),
        .trace_id = text_from(exchange->trace_id),
        .version = {texts->version, 3},
        .outcome = text_of(exchange_outcome_name(exchange->outcome)),
        .reason = alone ? text_of(exchange_reason_name(exchange->reason)) : (struct text){0},
        .status = exchange->status,
        .interim = exchange->interim,
        .interim_count = exchange->interim_count,
        .ambiguous = exchange->ambiguous,
        .sampling = sampling_of(exchange->sampling),
        .parent_span_id = exchange->parent_span_id,
        .request_body_bytes = size_of(exchange->request_body_bytes),
        .response_body_bytes = size_of(exchange->response_body_bytes),
        .request_ns = duration(exchange->start_ns, exchange->request_end_ns),
        .server_ns = duration(exchange->request_end_ns, exchange->response_start_ns),
        .response_ns = duration(exchange->response_start_ns, exchange->response_end_ns),
        .duration_ns = duration(exchange->start_ns, exchange->response_end_ns),
        .connect_ns = connect_time(exchange),
    };
    if (exchange->outcome == EXCHANGE_RESPONSE_ONLY) {
        record.duration_ns = RECORD_UNKNOWN;
    }
    set_names(&record, ends);
    return record;
}
