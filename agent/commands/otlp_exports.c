#include "agent/commands/otlp_exports.h"

#include "agent/commands/otlp_settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define NS_PER_MS UINT64_C(1000000)
/* Data points whose last values are kept for deltas. The series are bounded by metrics.max_series
 * lines of each worker; a point of them has several. */
#define DELTA_SERIES_MAX 100000

struct otlp_exports {
    struct otlp_settings settings;
    struct otlp_metrics *metrics;
    struct otlp_traces *traces;
    otlp_render *render; /* given at the start, before anybody calls it */
    void *render_context;
};

static int render(void *context, const struct metric_sink *sink)
{
    const struct otlp_exports *exports = context;
    return exports->render(exports->render_context, sink);
}

/* An exporter that could not be made, in the words of the one it was. Not with the URL itself,
 * which may hold a password. */
static int complain(const char *what, const char *problem, char *error_out)
{
    snprintf(error_out, OTLP_EXPORTS_ERROR_SIZE, "OTLP endpoint of %s: %s", what, problem);
    return -EINVAL;
}

static int open_metrics(struct otlp_exports *exports, const struct config_otlp *config,
                        char *error_out)
{
    char error[OUTBOX_ERROR_SIZE];
    const struct otlp_settings *settings = &exports->settings;
    if (settings->metrics_url == NULL) {
        return 0;
    }
    struct otlp_metrics_options options = {
        .url = settings->metrics_url,
        .interval_ms = settings->interval_ms,
        .delta = config->metrics.temporality == CONFIG_OTLP_DELTA,
        .explicit_buckets = config->metrics.histograms == CONFIG_OTLP_EXPLICIT,
        .max_series = DELTA_SERIES_MAX,
        .render = render,
        .context = exports};
    exports->metrics = otlp_metrics_new(&settings->metrics, &options, error);
    return exports->metrics != NULL ? 0 : complain("metrics", error, error_out);
}

static int open_traces(struct otlp_exports *exports, const struct config_otlp *config,
                       char *error_out)
{
    char error[OUTBOX_ERROR_SIZE];
    const struct otlp_settings *settings = &exports->settings;
    if (settings->traces_url == NULL) {
        return 0;
    }
    struct otlp_traces_options options = {
        .url = settings->traces_url,
        .client = config->traces.spans == CONFIG_OTLP_SPANS_BOTH,
        .query = config->traces.query,
        .sampler = {.ratio = config->traces.ratio,
                    .rules = settings->rules,
                    .rule_count = config->traces.share_count,
                    .slower_than_ns = config->traces.slower_than_ms * NS_PER_MS}};
    exports->traces = otlp_traces_new(&settings->traces, &options, error);
    return exports->traces != NULL ? 0 : complain("traces", error, error_out);
}

int otlp_exports_open(const struct config_otlp *config,
                      void (*note)(const char *exporter, const char *error),
                      struct otlp_exports **exports_out,
                      char error_out[static OTLP_EXPORTS_ERROR_SIZE])
{
    *exports_out = NULL;
    snprintf(error_out, OTLP_EXPORTS_ERROR_SIZE, "out of memory");
    struct otlp_exports *exports = calloc(1, sizeof(*exports));
    if (exports == NULL) {
        return -ENOMEM;
    }
    int status = otlp_settings_init(&exports->settings, config, getenv, error_out);
    exports->settings.metrics.note = note;
    exports->settings.traces.note = note;
    if (status == 0) {
        status = open_metrics(exports, config, error_out);
    }
    if (status == 0) {
        status = open_traces(exports, config, error_out);
    }
    if (status != 0 || (exports->metrics == NULL && exports->traces == NULL)) {
        otlp_exports_close(exports);
        return status;
    }
    *exports_out = exports;
    return 0;
}

int otlp_exports_start(struct otlp_exports *exports, otlp_render *render_set, void *context)
{
    int status = 0;
    if (exports == NULL) {
        return 0;
    }
    exports->render = render_set;
    exports->render_context = context;
    if (exports->metrics != NULL) {
        status = otlp_metrics_start(exports->metrics);
    }
    if (status == 0 && exports->traces != NULL) {
        status = otlp_traces_start(exports->traces);
    }
    return status;
}

size_t otlp_exports_outlet(struct otlp_exports *exports, struct delivery_outlet *outlet_out)
{
    if (exports == NULL || exports->traces == NULL) {
        return 0;
    }
    *outlet_out = otlp_traces_outlet(exports->traces);
    return 1;
}

size_t otlp_exports_healths(const struct otlp_exports *exports,
                            const struct exporter_health **healths_out)
{
    size_t count = 0;
    if (exports != NULL && exports->metrics != NULL) {
        healths_out[count++] = otlp_metrics_health(exports->metrics);
    }
    if (exports != NULL && exports->traces != NULL) {
        healths_out[count++] = otlp_traces_health(exports->traces);
    }
    return count;
}

void otlp_exports_order_stop(struct otlp_exports *exports, int64_t deadline_ns)
{
    if (exports != NULL && exports->traces != NULL) {
        otlp_traces_order_stop(exports->traces, deadline_ns);
    }
    if (exports != NULL && exports->metrics != NULL) {
        otlp_metrics_order_stop(exports->metrics, deadline_ns);
    }
}

void otlp_exports_stop(struct otlp_exports *exports)
{
    if (exports != NULL && exports->traces != NULL) {
        otlp_traces_stop(exports->traces);
    }
    if (exports != NULL && exports->metrics != NULL) {
        otlp_metrics_stop(exports->metrics);
    }
}

void otlp_exports_close(struct otlp_exports *exports)
{
    if (exports != NULL) {
        otlp_traces_free(exports->traces);
        otlp_metrics_free(exports->metrics);
        otlp_settings_fini(&exports->settings);
        free(exports);
    }
}
