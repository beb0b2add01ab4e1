#include "tests/unit/exporters/protobuf_reference.h"

#include "exporters/events/event_protobuf.h"
#include "exporters/proto/vethscope/v1/exchange.pb-c.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* A byte of a string is replaced by U+FFFD at worst: three bytes. */
#define STRING_GROWTH 3
/* Longest name of an enumeration's value, terminator included. */
#define ENUM_NAME_SIZE 64

/* Room for all strings of a record at once: the messages point into it. */
static bool reserve_strings(struct byte_writer *strings, const struct exchange_record *record)
{
    const struct text *all[] = {
        &record->client,         &record->server,           &record->client_namespace,
        &record->client_service, &record->method,           &record->server_namespace,
        &record->server_service, &record->target,           &record->route,
        &record->host,           &record->user_agent,       &record->version,
        &record->trace_id,       &record->client_kind,      &record->client_pod,
        &record->client_node,    &record->server_kind,      &record->server_pod,
        &record->server_node,    &record->called_namespace, &record->called_service};
    size_t size = 0;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        size += all[i]->length * STRING_GROWTH + 1;
    }
    byte_writer_reset(strings);
    return byte_writer_reserve(strings, size) != NULL;
}

static char *string_of(struct byte_writer *strings, struct text text)
{
    char *string = strings->data + strings->length;
    byte_writer_utf8(strings, text);
    byte_writer_byte(strings, '\0');
    return string;
}

/* The value called PREFIX_TEXT, as the generated descriptor knows it; 0 for none. */
static int enum_of(const ProtobufCEnumDescriptor *descriptor, const char *prefix, struct text text)
{
    char name[ENUM_NAME_SIZE];
    size_t length = strlen(prefix);
    if (length + text.length >= sizeof(name)) {
        return 0;
    }
    memcpy(name, prefix, length);
    for (size_t i = 0; i < text.length; i++) {
        name[length++] = (char)toupper((unsigned char)text.data[i]);
    }
    name[length] = '\0';
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value_by_name(descriptor, name);
    return value == NULL ? 0 : value->value;
}

/* "10.0.0.1:80" or "[2001:db8::1]:80" as address and port. */
static void set_address(struct byte_writer *strings, struct text text,
                        Vethscope__V1__Endpoint *endpoint)
{
    const char *colon = text.length == 0 ? NULL : memrchr(text.data, ':', text.length);
    struct text address = text;
    if (colon != NULL) {
        address.length = (size_t)(colon - text.data);
        const char *end = text.data + text.length;
        for (const char *digit = colon + 1; digit < end; digit++) {
            endpoint->port = endpoint->port * 10 + (uint32_t)(*digit - '0');
        }
    }
    if (address.length >= 2 && address.data[0] == '[') {
        address.data++;
        address.length -= 2;
    }
    endpoint->address = string_of(strings, address);
}

static void set_strings(struct byte_writer *strings, const struct exchange_record *record,
                        Vethscope__V1__Exchange *message)
{
    message->method = string_of(strings, record->method);
    message->target = string_of(strings, record->target);
    message->route = string_of(strings, record->route);
    message->host = string_of(strings, record->host);
    message->user_agent = string_of(strings, record->user_agent);
    message->protocol_version = string_of(strings, record->version);
    message->trace_id = string_of(strings, record->trace_id);
    message->called_namespace = string_of(strings, record->called_namespace);
    message->called_service = string_of(strings, record->called_service);
}

/* Each of these is alone in its oneof: the case says that it is set. */
static void set_sizes(const struct exchange_record *record, Vethscope__V1__Exchange *message)
{
    if (record->request_body_bytes != RECORD_UNKNOWN) {
        message->request_body_case = VETHSCOPE__V1__EXCHANGE__REQUEST_BODY_REQUEST_BODY_BYTES;
        message->request_body_bytes = record->request_body_bytes;
    }
    if (record->response_body_bytes != RECORD_UNKNOWN) {
        message->response_body_case = VETHSCOPE__V1__EXCHANGE__RESPONSE_BODY_RESPONSE_BODY_BYTES;
        message->response_body_bytes = record->response_body_bytes;
    }
}

static void set_durations(const struct exchange_record *record, Vethscope__V1__Exchange *message)
{
    if (record->request_ns != RECORD_UNKNOWN) {
        message->request_time_case = VETHSCOPE__V1__EXCHANGE__REQUEST_TIME_REQUEST_DURATION_NANO;
        message->request_duration_nano = record->request_ns;
    }
    if (record->server_ns != RECORD_UNKNOWN) {
        message->server_time_case = VETHSCOPE__V1__EXCHANGE__SERVER_TIME_SERVER_DURATION_NANO;
        message->server_duration_nano = record->server_ns;
    }
    if (record->response_ns != RECORD_UNKNOWN) {
        message->response_time_case = VETHSCOPE__V1__EXCHANGE__RESPONSE_TIME_RESPONSE_DURATION_NANO;
        message->response_duration_nano = record->response_ns;
    }
    if (record->duration_ns != RECORD_UNKNOWN) {
        message->total_time_case = VETHSCOPE__V1__EXCHANGE__TOTAL_TIME_DURATION_NANO;
        message->duration_nano = record->duration_ns;
    }
    if (record->connect_ns != RECORD_UNKNOWN) {
        message->connect_time_case = VETHSCOPE__V1__EXCHANGE__CONNECT_TIME_CONNECT_DURATION_NANO;
        message->connect_duration_nano = record->connect_ns;
    }
}

static void set_result(const struct exchange_record *record, Vethscope__V1__Exchange *message)
{
    if (record->time_ns != RECORD_TIME_UNKNOWN) { /* else 0: no captured packet is of 1970 */
        message->time_unix_nano =
            record->time_ns == RECORD_TIME_UNKNOWN ? 0 : (uint64_t)record->time_ns;
    }
    message->side =
        (Vethscope__V1__Side)enum_of(&vethscope__v1__side__descriptor, "SIDE_", record->side);
    message->outcome = (Vethscope__V1__Outcome)enum_of(&vethscope__v1__outcome__descriptor,
                                                       "OUTCOME_", record->outcome);
    message->reason = (Vethscope__V1__Reason)enum_of(&vethscope__v1__reason__descriptor, "REASON_",
                                                     record->reason);
    message->status = record->status;
    message->ambiguous = record->ambiguous;
}

static void append_message(const Vethscope__V1__Exchange *message, struct byte_writer *out)
{
    size_t size = vethscope__v1__exchange__get_packed_size(message);
    byte_writer_varint(out, size);
    char *room = byte_writer_reserve(out, size);
    if (room != NULL) {
        vethscope__v1__exchange__pack(message, (uint8_t *)room);
        byte_writer_advance(out, size);
    }
}

static void set_ends(struct byte_writer *strings, const struct exchange_record *record,
                     Vethscope__V1__Endpoint *client, Vethscope__V1__Endpoint *server)
{
    set_address(strings, record->client, client);
    client->namespace_ = string_of(strings, record->client_namespace);
    client->service = string_of(strings, record->client_service);
    client->kind = string_of(strings, record->client_kind);
    client->pod = string_of(strings, record->client_pod);
    client->node = string_of(strings, record->client_node);
    set_address(strings, record->server, server);
    server->namespace_ = string_of(strings, record->server_namespace);
    server->service = string_of(strings, record->server_service);
    server->kind = string_of(strings, record->server_kind);
    server->pod = string_of(strings, record->server_pod);
    server->node = string_of(strings, record->server_node);
}

void protobuf_reference_append(const struct exchange_record *record, struct byte_writer *out)
{
    struct byte_writer strings;
    byte_writer_init(&strings);
    if (!reserve_strings(&strings, record)) {
        out->failed = true;
        return;
    }
    Vethscope__V1__Exchange message;
    Vethscope__V1__Endpoint client;
    Vethscope__V1__Endpoint server;
    vethscope__v1__exchange__init(&message);
    vethscope__v1__endpoint__init(&client);
    vethscope__v1__endpoint__init(&server);
    uint32_t interim[EVENT_PROTOBUF_INTERIM_MAX];
    set_ends(&strings, record, &client, &server);
    message.client = &client;
    message.server = &server;
    message.interim_status = interim;
    while (message.n_interim_status < record->interim_count &&
           message.n_interim_status < EVENT_PROTOBUF_INTERIM_MAX) {
        interim[message.n_interim_status] = record->interim[message.n_interim_status];
        message.n_interim_status++;
    }
    char span_id[17];
    snprintf(span_id, sizeof(span_id), "%016" PRIx64, record->parent_span_id);
    if (record->parent_span_id != 0) {
        message.parent_span_id = span_id;
    }
    message.sampling = (Vethscope__V1__Sampling)record->sampling;
    set_strings(&strings, record, &message);
    set_result(record, &message);
    set_sizes(record, &message);
    set_durations(record, &message);
    append_message(&message, out);
    byte_writer_fini(&strings);
}
