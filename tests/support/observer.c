#include "tests/support/observer.h"

#include "agent/exchange/conversation.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLENTY (UINT64_C(4) << 20)
#define DEFAULT_HEAD_BYTES 65536
#define DEFAULT_TARGET_BYTES 4096
#define DEFAULT_FLOWS 64
#define DEFAULT_REORDER_PACKETS 128
#define DEFAULT_IDLE_NS (INT64_C(300) * 1000000000)

static void write_text(struct observer *observer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void write_text(struct observer *observer, const char *format, ...)
{
    va_list arguments;
    size_t room = sizeof(observer->text) - observer->length;
    va_start(arguments, format);
    int length = vsnprintf(observer->text + observer->length, room, format, arguments);
    va_end(arguments);
    if (length > 0) {
        observer->length += (size_t)length < room ? (size_t)length : room - 1;
    }
}

/* ---- exchanges ---- */

static void write_slice(struct observer *observer, const char *before, struct slice slice)
{
    write_text(observer, "%s", before);
    if (slice.data == NULL) {
        write_text(observer, "-");
    }
    for (size_t i = 0; slice.data != NULL && i < slice.length; i++) {
        unsigned char byte = (unsigned char)slice.data[i];
        write_text(observer, byte > ' ' && byte < 0x7f ? "%c" : "\\x%02x", byte);
    }
}

static void write_size(struct observer *observer, const char *before, uint64_t size)
{
    if (size == EXCHANGE_SIZE_UNKNOWN) {
        write_text(observer, "%s-", before);
    } else {
        write_text(observer, "%s%" PRIu64, before, size);
    }
}

static void write_time(struct observer *observer, const char *before, int64_t time_ns)
{
    if (time_ns == EXCHANGE_TIME_UNKNOWN) {
        write_text(observer, "%s-", before);
    } else {
        write_text(observer, "%s%" PRId64, before, time_ns - observer->options.epoch_ns);
    }
}

static void write_duration(struct observer *observer, const char *before, int64_t duration_ns)
{
    if (duration_ns != EXCHANGE_TIME_UNKNOWN) {
        write_text(observer, "%s%" PRId64, before, duration_ns);
    }
}

static void write_times(struct observer *observer, const struct exchange *exchange)
{
    write_time(observer, " times=", exchange->start_ns);
    write_time(observer, ",", exchange->request_end_ns);
    write_time(observer, ",", exchange->response_start_ns);
    write_time(observer, ",", exchange->response_end_ns);
    write_duration(observer, " connect_server=", exchange->connect_server_ns);
    write_duration(observer, " connect_client=", exchange->connect_client_ns);
}

static void write_texts(struct observer *observer, const struct exchange *exchange)
{
    write_text(observer, " 1.%u", exchange->minor_version);
    if (exchange->route.data != NULL) {
        write_slice(observer, " route=", exchange->route);
    }
    if (exchange->host.data != NULL) {
        write_slice(observer, " host=", exchange->host);
    }
    if (exchange->user_agent.data != NULL) {
        write_slice(observer, " agent=", exchange->user_agent);
    }
    if (exchange->trace_id.data != NULL) {
        write_slice(observer, " trace=", exchange->trace_id);
    }
}

static void write_exchange(struct observer *observer, const struct exchange *exchange)
{
    write_slice(observer, "", exchange->method);
    write_slice(observer, " ", exchange->target);
    if (exchange->status == EXCHANGE_STATUS_UNKNOWN) {
        write_text(observer, " -");
    } else {
        write_text(observer, " %u", exchange->status);
    }
    write_text(observer, " %s", exchange_outcome_name(exchange->outcome));
    if (exchange->reason != EXCHANGE_REASON_NONE) {
        write_text(observer, "/%s", exchange_reason_name(exchange->reason));
    }
    write_size(observer, " ", exchange->request_body_bytes);
    write_size(observer, ">", exchange->response_body_bytes);
    for (unsigned i = 0; i < exchange->interim_count; i++) {
        write_text(observer, "%s%u", i == 0 ? " interim=" : ",", exchange->interim[i]);
    }
    if (exchange->ambiguous) {
        write_text(observer, " ambiguous");
    }
    if (observer->options.show_hosts) {
        write_texts(observer, exchange);
    }
    if (observer->options.show_times) {
        write_times(observer, exchange);
    }
    write_text(observer, "\n");
}

/* ---- events ---- */

static struct observer_protocol *protocol_of(struct observer *observer, const char *name)
{
    struct observer_protocol *protocol = observer->protocols;
    while (protocol->name != NULL && strcmp(protocol->name, name) != 0) {
        if (++protocol == observer->protocols + OBSERVER_PROTOCOLS) {
            abort();
        }
    }
    protocol->name = name;
    return protocol;
}

static void count_blind(struct observer_protocol *protocol, const struct connection_event *event)
{
    protocol->connections += event->amount;
    if (event->server_name.data != NULL) {
        snprintf(protocol->server_name, sizeof(protocol->server_name), " %.*s",
                 (int)event->server_name.length, event->server_name.data);
    }
}

static const char *event_name(enum connection_event_kind kind)
{
    static const char *const names[] = {
        [CONNECTION_OPENED] = "opened",
        [CONNECTION_FAILED] = "failed",
        [CONNECTION_CONNECT_SERVER_NS] = "connect_server",
        [CONNECTION_CONNECT_CLIENT_NS] = "connect_client",
        [CONNECTION_RETRANSMITTED] = "retransmitted",
        [CONNECTION_CONFLICTING] = "conflicting",
        [CONNECTION_MISSED] = "missed",
        [CONNECTION_BLIND] = "blind",
        [CONNECTION_BLIND_BYTES] = "blind_bytes",
        [CONNECTION_REQUEST_BEGAN] = "began",
        [CONNECTION_REQUEST_ENDED] = "ended",
        [CONNECTION_CLOSED] = "closed",
    };
    return names[kind];
}

static void write_event(struct observer *observer, const struct connection_event *event)
{
    write_text(observer, "  %s", event_name(event->kind));
    if (event->protocol != NULL) {
        write_text(observer, " %s", event->protocol);
    }
    if (event->method.data != NULL) {
        write_slice(observer, " ", event->method);
    }
    write_text(observer, " %" PRIu64 "\n", event->amount);
}

static void count_event(struct observer *observer, const struct connection_event *event)
{
    switch (event->kind) {
    case CONNECTION_OPENED:
        observer->opened += event->amount;
        break;
    case CONNECTION_FAILED:
        observer->failed += event->amount;
        break;
    case CONNECTION_CONNECT_SERVER_NS:
    case CONNECTION_CONNECT_CLIENT_NS:
        break;
    case CONNECTION_RETRANSMITTED:
        observer->retransmitted += event->amount;
        break;
    case CONNECTION_CONFLICTING:
        observer->conflicting += event->amount;
        break;
    case CONNECTION_MISSED:
        observer->missed_bytes += event->amount;
        break;
    case CONNECTION_BLIND:
        count_blind(protocol_of(observer, event->protocol), event);
        break;
    case CONNECTION_BLIND_BYTES:
        protocol_of(observer, event->protocol)->bytes += event->amount;
        break;
    case CONNECTION_REQUEST_BEGAN:
        observer->active_requests++;
        break;
    case CONNECTION_REQUEST_ENDED:
        observer->went_negative = observer->went_negative || --observer->active_requests < 0;
        break;
    case CONNECTION_CLOSED:
        observer->closed += event->amount;
        break;
    }
}

static void on_event(void *context, struct connection *connection,
                     const struct connection_event *event)
{
    struct observer *observer = context;
    (void)connection;
    count_event(observer, event);
    if (observer->options.show_events) {
        write_event(observer, event);
    }
}

static void on_exchange(void *context, struct connection *connection,
                        const struct exchange *exchange)
{
    struct observer *observer = context;
    if (exchange->ends_request) {
        struct connection_event end = exchange_end(exchange);
        on_event(context, connection, &end);
    }
    observer->exchanges++;
    if (observer->exchange != NULL) {
        observer->exchange(observer->context, exchange);
    } else {
        write_exchange(observer, exchange);
    }
}

static void write_count(struct observer *observer, const char *name, uint64_t count)
{
    if (count > 0) {
        write_text(observer, "%s %" PRIu64 "\n", name, count);
    }
}

void observer_summarize(struct observer *observer)
{
    write_count(observer, "missed", observer->missed_bytes);
    write_count(observer, "failed", observer->failed);
    write_count(observer, "conflicting", observer->conflicting);
    for (unsigned i = 0; i < OBSERVER_PROTOCOLS && observer->protocols[i].name != NULL; i++) {
        const struct observer_protocol *protocol = &observer->protocols[i];
        write_text(observer, "blind %s %" PRIu64 " %" PRIu64 "%s\n", protocol->name,
                   protocol->connections, protocol->bytes, protocol->server_name);
    }
}

/* ---- life ---- */

static void use_defaults(struct observer_options *options)
{
    options->memory_bytes = options->memory_bytes != 0 ? options->memory_bytes : PLENTY;
    options->max_head_bytes =
        options->max_head_bytes != 0 ? options->max_head_bytes : DEFAULT_HEAD_BYTES;
    options->max_target_bytes =
        options->max_target_bytes != 0 ? options->max_target_bytes : DEFAULT_TARGET_BYTES;
    options->max_flows = options->max_flows != 0 ? options->max_flows : DEFAULT_FLOWS;
    options->max_held_bytes = options->max_held_bytes != 0 ? options->max_held_bytes : PLENTY;
    options->reorder_packets =
        options->reorder_packets != 0 ? options->reorder_packets : DEFAULT_REORDER_PACKETS;
    options->idle_ns = options->idle_ns != 0 ? options->idle_ns : DEFAULT_IDLE_NS;
}

void observer_init(struct observer *observer, const struct observer_options *options)
{
    memset(observer, 0, sizeof(*observer));
    observer->options = options != NULL ? *options : (struct observer_options){0};
    use_defaults(&observer->options);
    const struct observer_options *used = &observer->options;
    struct exchange_sink sink = {.context = observer, .exchange = on_exchange, .event = on_event};
    struct pairing_options pairing = {.memory_bytes = used->memory_bytes,
                                      .max_head_bytes = used->max_head_bytes,
                                      .max_target_bytes = used->max_target_bytes,
                                      .server_ports = used->server_ports,
                                      .server_port_count = used->server_port_count,
                                      .side = EXCHANGE_SERVER};
    observer->pairing = pairing_new(&pairing, &sink);
    struct tcp_options tcp = {.max_flows = used->max_flows,
                              .max_held_bytes = used->max_held_bytes,
                              .user_size = pairing_flow_size(),
                              .idle_ns = used->idle_ns,
                              .reorder_packets = used->reorder_packets};
    if (observer->pairing == NULL) {
        abort();
    }
    struct tcp_handler handler = pairing_tcp_handler(observer->pairing);
    observer->tcp = tcp_new(&tcp, &handler);
    if (observer->tcp == NULL) {
        abort();
    }
}

void observer_fini(struct observer *observer)
{
    tcp_free(observer->tcp);
    pairing_free(observer->pairing);
    observer->tcp = NULL;
    observer->pairing = NULL;
}

void observer_reset(struct observer *observer)
{
    tcp_finish(observer->tcp);
    observer->exchanges = 0;
    observer->missed_bytes = 0;
    observer->failed = 0;
    observer->opened = 0;
    observer->closed = 0;
    observer->retransmitted = 0;
    observer->conflicting = 0;
    memset(observer->protocols, 0, sizeof(observer->protocols));
    observer->active_requests = 0;
    observer->went_negative = false;
    observer->length = 0;
    observer->text[0] = '\0';
}

const char *observer_leak(const struct observer *observer)
{
    const struct pairing *pairing = observer->pairing;
    if (observer->went_negative) {
        return "a request ended that had not begun";
    }
    if (observer->active_requests != 0) {
        return "a request began and did not end";
    }
    if (pairing->requests.requests.used != 0 || pairing->requests.long_texts.used != 0) {
        return "a request record was not given back";
    }
    if (pairing->partials.small.used != 0 || pairing->partials.large.used != 0) {
        return "a partial head was not given back";
    }
    if (tcp_counters(observer->tcp).flows != 0) {
        return "a flow is left";
    }
    return NULL;
}
