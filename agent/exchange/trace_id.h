#pragma once

#include "http_parser/head.h"

#include <stddef.h>

/* 128 bits in hexadecimal. */
#define TRACE_ID_LENGTH 32

/* The trace id that the fields carry: traceparent (W3C Trace Context), b3, X-B3-TraceId,
 * uber-trace-id, in this order. Writes lower-case hex digits and returns how many: 32, or 16 for a
 * 64-bit id, or 0 when there is none or it is malformed or zero. */
size_t trace_id_find(const struct http_head *head, char id_out[static TRACE_ID_LENGTH]);
