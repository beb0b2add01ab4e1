#include "agent/exchange/http1.h"

#include "agent/exchange/matching.h"
#include "agent/exchange/recognise.h"
#include "agent/exchange/trace_context.h"

#include <string.h>
#include <strings.h>

/*
 * Each direction has a parser that is in step with its bytes, or lost. A lost parser is started
 * again only at the front of a segment that reads as a message start and where TCP's evidence
 * allows one (evidence.c): otherwise the bytes are as likely a body that quotes HTTP. What a lost
 * parser passes over is counted as missed.
 */

#define STATUS_SWITCHING_PROTOCOLS 101
#define STATUS_FINAL 200 /* below: interim responses (RFC 9110 section 15.2) */

void http1_begin(struct conversation *conversation, bool in_step)
{
    http_stream_init(&conversation->speakers[ROLE_CLIENT].parser, HTTP_REQUESTS);
    http_stream_init(&conversation->speakers[ROLE_SERVER].parser, HTTP_RESPONSES);
    conversation->speakers[ROLE_CLIENT].lost = !in_step;
    conversation->speakers[ROLE_SERVER].lost = !in_step;
    conversation->speakers[ROLE_SERVER].heard = !in_step;
    if (!in_step) {
        matching_begin_midway(conversation);
    }
}

/* ---- heads ---- */

static struct slice slice_from(struct http_slice slice)
{
    return (struct slice){slice.data, slice.length};
}

/* The authority of an absolute-form target without its userinfo, or of CONNECT; else Host. */
static struct slice host_of(const struct http_head *head)
{
    static const char marker[] = "://";
    struct slice target = slice_from(head->target);
    if (target.length > 0 && target.data[0] != '/' && target.data[0] != '*') {
        const char *start = memmem(target.data, target.length, marker, sizeof(marker) - 1);
        start = start == NULL ? target.data : start + sizeof(marker) - 1;
        size_t left = target.length - (size_t)(start - target.data);
        size_t length = 0;
        while (length < left && memchr("/?#", start[length], 3) == NULL) {
            length++;
        }
        const char *at = memrchr(start, '@', length);
        size_t userinfo = at == NULL ? 0 : (size_t)(at + 1 - start);
        return (struct slice){start + userinfo, length - userinfo};
    }
    return slice_from(head->field[HTTP_FIELD_HOST]);
}

static enum http_request_kind kind_of(struct http_slice method)
{
    if (method.length == 4 && memcmp(method.data, "HEAD", 4) == 0) {
        return HTTP_REQUEST_HEAD;
    }
    bool connect = method.length == 7 && memcmp(method.data, "CONNECT", 7) == 0;
    return connect ? HTTP_REQUEST_CONNECT : HTTP_REQUEST_ORDINARY;
}

static void request_head(struct pairing *pairing, struct conversation *conversation,
                         const struct message_start *start)
{
    struct speaker *client = &conversation->speakers[ROLE_CLIENT];
    const struct http_head *head = &client->parser.head;
    struct trace_context trace;
    trace_context_find(head, &trace);
    struct exchange exchange = {
        .start_ns = start->time_ns,
        .request_end_ns = EXCHANGE_TIME_UNKNOWN,
        .response_start_ns = EXCHANGE_TIME_UNKNOWN,
        .response_end_ns = EXCHANGE_TIME_UNKNOWN,
        .request_body_bytes = EXCHANGE_SIZE_UNKNOWN,
        .response_body_bytes = EXCHANGE_SIZE_UNKNOWN,
        .method = slice_from(head->method),
        .target = slice_from(head->target),
        .host = host_of(head),
        .user_agent = slice_from(head->field[HTTP_FIELD_USER_AGENT]),
        .trace_id = {trace.trace_id_length > 0 ? trace.trace_id : NULL, trace.trace_id_length},
        .parent_span_id = trace.parent_span_id,
        .sampling = trace.sampling,
        .minor_version = head->minor_version,
        .ambiguous = client->parser.ambiguous,
    };
    matching_request_began(pairing, conversation, &exchange, start, kind_of(head->method));
}

static void response_head(struct pairing *pairing, struct conversation *conversation,
                          const struct message_start *start)
{
    struct speaker *server = &conversation->speakers[ROLE_SERVER];
    struct response *response = &conversation->response;
    uint16_t status = server->parser.head.status;
    conversation->interim = status < STATUS_FINAL && status != STATUS_SWITCHING_PROTOCOLS;
    if (conversation->interim) {
        matching_interim(conversation, start, status);
        return;
    }
    response->status = status;
    response->minor_version = server->parser.head.minor_version;
    response->ambiguous = server->parser.ambiguous;
    const struct request *request = matching_response_began(pairing, conversation, start);
    if (request != NULL) {
        http_stream_answer(&server->parser, request->kind);
    }
}

static void message_ended(struct pairing *pairing, struct conversation *conversation,
                          enum conversation_role role, uint64_t offset, int64_t time_ns)
{
    const struct http_stream *parser = &conversation->speakers[role].parser;
    const struct message_end end = {.offset = offset,
                                    .time_ns = time_ns,
                                    .body_bytes = parser->body_bytes,
                                    .ambiguous = parser->ambiguous};
    if (role == ROLE_CLIENT) {
        matching_request_ended(pairing, conversation, &end);
    } else if (conversation->interim) {
        conversation->interim = false;
    } else {
        matching_response_ended(pairing, conversation, &end);
    }
}

/* ---- losing the way ---- */

static void count_missed(struct pairing *pairing, struct conversation *conversation, uint64_t bytes)
{
    conversation_event(pairing, conversation, CONNECTION_MISSED, bytes);
}

static void lose(struct pairing *pairing, struct conversation *conversation,
                 enum conversation_role role, enum exchange_reason reason)
{
    struct speaker *speaker = &conversation->speakers[role];
    if (speaker->lost) {
        return;
    }
    speaker->lost = true;
    speaker->heard = false;
    if (role == ROLE_CLIENT) {
        matching_requests_lost(pairing, conversation, reason);
    } else {
        matching_responses_lost(pairing, conversation, reason);
    }
}

static void drop_partial(struct pairing *pairing, struct conversation *conversation,
                         enum conversation_role role)
{
    struct speaker *speaker = &conversation->speakers[role];
    if (speaker->partial != NULL) {
        count_missed(pairing, conversation, speaker->partial->length);
        partial_drop(&pairing->partials, &speaker->partial);
    }
}

/* Whether the bytes are requests to their end: hardly the part of a body that quotes some. */
static bool is_whole_requests(const struct stream_data *data)
{
    struct http_stream trial;
    size_t at = 0;
    size_t used = 0;
    enum http_event event = HTTP_EVENT_HEAD;
    http_stream_init(&trial, HTTP_REQUESTS);
    while (event == HTTP_EVENT_HEAD || event == HTTP_EVENT_END) {
        event = http_stream_next(&trial, data->bytes + at, data->length - at, &used);
        at += used;
    }
    return event == HTTP_EVENT_NONE && at == data->length;
}

/* Starts a lost parser again where a message starts. */
static bool find_way(struct pairing *pairing, struct conversation *conversation,
                     enum conversation_role role, const struct stream_data *data)
{
    struct speaker *speaker = &conversation->speakers[role];
    struct evidence *evidence = &conversation->evidence;
    enum http_sniff found = recognise_start(data);
    bool fits = false;
    if (role == ROLE_SERVER) {
        fits = found == HTTP_SNIFF_RESPONSE &&
               evidence_may_answer(conversation, data->offset, data->peer_offset);
    } else if (found == HTTP_SNIFF_REQUEST) {
        fits = evidence_may_ask(conversation, data->offset, data->peer_offset);
        bool again = data->peer_offset <= evidence->answered;
        if (!fits && again && is_whole_requests(data)) {
            matching_burst(pairing, conversation);
        }
    } else {
        evidence_note_content(evidence, data->offset, data->length);
    }
    if (fits) {
        speaker->lost = false;
        http_stream_restart(&speaker->parser);
    }
    return fits;
}

/* ---- bytes ---- */

/* Contiguous bytes of one role: what is left of a partial head, and the segment behind it. */
struct run {
    const char *bytes;
    size_t length;
    size_t old; /* how many of them come from the partial head */
    const struct partial *partial;
    const struct stream_data *data;
};

static struct message_start start_at(const struct run *run, size_t at, size_t head_length)
{
    struct message_start start;
    if (at < run->old) {
        start = (struct message_start){.offset = run->partial->offset + at,
                                       .peer_offset = run->partial->peer_offset,
                                       .time_ns = run->partial->time_ns};
    } else {
        start = (struct message_start){.offset = run->data->offset + (at - run->old),
                                       .peer_offset = run->data->peer_offset,
                                       .time_ns = run->data->time_ns};
    }
    start.head_end = start.offset + head_length;
    return start;
}

/* What is spoken after a 101 (the first token of its Upgrade field) or in CONNECT's tunnel. */
static const char *tunnel_name(const struct http_head *head)
{
    static const char websocket[] = "websocket";
    static const char h2c[] = "h2c";
    if (head->status != STATUS_SWITCHING_PROTOCOLS) {
        return "connect";
    }
    struct http_slice upgrade = head->field[HTTP_FIELD_UPGRADE];
    if (upgrade.length >= sizeof(websocket) - 1 &&
        strncasecmp(upgrade.data, websocket, sizeof(websocket) - 1) == 0) {
        return websocket;
    }
    bool http2 = upgrade.length == sizeof(h2c) - 1 && memcmp(upgrade.data, h2c, 3) == 0;
    return http2 ? "http2" : "upgrade";
}

/* Reads as far as it can. Returns how many bytes were used; a tunnel ends the reading. */
static size_t read_run(struct pairing *pairing, struct conversation *conversation,
                       enum conversation_role role, const struct run *run, const char **tunnel_out)
{
    struct speaker *speaker = &conversation->speakers[role];
    size_t at = 0;
    for (;;) {
        size_t used = 0;
        enum http_event event =
            http_stream_next(&speaker->parser, run->bytes + at, run->length - at, &used);
        at += used;
        switch (event) {
        case HTTP_EVENT_NONE:
            return at;
        case HTTP_EVENT_HEAD: {
            size_t head_length = speaker->parser.head.length;
            struct message_start start = start_at(run, at - head_length, head_length);
            if (role == ROLE_CLIENT) {
                request_head(pairing, conversation, &start);
            } else {
                response_head(pairing, conversation, &start);
            }
            break;
        }
        case HTTP_EVENT_END:
            message_ended(pairing, conversation, role, start_at(run, at, 0).offset,
                          run->data->time_ns);
            break;
        case HTTP_EVENT_TUNNEL:
            *tunnel_out = tunnel_name(&speaker->parser.head);
            return at;
        case HTTP_EVENT_INVALID:
            if (role == ROLE_SERVER) {
                matching_response_unparsable(pairing, conversation);
            }
            lose(pairing, conversation, role, EXCHANGE_REASON_GAP);
            count_missed(pairing, conversation, run->length - at);
            return run->length;
        }
    }
}

/* Keeps the beginning of a head for the segment that brings the rest. */
static void keep_rest(struct pairing *pairing, struct conversation *conversation,
                      enum conversation_role role, const struct run *run, size_t used)
{
    struct speaker *speaker = &conversation->speakers[role];
    size_t rest = run->length - used;
    if (rest == 0) {
        return;
    }
    struct message_start start = start_at(run, used, 0);
    size_t kept = partial_append(&pairing->partials, &speaker->partial, run->bytes + used, rest);
    if (kept < rest) {
        partial_drop(&pairing->partials, &speaker->partial);
        count_missed(pairing, conversation, rest);
        lose(pairing, conversation, role, EXCHANGE_REASON_EVICTED);
        return;
    }
    speaker->partial->offset = start.offset;
    speaker->partial->peer_offset = start.peer_offset;
    speaker->partial->time_ns = start.time_ns;
}

/* What the client sent before it knew that the connection was a tunnel belongs to that. */
static uint64_t leave_http1(struct pairing *pairing, struct conversation *conversation)
{
    uint64_t bytes = matching_tunnelled(pairing, conversation);
    if (bytes > 0) { /* with the beginning of what is no head */
        partial_drop(&pairing->partials, &conversation->speakers[ROLE_CLIENT].partial);
    }
    return bytes;
}

/* Reads the beginning of a head with the bytes behind it. Returns how many of these were used. */
static size_t read_behind_partial(struct pairing *pairing, struct conversation *conversation,
                                  enum conversation_role role, const struct stream_data *data,
                                  const char **tunnel_out)
{
    struct speaker *speaker = &conversation->speakers[role];
    size_t old = speaker->partial->length;
    size_t added = partial_append(&pairing->partials, &speaker->partial, data->bytes, data->length);
    struct run run = {.bytes = speaker->partial->bytes,
                      .length = speaker->partial->length,
                      .old = old,
                      .partial = speaker->partial,
                      .data = data};
    size_t used = added == 0 ? 0 : read_run(pairing, conversation, role, &run, tunnel_out);
    if (used > 0) { /* the head at least, and so all that was old */
        partial_drop(&pairing->partials, &speaker->partial);
        return used - old;
    }
    if (added < data->length) {
        drop_partial(pairing, conversation, role);
        lose(pairing, conversation, role, EXCHANGE_REASON_EVICTED);
    }
    return added;
}

static const char *read_data(struct pairing *pairing, struct conversation *conversation,
                             enum conversation_role role, const struct stream_data *data,
                             uint64_t *foreign_bytes_out)
{
    struct speaker *speaker = &conversation->speakers[role];
    const char *tunnel = NULL;
    size_t at = 0;
    if (speaker->partial != NULL) {
        at = read_behind_partial(pairing, conversation, role, data, &tunnel);
    }
    if (tunnel == NULL && !speaker->lost && at < data->length) {
        struct stream_data rest = *data;
        rest.bytes += at;
        rest.offset += at;
        rest.length -= (uint32_t)at;
        struct run run = {.bytes = rest.bytes, .length = rest.length, .data = &rest};
        size_t used = read_run(pairing, conversation, role, &run, &tunnel);
        at += used;
        if (tunnel == NULL) {
            keep_rest(pairing, conversation, role, &run, used);
            return NULL;
        }
    }
    if (tunnel != NULL) {
        *foreign_bytes_out = data->length - at + leave_http1(pairing, conversation);
    } else if (speaker->lost) {
        count_missed(pairing, conversation, data->length - at);
    }
    return tunnel;
}

const char *http1_data(struct pairing *pairing, struct conversation *conversation,
                       enum conversation_role role, const struct stream_data *data,
                       uint64_t *foreign_bytes_out)
{
    struct speaker *speaker = &conversation->speakers[role];
    const char *tunnel = NULL;
    if (speaker->lost && !find_way(pairing, conversation, role, data)) {
        count_missed(pairing, conversation, data->length);
        speaker->heard = true;
    } else {
        tunnel = read_data(pairing, conversation, role, data, foreign_bytes_out);
    }
    speaker->last_ns = data->time_ns;
    speaker->seen_offset = data->offset + data->length;
    speaker->next_offset = speaker->seen_offset;
    return tunnel;
}

void http1_gap(struct pairing *pairing, struct conversation *conversation,
               enum conversation_role role, uint64_t length, int64_t time_ns)
{
    struct speaker *speaker = &conversation->speakers[role];
    bool cut_short = time_ns != TCP_TIME_UNKNOWN;
    bool inside = !speaker->lost && speaker->partial == NULL &&
                  http_stream_skip(&speaker->parser, length) == HTTP_SKIP_INSIDE;
    speaker->next_offset += length;
    if (cut_short) {
        speaker->last_ns = time_ns;
        speaker->seen_offset = speaker->next_offset;
    }
    if (!inside || !cut_short) { /* else nothing but content is not there, and its size is known */
        count_missed(pairing, conversation, length);
    }
    if (!inside) {
        drop_partial(pairing, conversation, role);
        lose(pairing, conversation, role, EXCHANGE_REASON_GAP);
        return;
    }
    size_t used = 0;
    if (http_stream_next(&speaker->parser, "", 0, &used) == HTTP_EVENT_END) {
        message_ended(pairing, conversation, role, speaker->next_offset,
                      cut_short ? time_ns : EXCHANGE_TIME_UNKNOWN);
    }
}

void http1_finish(struct pairing *pairing, struct conversation *conversation,
                  enum conversation_role role)
{
    struct speaker *speaker = &conversation->speakers[role];
    bool in_step = !speaker->lost && speaker->partial == NULL;
    if (in_step && http_stream_finish(&speaker->parser) == HTTP_EVENT_END) {
        message_ended(pairing, conversation, role, speaker->next_offset, speaker->last_ns);
    }
    drop_partial(pairing, conversation, role);
    if (role == ROLE_SERVER) {
        matching_server_finished(pairing, conversation);
    }
}

void http1_drop(struct pairing *pairing, struct conversation *conversation)
{
    drop_partial(pairing, conversation, ROLE_CLIENT);
    drop_partial(pairing, conversation, ROLE_SERVER);
}
