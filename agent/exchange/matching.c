#include "agent/exchange/matching.h"

#include "agent/exchange/probation.h"
#include "agent/exchange/report.h"

/*
 * Requests wait in the order in which they were sent, and as long as no byte was missed the next
 * final response answers the oldest (RFC 9112 section 9.3.2). After a loss that may have hidden
 * whole messages, order proves nothing, and TCP's own evidence decides (evidence.c): a pair is made
 * where it holds, and what cannot be shown to belong together is reported alone. It holds for
 * clients that wait for their answers. Once one that does not has lost bytes, its messages stay
 * alone until the connection ends, except for requests that were sent before the loss, whose order
 * still stands. Requests that follow a loss of requests are `guessed`, and so are all behind them.
 */

/* ---- giving up ---- */

/* Nobody can tell any more which response is whose: only requests in front of the first guessed one
 * are in a known order. */
static void give_up_pairing(struct pairing *pairing, struct conversation *conversation)
{
    conversation->evidence.unpairable = true;
    probation_cancel(pairing, conversation);
    bool answers_known = !conversation->evidence.responses_missing;
    struct request *request = conversation->first;
    while (request != NULL) {
        struct request *next = request->next;
        if (request->guessed || (!answers_known && !request->answered)) {
            if (conversation->response.request == request) {
                conversation->response.request = NULL;
                conversation->response.reason = conversation->missing_reason;
            }
            request->alone = true;
            if (request->ended) {
                report_request_alone(pairing, conversation, request);
            }
        }
        request = next;
    }
}

/* After anything that may have shaken what pairs rest on. */
static void review(struct pairing *pairing, struct conversation *conversation)
{
    const struct evidence *evidence = &conversation->evidence;
    bool needs_trust = evidence->guessed || evidence->responses_missing;
    if (!evidence->unpairable && needs_trust && !evidence_trusts(evidence)) {
        give_up_pairing(pairing, conversation);
    }
}

void matching_burst(struct pairing *pairing, struct conversation *conversation)
{
    conversation->evidence.bursts = true;
    review(pairing, conversation);
}

/* The client goes on: what is not answered by now lost its answer. */
static void drop_unanswered(struct pairing *pairing, struct conversation *conversation)
{
    struct request *request = conversation->first;
    while (request != NULL) {
        struct request *next = request->next;
        if (!request->answered && request->ended) {
            report_request_alone(pairing, conversation, request);
        }
        request = next;
    }
}

/* ---- requests ---- */

static void end_response(struct pairing *pairing, struct conversation *conversation,
                         int64_t time_ns)
{
    const struct message_end end = {.time_ns = time_ns, .body_bytes = EXCHANGE_SIZE_UNKNOWN};
    matching_response_ended(pairing, conversation, &end);
}

/* The client goes on, so it has received all of the response whose end was not seen. A response to
 * nobody known may be one to HEAD, without the body that it announces. */
static void settle_response(struct pairing *pairing, struct conversation *conversation,
                            uint64_t received)
{
    const struct response *response = &conversation->response;
    struct speaker *server = &conversation->speakers[ROLE_SERVER];
    bool all = received == server->next_offset;
    if (response->adrift) {
        bool seen = received == server->seen_offset;
        end_response(pairing, conversation, seen ? server->last_ns : EXCHANGE_TIME_UNKNOWN);
    } else if (response->open && response->request == NULL && all &&
               conversation->evidence.guessed && evidence_trusts(&conversation->evidence)) {
        end_response(pairing, conversation, EXCHANGE_TIME_UNKNOWN);
        server->lost = true;
        server->heard = true;
        conversation->evidence.responses_missing = true;
    }
}

/* What the new request tells of its predecessors. */
static void judge_predecessors(struct pairing *pairing, struct conversation *conversation,
                               const struct message_start *start)
{
    const struct request *last = conversation->last;
    const struct evidence *evidence = &conversation->evidence;
    bool passes = last != NULL && last->response_ended && !evidence->overlaps &&
                  conversation->response.end_offset == start->peer_offset;
    evidence_judge_request(conversation, start);
    review(pairing, conversation);
    bool leads = evidence->burst_size == 1;
    if (leads && evidence->responses_missing) {
        drop_unanswered(pairing, conversation);
    } else if (leads && passes && !evidence->overlaps) {
        probation_pass(pairing, conversation);
    }
}

void matching_begin_midway(struct conversation *conversation)
{
    conversation->evidence.responses_missing = true;
    probation_begin(conversation);
}

void matching_request_began(struct pairing *pairing, struct conversation *conversation,
                            const struct exchange *exchange, const struct message_start *start,
                            enum http_request_kind kind)
{
    settle_response(pairing, conversation, start->peer_offset);
    judge_predecessors(pairing, conversation, start);
    struct request *request = report_request_began(pairing, conversation, exchange);
    if (request == NULL) {
        matching_requests_lost(pairing, conversation, EXCHANGE_REASON_EVICTED);
        return;
    }
    request->offset = start->offset;
    request->head_end = start->head_end;
    request->answer_offset = start->peer_offset;
    request->leads = conversation->evidence.burst_size == 1;
    request->guessed = conversation->evidence.guessed;
    request->alone = conversation->evidence.unpairable || conversation->evidence.broken;
    request->kind = kind;
}

static void finish(struct pairing *pairing, struct conversation *conversation,
                   struct request *request)
{
    if (request->ended && request->response_ended) {
        probation_finish(pairing, conversation, request, pairing->now_ns);
    }
}

void matching_request_ended(struct pairing *pairing, struct conversation *conversation,
                            const struct message_end *end)
{
    struct request *request = conversation->last;
    if (request == NULL || request->ended) {
        return; /* its record was refused */
    }
    request->ended = true;
    request->end = end->offset;
    request->exchange.request_end_ns = end->time_ns;
    request->exchange.request_body_bytes = end->body_bytes;
    request->exchange.ambiguous = request->exchange.ambiguous || end->ambiguous;
    if (request->alone) {
        report_request_alone(pairing, conversation, request);
    } else {
        finish(pairing, conversation, request);
    }
}

void matching_requests_lost(struct pairing *pairing, struct conversation *conversation,
                            enum exchange_reason reason)
{
    const struct request *last = conversation->last;
    if (last != NULL && !last->ended) {
        if (last->response_ended) { /* early; as the client waits, all of this is its body */
            evidence_note_content(&conversation->evidence, last->offset,
                                  conversation->speakers[ROLE_CLIENT].next_offset - last->offset);
        }
        const struct message_end end = {.time_ns = EXCHANGE_TIME_UNKNOWN,
                                        .body_bytes = EXCHANGE_SIZE_UNKNOWN};
        matching_request_ended(pairing, conversation, &end);
    }
    conversation->missing_reason = reason;
    conversation->evidence.broken = true;
    probation_begin(conversation);
    review(pairing, conversation);
}

/* ---- responses ---- */

void matching_interim(struct conversation *conversation, const struct message_start *start,
                      uint16_t status)
{
    struct request *request = evidence_oldest_unanswered(conversation);
    if (request != NULL && evidence_answers(conversation, request, start)) {
        struct exchange *exchange = &request->exchange;
        if (exchange->interim_count < EXCHANGE_INTERIM_MAX) {
            exchange->interim[exchange->interim_count++] = status;
        }
        if (start->offset >= request->answer_offset) {
            request->answer_offset = start->head_end;
        }
    }
    evidence_note_interim(&conversation->evidence, start);
}

static struct request *choose(struct conversation *conversation, const struct message_start *start)
{
    struct request *oldest = evidence_oldest_unanswered(conversation);
    bool answers = oldest != NULL && evidence_answers(conversation, oldest, start);
    if (answers) {
        conversation->evidence.responses_missing = false;
    } else if (conversation->evidence.guessed) {
        conversation->evidence.responses_missing = true; /* it answers one that was not seen */
    }
    return answers ? oldest : NULL;
}

static enum exchange_reason why_alone(const struct conversation *conversation)
{
    const struct evidence *evidence = &conversation->evidence;
    bool missing = evidence->responses_missing || evidence->guessed || evidence->unpairable;
    bool has_reason = conversation->missing_reason != EXCHANGE_REASON_NONE;
    return missing && has_reason ? conversation->missing_reason : EXCHANGE_REASON_UNSOLICITED;
}

struct request *matching_response_began(struct pairing *pairing, struct conversation *conversation,
                                        const struct message_start *start)
{
    struct response *response = &conversation->response;
    if (response->adrift) {
        end_response(pairing, conversation, EXCHANGE_TIME_UNKNOWN);
    }
    evidence_judge_response(conversation, start);
    review(pairing, conversation);
    struct request *request = choose(conversation, start);
    evidence_note_response(&conversation->evidence, request, start);
    response->open = true;
    response->request = request;
    response->paired = request != NULL;
    response->start_ns = start->time_ns;
    response->peer_offset = start->peer_offset;
    response->end_offset = 0;
    response->reason = request == NULL ? why_alone(conversation) : EXCHANGE_REASON_NONE;
    if (request != NULL) {
        request->answered = true;
        request->stepped = request->ended && start->time_ns < request->exchange.request_end_ns;
        request->exchange.status = response->status;
        request->exchange.response_start_ns = start->time_ns;
        request->exchange.ambiguous = request->exchange.ambiguous || response->ambiguous;
    }
    return request;
}

void matching_response_ended(struct pairing *pairing, struct conversation *conversation,
                             const struct message_end *end)
{
    struct response *response = &conversation->response;
    struct request *request = response->request;
    bool ambiguous = response->ambiguous || end->ambiguous;
    response->ambiguous = ambiguous;
    if (response->open && request == NULL) {
        report_response_alone(pairing, conversation, end->time_ns, end->body_bytes);
    }
    response->open = false;
    response->adrift = false;
    response->request = NULL;
    response->end_offset = end->offset;
    evidence_note_response_end(&conversation->evidence, end->offset);
    if (request != NULL) {
        request->response_ended = true;
        request->exchange.response_end_ns = end->time_ns;
        request->exchange.response_body_bytes = end->body_bytes;
        request->exchange.ambiguous = request->exchange.ambiguous || ambiguous;
        finish(pairing, conversation, request);
    }
}

void matching_responses_lost(struct pairing *pairing, struct conversation *conversation,
                             enum exchange_reason reason)
{
    conversation->response.adrift = conversation->response.open;
    conversation->evidence.responses_missing = true;
    conversation->missing_reason = reason;
    if (!evidence_trusts(&conversation->evidence)) {
        give_up_pairing(pairing, conversation);
    } else if (conversation->evidence.bursts) {
        probation_begin(conversation);
    }
}

void matching_response_unparsable(struct pairing *pairing, struct conversation *conversation)
{
    struct response *response = &conversation->response;
    if (conversation->evidence.guessed && response->paired) {
        /* as when the answer to GET was taken for one to HEAD, or the other way round */
        conversation->evidence.overlaps = true;
        review(pairing, conversation);
    }
    struct request *request =
        response->open ? response->request : evidence_oldest_unanswered(conversation);
    if (response->open && request == NULL) {
        end_response(pairing, conversation, EXCHANGE_TIME_UNKNOWN);
    }
    response->open = false;
    if (request != NULL && (request->answered || evidence_is_in_order(conversation, request))) {
        report_request(pairing, conversation, request, EXCHANGE_UNPARSABLE, EXCHANGE_REASON_NONE);
    }
}

/* ---- the end ---- */

/* That a request was not answered, and not that its answer was missed. */
static bool is_surely_unanswered(const struct conversation *conversation,
                                 const struct request *request)
{
    bool nothing_came = request->answer_offset == conversation->speakers[ROLE_SERVER].next_offset;
    return !request->answered && !request->alone &&
           (evidence_is_in_order(conversation, request) ||
            (nothing_came && evidence_trusts(&conversation->evidence)));
}

void matching_server_finished(struct pairing *pairing, struct conversation *conversation)
{
    struct response *response = &conversation->response;
    int64_t last_ns = conversation->speakers[ROLE_SERVER].last_ns;
    bool client_first = conversation->first_finished == ROLE_CLIENT;
    if (response->adrift) {
        end_response(pairing, conversation, last_ns);
    }
    if (response->open && response->request != NULL) {
        response->open = false;
        response->request->exchange.response_end_ns = last_ns;
        report_request(pairing, conversation, response->request,
                       client_first ? EXCHANGE_CLIENT_CLOSED : EXCHANGE_TRUNCATED_RESPONSE,
                       EXCHANGE_REASON_NONE);
    }
    struct request *request = client_first ? NULL : conversation->first;
    while (request != NULL) {
        struct request *next = request->next;
        if (is_surely_unanswered(conversation, request)) {
            report_request(pairing, conversation, request, EXCHANGE_SERVER_CLOSED,
                           EXCHANGE_REASON_NONE);
        }
        request = next;
    }
}

uint64_t matching_tunnelled(struct pairing *pairing, struct conversation *conversation)
{
    uint64_t from = 0;
    probation_release(pairing, conversation);
    while (conversation->first != NULL) {
        struct request *request = conversation->first;
        if (request->answered) {
            report_request(pairing, conversation, request, EXCHANGE_COMPLETE, EXCHANGE_REASON_NONE);
            continue;
        }
        from = from == 0 ? request->offset : from;
        report_no_request(pairing, conversation, request);
    }
    return from == 0 ? 0 : conversation->speakers[ROLE_CLIENT].seen_offset - from;
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
    const struct response *response = &conversation->response;
    struct ending ending = ending_of(conversation, end, closer);
    if (response->adrift || (response->open && response->request == NULL)) {
        end_response(pairing, conversation, EXCHANGE_TIME_UNKNOWN);
    }
    probation_release(pairing, conversation);
    while (conversation->first != NULL) {
        struct request *request = conversation->first;
        if (request->response_ended) { /* answered before its body was sent: the answer stands */
            report_request(pairing, conversation, request, EXCHANGE_COMPLETE, EXCHANGE_REASON_NONE);
        } else if (request->answered || is_surely_unanswered(conversation, request)) {
            report_request(pairing, conversation, request, ending.outcome, ending.reason);
        } else {
            report_request_alone(pairing, conversation, request);
        }
    }
}
