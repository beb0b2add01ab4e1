#include "exporters/otlp/otlp_span.h"

#include "exporters/otlp/otlp_names.h"

/* Fields of Span, of its Event and of Status. */
enum span_field {
    SPAN_TRACE_ID = 1,
    SPAN_ID = 2,
    SPAN_PARENT_ID = 4,
    SPAN_NAME = 5,
    SPAN_KIND = 6,
    SPAN_START = 7,
    SPAN_END = 8,
    SPAN_ATTRIBUTES = 9,
    SPAN_EVENTS = 11,
    SPAN_STATUS = 15,
    SPAN_FLAGS = 16,
    EVENT_TIME = 1,
    EVENT_NAME = 2,
    STATUS_CODE = 3
};

#define KIND_SERVER 2
#define KIND_CLIENT 3
#define STATUS_ERROR 2

#define TRACE_ID_BYTES 16
#define SPAN_ID_BYTES 8
/* A server's errors; a client's requests fail with any status from 400 on. */
#define SERVER_ERROR 500
#define CLIENT_ERROR 400
/* SpanFlags of OpenTelemetry: W3C's flag, and that the parent is known to be remote. */
#define FLAG_SAMPLED 0x001u
#define FLAGS_REMOTE_PARENT 0x300u
#define HTTP_PORT 80
#define STATUS_DIGITS 8

void otlp_span_init(struct otlp_span *span, struct otlp_random *random, bool query)
{
    byte_writer_init(&span->scratch);
    span->random = random;
    span->query = query;
}

void otlp_span_fini(struct otlp_span *span)
{
    byte_writer_fini(&span->scratch);
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
static void add_trace_id(struct otlp_span *span, struct text hex, struct byte_writer *out)
{
    char id[TRACE_ID_BYTES] = {0};
    size_t bytes = hex.length / 2;
    if (bytes == 0 || bytes > TRACE_ID_BYTES) {
        uint64_t random[] = {otlp_random_id(span->random), otlp_random_id(span->random)};
        memcpy(id, random, sizeof(id));
        bytes = 0;
    }
    for (size_t i = 0; i < bytes; i++) {
        id[TRACE_ID_BYTES - bytes + i] =
            (char)(hex_value(hex.data[2 * i]) << 4 | hex_value(hex.data[2 * i + 1]));
    }
    otlp_wire_bytes(out, SPAN_TRACE_ID, (struct text){id, sizeof(id)});
}

static void add_span_id(struct byte_writer *out, enum span_field field, uint64_t value)
{
    char id[SPAN_ID_BYTES];
    for (unsigned i = 0; i < SPAN_ID_BYTES; i++) {
        id[i] = (char)(value >> (8 * (SPAN_ID_BYTES - 1 - i)));
    }
    otlp_wire_bytes(out, field, (struct text){id, sizeof(id)});
}

static void add_ids(struct otlp_span *span, const struct exchange_record *record,
                    struct byte_writer *out)
{
    uint32_t flags = record->sampling == RECORD_NOT_SAMPLED ? 0 : FLAG_SAMPLED;
    add_trace_id(span, record->trace_id, out);
    add_span_id(out, SPAN_ID, otlp_random_id(span->random));
    if (record->parent_span_id != 0) {
        add_span_id(out, SPAN_PARENT_ID, record->parent_span_id);
        flags |= FLAGS_REMOTE_PARENT;
    }
    otlp_wire_fixed32(out, SPAN_FLAGS, flags);
}

/* ---- attributes ---- */

static void add_text(struct byte_writer *out, const char *key, struct text value)
{
    otlp_wire_attribute(out, SPAN_ATTRIBUTES, key, value);
}

static void add_number(struct byte_writer *out, const char *key, uint64_t value)
{
    otlp_wire_attribute_number(out, SPAN_ATTRIBUTES, key, (int64_t)value);
}

/* "10.0.0.1:80" or "[2001:db8::1]:80"; "shop" alone is at the scheme's port. */
static void add_end(struct byte_writer *out, struct text end, const char *address_key,
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
    add_text(out, address_key, address);
    if (port > 0 && port <= UINT16_MAX) {
        add_number(out, port_key, (uint64_t)port);
    }
}

static struct text path_of(const struct exchange_record *record)
{
    struct text target = record->target;
    const char *mark = target.length == 0 ? NULL : memchr(target.data, '?', target.length);
    return mark == NULL ? target : (struct text){target.data, (size_t)(mark - target.data)};
}

static void add_url_parts(struct otlp_span *span, const struct exchange_record *record,
                          struct byte_writer *out)
{
    struct text path = path_of(record);
    add_text(out, "url.path", path);
    if (span->query && record->target.length > path.length + 1) {
        struct text query = {path.data + path.length + 1, record->target.length - path.length - 1};
        add_text(out, "url.query", query);
    }
}

/* An origin-form target needs its authority; others have it, or none ("*"). */
static void add_full_url(struct otlp_span *span, const struct exchange_record *record,
                         struct byte_writer *out)
{
    struct text target = span->query ? record->target : path_of(record);
    if (target.length == 0 || target.data[0] != '/') {
        add_text(out, "url.full", target);
        return;
    }
    byte_writer_reset(&span->scratch);
    byte_writer_string(&span->scratch, "http://");
    byte_writer_text(&span->scratch, record->host.length > 0 ? record->host : record->server);
    byte_writer_text(&span->scratch, target);
    add_text(out, "url.full", otlp_wire_written(&span->scratch));
    out->failed |= span->scratch.failed;
}

static void add_method(struct byte_writer *out, struct text method)
{
    bool known = otlp_names_is_method(method);
    add_text(out, "http.request.method", known ? method : text_of("_OTHER"));
    if (!known) {
        add_text(out, "http.request.method_original", method);
    }
}

/* error.type is what broke the exchange off, else the status that says so. */
static void add_result(struct byte_writer *out, const struct exchange_record *record)
{
    char status[STATUS_DIGITS] = {(char)('0' + record->status / 100),
                                  (char)('0' + record->status / 10 % 10),
                                  (char)('0' + record->status % 10)};
    if (record->status != 0) {
        add_number(out, "http.response.status_code", record->status);
    }
    if (otlp_span_failed(record)) {
        bool complete = is(record->outcome, "complete");
        add_text(out, "error.type", complete ? text_of(status) : record->outcome);
    }
    if (record->request_body_bytes != RECORD_UNKNOWN) {
        add_number(out, "http.request.body.size", record->request_body_bytes);
    }
    if (record->response_body_bytes != RECORD_UNKNOWN) {
        add_number(out, "http.response.body.size", record->response_body_bytes);
    }
    if (record->ambiguous) {
        otlp_wire_attribute_flag(out, SPAN_ATTRIBUTES, "vethscope.ambiguous");
    }
}

static void add_attributes(struct otlp_span *span, const struct exchange_record *record,
                           struct byte_writer *out)
{
    bool server = otlp_span_is_server(record);
    add_method(out, record->method);
    add_text(out, "url.scheme", text_of("http"));
    if (server) {
        add_url_parts(span, record, out);
    } else {
        add_full_url(span, record, out);
    }
    add_text(out, "http.route", record->route);
    add_end(out, record->host.length > 0 ? record->host : record->server, "server.address",
            "server.port");
    add_end(out, server ? record->client : record->server, "network.peer.address",
            "network.peer.port");
    add_text(out, "network.protocol.version", record->version);
    add_text(out, "user_agent.original", record->user_agent);
    if (server) {
        add_text(out, "vethscope.client.service", record->client_service);
    } else {
        add_text(out, "vethscope.server.service", record->server_service);
    }
    add_result(out, record);
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

static void add_event(struct byte_writer *out, const char *name, uint64_t time_ns)
{
    struct text text = text_of(name);
    otlp_wire_begin(out, SPAN_EVENTS, 1 + sizeof(time_ns) + otlp_wire_size(text.length));
    otlp_wire_fixed64(out, EVENT_TIME, time_ns);
    otlp_wire_bytes(out, EVENT_NAME, text);
}

static void add_times(const struct exchange_record *record, struct byte_writer *out)
{
    uint64_t start = (uint64_t)record->time_ns;
    uint64_t end = end_of(record);
    otlp_wire_fixed64(out, SPAN_START, start);
    otlp_wire_fixed64(out, SPAN_END, end);
    if (record->request_ns != RECORD_UNKNOWN) {
        add_event(out, "http.request.end", start + record->request_ns);
    }
    if (record->duration_ns != RECORD_UNKNOWN && record->response_ns != RECORD_UNKNOWN &&
        record->response_ns <= record->duration_ns) {
        add_event(out, "http.response.start", end - record->response_ns);
    }
}

/* ---- the message ---- */

/* "GET /users/{id}" */
static void add_name(struct otlp_span *span, const struct exchange_record *record,
                     struct byte_writer *out)
{
    struct byte_writer *name = &span->scratch;
    byte_writer_reset(name);
    byte_writer_text(name, otlp_names_is_method(record->method) ? record->method : text_of("HTTP"));
    if (record->route.length > 0) {
        byte_writer_byte(name, ' ');
        byte_writer_text(name, record->route);
    }
    otlp_wire_text(out, SPAN_NAME, otlp_wire_written(name));
    out->failed |= name->failed;
}

void otlp_span_append(struct otlp_span *span, const struct exchange_record *record,
                      struct byte_writer *out)
{
    add_ids(span, record, out);
    add_name(span, record, out);
    otlp_wire_varint(out, SPAN_KIND, otlp_span_is_server(record) ? KIND_SERVER : KIND_CLIENT);
    add_times(record, out);
    add_attributes(span, record, out);
    if (otlp_span_failed(record)) {
        otlp_wire_begin(out, SPAN_STATUS, 2);
        otlp_wire_varint(out, STATUS_CODE, STATUS_ERROR);
    }
}
