#include "exporters/exporter_health.h"

#include <time.h>

#define NS_PER_SECOND INT64_C(1000000000)

static const char *const loss_names[EXPORTER_LOSS_COUNT] = {
    [EXPORTER_LOSS_RING_FULL] = "ring_full",   [EXPORTER_LOSS_QUEUE_FULL] = "queue_full",
    [EXPORTER_LOSS_SPOOL_FULL] = "spool_full", [EXPORTER_LOSS_SPOOL_ERROR] = "spool_error",
    [EXPORTER_LOSS_TOO_LARGE] = "too_large",   [EXPORTER_LOSS_REJECTED] = "rejected",
    [EXPORTER_LOSS_MEMORY] = "memory",         [EXPORTER_LOSS_SHUTDOWN] = "shutdown",
};

/* One number of each exporter. */
struct row {
    struct metric_family family;
    double (*value)(const struct exporter_health *health);
};

static double accepted(const struct exporter_health *health)
{
    return (double)exporter_health_get(&health->accepted);
}

static double replayed(const struct exporter_health *health)
{
    return (double)exporter_health_get(&health->replayed);
}

static double sent(const struct exporter_health *health)
{
    return (double)exporter_health_get(&health->sent);
}

static double failed(const struct exporter_health *health)
{
    return (double)exporter_health_get(&health->failed);
}

static double retried(const struct exporter_health *health)
{
    return (double)exporter_health_get(&health->retried);
}

static double queued(const struct exporter_health *health)
{
    return (double)exporter_health_get(&health->queued);
}

static double queue_bytes(const struct exporter_health *health)
{
    return (double)exporter_health_get(&health->queue_bytes);
}

static double last_success(const struct exporter_health *health)
{
    return (double)atomic_load_explicit(&health->last_success_ns, memory_order_relaxed) /
           (double)NS_PER_SECOND;
}

static const struct row rows[] = {
    {{"vethscope_exporter_accepted_total",
      "Items (events, spans, data points) that were to be delivered.", "", METRIC_COUNTER},
     accepted},
    {{"vethscope_exporter_replayed_total",
      "Items that a spool still held from before the agent's start.", "", METRIC_COUNTER},
     replayed},
    {{"vethscope_exporter_sent_total", "Items that the receiver has taken.", "", METRIC_COUNTER},
     sent},
    {{"vethscope_exporter_failed_total", "Attempts to deliver that failed.", "", METRIC_COUNTER},
     failed},
    {{"vethscope_exporter_retried_total", "Attempts to deliver again what had failed.", "",
      METRIC_COUNTER},
     retried},
    {{"vethscope_exporter_queue_items", "Items waiting for their delivery, in memory or spool.", "",
      METRIC_GAUGE},
     queued},
    {{"vethscope_exporter_queue_bytes", "Bytes waiting for their delivery, in memory or spool.",
      "bytes", METRIC_GAUGE},
     queue_bytes},
    {{"vethscope_exporter_last_success_timestamp_seconds",
      "When the receiver last took something, since the epoch; 0: never.", "seconds", METRIC_GAUGE},
     last_success},
};

const char *exporter_loss_name(enum exporter_loss loss)
{
    return loss_names[loss];
}

uint64_t exporter_health_lost(const struct exporter_health *health)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < EXPORTER_LOSS_COUNT; i++) {
        sum += exporter_health_get(&health->lost[i]);
    }
    return sum;
}

void exporter_health_succeed(struct exporter_health *health, uint64_t items)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    exporter_health_add(&health->sent, items);
    atomic_store_explicit(&health->last_success_ns, now.tv_sec * NS_PER_SECOND + now.tv_nsec,
                          memory_order_relaxed);
}

static void write_losses(const struct exporter_health *const *healths, size_t count,
                         const struct metric_sink *sink)
{
    static const struct metric_family family = {
        "vethscope_events_dropped_total",
        "Items that were not delivered to a receiver and never will be, by reason.", "",
        METRIC_COUNTER};
    sink->family(sink->context, &family);
    for (size_t i = 0; i < count; i++) {
        for (unsigned loss = 0; loss < EXPORTER_LOSS_COUNT; loss++) {
            const struct metric_label labels[] = {{"exporter", text_of(healths[i]->exporter)},
                                                  {"reason", text_of(loss_names[loss])}};
            struct metric_point point = {.labels = labels,
                                         .label_count = 2,
                                         .value =
                                             (double)exporter_health_get(&healths[i]->lost[loss])};
            sink->point(sink->context, &point);
        }
    }
}

void exporter_health_write(const struct exporter_health *const *healths, size_t count,
                           const struct metric_sink *sink)
{
    if (count == 0) {
        return;
    }
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        sink->family(sink->context, &rows[r].family);
        for (size_t i = 0; i < count; i++) {
            struct metric_label label = {"exporter", text_of(healths[i]->exporter)};
            struct metric_point point = {
                .labels = &label, .label_count = 1, .value = rows[r].value(healths[i])};
            sink->point(sink->context, &point);
        }
    }
    write_losses(healths, count, sink);
}
