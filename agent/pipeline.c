#include "agent/pipeline.h"

#include "agent/aggregate/naming.h"
#include "agent/aggregate/selection.h"
#include "agent/decode/decode.h"
#include "agent/exchange/pairing.h"
#include "agent/tcp/tcp.h"
#include "exporters/metric_emit.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

/*
 * One worker's stages share nothing with another's. The counters that other threads read are
 * published by the worker at each tick, with relaxed stores: each is right for some recent moment.
 */

/* How a worker's memory is divided, in percent; the rest is the series' and the program's own. */
#define FLOWS_PERCENT 40
#define HELD_PERCENT 15
#define PAIRING_PERCENT 25
#define NAMING_PERCENT 4
/* A flow with its place in the hash table, which is twice as large as the number of flows. */
#define FLOW_OVERHEAD 32

#define NS_PER_SECOND INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

struct published {
    _Atomic uint64_t frames;
    _Atomic uint64_t results[DECODE_RESULT_COUNT];
    _Atomic uint64_t exchanges;
    _Atomic uint64_t flows;
    _Atomic uint64_t flows_evicted;
    _Atomic uint64_t held_refused;
    _Atomic uint64_t heads_refused;
    _Atomic uint64_t requests_refused;
    _Atomic uint64_t out_of_window;
};

struct pipeline {
    struct tcp *tcp;
    struct pairing *pairing;
    struct naming *naming;
    struct selection *selection; /* NULL: nothing is left out */
    struct aggregate_shard *shard;
    struct exchange_sink shard_sink;
    struct exchange_sink tap;
    uint64_t memory_bytes;
    uint64_t frames;
    uint64_t results[DECODE_RESULT_COUNT];
    int64_t shard_ticked_ns;
    struct published published;
};

static void publish_value(_Atomic uint64_t *to, uint64_t value)
{
    atomic_store_explicit(to, value, memory_order_relaxed);
}

static uint64_t read_value(const _Atomic uint64_t *from)
{
    return atomic_load_explicit(from, memory_order_relaxed);
}

static void publish(struct pipeline *pipeline)
{
    struct published *published = &pipeline->published;
    struct tcp_counters tcp = tcp_counters(pipeline->tcp);
    struct pairing_counters pairing = pairing_counters(pipeline->pairing);
    publish_value(&published->frames, pipeline->frames);
    for (unsigned i = 0; i < DECODE_RESULT_COUNT; i++) {
        publish_value(&published->results[i], pipeline->results[i]);
    }
    publish_value(&published->exchanges, aggregate_shard_exchanges(pipeline->shard));
    publish_value(&published->flows, tcp.flows);
    publish_value(&published->flows_evicted, tcp.evicted);
    publish_value(&published->held_refused, tcp.held_refused);
    publish_value(&published->out_of_window, tcp.out_of_window);
    publish_value(&published->heads_refused, pairing.heads_refused);
    publish_value(&published->requests_refused, pairing.requests_refused);
}

/* ---- the sink behind the selection, where there is a tap ---- */

static void on_exchange(void *context, struct connection *connection,
                        const struct exchange *exchange)
{
    struct pipeline *pipeline = context;
    pipeline->shard_sink.exchange(pipeline->shard_sink.context, connection, exchange);
    pipeline->tap.exchange(pipeline->tap.context, connection, exchange);
}

static void on_event(void *context, struct connection *connection,
                     const struct connection_event *event)
{
    struct pipeline *pipeline = context;
    pipeline->shard_sink.event(pipeline->shard_sink.context, connection, event);
    if (pipeline->tap.event != NULL) {
        pipeline->tap.event(pipeline->tap.context, connection, event);
    }
}

/* ---- building ---- */

static struct aggregate_shard *new_shard(const struct pipeline_options *options)
{
    const struct config *config = options->config;
    struct aggregate_options aggregate = {
        .duration_buckets = config->metrics.duration_buckets,
        .duration_bucket_count = config->metrics.duration_bucket_count,
        .max_series = config->metrics.max_series,
        .max_routes_per_service = config->routes.max_per_service,
        .series_idle_ns = (int64_t)config->metrics.series_idle_timeout_s * NS_PER_SECOND,
        .native_schema = (int)config->metrics.native_schema,
        .native_max_buckets = config->metrics.native_max_buckets,
        .body_sizes = config->metrics.body_sizes,
        .await_pods = options->kubernetes,
        .await_peers = config->kubernetes.scope == CONFIG_SCOPE_CLUSTER,
        .interface_since = options->interface_since,
        .interface_context = options->interface_context};
    return aggregate_shard_new(&aggregate, options->directory);
}

static bool selects(const struct pipeline_options *options)
{
    return options->config->rule_count > 0 || options->own_port != 0 ||
           options->own_address_count > 0;
}

static struct selection *new_selection(const struct pipeline_options *options,
                                       struct aggregate_shard *shard,
                                       const struct exchange_sink *next)
{
    const struct config *config = options->config;
    struct selection_rule *rules = calloc(config->rule_count + 1, sizeof(*rules));
    if (rules == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < config->rule_count; i++) {
        const struct config_rule *rule = &config->rules[i];
        rules[i] = (struct selection_rule){.exclude = rule->exclude,
                                           .namespace = rule->namespace,
                                           .service = rule->service,
                                           .route = rule->route,
                                           .user_agent = rule->user_agent};
    }
    struct selection_options selection = {.rules = rules,
                                          .rule_count = config->rule_count,
                                          .shard = shard,
                                          .own_addresses = options->own_addresses,
                                          .own_address_count = options->own_address_count,
                                          .own_port = options->own_port};
    struct selection *made = selection_new(&selection, next);
    free(rules);
    return made;
}

static struct naming *new_naming(const struct pipeline_options *options,
                                 struct aggregate_shard *shard, const struct exchange_sink *next)
{
    const struct naming_options naming = {
        .shard = shard,
        .hold_ns = options->kubernetes ? options->config->kubernetes.hold_ms * NS_PER_MS : 0,
        .memory_bytes = options->memory_bytes / 100 * NAMING_PERCENT};
    return naming_new(&naming, next);
}

static struct pairing *new_pairing(const struct pipeline_options *options,
                                   const struct exchange_sink *sink)
{
    const struct config *config = options->config;
    struct pairing_options pairing = {.memory_bytes = options->memory_bytes / 100 * PAIRING_PERCENT,
                                      .max_head_bytes = (size_t)config->http.max_head_bytes,
                                      .max_target_bytes = (size_t)config->http.max_target_bytes,
                                      .server_ports = config->http.server_ports,
                                      .server_port_count = config->http.server_port_count,
                                      .side = options->file_side,
                                      .routes = options->routes,
                                      .plain = options->plain,
                                      .plain_context = options->plain_context};
    return pairing_new(&pairing, sink);
}

static struct tcp *new_tcp(const struct pipeline_options *options, struct pairing *pairing)
{
    const struct config *config = options->config;
    uint64_t flow_bytes = sizeof(struct flow) + pairing_flow_size() + FLOW_OVERHEAD;
    uint64_t flows = options->memory_bytes / 100 * FLOWS_PERCENT / flow_bytes;
    struct tcp_options tcp = {.max_flows =
                                  (uint32_t)(flows < UINT32_MAX / 4 ? flows : UINT32_MAX / 4),
                              .max_held_bytes = options->memory_bytes / 100 * HELD_PERCENT,
                              .user_size = pairing_flow_size(),
                              .idle_ns = (int64_t)config->tcp.flow_idle_timeout_s * NS_PER_SECOND,
                              .reorder_packets = config->tcp.reorder_packets,
                              .reorder_ns = options->reorder_ns};
    struct tcp_handler handler = pairing_tcp_handler(pairing);
    return tcp_new(&tcp, &handler);
}

/* From the last stage to the first: each is given where its results go. */
static bool build_stages(struct pipeline *pipeline, const struct pipeline_options *options)
{
    pipeline->shard = new_shard(options);
    if (pipeline->shard == NULL) {
        return false;
    }
    pipeline->shard_sink = aggregate_shard_sink(pipeline->shard);
    struct exchange_sink next = pipeline->shard_sink;
    if (pipeline->tap.exchange != NULL) {
        next = (struct exchange_sink){pipeline, on_exchange, on_event};
    }
    if (selects(options)) {
        pipeline->selection = new_selection(options, pipeline->shard, &next);
        if (pipeline->selection == NULL) {
            return false;
        }
        next = selection_sink(pipeline->selection);
    }
    pipeline->naming = new_naming(options, pipeline->shard, &next);
    if (pipeline->naming == NULL) {
        return false;
    }
    struct exchange_sink named = naming_sink(pipeline->naming);
    pipeline->pairing = new_pairing(options, &named);
    if (pipeline->pairing == NULL) {
        return false;
    }
    pipeline->tcp = new_tcp(options, pipeline->pairing);
    return pipeline->tcp != NULL;
}

struct pipeline *pipeline_new(const struct pipeline_options *options)
{
    struct pipeline *pipeline = calloc(1, sizeof(*pipeline));
    if (pipeline == NULL) {
        return NULL;
    }
    pipeline->memory_bytes = options->memory_bytes;
    pipeline->tap = options->tap != NULL ? *options->tap : (struct exchange_sink){0};
    if (!build_stages(pipeline, options)) {
        pipeline_free(pipeline);
        return NULL;
    }
    return pipeline;
}

void pipeline_free(struct pipeline *pipeline)
{
    if (pipeline != NULL) {
        tcp_free(pipeline->tcp);
        pairing_free(pipeline->pairing);
        naming_free(pipeline->naming);
        selection_free(pipeline->selection);
        aggregate_shard_free(pipeline->shard);
        free(pipeline);
    }
}

/* ---- running ---- */

void pipeline_frame(void *context, const struct frame *frame)
{
    struct pipeline *pipeline = context;
    struct segment segment;
    enum decode_result result = decode_frame(frame, &segment);
    pipeline->frames++;
    pipeline->results[result]++;
    if (result == DECODE_SEGMENT) {
        tcp_segment(pipeline->tcp, &segment);
    }
}

void pipeline_interface_gone(void *context, uint32_t interface)
{
    struct pipeline *pipeline = context;
    tcp_interface_gone(pipeline->tcp, interface);
    naming_interface_gone(pipeline->naming, interface);
}

void pipeline_set_directory(struct pipeline *pipeline, const struct directory *directory)
{
    naming_set_directory(pipeline->naming, directory);
}

void pipeline_ends(const struct pipeline *pipeline, const struct connection *connection,
                   struct aggregate_ends *ends_out)
{
    aggregate_shard_ends(pipeline->shard, connection, ends_out);
}

void pipeline_set_complete(struct pipeline *pipeline)
{
    naming_set_complete(pipeline->naming);
}

void pipeline_tick(struct pipeline *pipeline, int64_t now_ns)
{
    tcp_tick(pipeline->tcp, now_ns);
    pairing_tick(pipeline->pairing, now_ns);
    naming_tick(pipeline->naming, now_ns);
    if (now_ns - pipeline->shard_ticked_ns >= NS_PER_SECOND || now_ns < pipeline->shard_ticked_ns) {
        pipeline->shard_ticked_ns = now_ns;
        aggregate_shard_tick(pipeline->shard, now_ns);
    }
    publish(pipeline);
}

void pipeline_finish(struct pipeline *pipeline)
{
    tcp_finish(pipeline->tcp);
    naming_finish(pipeline->naming);
    publish(pipeline);
}

/* ---- reading ---- */

struct pipeline_counters pipeline_counters(const struct pipeline *pipeline)
{
    const struct published *published = &pipeline->published;
    return (struct pipeline_counters){
        .frames = read_value(&published->frames),
        .segments = read_value(&published->results[DECODE_SEGMENT]),
        .fragments = read_value(&published->results[DECODE_FRAGMENT]),
        .damaged = read_value(&published->results[DECODE_DAMAGED]),
        .unknown_link = read_value(&published->results[DECODE_UNKNOWN_LINK]),
        .other = read_value(&published->results[DECODE_OTHER]),
        .exchanges = read_value(&published->exchanges),
        .flows = read_value(&published->flows),
        .flows_evicted = read_value(&published->flows_evicted),
        .held_refused = read_value(&published->held_refused),
        .heads_refused = read_value(&published->heads_refused),
        .requests_refused = read_value(&published->requests_refused),
        .out_of_window = read_value(&published->out_of_window),
        .memory_bytes = pipeline->memory_bytes,
    };
}

static struct pipeline_counters sum_counters(struct pipeline *const *pipelines, size_t count)
{
    struct pipeline_counters sum = {0};
    for (size_t i = 0; i < count; i++) {
        struct pipeline_counters one = pipeline_counters(pipelines[i]);
        sum.frames += one.frames;
        sum.segments += one.segments;
        sum.fragments += one.fragments;
        sum.damaged += one.damaged;
        sum.unknown_link += one.unknown_link;
        sum.other += one.other;
        sum.exchanges += one.exchanges;
        sum.flows += one.flows;
        sum.flows_evicted += one.flows_evicted;
        sum.held_refused += one.held_refused;
        sum.heads_refused += one.heads_refused;
        sum.requests_refused += one.requests_refused;
        sum.out_of_window += one.out_of_window;
        sum.memory_bytes += one.memory_bytes;
    }
    return sum;
}

static void write_self(const struct pipeline_counters *counters, const struct metric_sink *sink)
{
    metric_emit_gauge(sink, "vethscope_flows", "TCP connections being followed at the moment.",
                      (double)counters->flows);
    metric_emit_counter(sink, "vethscope_flows_evicted_total",
                        "Connections given up before their end because the table was full.",
                        counters->flows_evicted);
    metric_emit_counter(sink, "vethscope_fragments_total",
                        "IP fragments behind the first; their bytes count as missed.",
                        counters->fragments);
    metric_emit_counter(sink, "vethscope_damaged_packets_total",
                        "Packets whose headers contradict themselves or were cut off.",
                        counters->damaged);
    metric_emit_counter(sink, "vethscope_out_of_window_segments_total",
                        "TCP segments that lie too far from their stream to belong to it.",
                        counters->out_of_window);
    metric_emit_counter(sink, "vethscope_reorder_refused_total",
                        "Out-of-order segments for which there was no room.",
                        counters->held_refused);
    metric_emit_counter(sink, "vethscope_heads_refused_total",
                        "Incomplete message heads that were too long or had no room.",
                        counters->heads_refused);
    metric_emit_counter(sink, "vethscope_requests_refused_total",
                        "Requests for which no record was free; reported as evicted.",
                        counters->requests_refused);
    metric_emit_gauge(sink, "vethscope_memory_bytes",
                      "Memory set aside for connections, held segments and waiting requests.",
                      (double)counters->memory_bytes);
}

int pipeline_write_metrics(struct pipeline *const *pipelines, size_t count,
                           const struct metric_sink *sink)
{
    struct aggregate_shard **shards = calloc(count, sizeof(struct aggregate_shard *));
    if (shards == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        shards[i] = pipelines[i]->shard;
    }
    int status = aggregate_write(shards, count, sink);
    free(shards);
    if (status == 0) {
        struct pipeline_counters counters = sum_counters(pipelines, count);
        write_self(&counters, sink);
    }
    return status;
}
