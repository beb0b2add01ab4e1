#pragma once

#include "http_parser/stream.h"
#include "tests/unit/http_parser/guarded.h"

/*
 * What a stream makes of some bytes, as one line of text to compare:
 *   "GET /a 1.1; end 0; POST /b 1.0; end 12 ambiguous; invalid"
 *   "200 1.1 OK; end 5; tunnel"
 * The text does not depend on how the bytes were cut, which is what most tests check with it.
 */
struct trace {
    struct http_stream stream;
    struct guarded *memory; /* the test's; where the stream is shown the bytes */
    const char *answers;    /* the requests' kinds in order: '.', 'H'EAD or 'C'ONNECT; then '.' */
    const char *bytes;      /* all there will ever be */
    size_t given;           /* bytes the stream may see by now */
    size_t used;            /* of them consumed */
    bool is_invalid;
    size_t text_length;
    char text[4096];
};

void trace_init(struct trace *trace, struct guarded *memory, enum http_kind kind,
                const char *answers, const char *bytes);

/* Lets the stream see `length` more bytes and writes down its events up to HTTP_EVENT_NONE (or
 * HTTP_EVENT_INVALID, behind which nothing is written any more). */
void trace_give(struct trace *trace, size_t length);

/* The next `length` bytes are lost. Writes "; inside" or "; lost". */
void trace_lose(struct trace *trace, size_t length);

/* The connection ends. Writes "; closed" with the event, if there was one. */
void trace_close(struct trace *trace);
