#pragma once

#include "agent/config/otlp.h"
#include "exporters/delivery/delivery.h"
#include "exporters/metric_set.h"

/* What goes to an OpenTelemetry receiver: metrics, spans, both or nothing. */
struct otlp_exports;

/* Longest error text, terminator included. */
#define OTLP_EXPORTS_ERROR_SIZE 512
#define OTLP_EXPORTS_MAX 2

/* Writes the whole metric set; any thread. Returns 0 or -errno. */
typedef int otlp_render(void *context, const struct metric_sink *sink);

/* Opens what the configuration and the environment ask for; NULL in `*exports_out`: nothing. `note`
 * is told when deliveries begin to fail and when they work again. Returns 0, -ENOMEM, or -EINVAL
 * for what cannot be used as it is given, with one line. */
int otlp_exports_open(const struct config_otlp *config,
                      void (*note)(const char *exporter, const char *error),
                      struct otlp_exports **exports_out,
                      char error_out[static OTLP_EXPORTS_ERROR_SIZE]);

/* Begins sending. Returns 0 or -errno. All of these take NULL for "nothing". */
int otlp_exports_start(struct otlp_exports *exports, otlp_render *render, void *context);

/* Where exchanges are to be handed to; how many outlets: 0 or 1. */
size_t otlp_exports_outlet(struct otlp_exports *exports, struct delivery_outlet *outlet_out);

/* The accounts, at most OTLP_EXPORTS_MAX; how many. */
size_t otlp_exports_healths(const struct otlp_exports *exports,
                            const struct exporter_health **healths_out);

/* Reports a last time and sends what waits until `deadline_ns` (CLOCK_MONOTONIC); `render` is not
 * called afterwards. Waits for the report only; otlp_exports_stop waits for the rest. */
void otlp_exports_order_stop(struct otlp_exports *exports, int64_t deadline_ns);
void otlp_exports_stop(struct otlp_exports *exports);
void otlp_exports_close(struct otlp_exports *exports);
