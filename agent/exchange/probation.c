#include "agent/exchange/probation.h"

#include "agent/exchange/report.h"

/*
 * After a loss of requests, pairs rest on evidence that holds for clients that wait (evidence.c).
 * Nearly all do, but one that pipelines for the first time in just the packet that was lost looks
 * the same for one exchange: only what comes next shows it. So a finished exchange stays in the
 * conversation's list until the client has asked a few times exactly when it had its answer, or
 * has been silent, or the connection has ended. If it gives itself away before, request and
 * response are reported alone. The gauge of active requests does not wait.
 *
 * Conversations that hold something are in one list, the longest silent first.
 */

/* How often a client has to wait before it is believed. */
#define PASSES_NEEDED 3
/* More exchanges than this are not held; the oldest is believed then. */
#define HELD_MAX 32
/* An answer that is still to come for a request nobody saw takes less. */
#define QUIET_NS (INT64_C(2) * 1000000000)

static bool is_listed(const struct pairing *pairing, const struct conversation *conversation)
{
    return conversation->probation.previous != NULL || pairing->probation_first == conversation;
}

static void unlist(struct pairing *pairing, struct conversation *conversation)
{
    struct probation *own = &conversation->probation;
    if (is_listed(pairing, conversation)) {
        *(own->previous == NULL ? &pairing->probation_first : &own->previous->probation.next) =
            own->next;
        *(own->next == NULL ? &pairing->probation_last : &own->next->probation.previous) =
            own->previous;
    }
    own->previous = NULL;
    own->next = NULL;
}

static void list(struct pairing *pairing, struct conversation *conversation, int64_t now_ns)
{
    struct probation *own = &conversation->probation;
    unlist(pairing, conversation);
    own->since_ns = now_ns;
    own->previous = pairing->probation_last;
    *(own->previous == NULL ? &pairing->probation_first : &own->previous->probation.next) =
        conversation;
    pairing->probation_last = conversation;
}

static bool is_finished(const struct request *request)
{
    return request->ended && request->response_ended;
}

void probation_begin(struct conversation *conversation)
{
    conversation->evidence.guessed = true;
    conversation->probation.needed = PASSES_NEEDED;
}

static void report_first(struct pairing *pairing, struct conversation *conversation)
{
    report_request(pairing, conversation, conversation->first, EXCHANGE_COMPLETE,
                   EXCHANGE_REASON_NONE);
    conversation->probation.held--;
}

void probation_finish(struct pairing *pairing, struct conversation *conversation,
                      struct request *request, int64_t now_ns)
{
    struct probation *own = &conversation->probation;
    if (!request->guessed || own->needed == 0) {
        report_request(pairing, conversation, request, EXCHANGE_COMPLETE, EXCHANGE_REASON_NONE);
        return;
    }
    report_request_over(pairing, conversation, request);
    own->held++;
    if (own->held > HELD_MAX && is_finished(conversation->first)) {
        report_first(pairing, conversation);
    }
    list(pairing, conversation, now_ns);
}

void probation_cancel(struct pairing *pairing, struct conversation *conversation)
{
    conversation->probation.held = 0;
    unlist(pairing, conversation);
}

void probation_release(struct pairing *pairing, struct conversation *conversation)
{
    while (conversation->probation.held > 0 && is_finished(conversation->first)) {
        report_first(pairing, conversation);
    }
    probation_cancel(pairing, conversation);
}

void probation_pass(struct pairing *pairing, struct conversation *conversation)
{
    struct probation *own = &conversation->probation;
    if (own->needed > 0 && --own->needed == 0) {
        probation_release(pairing, conversation);
    }
}

void probation_expire(struct pairing *pairing, int64_t now_ns)
{
    struct conversation *conversation = pairing->probation_first;
    while (conversation != NULL && now_ns - conversation->probation.since_ns >= QUIET_NS) {
        struct conversation *next = conversation->probation.next;
        probation_release(pairing, conversation);
        conversation = next;
    }
}
