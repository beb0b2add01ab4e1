#pragma once

#include "exporters/byte_writer.h"

#include <stdbool.h>

/*
 * Protocol Buffers' wire format, field by field: messages are written straight into bytes, as their
 * .proto files in exporters/proto/opentelemetry describe them, without a tree of objects in
 * between. A value that is its field's default is written all the same.
 */

/* Length of what follows is told in front of it: messages, strings, packed numbers. */
void otlp_wire_begin(struct byte_writer *out, unsigned field, size_t length);

/* How many bytes otlp_wire_begin and what follows it take; for fields below 16. */
size_t otlp_wire_size(size_t length);
size_t otlp_wire_varint_size(uint64_t value);

void otlp_wire_varint(struct byte_writer *out, unsigned field, uint64_t value);
void otlp_wire_sint32(struct byte_writer *out, unsigned field, int32_t value);
void otlp_wire_fixed32(struct byte_writer *out, unsigned field, uint32_t value);
void otlp_wire_fixed64(struct byte_writer *out, unsigned field, uint64_t value);
void otlp_wire_double(struct byte_writer *out, unsigned field, double value);
void otlp_wire_bytes(struct byte_writer *out, unsigned field, struct text bytes);

/* Numbers of a repeated field, as varints. */
void otlp_wire_packed(struct byte_writer *out, unsigned field, const uint64_t *values,
                      size_t count);

/* A string: the text as valid UTF-8. */
void otlp_wire_text(struct byte_writer *out, unsigned field, struct text text);

/* Attributes: KeyValue messages in a field of this number. An empty text is left out. */
void otlp_wire_attribute(struct byte_writer *out, unsigned field, const char *key,
                         struct text value);
void otlp_wire_attribute_number(struct byte_writer *out, unsigned field, const char *key,
                                int64_t value);
void otlp_wire_attribute_flag(struct byte_writer *out, unsigned field, const char *key);

static inline struct text otlp_wire_written(const struct byte_writer *writer)
{
    return (struct text){writer->data, writer->length};
}
