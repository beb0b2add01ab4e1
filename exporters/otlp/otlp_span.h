#pragma once

#include "exporters/exchange_record.h"
#include "exporters/otlp/otlp_random.h"
#include "exporters/otlp/otlp_wire.h"

/*
 * An exchange as a span: SERVER where the pod behind the interface was asked, CLIENT where it
 * asked. Attributes are those of the HTTP semantic conventions; the phases are events. The ids come
 * from the request's trace context; without one the trace id is random. For one thread.
 */
struct otlp_span {
    struct byte_writer scratch;
    struct otlp_random *random;
    bool query; /* url.query and the query of url.full as well */
};

void otlp_span_init(struct otlp_span *span, struct otlp_random *random, bool query);
void otlp_span_fini(struct otlp_span *span);

/* Whether it makes a span: seen from both ends of its request, at a known time. */
bool otlp_span_exists(const struct exchange_record *record);

/* Whether it failed, as error.type and the status of its span say. */
bool otlp_span_failed(const struct exchange_record *record);

/* Appends the Span message; `out` fails when there is no memory. */
void otlp_span_append(struct otlp_span *span, const struct exchange_record *record,
                      struct byte_writer *out);

/* The pod that the span is about: its side's address, as the record has it. */
struct text otlp_span_own_end(const struct exchange_record *record);
bool otlp_span_is_server(const struct exchange_record *record);
