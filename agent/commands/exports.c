#include "agent/commands/exports.h"

#include "agent/base/log.h"
#include "exporters/events/events_exporter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * From left to right: a tap for each worker, the delivery thread, the exporters. They end in that
 * order, so that nothing is left in between.
 */

#define NS_PER_MS UINT64_C(1000000)
/* How long the receivers are waited for at the end. */
#define STOP_NS INT64_C(2000000000)
#define USER_AGENT "vethscope/" VETHSCOPE_VERSION
#define HEALTHS_MAX (EVENTS_RECEIVERS_MAX + OTLP_EXPORTS_MAX)

struct exports {
    struct delivery *delivery;      /* NULL: nobody wants exchanges */
    struct events_exporter *events; /* NULL: off */
    struct otlp_exports *otlp;      /* NULL: off */
    struct exchange_tap *taps;
    size_t tap_count;
    struct named_value *headers; /* what the options point to */
    struct named_value *properties;
};

static void on_note(const char *exporter, const char *error)
{
    if (error != NULL) {
        log_event(LOG_LEVEL_WARN, "export", "delivery fails and will be tried again", "exporter",
                  exporter, "error", error, NULL);
    } else {
        log_event(LOG_LEVEL_INFO, "export", "delivery works again", "exporter", exporter, NULL);
    }
}

/* ---- from the configuration ---- */

/* Texts that are empty in the configuration are absent here. */
static const char *text_or_null(const char *text)
{
    return text[0] == '\0' ? NULL : text;
}

static enum compression compression_of(enum config_compression compression)
{
    switch (compression) {
    case CONFIG_COMPRESSION_ZSTD:
        return COMPRESSION_ZSTD;
    case CONFIG_COMPRESSION_GZIP:
        return COMPRESSION_GZIP;
    case CONFIG_COMPRESSION_NONE:
        break;
    }
    return COMPRESSION_NONE;
}

static struct named_value *values_of(const struct config_named_value *values, size_t count)
{
    struct named_value *copies = calloc(count + 1, sizeof(*copies));
    for (size_t i = 0; copies != NULL && i < count; i++) {
        copies[i] = (struct named_value){values[i].name, values[i].value, values[i].value_file};
    }
    return copies;
}

static void set_receivers(struct events_options *options, const struct config_events *config,
                          const struct exports *exports)
{
    const struct config_events_http *http = &config->http;
    options->http_url = text_or_null(http->url);
    options->http = (struct http_post_options){.user_agent = USER_AGENT,
                                               .headers = exports->headers,
                                               .header_count = http->header_count,
                                               .compression = compression_of(http->compression),
                                               .timeout_ms = http->timeout_ms,
                                               .ca_file = text_or_null(http->ca_file),
                                               .cert_file = text_or_null(http->cert_file),
                                               .key_file = text_or_null(http->key_file)};
    options->http_batch_bytes = http->batch_bytes;
    options->http_batch_ms = http->batch_ms;
    options->kafka = (struct event_kafka_options){.brokers = text_or_null(config->kafka.brokers),
                                                  .topic = config->kafka.topic,
                                                  .compression = config->kafka.compression,
                                                  .properties = exports->properties,
                                                  .property_count = config->kafka.property_count};
}

static struct events_options events_options_of(const struct config_events *config,
                                               const struct exports *exports)
{
    struct events_options options = {
        .filter = {.only_errors = config->filter.only_errors,
                   .slower_than_ns = config->filter.slower_than_ms * NS_PER_MS,
                   .rate_per_second = config->filter.rate_per_service},
        .file_path = text_or_null(config->file.path),
        .file = {.max_bytes = config->file.max_bytes,
                 .max_age_s = config->file.max_age_s,
                 .keep = config->file.keep,
                 .compression = compression_of(config->file.compression)},
        .file_flush_ms = config->file.flush_ms,
        .queue_bytes = config->queue_bytes,
        .spool_path = text_or_null(config->spool.directory),
        .spool_bytes = config->spool.max_bytes,
        .retry_max_ms = config->retry_max_ms,
        .note = on_note};
    set_receivers(&options, config, exports);
    return options;
}

/* ---- opening ---- */

static int open_events(struct exports *exports, const struct config_events *config, char *error)
{
    if (config->file.path[0] == '\0' && config->http.url[0] == '\0' &&
        config->kafka.brokers[0] == '\0') {
        return 0;
    }
    exports->headers = values_of(config->http.headers, config->http.header_count);
    exports->properties = values_of(config->kafka.properties, config->kafka.property_count);
    if (exports->headers == NULL || exports->properties == NULL) {
        snprintf(error, EXPORTS_ERROR_SIZE, "out of memory");
        return -ENOMEM;
    }
    struct events_options options = events_options_of(config, exports);
    exports->events = events_exporter_new(&options, error);
    return exports->events != NULL ? 0 : -EINVAL;
}

static int open_delivery(struct exports *exports, size_t worker_count, size_t ring_bytes,
                         char *error)
{
    struct delivery_outlet outlets[2];
    size_t outlet_count = otlp_exports_outlet(exports->otlp, &outlets[0]);
    if (exports->events != NULL) {
        outlets[outlet_count++] = events_exporter_outlet(exports->events);
    }
    if (outlet_count == 0) {
        return 0;
    }
    struct delivery_options options = {.outlets = outlets,
                                       .outlet_count = outlet_count,
                                       .inlet_count = worker_count,
                                       .ring_bytes = ring_bytes};
    exports->taps = calloc(worker_count, sizeof(*exports->taps));
    exports->delivery = delivery_new(&options);
    if (exports->taps == NULL || exports->delivery == NULL) {
        snprintf(error, EXPORTS_ERROR_SIZE, "out of memory");
        return -ENOMEM;
    }
    for (; exports->tap_count < worker_count; exports->tap_count++) {
        exports->taps[exports->tap_count].inlet =
            delivery_inlet(exports->delivery, exports->tap_count);
    }
    return 0;
}

int exports_open(const struct config *config, size_t worker_count, struct exports **exports_out,
                 char error_out[static EXPORTS_ERROR_SIZE])
{
    *exports_out = NULL;
    struct exports *exports = calloc(1, sizeof(*exports));
    if (exports == NULL) {
        snprintf(error_out, EXPORTS_ERROR_SIZE, "out of memory");
        return -ENOMEM;
    }
    int status = open_events(exports, &config->events, error_out);
    if (status == 0) {
        status = otlp_exports_open(&config->otlp, on_note, &exports->otlp, error_out);
    }
    if (status == 0) {
        status = open_delivery(exports, worker_count, (size_t)config->events.ring_bytes, error_out);
    }
    if (status != 0 || (exports->events == NULL && exports->otlp == NULL)) {
        exports_close(exports);
        return status;
    }
    *exports_out = exports;
    return 0;
}

/* ---- life ---- */

int exports_start(struct exports *exports, otlp_render *render, void *context)
{
    if (exports == NULL) {
        return 0;
    }
    int status = otlp_exports_start(exports->otlp, render, context);
    if (status == 0 && exports->events != NULL) {
        status = events_exporter_start(exports->events);
    }
    return status == 0 && exports->delivery != NULL ? delivery_start(exports->delivery) : status;
}

struct exchange_tap *exports_tap(struct exports *exports, size_t worker)
{
    return exports == NULL || exports->delivery == NULL ? NULL : &exports->taps[worker];
}

static size_t healths_of(const struct exports *exports, const struct exporter_health **healths)
{
    size_t count = otlp_exports_healths(exports->otlp, healths);
    if (exports->events != NULL) {
        count += events_exporter_healths(exports->events, healths + count);
    }
    return count;
}

static void log_account(const struct exporter_health *health)
{
    char texts[4][24];
    snprintf(texts[0], sizeof(texts[0]), "%" PRIu64,
             exporter_health_get(&health->accepted) + exporter_health_get(&health->replayed));
    snprintf(texts[1], sizeof(texts[1]), "%" PRIu64, exporter_health_get(&health->sent));
    snprintf(texts[2], sizeof(texts[2]), "%" PRIu64, exporter_health_lost(health));
    snprintf(texts[3], sizeof(texts[3]), "%" PRIu64, exporter_health_get(&health->queued));
    log_event(LOG_LEVEL_INFO, "export", "ended", "exporter", health->exporter, "given", texts[0],
              "sent", texts[1], "lost", texts[2], "kept", texts[3], NULL);
}

void exports_stop(struct exports *exports)
{
    if (exports == NULL) {
        return;
    }
    if (exports->delivery != NULL) {
        delivery_stop(exports->delivery);
    }
    int64_t deadline_ns = sender_now_ns() + STOP_NS;
    if (exports->events != NULL) {
        events_exporter_order_stop(exports->events, deadline_ns);
    }
    otlp_exports_order_stop(exports->otlp, deadline_ns);
    otlp_exports_stop(exports->otlp);
    if (exports->events != NULL) {
        events_exporter_stop(exports->events);
    }
    const struct exporter_health *healths[HEALTHS_MAX];
    size_t count = healths_of(exports, healths);
    for (size_t i = 0; i < count; i++) {
        log_account(healths[i]);
    }
}

void exports_close(struct exports *exports)
{
    if (exports != NULL) {
        delivery_free(exports->delivery);
        events_exporter_free(exports->events);
        otlp_exports_close(exports->otlp);
        free(exports->taps);
        free(exports->headers);
        free(exports->properties);
        free(exports);
    }
}

void exports_write(const struct exports *exports, const struct metric_sink *sink)
{
    if (exports != NULL) {
        const struct exporter_health *healths[HEALTHS_MAX];
        size_t count = healths_of(exports, healths);
        exporter_health_write(healths, count, sink);
        if (exports->events != NULL) {
            events_exporter_write_metrics(exports->events, sink);
        }
    }
}
