#include "exporters/otlp/otlp_message.h"

/* A field whose length is told (Protocol Buffers, "Message Structure"). */
#define WIRE_TYPE_LENGTH 2

void otlp_attributes_init(struct otlp_attributes *attributes)
{
    byte_writer_init(&attributes->strings);
    attributes->count = 0;
    for (size_t i = 0; i < OTLP_ATTRIBUTES_MAX; i++) {
        opentelemetry__proto__common__v1__key_value__init(&attributes->pairs[i]);
        opentelemetry__proto__common__v1__any_value__init(&attributes->values[i]);
        attributes->pairs[i].value = &attributes->values[i];
        attributes->list[i] = &attributes->pairs[i];
    }
}

void otlp_attributes_fini(struct otlp_attributes *attributes)
{
    byte_writer_fini(&attributes->strings);
}

bool otlp_attributes_begin(struct otlp_attributes *attributes, size_t bytes)
{
    /* Each attribute ends its string with a NUL, and so may a name beside them. */
    size_t room = bytes * OTLP_STRING_GROWTH + (size_t)2 * OTLP_ATTRIBUTES_MAX;
    byte_writer_reset(&attributes->strings);
    attributes->count = 0;
    return byte_writer_reserve(&attributes->strings, room) != NULL;
}

char *otlp_attributes_string(struct otlp_attributes *attributes, struct text text)
{
    struct byte_writer *strings = &attributes->strings;
    char *string = strings->data + strings->length;
    byte_writer_utf8(strings, text);
    byte_writer_byte(strings, '\0');
    return string;
}

/* The next value, whose key is set; NULL: there are too many. */
static otlp_any_value *add(struct otlp_attributes *attributes, const char *key)
{
    if (attributes->count == OTLP_ATTRIBUTES_MAX) {
        return NULL;
    }
    size_t index = attributes->count++;
    /* protobuf-c takes what it only reads as `char *`. */
    memcpy(&attributes->pairs[index].key, &key, sizeof(key));
    return &attributes->values[index];
}

void otlp_attributes_text(struct otlp_attributes *attributes, const char *key, struct text value)
{
    otlp_any_value *any = value.length == 0 ? NULL : add(attributes, key);
    if (any != NULL) {
        any->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE;
        any->string_value = otlp_attributes_string(attributes, value);
    }
}

void otlp_attributes_number(struct otlp_attributes *attributes, const char *key, int64_t value)
{
    otlp_any_value *any = add(attributes, key);
    if (any != NULL) {
        any->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_INT_VALUE;
        any->int_value = value;
    }
}

void otlp_attributes_flag(struct otlp_attributes *attributes, const char *key)
{
    otlp_any_value *any = add(attributes, key);
    if (any != NULL) {
        any->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_BOOL_VALUE;
        any->bool_value = true;
    }
}

void otlp_field_begin(struct byte_writer *out, unsigned field, size_t length)
{
    byte_writer_varint(out, field << 3 | WIRE_TYPE_LENGTH);
    byte_writer_varint(out, length);
}

size_t otlp_field_size(size_t length)
{
    size_t prefix = 2;
    for (size_t rest = length >> 7; rest > 0; rest >>= 7) {
        prefix++;
    }
    return prefix + length;
}

static void append_sized(struct byte_writer *out, const ProtobufCMessage *message, size_t size)
{
    char *room = byte_writer_reserve(out, size);
    if (room != NULL) {
        protobuf_c_message_pack(message, (uint8_t *)room);
        byte_writer_advance(out, size);
    }
}

void otlp_message_append(struct byte_writer *out, const ProtobufCMessage *message)
{
    append_sized(out, message, protobuf_c_message_get_packed_size(message));
}

void otlp_message_append_field(struct byte_writer *out, unsigned field,
                               const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    otlp_field_begin(out, field, size);
    append_sized(out, message, size);
}
