#pragma once

#include "agent/config/otlp.h"
#include "exporters/otlp/otlp_metrics.h"
#include "exporters/otlp/otlp_traces.h"

/*
 * How spans and metrics are sent: what the configuration says, then OpenTelemetry's environment
 * variables, then defaults.
 */
struct otlp_settings {
    struct otlp_options common;  /* what both have, headers, TLS and the like left out */
    struct otlp_options metrics; /* how they are sent */
    struct otlp_options traces;
    char *metrics_url; /* NULL: metrics are not sent */
    char *traces_url;  /* NULL: spans are not sent */
    int64_t interval_ms;

    /* What the options point to. */
    struct named_value *metrics_headers;
    struct named_value *traces_headers;
    struct otlp_extra *extras;
    struct otlp_sampler_rule *rules;
    char **strings;
    size_t string_count;
};

/* Longest error text, terminator included. */
#define OTLP_SETTINGS_ERROR_SIZE 256

/* Asks `environment` (getenv, or a test's) for variables; the result keeps copies. Returns 0,
 * -ENOMEM, or -EINVAL with one line that names the variable that is wrong. To be given to
 * otlp_settings_fini either way. Nothing of the environment matters where nothing is sent. */
int otlp_settings_init(struct otlp_settings *settings, const struct config_otlp *config,
                       char *(*environment)(const char *name),
                       char error_out[static OTLP_SETTINGS_ERROR_SIZE]);
void otlp_settings_fini(struct otlp_settings *settings);
