#include "agent/kube/wire/wire.h"

#include <string.h>

/* Every answer that is no stream starts with this. */
static const char magic[4] = {'k', '8', 's', '\0'};

/* ---- protobuf, one field at a time ---- */

enum wire_type {
    TYPE_VARINT = 0,
    TYPE_FIXED64 = 1,
    TYPE_BYTES = 2,
    TYPE_FIXED32 = 5
};

struct field {
    uint64_t number;
    uint64_t value;     /* of a varint */
    struct slice bytes; /* of TYPE_BYTES */
    unsigned type;
};

static uint64_t read_varint(struct reader *reader)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = reader_u8(reader);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            return value;
        }
    }
    reader->failed = true;
    return 0;
}

static void read_bytes(struct reader *reader, struct field *field)
{
    uint64_t length = read_varint(reader);
    if (length > reader->left) {
        reader->failed = true;
        return;
    }
    field->bytes.data = (const char *)reader_bytes(reader, (size_t)length);
    field->bytes.length = (size_t)length;
}

/* The next field; false at the end, or with `failed` where the bytes are none. */
static bool next_field(struct reader *reader, struct field *field)
{
    if (reader->left == 0 || reader->failed) {
        return false;
    }
    uint64_t tag = read_varint(reader);
    *field = (struct field){.number = tag >> 3, .type = tag & 7};
    switch (field->type) {
    case TYPE_VARINT:
        field->value = read_varint(reader);
        break;
    case TYPE_FIXED64:
        reader_skip(reader, 8);
        break;
    case TYPE_BYTES:
        read_bytes(reader, field);
        break;
    case TYPE_FIXED32:
        reader_skip(reader, 4);
        break;
    default: /* groups are not used */
        reader->failed = true;
        break;
    }
    reader->failed |= field->number == 0;
    return !reader->failed;
}

static bool is_bytes(const struct field *field, unsigned number)
{
    return field->number == number && field->type == TYPE_BYTES;
}

static struct reader reader_of(struct slice bytes)
{
    return reader_over(bytes.data, bytes.length);
}

/* Whether a message was read to its end. */
static bool ended(const struct reader *reader)
{
    return !reader->failed && reader->left == 0;
}

/* ---- runtime.Unknown ---- */

/* TypeMeta: apiVersion = 1, kind = 2. */
static bool read_type(struct slice bytes, struct wire_envelope *envelope)
{
    struct reader reader = reader_of(bytes);
    struct field field;
    while (next_field(&reader, &field)) {
        if (is_bytes(&field, 2)) {
            envelope->kind = field.bytes;
        }
    }
    return ended(&reader);
}

bool wire_envelope_read(struct slice bytes, struct wire_envelope *envelope_out)
{
    if (bytes.length < sizeof(magic) || memcmp(bytes.data, magic, sizeof(magic)) != 0) {
        return false;
    }
    struct reader reader = reader_over(bytes.data + sizeof(magic), bytes.length - sizeof(magic));
    struct wire_envelope envelope = {{"", 0}, {"", 0}};
    struct field field;
    while (next_field(&reader, &field)) {
        if (is_bytes(&field, 1) && !read_type(field.bytes, &envelope)) {
            return false;
        }
        if (is_bytes(&field, 2)) {
            envelope.raw = field.bytes;
        }
        if (is_bytes(&field, 3) && field.bytes.length > 0) {
            return false; /* contentEncoding: none is asked for */
        }
    }
    if (!ended(&reader)) {
        return false;
    }
    *envelope_out = envelope;
    return true;
}

/* ---- lists ---- */

/* ListMeta: resourceVersion = 2, continue = 3. */
static bool read_list_meta(struct slice bytes, struct wire_list *list)
{
    struct reader reader = reader_of(bytes);
    struct field field;
    while (next_field(&reader, &field)) {
        if (is_bytes(&field, 2)) {
            list->resource_version = field.bytes;
        } else if (is_bytes(&field, 3)) {
            list->next_page = field.bytes;
        }
    }
    return ended(&reader);
}

bool wire_list_open(struct slice raw, struct wire_list *list_out)
{
    struct reader reader = reader_of(raw);
    struct wire_list list = {.resource_version = {"", 0}, .next_page = {"", 0}, .items = reader};
    struct field field;
    while (next_field(&reader, &field)) {
        if (is_bytes(&field, 1) && !read_list_meta(field.bytes, &list)) {
            return false;
        }
    }
    if (!ended(&reader) || list.resource_version.length == 0) {
        return false;
    }
    *list_out = list;
    return true;
}

bool wire_list_next(struct wire_list *list, struct slice *item_out)
{
    struct field field;
    while (next_field(&list->items, &field)) {
        if (is_bytes(&field, 2)) {
            *item_out = field.bytes;
            return true;
        }
    }
    return false;
}

/* ---- watches ---- */

size_t wire_frame_length(struct slice bytes)
{
    if (bytes.length < WIRE_FRAME_PREFIX) {
        return 0;
    }
    struct reader reader = reader_of(bytes);
    size_t length = (size_t)reader_be32(&reader) + WIRE_FRAME_PREFIX;
    return length > WIRE_FRAME_MAX || length <= bytes.length ? length : 0;
}

static bool read_event_type(struct slice name, enum wire_event_type *type_out)
{
    static const char *const names[] = {[WIRE_ADDED] = "ADDED",
                                        [WIRE_MODIFIED] = "MODIFIED",
                                        [WIRE_DELETED] = "DELETED",
                                        [WIRE_BOOKMARK] = "BOOKMARK",
                                        [WIRE_ERROR] = "ERROR"};
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (slice_equal(name, slice_of(names[i]))) {
            *type_out = (enum wire_event_type)i;
            return true;
        }
    }
    return false;
}

/* RawExtension: raw = 1. */
static bool read_extension(struct slice bytes, struct wire_envelope *object)
{
    struct reader reader = reader_of(bytes);
    struct slice raw = {"", 0};
    struct field field;
    while (next_field(&reader, &field)) {
        if (is_bytes(&field, 1)) {
            raw = field.bytes;
        }
    }
    return ended(&reader) && wire_envelope_read(raw, object);
}

bool wire_event_read(struct slice frame, struct wire_event *event_out)
{
    struct reader reader = reader_of(frame);
    struct wire_event event = {.object = {{"", 0}, {"", 0}}};
    bool has_type = false;
    bool has_object = false;
    struct field field;
    while (next_field(&reader, &field)) {
        if (is_bytes(&field, 1)) {
            has_type = read_event_type(field.bytes, &event.type);
        } else if (is_bytes(&field, 2)) {
            has_object = read_extension(field.bytes, &event.object);
        }
    }
    if (!ended(&reader) || !has_type || !has_object) {
        return false;
    }
    *event_out = event;
    return true;
}

/* ---- the server's refusals ---- */

/* StatusDetails: retryAfterSeconds = 5. */
static bool read_details(struct slice bytes, struct wire_status *status)
{
    struct reader reader = reader_of(bytes);
    struct field field;
    while (next_field(&reader, &field)) {
        if (field.number == 5 && field.type == TYPE_VARINT && field.value <= INT32_MAX) {
            status->retry_after_s = (unsigned)field.value;
        }
    }
    return ended(&reader);
}

bool wire_status_read(struct slice raw, struct wire_status *status_out)
{
    struct reader reader = reader_of(raw);
    struct wire_status status = {.message = {"", 0}};
    struct field field;
    while (next_field(&reader, &field)) {
        if (is_bytes(&field, 3)) {
            status.message = field.bytes;
        } else if (is_bytes(&field, 5) && !read_details(field.bytes, &status)) {
            return false;
        } else if (field.number == 6 && field.type == TYPE_VARINT && field.value <= INT32_MAX) {
            status.code = (unsigned)field.value;
        }
    }
    if (!ended(&reader)) {
        return false;
    }
    *status_out = status;
    return true;
}
