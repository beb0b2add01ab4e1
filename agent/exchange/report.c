#include "agent/exchange/report.h"

/* No connection has more than this share of all records: one client that asks and asks and never
 * reads must not leave the others without. */
#define CONNECTION_SHARE 4

static bool is_known(int64_t time_ns)
{
    return time_ns != EXCHANGE_TIME_UNKNOWN;
}

/* Nothing is before a time that is not known. */
static bool goes_back(int64_t from_ns, int64_t to_ns)
{
    return to_ns < from_ns && is_known(to_ns);
}

/* Packets without a time: nobody knows when anything was. */
static void drop_all_times(struct exchange *exchange)
{
    exchange->start_ns = EXCHANGE_TIME_UNKNOWN;
    exchange->request_end_ns = EXCHANGE_TIME_UNKNOWN;
    exchange->response_start_ns = EXCHANGE_TIME_UNKNOWN;
    exchange->response_end_ns = EXCHANGE_TIME_UNKNOWN;
    exchange->connect_server_ns = EXCHANGE_TIME_UNKNOWN;
    exchange->connect_client_ns = EXCHANGE_TIME_UNKNOWN;
}

/* A clock that was set back between the packets makes all times of the exchange worthless. */
static void drop_times_across_step(struct exchange *exchange, bool stepped)
{
    if (stepped || goes_back(exchange->start_ns, exchange->request_end_ns) ||
        goes_back(exchange->start_ns, exchange->response_start_ns) ||
        goes_back(exchange->response_start_ns, exchange->response_end_ns)) {
        exchange->request_end_ns = EXCHANGE_TIME_UNKNOWN;
        exchange->response_start_ns = EXCHANGE_TIME_UNKNOWN;
        exchange->response_end_ns = EXCHANGE_TIME_UNKNOWN;
    }
}

static void send_exchange(struct pairing *pairing, struct conversation *conversation,
                          struct exchange *exchange, bool stepped)
{
    char buffer[ROUTE_TEXT_SIZE];
    if (exchange->target.data != NULL) {
        struct route route = route_cache_find(&pairing->routes, exchange->target, buffer);
        exchange->route = route.text;
        exchange->route_id = route.id;
        if (exchange->target.length > pairing->max_target_bytes) {
            exchange->target.length = pairing->max_target_bytes;
        }
    }
    exchange->connect_server_ns = EXCHANGE_TIME_UNKNOWN;
    exchange->connect_client_ns = EXCHANGE_TIME_UNKNOWN;
    if (!conversation->exchanged) {
        conversation->exchanged = true;
        exchange->connect_server_ns = conversation->connect_server_ns;
        exchange->connect_client_ns = conversation->connect_client_ns;
    }
    drop_times_across_step(exchange, stepped);
    if (conversation->untimed) {
        drop_all_times(exchange);
    }
    pairing->sink.exchange(pairing->sink.context, &conversation->connection, exchange);
}

static void send_event(struct pairing *pairing, struct conversation *conversation,
                       enum connection_event_kind kind, struct slice method)
{
    struct connection_event event = {.kind = kind, .amount = 1, .method = method};
    pairing->sink.event(pairing->sink.context, &conversation->connection, &event);
}

static void link_request(struct conversation *conversation, struct request *request)
{
    request->previous = conversation->last;
    *(conversation->last == NULL ? &conversation->first : &conversation->last->next) = request;
    conversation->last = request;
    conversation->request_count++;
}

static void unlink_request(struct conversation *conversation, struct request *request)
{
    *(request->previous == NULL ? &conversation->first : &request->previous->next) = request->next;
    *(request->next == NULL ? &conversation->last : &request->next->previous) = request->previous;
    conversation->request_count--;
    if (conversation->response.request == request) {
        conversation->response.request = NULL;
    }
}

struct request *report_request_began(struct pairing *pairing, struct conversation *conversation,
                                     const struct exchange *exchange)
{
    send_event(pairing, conversation, CONNECTION_REQUEST_BEGAN, exchange->method);
    uint32_t share = pairing->requests.requests.capacity / CONNECTION_SHARE;
    struct request *request = NULL;
    if (conversation->request_count < share) {
        request = request_take(&pairing->requests, exchange);
    } else {
        pairing->requests.requests.refused++;
    }
    if (request != NULL) {
        link_request(conversation, request);
        return request;
    }
    struct exchange lost = *exchange;
    lost.outcome = EXCHANGE_REQUEST_ONLY;
    lost.reason = EXCHANGE_REASON_EVICTED;
    lost.ends_request = true;
    send_exchange(pairing, conversation, &lost, false);
    return NULL;
}

void report_request_over(struct pairing *pairing, struct conversation *conversation,
                         struct request *request)
{
    if (!request->counted) {
        request->counted = true;
        send_event(pairing, conversation, CONNECTION_REQUEST_ENDED, request->exchange.method);
    }
}

void report_request(struct pairing *pairing, struct conversation *conversation,
                    struct request *request, enum exchange_outcome outcome,
                    enum exchange_reason reason)
{
    unlink_request(conversation, request);
    request->exchange.outcome = outcome;
    request->exchange.reason = reason;
    request->exchange.ends_request = !request->counted;
    send_exchange(pairing, conversation, &request->exchange, request->stepped);
    request_give(&pairing->requests, request);
}

void report_response_alone(struct pairing *pairing, struct conversation *conversation,
                           int64_t end_ns, uint64_t body_bytes)
{
    const struct response *response = &conversation->response;
    struct exchange exchange = {.start_ns = response->start_ns,
                                .request_end_ns = EXCHANGE_TIME_UNKNOWN,
                                .response_start_ns = response->start_ns,
                                .response_end_ns = end_ns,
                                .request_body_bytes = EXCHANGE_SIZE_UNKNOWN,
                                .response_body_bytes = body_bytes,
                                .status = response->status,
                                .minor_version = response->minor_version,
                                .outcome = EXCHANGE_RESPONSE_ONLY,
                                .reason = response->reason,
                                .ambiguous = response->ambiguous};
    send_exchange(pairing, conversation, &exchange, false);
}

/* The answer of a request that was taken to be its own. */
static void report_taken_response(struct pairing *pairing, struct conversation *conversation,
                                  const struct request *request)
{
    const struct exchange *taken = &request->exchange;
    struct exchange exchange = {.start_ns = taken->response_start_ns,
                                .request_end_ns = EXCHANGE_TIME_UNKNOWN,
                                .response_start_ns = taken->response_start_ns,
                                .response_end_ns = taken->response_end_ns,
                                .request_body_bytes = EXCHANGE_SIZE_UNKNOWN,
                                .response_body_bytes = taken->response_body_bytes,
                                .status = taken->status,
                                .minor_version = taken->minor_version,
                                .outcome = EXCHANGE_RESPONSE_ONLY,
                                .reason = conversation->missing_reason};
    send_exchange(pairing, conversation, &exchange, false);
}

void report_request_alone(struct pairing *pairing, struct conversation *conversation,
                          struct request *request)
{
    struct exchange *exchange = &request->exchange;
    if (request->response_ended) {
        report_taken_response(pairing, conversation, request);
    }
    exchange->status = EXCHANGE_STATUS_UNKNOWN;
    exchange->interim_count = 0;
    exchange->response_start_ns = EXCHANGE_TIME_UNKNOWN;
    exchange->response_end_ns = EXCHANGE_TIME_UNKNOWN;
    exchange->response_body_bytes = EXCHANGE_SIZE_UNKNOWN;
    report_request(pairing, conversation, request, EXCHANGE_REQUEST_ONLY,
                   conversation->missing_reason);
}

void report_no_request(struct pairing *pairing, struct conversation *conversation,
                       struct request *request)
{
    unlink_request(conversation, request);
    report_request_over(pairing, conversation, request);
    request_give(&pairing->requests, request);
}
