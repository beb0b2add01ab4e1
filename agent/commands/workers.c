#include "agent/commands/workers.h"

#include "agent/exchange/route.h"
#include "exporters/metric_emit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

/* A worker with less than this holds too few connections to be of use. */
#define MIN_WORKER_MEMORY (UINT64_C(8) << 20)
/* A packet that is this late while live, beyond its wait in the ring, is not coming. */
#define LIVE_REORDER_NS INT64_C(200000000)

static enum live_vantage vantage_of(enum config_vantage vantage)
{
    switch (vantage) {
    case CONFIG_VANTAGE_NODE:
        return LIVE_VANTAGE_NODE;
    case CONFIG_VANTAGE_POD:
        return LIVE_VANTAGE_POD;
    case CONFIG_VANTAGE_AUTO:
        break;
    }
    return LIVE_VANTAGE_AUTO;
}

/* The workers of one process share a group, and no other agent of the network namespace may: two in
 * containers have the same process id. */
static int new_fanout_group(void)
{
    uint16_t group = 0;
    return getrandom(&group, sizeof(group), 0) == (ssize_t)sizeof(group) ? group
                                                                         : getpid() & UINT16_MAX;
}

static struct live_options live_options_of(const struct config_capture *capture,
                                           const struct workers_choice *choice)
{
    bool named = choice->interface_count > 0;
    return (struct live_options){
        .interfaces = named ? choice->interfaces : (const char *const *)capture->interfaces.items,
        .interface_count = named ? choice->interface_count : capture->interfaces.count,
        .vantage = vantage_of(capture->vantage),
        .filter = choice->filter != NULL ? choice->filter : capture->filter,
        .ring_bytes = capture->ring_bytes,
        .block_timeout_ms = capture->block_timeout_ms,
        .fanout_group = capture->workers > 1 ? new_fanout_group() : -1};
}

/* Rings count in the limit although the kernel does not charge them. */
static uint64_t worker_memory(const struct config *config)
{
    uint64_t each = config->memory.limit / config->capture.workers;
    uint64_t left = each > config->capture.ring_bytes ? each - config->capture.ring_bytes : 0;
    return left > MIN_WORKER_MEMORY ? left : MIN_WORKER_MEMORY;
}

int workers_open(struct workers *workers, const struct config_capture *capture,
                 const struct workers_choice *choice, char error_out[static LIVE_ERROR_SIZE])
{
    struct live_options live = live_options_of(capture, choice);
    workers->items = calloc(capture->workers, sizeof(struct worker *));
    workers->pipelines = calloc(capture->workers, sizeof(struct pipeline *));
    if (workers->items == NULL || workers->pipelines == NULL) {
        snprintf(error_out, LIVE_ERROR_SIZE, "out of memory");
        return -ENOMEM;
    }
    for (; workers->count < capture->workers; workers->count++) {
        workers->items[workers->count] = worker_new(&live, error_out);
        if (workers->items[workers->count] == NULL) {
            return -EIO;
        }
    }
    return 0;
}

int workers_prepare(struct workers *workers, const struct pipeline_options *options,
                    struct name_source *names, struct exports *exports)
{
    struct pipeline_options pipeline = *options;
    pipeline.memory_bytes = worker_memory(options->config);
    pipeline.reorder_ns =
        LIVE_REORDER_NS + live_latency_ns(options->config->capture.block_timeout_ms);
    for (size_t i = 0; i < workers->count; i++) {
        int status = worker_prepare(workers->items[i], &pipeline, names, exports_tap(exports, i));
        if (status != 0) {
            return status;
        }
        workers->pipelines[i] = worker_pipeline(workers->items[i]);
    }
    return 0;
}

int workers_start(const struct workers *workers)
{
    for (size_t i = 0; i < workers->count; i++) {
        int status = worker_start(workers->items[i]);
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

void workers_stop(const struct workers *workers)
{
    for (size_t i = 0; i < workers->count; i++) {
        worker_order_stop(workers->items[i]);
    }
    for (size_t i = 0; i < workers->count; i++) {
        worker_stop(workers->items[i]);
    }
}

void workers_fini(struct workers *workers)
{
    for (size_t i = 0; i < workers->count; i++) {
        worker_free(workers->items[i]);
    }
    free(workers->items);
    free(workers->pipelines);
    *workers = (struct workers){0};
}

bool workers_are_running(const struct workers *workers)
{
    for (size_t i = 0; i < workers->count; i++) {
        if (!worker_is_running(workers->items[i])) {
            return false;
        }
    }
    return true;
}

struct live_counters workers_capture_counters(const struct workers *workers)
{
    struct live_counters sum = {0};
    for (size_t i = 0; i < workers->count; i++) {
        struct live_counters one = worker_capture_counters(workers->items[i]);
        sum.packets += one.packets;
        sum.dropped += one.dropped;
    }
    return sum;
}

uint64_t workers_exchanges(const struct workers *workers)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < workers->count; i++) {
        sum += pipeline_counters(workers->pipelines[i]).exchanges;
    }
    return sum;
}

/* Each of them watches all interfaces. */
unsigned workers_interface_count(const struct workers *workers)
{
    return worker_interface_count(workers->items[0]);
}

int workers_write(const struct workers *workers, const struct metric_sink *sink)
{
    int status = pipeline_write_metrics(workers->pipelines, workers->count, sink);
    if (status != 0) {
        return status;
    }
    struct live_counters capture = workers_capture_counters(workers);
    metric_emit_counter(sink, "vethscope_capture_packets_total",
                        "Packets that passed the kernel filter, dropped ones included.",
                        capture.packets);
    metric_emit_counter(sink, "vethscope_capture_dropped_packets_total",
                        "Packets that the kernel dropped because the ring was full.",
                        capture.dropped);
    metric_emit_gauge(sink, "vethscope_capture_interfaces",
                      "Interfaces being watched at the moment.",
                      (double)workers_interface_count(workers));
    metric_emit_gauge(sink, "vethscope_sampling_ratio",
                      "Share of the connections being watched; 1 is all of them.", 1);
    return 0;
}
