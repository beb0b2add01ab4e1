#include "exporters/otlp/otlp_span.h"

#include "exporters/otlp/otlp_names.h"

#define TRACE_ID_BYTES 16
#define SPAN_ID_BYTES 8
/* The words that a span has of itself: "http://", "_OTHER", ... */
#define OWN_WORDS_BYTES 64
/* A host stands in url.full, which is put together first, and in server.address. */
#define TEXT_USES 3
/* A server's errors; a client's requests fail with any status from 400 on. */
#define SERVER_ERROR 500
#define CLIENT_ERROR 400
/* SpanFlags of OpenTelemetry: W3C's flag, and that the parent is known to be remote. */
#define FLAG_SAMPLED 0x001u
#define FLAGS_REMOTE_PARENT 0x300u
#define EVENTS_MAX 2
#define HTTP_PORT 80
#define STATUS_DIGITS 8

void otlp_span_init(struct otlp_span *span, struct otlp_random *random, bool query)
{
    otlp_attributes_init(&span->attributes);
    span->random = random;
    span->query = query;
}

void otlp_span_fini(struct otlp_span *span)
{
    otlp_attributes_fini(&span->attributes);
}

static bool is(struct text text, const char *word)
{
    return text.length == strlen(word) && memcmp(text.data, word, text.length) == 0;
}

bool otlp_span_is_server(const struct exchange_record *record)
{
    return is(record->side, "server");
}

struct text otlp_span_own_end(const struct exchange_record *record)
{
    return otlp_span_is_server(record) ? record->server : record->client;
}

bool otlp_span_exists(const struct exchange_record *record)
{
    return record->time_ns > 0 && !is(record->outcome, "request_only") &&
           !is(record->outcome, "response_only");
}

bool otlp_span_failed(const struct exchange_record *record)
{
    int first = otlp_span_is_server(record) ? SERVER_ERROR : CLIENT_ERROR;
    return record->status >= first || !is(record->outcome, "complete");
}

/* ---- ids ---- */

static unsigned hex_value(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* A 64-bit trace id stands behind zeros. */
static void set_trace_id(struct otlp_span *span, struct text hex, uint8_t id[TRACE_ID_BYTES])
{
    if (hex.length == 0 || hex.length > (size_t)2 * TRACE_ID_BYTES || hex.length % 2 != 0) {
        uint64_t random[] = {otlp_random_id(span->random), otlp_random_id(span->random)};
        memcpy(id, random, TRACE_ID_BYTES);
        return;
    }
    size_t bytes = hex.length / 2;
    memset(id, 0, TRACE_ID_BYTES);
    for (size_t i = 0; i < bytes; i++) {
        id[TRACE_ID_BYTES - bytes + i] =
            (uint8_t)(hex_value(hex.data[2 * i]) << 4 | hex_value(hex.data[2 * i + 1]));
    }
}

static void set_span_id(uint64_t value, uint8_t id[SPAN_ID_BYTES])
{
    for (unsigned i = 0; i < SPAN_ID_BYTES; i++) {
        id[i] = (uint8_t)(value >> (8 * (SPAN_ID_BYTES - 1 - i)));
    }
}

/* ---- attributes ---- */

/* "10.0.0.1:80" or "[2001:db8::1]:80"; "shop" alone is at the scheme's port. */
static void add_end(struct otlp_attributes *attributes, struct text end, const char *address_key,
                    const char *port_key)
{
    const char *colon = end.length == 0 ? NULL : memrchr(end.data, ':', end.length);
    const char *bracket = end.length == 0 ? NULL : memrchr(end.data, ']', end.length);
    int64_t port = HTTP_PORT;
    struct text address = end;
    if (colon != NULL && (bracket == NULL || colon > bracket)) {
        address.length = (size_t)(colon - end.data);
        port = 0;
        for (const char *digit = colon + 1; digit < end.data + end.length; digit++) {
            bool valid = *digit >= '0' && *digit <= '9' && port < UINT16_MAX;
            port = valid ? port * 10 + (*digit - '0') : UINT16_MAX + 1;
        }
    }
    if (address.length > 2 && address.data[0] == '[' && address.data[address.length - 1] == ']') {
        address.data++;
        address.length -= 2;
    }
    otlp_attributes_text(attributes, address_key, address);
    if (port > 0 && port <= UINT16_MAX) {
        otlp_attributes_number(attributes, port_key, port);
    }
}

static struct text path_of(const struct exchange_record *record)
{
    struct text target = record->target;
    const char *mark = target.length == 0 ? NULL : memchr(target.data, '?', target.length);
    return mark == NULL ? target : (struct text){target.data, (size_t)(mark - target.data)};
}

static void add_url(struct otlp_span *span, const struct exchange_record *record)
{
    struct text path = path_of(record);
    struct text target = span->query ? record->target : path;
    if (otlp_span_is_server(record)) {
        otlp_attributes_text(&span->attributes, "url.path", path);
        if (span->query && record->target.length > path.length + 1) {
            struct text query = {path.data + path.length + 1,
                                 record->target.length - path.length - 1};
            otlp_attributes_text(&span->attributes, "url.query", query);
        }
        return;
    }
    /* An origin-form target needs its authority; others have it, or none ("*"). */
    bool origin = target.length > 0 && target.data[0] == '/';
    struct text authority = record->host.length > 0 ? record->host : record->server;
    char *start = span->attributes.strings.data + span->attributes.strings.length;
    struct byte_writer *strings = &span->attributes.strings;
    if (origin) {
        byte_writer_string(strings, "http://");
        byte_writer_utf8(strings, authority);
    }
    byte_writer_utf8(strings, target);
    struct text full = {start, (size_t)(strings->data + strings->length - start)};
    otlp_attributes_text(&span->attributes, "url.full", full);
}

static void add_method(struct otlp_attributes *attributes, struct text method)
{
    bool known = otlp_names_is_method(method);
    otlp_attributes_text(attributes, "http.request.method", known ? method : text_of("_OTHER"));
    if (!known) {
        otlp_attributes_text(attributes, "http.request.method_original", method);
    }
}

/* error.type is what broke the exchange off, else the status that says so. */
static void add_result(struct otlp_attributes *attributes, const struct exchange_record *record)
{
    char status[STATUS_DIGITS] = {(char)('0' + record->status / 100),
                                  (char)('0' + record->status / 10 % 10),
                                  (char)('0' + record->status % 10)};
    if (record->status != 0) {
        otlp_attributes_number(attributes, "http.response.status_code", record->status);
    }
    if (otlp_span_failed(record)) {
        bool complete = is(record->outcome, "complete");
        otlp_attributes_text(attributes, "error.type",
                             complete ? text_of(status) : record->outcome);
    }
    if (record->request_body_bytes != RECORD_UNKNOWN) {
        otlp_attributes_number(attributes, "http.request.body.size",
                               (int64_t)record->request_body_bytes);
    }
    if (record->response_body_bytes != RECORD_UNKNOWN) {
        otlp_attributes_number(attributes, "http.response.body.size",
                               (int64_t)record->response_body_bytes);
    }
    if (record->ambiguous) {
        otlp_attributes_flag(attributes, "vethscope.ambiguous");
    }
}

static void add_attributes(struct otlp_span *span, const struct exchange_record *record)
{
    struct otlp_attributes *attributes = &span->attributes;
    bool server = otlp_span_is_server(record);
    add_method(attributes, record->method);
    otlp_attributes_text(attributes, "url.scheme", text_of("http"));
    add_url(span, record);
    otlp_attributes_text(attributes, "http.route", record->route);
    add_end(attributes, record->host.length > 0 ? record->host : record->server, "server.address",
            "server.port");
    add_end(attributes, server ? record->client : record->server, "network.peer.address",
            "network.peer.port");
    otlp_attributes_text(attributes, "network.protocol.version", record->version);
    otlp_attributes_text(attributes, "user_agent.original", record->user_agent);
    if (server) {
        otlp_attributes_text(attributes, "vethscope.client.service", record->client_service);
    } else {
        otlp_attributes_text(attributes, "vethscope.server.service", record->server_service);
    }
    add_result(attributes, record);
}

/* What the attributes and the name take at most. */
static size_t text_bytes(const struct exchange_record *record)
{
    return TEXT_USES * (record->method.length + record->target.length + record->route.length +
                        record->host.length + record->server.length + record->client.length) +
           record->version.length + record->user_agent.length + record->outcome.length +
           record->client_service.length + record->server_service.length + OWN_WORDS_BYTES;
}

/* ---- times ---- */

static uint64_t known(uint64_t duration_ns)
{
    return duration_ns == RECORD_UNKNOWN ? 0 : duration_ns;
}

/* Without an answer, the last byte that was seen of the request. */
static uint64_t end_of(const struct exchange_record *record)
{
    uint64_t start = (uint64_t)record->time_ns;
    if (record->duration_ns != RECORD_UNKNOWN) {
        return start + record->duration_ns;
    }
    return start + known(record->request_ns) + known(record->server_ns) +
           known(record->response_ns);
}

static void add_event(otlp_span_message *message, otlp_span_event *events, const char *name,
                      uint64_t time_ns)
{
    otlp_span_event *event = &events[message->n_events];
    opentelemetry__proto__trace__v1__span__event__init(event);
    event->time_unix_nano = time_ns;
    memcpy(&event->name, &name, sizeof(name));
    message->events[message->n_events++] = event;
}

static void add_events(otlp_span_message *message, otlp_span_event *events,
                       const struct exchange_record *record)
{
    uint64_t end = message->end_time_unix_nano;
    if (record->request_ns != RECORD_UNKNOWN) {
        add_event(message, events, "http.request.end",
                  message->start_time_unix_nano + record->request_ns);
    }
    if (record->duration_ns != RECORD_UNKNOWN && record->response_ns != RECORD_UNKNOWN &&
        record->response_ns <= record->duration_ns) {
        add_event(message, events, "http.response.start", end - record->response_ns);
    }
}

/* ---- the message ---- */

/* "GET /users/{id}" */
static char *name_of(struct otlp_attributes *attributes, const struct exchange_record *record)
{
    struct byte_writer *strings = &attributes->strings;
    char *name = strings->data + strings->length;
    byte_writer_utf8(strings,
                     otlp_names_is_method(record->method) ? record->method : text_of("HTTP"));
    if (record->route.length > 0) {
        byte_writer_byte(strings, ' ');
        byte_writer_utf8(strings, record->route);
    }
    byte_writer_byte(strings, '\0');
    return name;
}

void otlp_span_append(struct otlp_span *span, const struct exchange_record *record,
                      struct byte_writer *out)
{
    if (!otlp_attributes_begin(&span->attributes, text_bytes(record))) {
        out->failed = true;
        return;
    }
    uint8_t trace_id[TRACE_ID_BYTES];
    uint8_t span_id[SPAN_ID_BYTES];
    uint8_t parent_id[SPAN_ID_BYTES];
    otlp_span_event events[EVENTS_MAX];
    otlp_span_event *event_list[EVENTS_MAX];
    otlp_status status;
    otlp_span_message message;
    opentelemetry__proto__trace__v1__span__init(&message);
    opentelemetry__proto__trace__v1__status__init(&status);
    set_trace_id(span, record->trace_id, trace_id);
    set_span_id(otlp_random_id(span->random), span_id);
    message.trace_id = (ProtobufCBinaryData){TRACE_ID_BYTES, trace_id};
    message.span_id = (ProtobufCBinaryData){SPAN_ID_BYTES, span_id};
    message.flags = record->sampling == RECORD_NOT_SAMPLED ? 0 : FLAG_SAMPLED;
    if (record->parent_span_id != 0) {
        set_span_id(record->parent_span_id, parent_id);
        message.parent_span_id = (ProtobufCBinaryData){SPAN_ID_BYTES, parent_id};
        message.flags |= FLAGS_REMOTE_PARENT;
    }
    message.kind = otlp_span_is_server(record)
                       ? OPENTELEMETRY__PROTO__TRACE__V1__SPAN__SPAN_KIND__SPAN_KIND_SERVER
                       : OPENTELEMETRY__PROTO__TRACE__V1__SPAN__SPAN_KIND__SPAN_KIND_CLIENT;
    message.start_time_unix_nano = (uint64_t)record->time_ns;
    message.end_time_unix_nano = end_of(record);
    message.events = event_list;
    add_events(&message, events, record);
    message.name = name_of(&span->attributes, record);
    add_attributes(span, record);
    message.n_attributes = span->attributes.count;
    message.attributes = span->attributes.list;
    if (otlp_span_failed(record)) {
        status.code = OPENTELEMETRY__PROTO__TRACE__V1__STATUS__STATUS_CODE__STATUS_CODE_ERROR;
        message.status = &status;
    }
    otlp_message_append(out, &message.base);
}
