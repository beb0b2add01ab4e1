#pragma once

#include "http_parser/head.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One direction of an HTTP/1.x connection: bytes in, message boundaries out (RFC 9112 section 6).
 * The stream holds no bytes: a head that is not complete yet is not consumed and must be passed
 * again with what follows it. Bodies are counted and forgotten. The caller may say that bytes were
 * lost (http_stream_skip); a stream that cannot tell where it is afterwards says so and can be
 * started anew at a message start.
 *
 * One thread at a time; all fields are read-only for the caller.
 */
enum http_kind {
    HTTP_REQUESTS,
    HTTP_RESPONSES
};

/* What a response's framing depends on (RFC 9112 section 6.3). */
enum http_request_kind {
    HTTP_REQUEST_ORDINARY,
    HTTP_REQUEST_HEAD,
    HTTP_REQUEST_CONNECT
};

enum http_event {
    HTTP_EVENT_NONE,   /* everything consumable was consumed; the rest needs more bytes behind it */
    HTTP_EVENT_HEAD,   /* stream->head is filled, its slices point into the bytes just passed */
    HTTP_EVENT_END,    /* the message ended with the last consumed byte */
    HTTP_EVENT_TUNNEL, /* no longer HTTP/1.x: CONNECT's tunnel or an upgraded protocol. Comes once,
                        * after the END of the response that opened it; then bytes are consumed
                        * unread. Only a response opens a tunnel: a stream of requests goes on after
                        * a CONNECT head, and whoever sees the answer stops feeding it. */
    HTTP_EVENT_INVALID, /* not HTTP/1.x; stays so until http_stream_restart */
};

enum http_skip {
    HTTP_SKIP_INSIDE, /* the lost bytes were all of one body (or tunnel): still in step */
    HTTP_SKIP_LOST,   /* out of step: http_stream_restart at the next message start */
};

struct http_stream {
    struct http_head head;
    uint64_t body_bytes; /* of the current message: content, without chunk framing */
    uint64_t remaining;  /* of the body or the current chunk */
    size_t scanned;      /* of the incomplete head; not 0: the beginning of one was seen */
    enum http_kind kind;
    uint8_t state;       /* private to stream.c */
    uint8_t chunk_state; /* private to chunked.c */
    bool ambiguous;      /* framing of the current message allows two readings */
};

void http_stream_init(struct http_stream *stream, enum http_kind kind);

/* Starts over at a message start: after HTTP_EVENT_INVALID or HTTP_SKIP_LOST. */
void http_stream_restart(struct http_stream *stream);

/*
 * The next event in `bytes`; `consumed_out` says how many of them it used. Call again with the rest
 * until HTTP_EVENT_NONE; then keep what was not consumed (the beginning of a head) and pass it
 * again in front of what follows. May be called with no bytes, and a message whose end needs no
 * bytes ends in such a call. After HTTP_EVENT_END the next call starts the next message. Empty
 * lines before a head are consumed: the head itself is the last head.length of the bytes consumed.
 */
enum http_event http_stream_next(struct http_stream *stream, const char *bytes, size_t length,
                                 size_t *consumed_out);

/* Tells which request the response answers whose head HTTP_EVENT_HEAD just returned. To be called
 * for every response before http_stream_next is called again; without it: an ordinary request. */
void http_stream_answer(struct http_stream *stream, enum http_request_kind request);

/* `length` bytes are missing here. After HTTP_SKIP_INSIDE call http_stream_next, with no bytes if
 * there are none: the loss may have reached the end of the message. body_bytes counts lost bytes
 * of a body too, as their number is known. */
enum http_skip http_stream_skip(struct http_stream *stream, uint64_t length);

/* How many of the next bytes the stream will count without a look at them: the rest of a body of
 * known length or of a chunk, UINT64_MAX where there is no end to it. */
uint64_t http_stream_unread(const struct http_stream *stream);

/* The connection's direction ended. HTTP_EVENT_END: the end completed a close-delimited message;
 * HTTP_EVENT_NONE: between messages or in a tunnel; HTTP_EVENT_INVALID: inside a message. */
enum http_event http_stream_finish(struct http_stream *stream);

/* No message has begun, not one byte of a head was seen: the next byte is the first of a head (or
 * of an empty line before it). */
bool http_stream_is_between(const struct http_stream *stream);
