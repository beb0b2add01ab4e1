#include "agent/exchange/matching.h"

#include <string.h>

/*
 * Requests wait in the order in which they were sent, and as long as no byte was missed the next
 * final response answers the oldest (RFC 9112 section 9.3.2). After a loss that may have hidden
 * whole messages, order proves nothing, and TCP's own evidence decides: a client that waits for
 * each answer sends the next request when it has received everything the server had sent, so the
 * answer begins exactly at the offset that the request acknowledged, and by then the server has
 * acknowledged the request. A pair is made when both hold; what cannot be shown to belong together
 * is reported alone. A client that was seen to pipeline gives no such evidence, so once it has
 * lost bytes its messages stay alone until the connection ends, except for requests that were
 * sent before the loss, whose order still stands.
 */

/* ---- reporting ---- */

static bool is_known(int64_t time_ns)
{
    return time_ns != EXCHANGE_TIME_UNKNOWN;
}

static bool goes_back(int64_t from_ns, int64_t to_ns)
{
    return is_known(from_ns) && is_known(to_ns) && to_ns < from_ns;
}

/* A clock that was set back between the packets makes all times of the exchange worthless. */
static void drop_times_across_step(struct exchange *exchange)
{
    if (goes_back(exchange->start_ns, exchange->request_end_ns) ||
        goes_back(exchange->start_ns, exchange->response_start_ns) ||
        goes_back(exchange->response_start_ns, exchange->response_end_ns)) {
        exchange->request_end_ns = EXCHANGE_TIME_UNKNOWN;
        exchange->response_start_ns = EXCHANGE_TIME_UNKNOWN;
        exchange->response_end_ns = EXCHANGE_TIME_UNKNOWN;
    }
}

static void report(struct pairing *pairing, struct conversation *conversation,
                   struct exchange *exchange)
{
    char route[ROUTE_TEXT_SIZE];
    if (exchange->target.data != NULL) {
        exchange->route = route_template(pairing->routes, exchange->target, route, sizeof(route));
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
    drop_times_across_step(exchange);
    pairing->sink.exchange(pairing->sink.context, &conversation->connection, exchange);
}

static void send_request_event(struct pairing *pairing, struct conversation *conversation,
                               enum connection_event_kind kind, struct slice method)
{
    struct connection_event event = {.kind = kind, .amount = 1, .method = method};
    pairing->sink.event(pairing->sink.context, &conversation->connection, &event);
}

static void unlink_request(struct conversation *conversation, struct request *request)
{
    struct request *before = NULL;
    for (struct request *at = conversation->first; at != request; at = at->next) {
        before = at;
    }
    *(before == NULL ? &conversation->first : &before->next) = request->next;
    if (conversation->last == request) {
        conversation->last = before;
    }
    if (conversation->response.request == request) {
        conversation->response.request = NULL;
    }
}

static void report_request(struct pairing *pairing, struct conversation *conversation,
                           struct request *request, enum exchange_outcome outcome,
                           enum exchange_reason reason)
{
    unlink_request(conversation, request);
    struct exchange *exchange = &request->exchange;
    exchange->outcome = outcome;
    exchange->reason = reason;
    exchange->request_body_bytes =
        request->body_known ? request->body_bytes : EXCHANGE_SIZE_UNKNOWN;
    send_request_event(pairing, conversation, CONNECTION_REQUEST_ENDED, exchange->method);
    report(pairing, conversation, exchange);
    request_give(&pairing->requests, request);
}

static void report_alone(struct pairing *pairing, struct conversation *conversation,
                         struct request *request)
{
    report_request(pairing, conversation, request, EXCHANGE_REQUEST_ONLY,
                   conversation->missing_reason);
}

static void report_response_alone(struct pairing *pairing, struct conversation *conversation,
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
    report(pairing, conversation, &exchange);
}

/* ---- certainty ---- */

/* Requests in front of the first that may have lost predecessors are in a known order. */
static void give_up_pairing(struct pairing *pairing, struct conversation *conversation)
{
    conversation->unpairable = true;
    bool certain = !conversation->responses_missing;
    struct request *request = conversation->first;
    while (request != NULL) {
        struct request *next = request->next;
        certain = certain && !request->after_gap;
        if (!certain && !request->answered) {
            request->alone = true;
            if (request->ended) {
                report_alone(pairing, conversation, request);
            }
        }
        request = next;
    }
}

/* Everything unanswered in front of `until` lost its answer. */
static void drop_unanswered(struct pairing *pairing, struct conversation *conversation,
                            const struct request *until)
{
    struct request *request = conversation->first;
    while (request != NULL && request != until) {
        struct request *next = request->next;
        if (!request->answered && request->ended) {
            report_alone(pairing, conversation, request);
        }
        request = next;
    }
}

/* The oldest request that has no answer yet and may still get one. */
static struct request *oldest_unanswered(const struct conversation *conversation)
{
    struct request *request = conversation->first;
    while (request != NULL && (request->answered || request->alone)) {
        request = request->next;
    }
    return request;
}

/* The request whose answer must begin exactly here; NULL: none can be shown to. */
static struct request *find_by_evidence(const struct conversation *conversation,
                                        const struct message_start *start)
{
    if (conversation->pipelines || start->peer_offset == 0) {
        return NULL;
    }
    for (struct request *request = conversation->first; request != NULL; request = request->next) {
        if (!request->answered && !request->alone && request->peer_offset == start->offset &&
            request->head_end <= start->peer_offset) {
            return request;
        }
    }
    return NULL;
}

/* ---- requests ---- */

/* The client goes on, so it has received all of the response whose end was not seen. */
static void settle_adrift(struct pairing *pairing, struct conversation *conversation,
                          uint64_t received)
{
    if (conversation->response.adrift) {
        const struct speaker *server = &conversation->speakers[ROLE_SERVER];
        bool all_seen = received == server->next_offset;
        matching_response_ended(pairing, conversation,
                                all_seen ? server->last_ns : EXCHANGE_TIME_UNKNOWN,
                                EXCHANGE_SIZE_UNKNOWN);
    }
}

/* What the new request tells of its predecessors. */
static void judge_predecessors(struct pairing *pairing, struct conversation *conversation,
                               const struct message_start *start)
{
    const struct request *last = conversation->last;
    if (last != NULL && !last->response_ended) {
        bool nothing_between = start->peer_offset <= last->peer_offset;
        if (!conversation->responses_missing || nothing_between) {
            conversation->pipelines = true;
        } else {
            drop_unanswered(pairing, conversation, NULL);
        }
    }
    bool missing = conversation->requests_missing || conversation->responses_missing;
    if (conversation->pipelines && missing && !conversation->unpairable) {
        give_up_pairing(pairing, conversation);
    }
}

void matching_request_began(struct pairing *pairing, struct conversation *conversation,
                            const struct exchange *exchange, const struct message_start *start,
                            enum http_request_kind kind)
{
    settle_adrift(pairing, conversation, start->peer_offset);
    judge_predecessors(pairing, conversation, start);
    send_request_event(pairing, conversation, CONNECTION_REQUEST_BEGAN, exchange->method);
    struct request *request = request_take(&pairing->requests, exchange);
    if (request == NULL) {
        struct exchange lost = *exchange;
        lost.outcome = EXCHANGE_REQUEST_ONLY;
        lost.reason = EXCHANGE_REASON_EVICTED;
        send_request_event(pairing, conversation, CONNECTION_REQUEST_ENDED, exchange->method);
        report(pairing, conversation, &lost);
        conversation->requests_missing = true;
        conversation->missing_reason = EXCHANGE_REASON_EVICTED;
        return;
    }
    request->offset = start->offset;
    request->head_end = start->head_end;
    request->peer_offset = start->peer_offset;
    request->after_gap = conversation->requests_missing;
    request->alone = conversation->unpairable;
    request->kind = kind;
    conversation->requests_missing = false;
    *(conversation->last == NULL ? &conversation->first : &conversation->last->next) = request;
    conversation->last = request;
}

void matching_request_ended(struct pairing *pairing, struct conversation *conversation,
                            int64_t time_ns, uint64_t body_bytes)
{
    struct request *request = conversation->last;
    if (request == NULL || request->ended) {
        return; /* its record was refused */
    }
    request->ended = true;
    request->exchange.request_end_ns = time_ns;
    request->body_known = body_bytes != EXCHANGE_SIZE_UNKNOWN;
    request->body_bytes = body_bytes;
    if (request->alone) {
        report_alone(pairing, conversation, request);
    } else if (request->response_ended) {
        report_request(pairing, conversation, request, EXCHANGE_COMPLETE, EXCHANGE_REASON_NONE);
    }
}

void matching_requests_lost(struct pairing *pairing, struct conversation *conversation)
{
    if (conversation->last != NULL && !conversation->last->ended) {
        matching_request_ended(pairing, conversation, EXCHANGE_TIME_UNKNOWN, EXCHANGE_SIZE_UNKNOWN);
    }
    conversation->requests_missing = true;
    conversation->missing_reason = EXCHANGE_REASON_GAP;
    if (conversation->pipelines) {
        conversation->unpairable = true;
    }
}

/* ---- responses ---- */

void matching_interim(struct conversation *conversation, uint16_t status)
{
    struct request *request = oldest_unanswered(conversation);
    if (request != NULL && request->exchange.interim_count < EXCHANGE_INTERIM_MAX) {
        request->exchange.interim[request->exchange.interim_count++] = status;
    }
}

static struct request *choose(struct pairing *pairing, struct conversation *conversation,
                              const struct message_start *start)
{
    struct request *oldest = oldest_unanswered(conversation);
    if (oldest == NULL) {
        return NULL;
    }
    if (!conversation->responses_missing && !oldest->after_gap) {
        /* In order; but nobody answers what has not arrived. */
        bool arrived = start->peer_offset == 0 || start->peer_offset > oldest->offset;
        return arrived ? oldest : NULL;
    }
    struct request *request = find_by_evidence(conversation, start);
    if (request != NULL) {
        drop_unanswered(pairing, conversation, request);
        request->after_gap = false;
        conversation->responses_missing = false;
    }
    return request;
}

static enum exchange_reason why_alone(const struct conversation *conversation)
{
    bool missing = conversation->responses_missing || conversation->requests_missing ||
                   conversation->unpairable || oldest_unanswered(conversation) != NULL;
    bool has_reason = conversation->missing_reason != EXCHANGE_REASON_NONE;
    return missing && has_reason ? conversation->missing_reason : EXCHANGE_REASON_UNSOLICITED;
}

struct request *matching_response_began(struct pairing *pairing, struct conversation *conversation,
                                        const struct message_start *start)
{
    settle_adrift(pairing, conversation, 0);
    struct response *response = &conversation->response;
    struct request *request = choose(pairing, conversation, start);
    response->open = true;
    response->request = request;
    response->start_ns = start->time_ns;
    response->reason = request == NULL ? why_alone(conversation) : EXCHANGE_REASON_NONE;
    if (request != NULL) {
        request->answered = true;
        request->exchange.status = response->status;
        request->exchange.response_start_ns = start->time_ns;
        request->exchange.ambiguous = request->exchange.ambiguous || response->ambiguous;
    }
    return request;
}

void matching_response_ended(struct pairing *pairing, struct conversation *conversation,
                             int64_t time_ns, uint64_t body_bytes)
{
    struct response *response = &conversation->response;
    struct request *request = response->request;
    if (response->open && request == NULL) {
        report_response_alone(pairing, conversation, time_ns, body_bytes);
    }
    response->open = false;
    response->adrift = false;
    response->request = NULL;
    if (request != NULL) {
        request->response_ended = true;
        request->exchange.response_end_ns = time_ns;
        request->exchange.response_body_bytes = body_bytes;
        request->exchange.ambiguous = request->exchange.ambiguous || response->ambiguous;
        if (request->ended) {
            report_request(pairing, conversation, request, EXCHANGE_COMPLETE, EXCHANGE_REASON_NONE);
        }
    }
}

void matching_responses_lost(struct pairing *pairing, struct conversation *conversation)
{
    conversation->response.adrift = conversation->response.open;
    conversation->responses_missing = true;
    conversation->missing_reason = EXCHANGE_REASON_GAP;
    if (conversation->pipelines) {
        give_up_pairing(pairing, conversation);
    }
}

void matching_response_unparsable(struct pairing *pairing, struct conversation *conversation)
{
    struct response *response = &conversation->response;
    struct request *request = response->open ? response->request : oldest_unanswered(conversation);
    if (response->open && request == NULL) {
        matching_response_ended(pairing, conversation, EXCHANGE_TIME_UNKNOWN,
                                EXCHANGE_SIZE_UNKNOWN);
    }
    response->open = false;
    response->adrift = false;
    if (request != NULL && !conversation->responses_missing && !request->after_gap) {
        report_request(pairing, conversation, request, EXCHANGE_UNPARSABLE, EXCHANGE_REASON_NONE);
    }
    matching_responses_lost(pairing, conversation);
}

/* ---- the end ---- */

void matching_server_finished(struct pairing *pairing, struct conversation *conversation)
{
    struct response *response = &conversation->response;
    bool client_first = conversation->first_finished == ROLE_CLIENT;
    if (response->adrift) {
        matching_response_ended(pairing, conversation, conversation->speakers[ROLE_SERVER].last_ns,
                                EXCHANGE_SIZE_UNKNOWN);
    }
    if (response->open && response->request != NULL) {
        response->open = false;
        response->request->exchange.response_end_ns = conversation->speakers[ROLE_SERVER].last_ns;
        report_request(pairing, conversation, response->request,
                       client_first ? EXCHANGE_CLIENT_CLOSED : EXCHANGE_TRUNCATED_RESPONSE,
                       EXCHANGE_REASON_NONE);
    }
    struct request *request = conversation->first;
    while (request != NULL) {
        struct request *next = request->next;
        bool certain = !conversation->responses_missing && !request->after_gap;
        if (!request->answered && certain && !client_first) {
            report_request(pairing, conversation, request, EXCHANGE_SERVER_CLOSED,
                           EXCHANGE_REASON_NONE);
        }
        request = next;
    }
}

/* What an end means for a request that was not answered in full. */
struct ending {
    enum exchange_outcome outcome;
    enum exchange_reason reason;
};

static struct ending ending_of(const struct conversation *conversation, enum flow_end end,
                               enum conversation_role closer)
{
    enum conversation_role first = conversation->first_finished;
    switch (end) {
    case FLOW_END_FIN:
        return (struct ending){first == ROLE_SERVER ? EXCHANGE_SERVER_CLOSED
                                                    : EXCHANGE_CLIENT_CLOSED,
                               EXCHANGE_REASON_NONE};
    case FLOW_END_RESET:
        closer = first == ROLES ? closer : first;
        return (struct ending){closer == ROLE_SERVER ? EXCHANGE_CONNECTION_RESET
                                                     : EXCHANGE_CLIENT_CLOSED,
                               EXCHANGE_REASON_NONE};
    case FLOW_END_IDLE:
        return (struct ending){first == ROLE_CLIENT ? EXCHANGE_CLIENT_CLOSED : EXCHANGE_TIMEOUT,
                               EXCHANGE_REASON_NONE};
    case FLOW_END_EVICTED:
        return (struct ending){EXCHANGE_REQUEST_ONLY, EXCHANGE_REASON_EVICTED};
    case FLOW_END_REUSED:
        return (struct ending){EXCHANGE_REQUEST_ONLY, EXCHANGE_REASON_GAP};
    case FLOW_END_CAPTURE:
        return (struct ending){EXCHANGE_REQUEST_ONLY, EXCHANGE_REASON_CAPTURE_END};
    case FLOW_END_INTERFACE:
        return (struct ending){EXCHANGE_REQUEST_ONLY, EXCHANGE_REASON_INTERFACE_GONE};
    }
    return (struct ending){EXCHANGE_REQUEST_ONLY, EXCHANGE_REASON_GAP};
}

void matching_closed(struct pairing *pairing, struct conversation *conversation, enum flow_end end,
                     enum conversation_role closer)
{
    struct response *response = &conversation->response;
    struct ending ending = ending_of(conversation, end, closer);
    if (response->adrift || (response->open && response->request == NULL)) {
        matching_response_ended(pairing, conversation, EXCHANGE_TIME_UNKNOWN,
                                EXCHANGE_SIZE_UNKNOWN);
    }
    while (conversation->first != NULL) {
        struct request *request = conversation->first;
        bool uncertain = !request->answered &&
                         (conversation->responses_missing || request->after_gap || request->alone);
        if (uncertain && ending.outcome != EXCHANGE_REQUEST_ONLY) {
            report_alone(pairing, conversation, request);
        } else if (request->response_ended && ending.outcome != EXCHANGE_REQUEST_ONLY) {
            /* answered before its body was sent: the answer stands */
            report_request(pairing, conversation, request, EXCHANGE_COMPLETE, EXCHANGE_REASON_NONE);
        } else {
            report_request(pairing, conversation, request, ending.outcome, ending.reason);
        }
    }
}
