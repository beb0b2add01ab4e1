#pragma once

#include "exporters/byte_writer.h"
#include "exporters/proto/opentelemetry/proto/metrics/v1/metrics.pb-c.h"
#include "exporters/proto/opentelemetry/proto/trace/v1/trace.pb-c.h"

#include <stdbool.h>

/* The generated names, short enough to be read. */
typedef Opentelemetry__Proto__Common__V1__AnyValue otlp_any_value;
typedef Opentelemetry__Proto__Common__V1__KeyValue otlp_key_value;
typedef Opentelemetry__Proto__Common__V1__InstrumentationScope otlp_scope;
typedef Opentelemetry__Proto__Resource__V1__Resource otlp_resource_message;
typedef Opentelemetry__Proto__Metrics__V1__Metric otlp_metric;
typedef Opentelemetry__Proto__Metrics__V1__NumberDataPoint otlp_number_point;
typedef Opentelemetry__Proto__Metrics__V1__HistogramDataPoint otlp_histogram_point;
typedef Opentelemetry__Proto__Metrics__V1__ExponentialHistogramDataPoint otlp_exponential_point;
typedef Opentelemetry__Proto__Metrics__V1__ExponentialHistogramDataPoint__Buckets otlp_buckets;
typedef Opentelemetry__Proto__Metrics__V1__Exemplar otlp_exemplar;
typedef Opentelemetry__Proto__Trace__V1__Span otlp_span_message;
typedef Opentelemetry__Proto__Trace__V1__Span__Event otlp_span_event;
typedef Opentelemetry__Proto__Trace__V1__Status otlp_status;

/* Attributes of one message; spans have the most. */
#define OTLP_ATTRIBUTES_MAX 32

/* A byte of a string is replaced by U+FFFD at worst: three bytes. */
#define OTLP_STRING_GROWTH 3

/*
 * The attributes of one message and the strings that they point to. All strings lie in memory that
 * is reserved before the first is written, so none of them moves.
 */
struct otlp_attributes {
    struct byte_writer strings;
    otlp_key_value pairs[OTLP_ATTRIBUTES_MAX];
    otlp_any_value values[OTLP_ATTRIBUTES_MAX];
    otlp_key_value *list[OTLP_ATTRIBUTES_MAX];
    size_t count;
};

void otlp_attributes_init(struct otlp_attributes *attributes);
void otlp_attributes_fini(struct otlp_attributes *attributes);

/* Forgets all of them and makes room for strings of `bytes` bytes altogether. False: no memory. */
bool otlp_attributes_begin(struct otlp_attributes *attributes, size_t bytes);

/* A copy of the text as a C string of valid UTF-8. */
char *otlp_attributes_string(struct otlp_attributes *attributes, struct text text);

/* `key` outlives the message. An empty text is left out. */
void otlp_attributes_text(struct otlp_attributes *attributes, const char *key, struct text value);
void otlp_attributes_number(struct otlp_attributes *attributes, const char *key, int64_t value);
void otlp_attributes_flag(struct otlp_attributes *attributes, const char *key);

/* A field of type message, string or bytes, in front of whose bytes its number and length stand. */
void otlp_field_begin(struct byte_writer *out, unsigned field, size_t length);

/* How many bytes otlp_field_begin and what follows it take; fields below 16. */
size_t otlp_field_size(size_t length);

/* The message, without and with a field's number and length. */
void otlp_message_append(struct byte_writer *out, const ProtobufCMessage *message);
void otlp_message_append_field(struct byte_writer *out, unsigned field,
                               const ProtobufCMessage *message);
