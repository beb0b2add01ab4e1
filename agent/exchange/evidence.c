#include "agent/exchange/evidence.h"

/*
 * A client that waits for its answers asks again when it has received everything that the server
 * had sent; it may send several requests then, a burst. From the acknowledgments in the segments
 * that begin messages follows:
 * - The answer to a burst's first request begins exactly at the offset that this acknowledged, and
 *   its first segment acknowledges the request's head.
 * - Where bytes are missing in front of a request, the server has answered what was in them, and so
 *   it has sent something since the latest answer that is known. A "request" without that lies in
 *   the body of one whose head was lost, or in a burst whose beginning was.
 * - Where bytes are missing in front of a response, they began with the answer to somebody, so only
 *   the end of a known response or the acknowledgment of a known request are places to start at.
 * `asked` and `answered` are how far the two streams are accounted for in this way.
 *
 * A client that does not wait gives itself away by asking when it has some of its answers, or while
 * some are under way to it. A client that sends bursts is believed to wait for the whole of them
 * once it was seen to, with nothing lost.
 */

/* Old clients send an empty line behind a body (RFC 9112 section 2.2). */
#define EMPTY_LINE_LENGTH 2
/* "HTTP/1.1 200 \r\nContent-Length:1\r\n\r\n": no final head that announces a body is shorter. */
#define ANNOUNCING_HEAD_MIN 35
/* Sent to a client that asks nothing (RFC 9110 section 15.5.9): says nothing about the client. */
#define STATUS_REQUEST_TIMEOUT 408
/* How many answers behind the first a client has to have waited for, in all its bursts. */
#define PATIENCE_NEEDED 6

bool evidence_may_ask(const struct conversation *conversation, uint64_t offset,
                      uint64_t peer_offset)
{
    const struct evidence *evidence = &conversation->evidence;
    const struct request *last = conversation->last;
    if (offset <= evidence->asked) {
        return peer_offset >= evidence->answered;
    }
    /* Where the rest of an answer is missing, and nothing that came behind it was captured, the
     * missing bytes may hold the beginning of a burst that followed it; unless they all belong to
     * the last request's body. */
    const struct speaker *server = &conversation->speakers[ROLE_SERVER];
    bool owed = last != NULL && !last->response_ended && last->end != 0;
    bool answer_seen = !server->lost || server->heard || !owed;
    return !evidence->bursts && answer_seen && peer_offset > evidence->answered;
}

bool evidence_may_answer(const struct conversation *conversation, uint64_t offset,
                         uint64_t peer_offset)
{
    const struct evidence *evidence = &conversation->evidence;
    if (peer_offset <= conversation->response.peer_offset) {
        return false;
    }
    const struct message_start start = {.offset = offset, .peer_offset = peer_offset};
    const struct request *oldest = evidence_oldest_unanswered(conversation);
    return evidence->answered == 0 || offset == evidence->answered ||
           (oldest != NULL && evidence_answers(conversation, oldest, &start));
}

struct request *evidence_oldest_unanswered(const struct conversation *conversation)
{
    struct request *request = conversation->first;
    while (request != NULL && (request->answered || request->alone)) {
        request = request->next;
    }
    return request;
}

bool evidence_is_in_order(const struct conversation *conversation, const struct request *request)
{
    /* behind the first of a burst, which was paired, the order holds again */
    return !conversation->evidence.responses_missing && (!request->guessed || !request->leads);
}

bool evidence_answers(const struct conversation *conversation, const struct request *request,
                      const struct message_start *start)
{
    const struct evidence *evidence = &conversation->evidence;
    if (evidence_is_in_order(conversation, request)) {
        /* nobody answers what has not arrived */
        return start->peer_offset == 0 || start->peer_offset > request->offset;
    }
    /* what was lost in front of the answer can only have been interim responses, unless there are
     * more requests, of which one was answered without a body */
    uint64_t lost = start->offset - request->answer_offset;
    bool interim = evidence->responses_missing && !evidence->bursts && lost < ANNOUNCING_HEAD_MIN;
    bool fits = start->offset >= request->answer_offset && (lost == 0 || interim);
    return evidence_trusts(evidence) && request->leads && fits &&
           request->head_end <= start->peer_offset;
}

bool evidence_trusts(const struct evidence *evidence)
{
    return !evidence->overlaps && (!evidence->bursts || evidence->patience >= PATIENCE_NEEDED);
}

static void advance(uint64_t *offset, uint64_t to)
{
    *offset = to > *offset ? to : *offset;
}

/* ---- habits ---- */

/* The client has received something since its latest request: has it received everything? */
static void judge_leader(struct conversation *conversation, const struct message_start *start)
{
    struct evidence *evidence = &conversation->evidence;
    const struct request *last = conversation->last;
    bool waiting = last != NULL && !last->response_ended;
    bool answers_lost = evidence->responses_missing && waiting && !last->answered;
    /* seen, as a gap may be told of in one piece, up to the latest request that acknowledged it */
    bool under_way = start->peer_offset < conversation->speakers[ROLE_SERVER].seen_offset;
    if (under_way || (waiting && !answers_lost)) {
        evidence->overlaps = true;
    } else if (evidence->burst_size > 1 && !evidence->guessed && !evidence->responses_missing) {
        evidence->patience += evidence->burst_size - 1;
    }
}

void evidence_judge_request(struct conversation *conversation, const struct message_start *start)
{
    struct evidence *evidence = &conversation->evidence;
    if (start->peer_offset == evidence->burst_ack) {
        evidence->bursts = true;
        evidence->burst_size++;
    } else {
        judge_leader(conversation, start);
        evidence->burst_ack = start->peer_offset;
        evidence->burst_size = 1;
        evidence->broken = false;
    }
    advance(&evidence->asked, start->offset);
    advance(&evidence->answered, start->peer_offset);
}

void evidence_judge_response(struct conversation *conversation, const struct message_start *start)
{
    struct evidence *evidence = &conversation->evidence;
    const struct response *response = &conversation->response;
    const struct request *oldest = evidence_oldest_unanswered(conversation);
    if (response->status != STATUS_REQUEST_TIMEOUT) {
        bool nothing_new =
            response->peer_offset != 0 && start->peer_offset <= response->peer_offset;
        bool more_came = oldest != NULL && oldest->next == NULL && oldest->end != 0 &&
                         start->offset == oldest->answer_offset &&
                         start->peer_offset > oldest->end + EMPTY_LINE_LENGTH;
        bool for_another =
            evidence->guessed && oldest != NULL && start->peer_offset <= oldest->offset;
        /* all that was asked since the client had everything is answered, and yet one more comes */
        bool one_too_many = evidence->guessed && !evidence->broken && oldest == NULL && nothing_new;
        evidence->bursts = evidence->bursts || nothing_new || more_came;
        evidence->overlaps = evidence->overlaps || for_another || one_too_many;
    }
    advance(&evidence->answered, start->offset);
}

/* ---- how far the streams are accounted for ---- */

void evidence_note_content(struct evidence *evidence, uint64_t offset, uint64_t length)
{
    if (offset <= evidence->asked) {
        advance(&evidence->asked, offset + length);
    }
}

void evidence_note_response(struct evidence *evidence, const struct request *request,
                            const struct message_start *start)
{
    bool sized = request != NULL && request->end != 0;
    advance(&evidence->asked, sized ? request->end : start->peer_offset);
}

void evidence_note_interim(struct evidence *evidence, const struct message_start *start)
{
    if (evidence->answered == start->offset) {
        evidence->answered = start->head_end;
    }
}

void evidence_note_response_end(struct evidence *evidence, uint64_t offset)
{
    advance(&evidence->answered, offset);
}
