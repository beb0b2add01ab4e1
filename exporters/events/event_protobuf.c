#include "exporters/events/event_protobuf.h"

#include "exporters/utf8.h"

#include <endian.h>
#include <stdlib.h>

/*
 * Written by hand, field by field in the order of the numbers: the bytes are those that protobuf-c
 * would write (a test compares them), without its walk over descriptors. Room for the longest
 * possible message is reserved at once, so nothing below checks for room.
 */

/* A byte of a string is replaced by U+FFFD at worst: three bytes. */
#define STRING_GROWTH 3
/* Tags, lengths and numbers of all fields together, at their longest. */
#define NUMBERS_SIZE 512
/* What a usual message takes beside its texts; a wrong guess costs a memmove. */
#define USUAL_NUMBERS_SIZE 80

enum wire_type {
    WIRE_VARINT,
    WIRE_FIXED64,
    WIRE_LENGTH
};

/* The messages' field numbers. */
enum endpoint_field {
    ENDPOINT_ADDRESS = 1,
    ENDPOINT_PORT,
    ENDPOINT_NAMESPACE,
    ENDPOINT_SERVICE,
    ENDPOINT_KIND,
    ENDPOINT_POD,
    ENDPOINT_NODE
};

enum exchange_field {
    EXCHANGE_TIME = 1,
    EXCHANGE_SIDE,
    EXCHANGE_CLIENT,
    EXCHANGE_SERVER,
    EXCHANGE_METHOD,
    EXCHANGE_TARGET,
    EXCHANGE_ROUTE,
    EXCHANGE_HOST,
    EXCHANGE_USER_AGENT,
    EXCHANGE_VERSION,
    EXCHANGE_TRACE_ID,
    EXCHANGE_STATUS,
    EXCHANGE_INTERIM,
    EXCHANGE_OUTCOME,
    EXCHANGE_REASON,
    EXCHANGE_AMBIGUOUS,
    EXCHANGE_REQUEST_BODY,
    EXCHANGE_RESPONSE_BODY,
    EXCHANGE_REQUEST_TIME,
    EXCHANGE_SERVER_TIME,
    EXCHANGE_RESPONSE_TIME,
    EXCHANGE_DURATION,
    EXCHANGE_CONNECT_TIME,
    EXCHANGE_CALLED_NAMESPACE,
    EXCHANGE_CALLED_SERVICE,
    EXCHANGE_PARENT_SPAN_ID,
    EXCHANGE_SAMPLING_FIELD
};

void event_protobuf_init(struct event_protobuf *events)
{
    byte_writer_init(&events->strings);
}

void event_protobuf_fini(struct event_protobuf *events)
{
    byte_writer_fini(&events->strings);
}

/* ---- texts ---- */

/* Which texts of a record are strings of the message; both ends' addresses are split beforehand. */
static const size_t string_offsets[] = {
    offsetof(struct exchange_record, client),
    offsetof(struct exchange_record, client_namespace),
    offsetof(struct exchange_record, client_service),
    offsetof(struct exchange_record, client_kind),
    offsetof(struct exchange_record, client_pod),
    offsetof(struct exchange_record, client_node),
    offsetof(struct exchange_record, server),
    offsetof(struct exchange_record, server_namespace),
    offsetof(struct exchange_record, server_service),
    offsetof(struct exchange_record, server_kind),
    offsetof(struct exchange_record, server_pod),
    offsetof(struct exchange_record, server_node),
    offsetof(struct exchange_record, called_namespace),
    offsetof(struct exchange_record, called_service),
    offsetof(struct exchange_record, method),
    offsetof(struct exchange_record, target),
    offsetof(struct exchange_record, route),
    offsetof(struct exchange_record, host),
    offsetof(struct exchange_record, user_agent),
    offsetof(struct exchange_record, version),
    offsetof(struct exchange_record, trace_id),
};
#define STRINGS (sizeof(string_offsets) / sizeof(string_offsets[0]))

static struct text *string_at(struct exchange_record *record, size_t i)
{
    return (struct text *)(void *)((char *)record + string_offsets[i]);
}

/* Whether the bytes of a word are ASCII without NUL: the high bits are clear, and stay so where one
 * is taken off each byte. */
static bool is_plain_word(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101U;
    const uint64_t high = 0x8080808080808080U;
    return ((word | (word - ones)) & high) == 0;
}

static uint64_t word_at(const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return word;
}

/* Up to seven bytes, the rest of the word filled with something plain; some are read twice. */
static uint64_t short_word(struct text text)
{
    uint32_t first = 0x20202020;
    uint32_t last = 0x20202020;
    if (text.length >= sizeof(first)) {
        memcpy(&first, text.data, sizeof(first));
        memcpy(&last, text.data + text.length - sizeof(last), sizeof(last));
    } else {
        memcpy(&first, text.data, 1);
        memcpy((char *)&first + 1, text.data + text.length / 2, 1);
        memcpy((char *)&first + 2, text.data + text.length - 1, 1);
    }
    return (uint64_t)first << 32 | last;
}

/* Nearly every text is; told eight bytes at a time. Not for an empty one. */
static bool is_plain(struct text text)
{
    if (text.length < sizeof(uint64_t)) {
        return is_plain_word(short_word(text));
    }
    size_t last = text.length - sizeof(uint64_t);
    for (size_t i = 0; i < last; i += sizeof(uint64_t)) {
        if (!is_plain_word(word_at(text.data + i))) {
            return false;
        }
    }
    return is_plain_word(word_at(text.data + last));
}

static size_t length_of_strings(struct exchange_record *record)
{
    size_t length = 0;
    for (size_t i = 0; i < STRINGS; i++) {
        length += string_at(record, i)->length;
    }
    return length;
}

/* Makes every string fit for a message. Returns their length, or SIZE_MAX without memory. */
static size_t clean_strings(struct byte_writer *strings, struct exchange_record *record)
{
    size_t length = length_of_strings(record);
    byte_writer_reset(strings);
    for (size_t i = 0; i < STRINGS; i++) {
        struct text *text = string_at(record, i);
        if (text->length == 0 || is_plain(*text)) {
            continue;
        }
        /* At the first of them for all, as the texts point there. */
        if (strings->length == 0 && byte_writer_reserve(strings, length * STRING_GROWTH) == NULL) {
            return SIZE_MAX;
        }
        char *start = strings->data + strings->length;
        byte_writer_utf8(strings, *text);
        *text = (struct text){start, (size_t)(strings->data + strings->length - start)};
    }
    return strings->length == 0 ? length : length_of_strings(record);
}

/* ---- fields ---- */

static inline unsigned char *put_varint(unsigned char *at, uint64_t value)
{
    while (value > 0x7f) {
        *at++ = (unsigned char)(value | 0x80);
        value >>= 7;
    }
    *at++ = (unsigned char)value;
    return at;
}

static size_t varint_size(uint64_t value)
{
    /* 7 bits a byte; 9/64 is near enough to a seventh for 64 bits, and no division. */
    unsigned highest_bit = 63 - (unsigned)__builtin_clzll(value | 1);
    return (highest_bit * 9 + 73) / 64;
}

static inline unsigned char *put_tag(unsigned char *at, unsigned field, enum wire_type type)
{
    return put_varint(at, field << 3 | (unsigned)type);
}

static inline unsigned char *put_bytes(unsigned char *at, struct text text)
{
    memcpy(at, text.data, text.length);
    return at + text.length;
}

static inline unsigned char *put_text(unsigned char *at, unsigned field, struct text text)
{
    if (text.length == 0) {
        return at;
    }
    at = put_tag(at, field, WIRE_LENGTH);
    at = put_varint(at, text.length);
    return put_bytes(at, text);
}

/* Of a field whose 0 means that it is not set. */
static inline unsigned char *put_number(unsigned char *at, unsigned field, uint64_t value)
{
    return value == 0 ? at : put_varint(put_tag(at, field, WIRE_VARINT), value);
}

/* Of a field that is alone in its oneof: 0 is a value. */
static inline unsigned char *put_known(unsigned char *at, unsigned field, uint64_t value)
{
    return value == RECORD_UNKNOWN ? at : put_varint(put_tag(at, field, WIRE_VARINT), value);
}

/* ---- what texts stand for ---- */

static uint64_t index_in(struct text text, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (text.length == strlen(names[i]) && memcmp(text.data, names[i], text.length) == 0) {
            return i + 1;
        }
    }
    return 0;
}

/* Enumerations are numbered from 1, in this order. */
static uint64_t side_of(struct text text)
{
    static const char *const names[] = {"server", "client"};
    return text.length == 0 ? 0 : index_in(text, names, 2);
}

static uint64_t outcome_of(struct text text)
{
    static const char *const names[] = {"complete",         "client_closed",      "server_closed",
                                        "connection_reset", "truncated_response", "timeout",
                                        "unparsable",       "request_only",       "response_only"};
    return text.length == 0 ? 0 : index_in(text, names, sizeof(names) / sizeof(names[0]));
}

static uint64_t reason_of(struct text text)
{
    static const char *const names[] = {"capture_end",    "gap",       "evicted",
                                        "interface_gone", "midstream", "unsolicited"};
    return text.length == 0 ? 0 : index_in(text, names, sizeof(names) / sizeof(names[0]));
}

/* ---- messages ---- */

struct end {
    struct text address; /* without port and brackets */
    uint64_t port;
    struct text namespace;
    struct text service;
    struct text kind;
    struct text pod;
    struct text node;
};

/* "10.0.0.1:80" or "[2001:db8::1]:80" as address and port. */
static void set_address(struct text text, struct end *end)
{
    const char *colon = text.length == 0 ? NULL : memrchr(text.data, ':', text.length);
    end->address = text;
    end->port = 0;
    if (colon != NULL) {
        end->address.length = (size_t)(colon - text.data);
        for (const char *digit = colon + 1; digit < text.data + text.length; digit++) {
            end->port = (uint32_t)(end->port * 10 + (uint32_t)(*digit - '0'));
        }
    }
    if (end->address.length >= 2 && end->address.data[0] == '[') {
        end->address.data++;
        end->address.length -= 2;
    }
}

static size_t text_size(struct text text)
{
    return text.length == 0 ? 0 : 1 + varint_size(text.length) + text.length;
}

static unsigned char *put_end(unsigned char *at, unsigned field, const struct end *end)
{
    size_t size = text_size(end->address) + text_size(end->namespace) + text_size(end->service) +
                  text_size(end->kind) + text_size(end->pod) + text_size(end->node) +
                  (end->port == 0 ? 0 : 1 + varint_size(end->port));
    at = put_tag(at, field, WIRE_LENGTH);
    at = put_varint(at, size);
    at = put_text(at, ENDPOINT_ADDRESS, end->address);
    at = put_number(at, ENDPOINT_PORT, end->port);
    at = put_text(at, ENDPOINT_NAMESPACE, end->namespace);
    at = put_text(at, ENDPOINT_SERVICE, end->service);
    at = put_text(at, ENDPOINT_KIND, end->kind);
    at = put_text(at, ENDPOINT_POD, end->pod);
    return put_text(at, ENDPOINT_NODE, end->node);
}

static unsigned char *put_ends(unsigned char *at, const struct exchange_record *record)
{
    struct end client = {.namespace = record->client_namespace,
                         .service = record->client_service,
                         .kind = record->client_kind,
                         .pod = record->client_pod,
                         .node = record->client_node};
    struct end server = {.namespace = record->server_namespace,
                         .service = record->server_service,
                         .kind = record->server_kind,
                         .pod = record->server_pod,
                         .node = record->server_node};
    set_address(record->client, &client);
    set_address(record->server, &server);
    at = put_end(at, EXCHANGE_CLIENT, &client);
    return put_end(at, EXCHANGE_SERVER, &server);
}

static unsigned char *put_head(unsigned char *at, const struct exchange_record *record)
{
    if (record->time_ns != 0 && record->time_ns != RECORD_TIME_UNKNOWN) {
        uint64_t little = htole64((uint64_t)record->time_ns);
        at = put_tag(at, EXCHANGE_TIME, WIRE_FIXED64);
        memcpy(at, &little, sizeof(little));
        at += sizeof(little);
    }
    at = put_number(at, EXCHANGE_SIDE, side_of(record->side));
    at = put_ends(at, record);
    at = put_text(at, EXCHANGE_METHOD, record->method);
    at = put_text(at, EXCHANGE_TARGET, record->target);
    at = put_text(at, EXCHANGE_ROUTE, record->route);
    at = put_text(at, EXCHANGE_HOST, record->host);
    at = put_text(at, EXCHANGE_USER_AGENT, record->user_agent);
    at = put_text(at, EXCHANGE_VERSION, record->version);
    return put_text(at, EXCHANGE_TRACE_ID, record->trace_id);
}

/* Packed: one field that holds them all. */
static unsigned char *put_interim(unsigned char *at, const struct exchange_record *record)
{
    size_t count = record->interim_count < EVENT_PROTOBUF_INTERIM_MAX ? record->interim_count
                                                                      : EVENT_PROTOBUF_INTERIM_MAX;
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += varint_size(record->interim[i]);
    }
    if (count == 0) {
        return at;
    }
    at = put_varint(put_tag(at, EXCHANGE_INTERIM, WIRE_LENGTH), size);
    for (size_t i = 0; i < count; i++) {
        at = put_varint(at, record->interim[i]);
    }
    return at;
}

/* As the trace context writes it: 16 digits. */
static unsigned char *put_span_id(unsigned char *at, uint64_t id)
{
    static const char digits[] = "0123456789abcdef";
    if (id == 0) {
        return at;
    }
    at = put_tag(at, EXCHANGE_PARENT_SPAN_ID, WIRE_LENGTH);
    at = put_varint(at, 2 * sizeof(id));
    for (unsigned shift = 64; shift > 0; shift -= 4) {
        *at++ = (unsigned char)digits[id >> (shift - 4) & 0xf];
    }
    return at;
}

static unsigned char *put_result(unsigned char *at, const struct exchange_record *record)
{
    at = put_number(at, EXCHANGE_STATUS, record->status);
    at = put_interim(at, record);
    at = put_number(at, EXCHANGE_OUTCOME, outcome_of(record->outcome));
    at = put_number(at, EXCHANGE_REASON, reason_of(record->reason));
    at = put_number(at, EXCHANGE_AMBIGUOUS, record->ambiguous);
    at = put_known(at, EXCHANGE_REQUEST_BODY, record->request_body_bytes);
    at = put_known(at, EXCHANGE_RESPONSE_BODY, record->response_body_bytes);
    at = put_known(at, EXCHANGE_REQUEST_TIME, record->request_ns);
    at = put_known(at, EXCHANGE_SERVER_TIME, record->server_ns);
    at = put_known(at, EXCHANGE_RESPONSE_TIME, record->response_ns);
    at = put_known(at, EXCHANGE_DURATION, record->duration_ns);
    at = put_known(at, EXCHANGE_CONNECT_TIME, record->connect_ns);
    at = put_text(at, EXCHANGE_CALLED_NAMESPACE, record->called_namespace);
    at = put_text(at, EXCHANGE_CALLED_SERVICE, record->called_service);
    at = put_span_id(at, record->parent_span_id);
    return put_number(at, EXCHANGE_SAMPLING_FIELD, (uint64_t)record->sampling);
}

void event_protobuf_append(struct event_protobuf *events, const struct exchange_record *record,
                           struct byte_writer *out)
{
    struct exchange_record clean = *record;
    size_t texts = clean_strings(&events->strings, &clean);
    char *room = texts == SIZE_MAX ? NULL : byte_writer_reserve(out, texts + NUMBERS_SIZE);
    if (room == NULL) {
        out->failed = true;
        return;
    }
    size_t gap = varint_size(texts + USUAL_NUMBERS_SIZE);
    unsigned char *start = (unsigned char *)room;
    unsigned char *end = put_result(put_head(start + gap, &clean), &clean);
    size_t size = (size_t)(end - start) - gap;
    size_t length_size = varint_size(size);
    if (length_size != gap) {
        memmove(start + length_size, start + gap, size);
    }
    put_varint(start, size);
    byte_writer_advance(out, length_size + size);
}
