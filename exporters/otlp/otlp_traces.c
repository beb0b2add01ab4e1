#include "exporters/otlp/otlp_traces.h"

#include "exporters/otlp/otlp_span.h"

#include <stdio.h>
#include <stdlib.h>

struct otlp_traces {
    struct otlp_traces_options options;
    struct exporter_health health;
    struct otlp_channel *channel;
    struct otlp_sampler *sampler;
    struct otlp_random random; /* these: the delivery thread's */
    struct otlp_span span;
    struct otlp_extras extras;
    struct byte_writer resource;
    struct byte_writer body;
};

static bool wants(void *context, const struct exchange_record *record)
{
    const struct otlp_traces *traces = context;
    return otlp_span_exists(record) && (otlp_span_is_server(record) || traces->options.client) &&
           otlp_sampler_wants(traces->sampler, record);
}

static void lose(void *context, enum exporter_loss loss, uint64_t records)
{
    struct otlp_traces *traces = context;
    exporter_health_add(&traces->health.accepted, records);
    exporter_health_lose(&traces->health, loss, records);
}

/* Where nobody knows a name: the address, with the port of who was asked. */
static struct text service_of(const struct exchange_record *record)
{
    bool server = otlp_span_is_server(record);
    struct text service = server ? record->server_service : record->client_service;
    if (service.length > 0 || server) {
        return service.length > 0 ? service : record->server;
    }
    struct text address = record->client;
    const char *colon = memrchr(address.data, ':', address.length);
    address.length = colon == NULL ? address.length : (size_t)(colon - address.data);
    return address;
}

static void write_resource(struct otlp_traces *traces, const struct exchange_record *record)
{
    struct byte_writer *resource = &traces->resource;
    bool server = otlp_span_is_server(record);
    byte_writer_reset(resource);
    otlp_resource_add(resource, "service.name", service_of(record));
    otlp_resource_add(resource, "service.namespace",
                      server ? record->server_namespace : record->client_namespace);
    otlp_resource_add(resource, "k8s.pod.name", server ? record->server_pod : record->client_pod);
    otlp_resource_add(resource, "k8s.node.name",
                      server ? record->server_node : record->client_node);
    otlp_resource_add_extras(resource, &traces->extras, false);
}

static void take(void *context, const struct exchange_record *record)
{
    struct otlp_traces *traces = context;
    write_resource(traces, record);
    byte_writer_reset(&traces->body);
    otlp_span_append(&traces->span, record, &traces->body);
    if (traces->resource.failed || traces->body.failed) {
        lose(traces, EXPORTER_LOSS_MEMORY, 1);
        return;
    }
    struct otlp_item item = {.resource_length = (uint32_t)traces->resource.length,
                             .body_length = (uint32_t)traces->body.length};
    const struct text parts[] = {{(const char *)&item, sizeof(item)},
                                 {traces->resource.data, traces->resource.length},
                                 {traces->body.data, traces->body.length}};
    sender_append(otlp_channel_sender(traces->channel), parts, sizeof(parts) / sizeof(parts[0]));
}

static void tick(void *context)
{
    struct otlp_traces *traces = context;
    sender_commit(otlp_channel_sender(traces->channel));
}

struct otlp_traces *otlp_traces_new(const struct otlp_options *options,
                                    const struct otlp_traces_options *traces_options,
                                    char error_out[static OUTBOX_ERROR_SIZE])
{
    struct otlp_traces *traces = calloc(1, sizeof(*traces));
    snprintf(error_out, OUTBOX_ERROR_SIZE, "out of memory");
    if (traces == NULL) {
        return NULL;
    }
    traces->options = *traces_options;
    traces->health.exporter = "otlp_traces";
    otlp_random_init(&traces->random);
    otlp_span_init(&traces->span, &traces->random, traces_options->query);
    traces->sampler = otlp_sampler_new(&traces_options->sampler);
    traces->extras = options->extras;
    if (traces->sampler != NULL) {
        traces->channel =
            otlp_channel_new(options, traces_options->url, &traces->health, NULL, error_out);
    }
    if (traces->channel == NULL) {
        otlp_traces_free(traces);
        return NULL;
    }
    return traces;
}

int otlp_traces_start(struct otlp_traces *traces)
{
    return sender_start(otlp_channel_sender(traces->channel));
}

struct delivery_outlet otlp_traces_outlet(struct otlp_traces *traces)
{
    return (struct delivery_outlet){
        .context = traces, .wants = wants, .lose = lose, .take = take, .tick = tick};
}

const struct exporter_health *otlp_traces_health(const struct otlp_traces *traces)
{
    return &traces->health;
}

void otlp_traces_order_stop(struct otlp_traces *traces, int64_t deadline_ns)
{
    sender_order_stop(otlp_channel_sender(traces->channel), deadline_ns);
}

void otlp_traces_stop(struct otlp_traces *traces)
{
    sender_stop(otlp_channel_sender(traces->channel));
}

void otlp_traces_free(struct otlp_traces *traces)
{
    if (traces != NULL) {
        otlp_channel_free(traces->channel);
        otlp_sampler_free(traces->sampler);
        otlp_span_fini(&traces->span);
        byte_writer_fini(&traces->resource);
        byte_writer_fini(&traces->body);
        free(traces);
    }
}
