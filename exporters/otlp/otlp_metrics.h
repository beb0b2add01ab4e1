#pragma once

#include "exporters/otlp/otlp_channel.h"

/* The metric set, to one URL, again and again. */
struct otlp_metrics;

struct otlp_metrics_options {
    const char *url;
    int64_t interval_ms;
    bool delta;
    bool explicit_buckets;
    size_t max_series; /* remembered for deltas */

    /* Writes the whole set, as /metrics has it; on the exporter's thread. Returns 0 or -errno. */
    int (*render)(void *context, const struct metric_sink *sink);
    void *context;
};

/* NULL and one line when it cannot be made. Nothing runs before otlp_metrics_start, which returns 0
 * or -errno. */
struct otlp_metrics *otlp_metrics_new(const struct otlp_options *options,
                                      const struct otlp_metrics_options *metrics,
                                      char error_out[static OUTBOX_ERROR_SIZE]);
int otlp_metrics_start(struct otlp_metrics *metrics);
const struct exporter_health *otlp_metrics_health(const struct otlp_metrics *metrics);

/* Takes the set a last time and sends what waits, until `deadline_ns` (CLOCK_MONOTONIC). Waits for
 * the former only: `render` is not called afterwards. */
void otlp_metrics_order_stop(struct otlp_metrics *metrics, int64_t deadline_ns);

/* Waits for that end. */
void otlp_metrics_stop(struct otlp_metrics *metrics);

/* Stops as well. NULL is fine. */
void otlp_metrics_free(struct otlp_metrics *metrics);
