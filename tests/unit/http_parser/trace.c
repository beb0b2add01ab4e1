#include "tests/unit/http_parser/trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void write_text(struct trace *trace, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void write_text(struct trace *trace, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = sizeof(trace->text) - trace->text_length;
    int written = vsnprintf(trace->text + trace->text_length, room, format, arguments);
    va_end(arguments);
    if (written < 0 || (size_t)written >= room)
        abort();
    trace->text_length += (size_t)written;
}

static const char *separator(const struct trace *trace)
{
    return trace->text_length > 0 ? "; " : "";
}

void trace_init(struct trace *trace, struct guarded *memory, enum http_kind kind,
                const char *answers, const char *bytes)
{
    memset(trace, 0, sizeof(*trace));
    http_stream_init(&trace->stream, kind);
    trace->memory = memory;
    trace->answers = answers != NULL ? answers : "";
    trace->bytes = bytes;
}

/* Which request the response answers; interim responses leave it the next one's too. */
static void answer(struct trace *trace)
{
    char kind = trace->answers[0] != '\0' ? trace->answers[0] : '.';
    http_stream_answer(&trace->stream, kind == 'H'   ? HTTP_REQUEST_HEAD
                                       : kind == 'C' ? HTTP_REQUEST_CONNECT
                                                     : HTTP_REQUEST_ORDINARY);
    if (trace->stream.head.status >= 200 && trace->answers[0] != '\0')
        trace->answers++;
}

static void write_head(struct trace *trace)
{
    enum {
        SHOWN_MAX = 40
    };
    const struct http_head *head = &trace->stream.head;
    struct http_slice last = trace->stream.kind == HTTP_REQUESTS ? head->target : head->reason;
    int shown = last.length < SHOWN_MAX ? (int)last.length : SHOWN_MAX;
    if (trace->stream.kind == HTTP_REQUESTS) {
        write_text(trace, "%s%.*s %.*s 1.%u", separator(trace), (int)head->method.length,
                   head->method.data, shown, last.data, head->minor_version);
    } else {
        write_text(trace, "%s%u 1.%u %.*s", separator(trace), head->status, head->minor_version,
                   shown, last.data != NULL ? last.data : "");
        answer(trace);
    }
}

static void write_event(struct trace *trace, enum http_event event)
{
    switch (event) {
    case HTTP_EVENT_NONE:
        break;
    case HTTP_EVENT_HEAD:
        write_head(trace);
        break;
    case HTTP_EVENT_END:
        write_text(trace, "%send %llu%s", separator(trace),
                   (unsigned long long)trace->stream.body_bytes,
                   trace->stream.ambiguous ? " ambiguous" : "");
        break;
    case HTTP_EVENT_TUNNEL:
        write_text(trace, "%stunnel", separator(trace));
        break;
    case HTTP_EVENT_INVALID:
        trace->is_invalid = true;
        write_text(trace, "%sinvalid", separator(trace));
        break;
    }
}

static void write_events(struct trace *trace)
{
    enum http_event event = HTTP_EVENT_NONE;
    do {
        if (trace->is_invalid)
            return;
        size_t left = trace->given - trace->used;
        size_t consumed = SIZE_MAX;
        const char *bytes = guarded_copy(trace->memory, trace->bytes + trace->used, left);
        event = http_stream_next(&trace->stream, bytes, left, &consumed);
        if (consumed > left)
            abort();
        trace->used += consumed;
        write_event(trace, event);
    } while (event != HTTP_EVENT_NONE);
}

void trace_give(struct trace *trace, size_t length)
{
    trace->given += length;
    write_events(trace);
}

void trace_lose(struct trace *trace, size_t length)
{
    trace->given += length;
    trace->used = trace->given;
    bool inside = http_stream_skip(&trace->stream, length) == HTTP_SKIP_INSIDE;
    write_text(trace, "%s%s", separator(trace), inside ? "inside" : "lost");
    if (inside)
        write_events(trace);
}

void trace_close(struct trace *trace)
{
    write_text(trace, "%sclosed", separator(trace));
    write_event(trace, http_stream_finish(&trace->stream));
}
