#include "http_parser/stream.h"

#include "http_parser/chunked.h"
#include "http_parser/framing.h"
#include "http_parser/start_line.h"

/*
 * Each message goes BETWEEN -> body -> BETWEEN. The framing of a response is chosen with its head,
 * as for an ordinary request, and chosen again when http_stream_answer says otherwise: so nothing
 * has to be remembered from the one call to the other. A body without bytes is a LENGTH body of
 * which nothing remains; its end is the event of the next call, which may bring no bytes.
 */
enum stream_state {
    BETWEEN,
    LENGTH,
    CHUNKED,
    UNTIL_CLOSE,
    SWITCHING, /* a message has ended, and with it HTTP/1.x: two events to come */
    SWITCHED,  /* the second of them is to come */
    TUNNEL,
    INVALID,
    LOST,
};

static void apply_framing(struct http_stream *stream, struct http_framing framing)
{
    stream->ambiguous = framing.ambiguous || (stream->head.flags & HTTP_HEAD_AMBIGUOUS) != 0;
    stream->remaining = framing.length;
    switch (framing.body) {
    case HTTP_BODY_LENGTH:
        stream->state = LENGTH;
        break;
    case HTTP_BODY_CHUNKED:
        stream->state = CHUNKED;
        http_chunked_begin(stream);
        break;
    case HTTP_BODY_UNTIL_CLOSE:
        stream->state = UNTIL_CLOSE;
        break;
    case HTTP_BODY_TUNNEL:
        stream->state = SWITCHING;
        break;
    }
}

void http_stream_init(struct http_stream *stream, enum http_kind kind)
{
    *stream = (struct http_stream){.kind = kind};
}

void http_stream_restart(struct http_stream *stream)
{
    http_stream_init(stream, stream->kind);
}

static enum http_event next_head(struct http_stream *stream, const char *bytes, size_t length,
                                 size_t *consumed_out)
{
    enum http_result result = HTTP_INCOMPLETE;
    if (length == 0)
        return HTTP_EVENT_NONE;
    /* empty lines are used at once, so that no peer can have them kept and searched again */
    const char *end = bytes + length;
    const char *line = http_start_line_skip_empty(bytes, end);
    size_t skipped = (size_t)(line - bytes);
    *consumed_out = skipped;
    if (line == end || (line + 1 == end && *line == '\r'))
        return HTTP_EVENT_NONE;
    if (stream->kind == HTTP_REQUESTS)
        result = http_request_head_parse(line, length - skipped, &stream->scanned, &stream->head);
    else
        result = http_response_head_parse(line, length - skipped, &stream->scanned, &stream->head);
    if (result == HTTP_INCOMPLETE)
        return HTTP_EVENT_NONE;
    if (result == HTTP_INVALID) {
        stream->state = INVALID;
        return HTTP_EVENT_INVALID;
    }
    *consumed_out += stream->head.length;
    stream->body_bytes = 0;
    if (stream->kind == HTTP_REQUESTS)
        apply_framing(stream, http_framing_request(&stream->head));
    else
        apply_framing(stream, http_framing_response(&stream->head, HTTP_REQUEST_ORDINARY));
    return HTTP_EVENT_HEAD;
}

void http_stream_answer(struct http_stream *stream, enum http_request_kind request)
{
    if (stream->kind == HTTP_RESPONSES)
        apply_framing(stream, http_framing_response(&stream->head, request));
}

static enum http_event end_message(struct http_stream *stream)
{
    stream->state = BETWEEN;
    return HTTP_EVENT_END;
}

static enum http_event next_length(struct http_stream *stream, size_t length, size_t *consumed_out)
{
    size_t taken = stream->remaining < length ? (size_t)stream->remaining : length;
    stream->remaining -= taken;
    stream->body_bytes += taken;
    *consumed_out = taken;
    return stream->remaining == 0 ? end_message(stream) : HTTP_EVENT_NONE;
}

static enum http_event next_chunked(struct http_stream *stream, const char *bytes, size_t length,
                                    size_t *consumed_out)
{
    switch (http_chunked_next(stream, bytes, length, consumed_out)) {
    case HTTP_CHUNKED_MORE:
        return HTTP_EVENT_NONE;
    case HTTP_CHUNKED_END:
        return end_message(stream);
    case HTTP_CHUNKED_INVALID:
        break;
    }
    stream->state = INVALID;
    return HTTP_EVENT_INVALID;
}

enum http_event http_stream_next(struct http_stream *stream, const char *bytes, size_t length,
                                 size_t *consumed_out)
{
    *consumed_out = 0;
    switch ((enum stream_state)stream->state) {
    case BETWEEN:
        return next_head(stream, bytes, length, consumed_out);
    case LENGTH:
        return next_length(stream, length, consumed_out);
    case CHUNKED:
        return next_chunked(stream, bytes, length, consumed_out);
    case UNTIL_CLOSE:
        stream->body_bytes += length;
        *consumed_out = length;
        return HTTP_EVENT_NONE;
    case SWITCHING:
        stream->state = SWITCHED;
        return HTTP_EVENT_END;
    case SWITCHED:
        stream->state = TUNNEL;
        return HTTP_EVENT_TUNNEL;
    case TUNNEL:
        *consumed_out = length;
        return HTTP_EVENT_NONE;
    case INVALID:
    case LOST:
        break;
    }
    return HTTP_EVENT_INVALID;
}

enum http_skip http_stream_skip(struct http_stream *stream, uint64_t length)
{
    bool inside = length == 0;
    switch ((enum stream_state)stream->state) {
    case LENGTH:
        inside = length <= stream->remaining;
        if (inside) {
            stream->remaining -= length;
            stream->body_bytes += length;
        }
        break;
    case CHUNKED:
        inside = inside || http_chunked_skip(stream, length);
        break;
    case UNTIL_CLOSE:
        inside = true;
        stream->body_bytes += length;
        break;
    case SWITCHING:
    case SWITCHED:
    case TUNNEL:
        inside = true;
        break;
    case BETWEEN:
    case INVALID:
    case LOST:
        break;
    }
    if (inside)
        return HTTP_SKIP_INSIDE;
    stream->state = LOST;
    return HTTP_SKIP_LOST;
}

uint64_t http_stream_unread(const struct http_stream *stream)
{
    switch ((enum stream_state)stream->state) {
    case LENGTH:
        return stream->remaining;
    case CHUNKED:
        return http_chunked_unread(stream);
    case UNTIL_CLOSE:
    case TUNNEL:
        return UINT64_MAX;
    case BETWEEN:
    case SWITCHING:
    case SWITCHED:
    case INVALID:
    case LOST:
        break;
    }
    return 0;
}

enum http_event http_stream_finish(struct http_stream *stream)
{
    switch ((enum stream_state)stream->state) {
    case BETWEEN:
        return stream->scanned == 0 ? HTTP_EVENT_NONE : HTTP_EVENT_INVALID;
    case LENGTH:
        return stream->remaining == 0 ? end_message(stream) : HTTP_EVENT_INVALID;
    case UNTIL_CLOSE:
        return end_message(stream);
    case SWITCHING:
        stream->state = TUNNEL;
        return HTTP_EVENT_END;
    case SWITCHED:
    case TUNNEL:
        return HTTP_EVENT_NONE;
    case CHUNKED:
    case INVALID:
    case LOST:
        break;
    }
    return HTTP_EVENT_INVALID;
}

bool http_stream_is_between(const struct http_stream *stream)
{
    return stream->state == BETWEEN && stream->scanned == 0;
}
