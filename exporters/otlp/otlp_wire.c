#include "exporters/otlp/otlp_wire.h"

#include "exporters/utf8.h"

/* What a field's tag says of its value (Protocol Buffers, "Message Structure"). */
enum wire_type {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_LENGTH = 2,
    WIRE_FIXED32 = 5
};

/* Fields of KeyValue and of AnyValue. */
enum attribute_field {
    FIELD_KEY = 1,
    FIELD_VALUE = 2,
    FIELD_STRING = 1,
    FIELD_BOOL = 2,
    FIELD_INT = 3
};

/* Room for a tag and a number, or for a tag and a length. */
#define PREFIX_MAX 20

/* ---- into room that is there; each returns where the next one goes ---- */

static char *put_varint(char *at, uint64_t value)
{
    for (; value > 0x7f; value >>= 7) {
        *at++ = (char)(value | 0x80);
    }
    *at++ = (char)value;
    return at;
}

static char *put_tag(char *at, unsigned field, enum wire_type type)
{
    return put_varint(at, field << 3 | type);
}

static char *put_begin(char *at, unsigned field, size_t length)
{
    return put_varint(put_tag(at, field, WIRE_LENGTH), length);
}

static char *put_bytes(char *at, unsigned field, struct text bytes)
{
    at = put_begin(at, field, bytes.length);
    memcpy(at, bytes.data, bytes.length);
    return at + bytes.length;
}

static char *put_little_endian(char *at, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        *at++ = (char)(value >> 8 * i);
    }
    return at;
}

static void written(struct byte_writer *out, const char *end)
{
    byte_writer_advance(out, (size_t)(end - (out->data + out->length)));
}

/* ---- fields ---- */

size_t otlp_wire_varint_size(uint64_t value)
{
    size_t size = 1;
    for (; value > 0x7f; value >>= 7) {
        size++;
    }
    return size;
}

size_t otlp_wire_size(size_t length)
{
    return 1 + otlp_wire_varint_size(length) + length;
}

void otlp_wire_begin(struct byte_writer *out, unsigned field, size_t length)
{
    char *at = byte_writer_reserve(out, PREFIX_MAX);
    if (at != NULL) {
        written(out, put_begin(at, field, length));
    }
}

void otlp_wire_varint(struct byte_writer *out, unsigned field, uint64_t value)
{
    char *at = byte_writer_reserve(out, PREFIX_MAX);
    if (at != NULL) {
        written(out, put_varint(put_tag(at, field, WIRE_VARINT), value));
    }
}

/* Small numbers of either sign take few bytes. */
void otlp_wire_sint32(struct byte_writer *out, unsigned field, int32_t value)
{
    uint32_t zigzag = (uint32_t)value << 1 ^ (value < 0 ? UINT32_MAX : 0);
    otlp_wire_varint(out, field, zigzag);
}

void otlp_wire_fixed32(struct byte_writer *out, unsigned field, uint32_t value)
{
    char *at = byte_writer_reserve(out, PREFIX_MAX);
    if (at != NULL) {
        at = put_tag(at, field, WIRE_FIXED32);
        written(out, put_little_endian(at, value, sizeof(value)));
    }
}

void otlp_wire_fixed64(struct byte_writer *out, unsigned field, uint64_t value)
{
    char *at = byte_writer_reserve(out, PREFIX_MAX);
    if (at != NULL) {
        at = put_tag(at, field, WIRE_FIXED64);
        written(out, put_little_endian(at, value, sizeof(value)));
    }
}

void otlp_wire_double(struct byte_writer *out, unsigned field, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    otlp_wire_fixed64(out, field, bits);
}

void otlp_wire_bytes(struct byte_writer *out, unsigned field, struct text bytes)
{
    char *at = byte_writer_reserve(out, PREFIX_MAX + bytes.length);
    if (at != NULL && bytes.length > 0) {
        written(out, put_bytes(at, field, bytes));
    } else if (at != NULL) {
        written(out, put_begin(at, field, 0));
    }
}

void otlp_wire_packed(struct byte_writer *out, unsigned field, const uint64_t *values, size_t count)
{
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        length += otlp_wire_varint_size(values[i]);
    }
    char *at = byte_writer_reserve(out, PREFIX_MAX + length);
    if (at != NULL) {
        at = put_begin(at, field, length);
        for (size_t i = 0; i < count; i++) {
            at = put_varint(at, values[i]);
        }
        written(out, at);
    }
}

/* ---- texts ---- */

/* How long byte_writer_utf8 makes it. */
static size_t utf8_length(struct text text)
{
    size_t length = utf8_plain_run(text.data, text.length);
    for (size_t i = length; i < text.length;) {
        size_t sequence = text.data[i] == '\0' ? 0 : utf8_sequence(text.data + i, text.length - i);
        length += sequence == 0 ? strlen(UTF8_REPLACEMENT) : sequence;
        i += sequence == 0 ? 1 : sequence;
    }
    return length;
}

void otlp_wire_text(struct byte_writer *out, unsigned field, struct text text)
{
    size_t length = text.length == 0 ? 0 : utf8_length(text);
    if (length == text.length) {
        otlp_wire_bytes(out, field, text);
    } else {
        otlp_wire_begin(out, field, length);
        byte_writer_utf8(out, text);
    }
}

/* Puts the key, and the beginning of a value of this size; there is room for a prefix for each of
 * the three, and for the key. */
static char *put_key(char *at, unsigned field, struct text key, size_t value_size)
{
    at = put_begin(at, field, otlp_wire_size(key.length) + otlp_wire_size(value_size));
    at = put_bytes(at, FIELD_KEY, key);
    return put_begin(at, FIELD_VALUE, value_size);
}

void otlp_wire_attribute(struct byte_writer *out, unsigned field, const char *key,
                         struct text value)
{
    struct text name = text_of(key);
    if (value.length == 0) {
        return;
    }
    size_t length = utf8_length(value);
    char *at = byte_writer_reserve(out, (size_t)4 * PREFIX_MAX + name.length + length);
    if (at == NULL) {
        return;
    }
    at = put_key(at, field, name, otlp_wire_size(length));
    if (length == value.length) {
        written(out, put_bytes(at, FIELD_STRING, value));
    } else {
        written(out, put_begin(at, FIELD_STRING, length));
        byte_writer_utf8(out, value);
    }
}

/* The value's field is a varint. */
static void append_number(struct byte_writer *out, unsigned field, const char *key,
                          enum attribute_field value_field, uint64_t value)
{
    struct text name = text_of(key);
    char *at = byte_writer_reserve(out, (size_t)4 * PREFIX_MAX + name.length);
    if (at != NULL) {
        at = put_key(at, field, name, 1 + otlp_wire_varint_size(value));
        written(out, put_varint(put_tag(at, value_field, WIRE_VARINT), value));
    }
}

void otlp_wire_attribute_number(struct byte_writer *out, unsigned field, const char *key,
                                int64_t value)
{
    append_number(out, field, key, FIELD_INT, (uint64_t)value);
}

void otlp_wire_attribute_flag(struct byte_writer *out, unsigned field, const char *key)
{
    append_number(out, field, key, FIELD_BOOL, 1);
}
