#pragma once

#include "agent/commands/exchange_tap.h"
#include "agent/commands/otlp_exports.h"
#include "agent/config/config.h"
#include "exporters/metric_set.h"

/*
 * What the agent delivers by itself, beside what it is asked for: exchanges as events, metrics and
 * spans to an OpenTelemetry receiver. Nothing is made of what is not configured.
 */
struct exports;

/* Longest error text, terminator included. */
#define EXPORTS_ERROR_SIZE 1024

/* Opens what is configured, for so many workers. NULL in `*exports_out`: nothing is. Returns 0,
 * -ENOMEM, or -EINVAL for what cannot be used as configured, with one line. */
int exports_open(const struct config *config, size_t worker_count, struct exports **exports_out,
                 char error_out[static EXPORTS_ERROR_SIZE]);

/* Begins delivering, among others what `render` writes (which exports_write may be a part of).
 * Returns 0 or -errno. All of these take NULL for "nothing". */
int exports_start(struct exports *exports, otlp_render *render, void *context);

/* The tap of one worker; NULL: none is needed. */
struct exchange_tap *exports_tap(struct exports *exports, size_t worker);

/* Behind the end of the workers, which can still be read: delivers what waits, for two seconds at
 * most, and writes to the log what became of it. */
void exports_stop(struct exports *exports);
void exports_close(struct exports *exports);

/* How the deliveries go; any thread. */
void exports_write(const struct exports *exports, const struct metric_sink *sink);
