#include "exporters/events/event_json.h"

#include "exporters/utf8.h"

#include <stdio.h>
#include <time.h>

#define NS_PER_SECOND INT64_C(1000000000)
/* "2026-01-31T12:00:00" and the fraction of any 64-bit time, terminator included. */
#define TIME_SIZE 64

/* How many bytes from the start need no escape: neither control, quotation mark nor backslash. */
static size_t plain_run(const char *bytes, size_t length)
{
    size_t run = 0;
    while (run < length) {
        unsigned char byte = (unsigned char)bytes[run];
        size_t sequence = utf8_sequence(bytes + run, length - run);
        if (sequence == 0 || byte < 0x20 || byte == 0x7f || byte == '"' || byte == '\\') {
            break;
        }
        run += sequence;
    }
    return run;
}

static void append_escape(struct byte_writer *out, unsigned char byte)
{
    char escape[8];
    if (byte >= 0x80) {
        byte_writer_string(out, UTF8_REPLACEMENT);
    } else if (byte == '"' || byte == '\\') {
        byte_writer_byte(out, '\\');
        byte_writer_byte(out, (char)byte);
    } else {
        int length = snprintf(escape, sizeof(escape), "\\u%04x", byte);
        byte_writer_append(out, escape, (size_t)length);
    }
}

static void append_string(struct byte_writer *out, struct text text)
{
    byte_writer_byte(out, '"');
    for (size_t i = 0; i < text.length;) {
        size_t run = plain_run(text.data + i, text.length - i);
        byte_writer_append(out, text.data + i, run);
        i += run;
        if (i < text.length) {
            append_escape(out, (unsigned char)text.data[i++]);
        }
    }
    byte_writer_byte(out, '"');
}

static void append_key(struct byte_writer *out, const char *key)
{
    byte_writer_string(out, out->length > 0 && out->data[out->length - 1] == '{' ? "\"" : ",\"");
    byte_writer_string(out, key);
    byte_writer_string(out, "\":");
}

static void append_text(struct byte_writer *out, const char *key, struct text text)
{
    if (text.data != NULL) {
        append_key(out, key);
        append_string(out, text);
    }
}

static void append_number(struct byte_writer *out, const char *key, uint64_t value)
{
    if (value != RECORD_UNKNOWN) {
        append_key(out, key);
        byte_writer_unsigned(out, value);
    }
}

/* RFC 3339 in UTC with nanoseconds. */
static void append_time(struct byte_writer *out, int64_t time_ns)
{
    int64_t seconds = time_ns / NS_PER_SECOND;
    int64_t rest = time_ns % NS_PER_SECOND;
    if (rest < 0) {
        rest += NS_PER_SECOND;
        seconds--;
    }
    time_t time = (time_t)seconds;
    struct tm parts = {0};
    gmtime_r(&time, &parts);
    char text[TIME_SIZE];
    size_t length = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    append_key(out, "time");
    byte_writer_byte(out, '"');
    byte_writer_append(out, text, length);
    length = (size_t)snprintf(text, sizeof(text), ".%09dZ\"", (int)rest);
    byte_writer_append(out, text, length);
}

static void append_interim(struct byte_writer *out, const struct exchange_record *record)
{
    if (record->interim_count == 0) {
        return;
    }
    append_key(out, "interim");
    for (size_t i = 0; i < record->interim_count; i++) {
        byte_writer_byte(out, i == 0 ? '[' : ',');
        byte_writer_unsigned(out, record->interim[i]);
    }
    byte_writer_byte(out, ']');
}

static void append_request(struct byte_writer *out, const struct exchange_record *record)
{
    append_text(out, "side", record->side);
    append_text(out, "client", record->client);
    append_text(out, "server", record->server);
    append_text(out, "method", record->method);
    append_text(out, "target", record->target);
    append_text(out, "route", record->route);
    append_text(out, "host", record->host);
    append_text(out, "version", record->version);
}

static void append_result(struct byte_writer *out, const struct exchange_record *record)
{
    append_number(out, "status", record->status == 0 ? RECORD_UNKNOWN : record->status);
    append_text(out, "outcome", record->outcome);
    append_text(out, "reason", record->reason);
    if (record->ambiguous) {
        append_key(out, "ambiguous");
        byte_writer_string(out, "true");
    }
    append_number(out, "request_body_bytes", record->request_body_bytes);
    append_number(out, "response_body_bytes", record->response_body_bytes);
    append_interim(out, record);
}

static void append_durations(struct byte_writer *out, const struct exchange_record *record)
{
    append_number(out, "request_ns", record->request_ns);
    append_number(out, "server_ns", record->server_ns);
    append_number(out, "response_ns", record->response_ns);
    append_number(out, "duration_ns", record->duration_ns);
    append_number(out, "connect_ns", record->connect_ns);
}

static void append_names(struct byte_writer *out, const struct exchange_record *record)
{
    append_text(out, "trace_id", record->trace_id);
    append_text(out, "client_namespace", record->client_namespace);
    append_text(out, "client_service", record->client_service);
    append_text(out, "server_namespace", record->server_namespace);
    append_text(out, "server_service", record->server_service);
    append_text(out, "user_agent", record->user_agent);
}

void event_json_append(const struct exchange_record *record, struct byte_writer *out)
{
    byte_writer_byte(out, '{');
    if (record->time_ns != RECORD_TIME_UNKNOWN) {
        append_time(out, record->time_ns);
    }
    append_request(out, record);
    append_result(out, record);
    append_durations(out, record);
    append_names(out, record);
    byte_writer_string(out, "}\n");
}
