#pragma once

#include "http_parser/stream.h"

/*
 * The chunked transfer coding (RFC 9112 section 7.1), decoded as far as counting needs it: any
 * number of bytes at a time, none of which is kept. Works on the stream's `remaining` (while a size
 * is read: the size so far), `chunk_state`, `body_bytes` and `ambiguous`.
 */
enum http_chunked_result {
    HTTP_CHUNKED_MORE,
    HTTP_CHUNKED_END,
    HTTP_CHUNKED_INVALID
};

void http_chunked_begin(struct http_stream *stream);

/* Uses bytes up to the end of the trailer section; `*consumed_out` says how many. */
enum http_chunked_result http_chunked_next(struct http_stream *stream, const char *bytes,
                                           size_t length, size_t *consumed_out);

/* How many bytes are left of the chunk's data that is being passed over. */
uint64_t http_chunked_unread(const struct http_stream *stream);

/* `length` bytes are missing. False, and nothing changed: not all were of one chunk's data. */
bool http_chunked_skip(struct http_stream *stream, uint64_t length);
