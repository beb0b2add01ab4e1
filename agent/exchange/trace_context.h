#pragma once

#include "agent/exchange/exchange.h"
#include "http_parser/head.h"

#include <stddef.h>
#include <stdint.h>

/* 128 bits in hexadecimal. */
#define TRACE_ID_LENGTH 32

/* What a request says about the trace that it belongs to. */
struct trace_context {
    char trace_id[TRACE_ID_LENGTH]; /* lower-case hex digits */
    size_t trace_id_length;         /* 32, or 16 for a 64-bit id, or 0: none */
    uint64_t parent_span_id;        /* 0: none */
    enum exchange_sampling sampling;
};

/*
 * Reads the first of these that is well-formed: traceparent (W3C Trace Context), b3, X-B3-TraceId
 * with X-B3-SpanId and X-B3-Sampled (Zipkin's B3), uber-trace-id (Jaeger). An id of zeros is
 * malformed. Everything is 0 where there is none.
 */
void trace_context_find(const struct http_head *head, struct trace_context *context_out);
