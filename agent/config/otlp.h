#pragma once

#include "agent/config/events.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The section `otlp`: metrics and spans to an OpenTelemetry receiver. What is absent (also "auto")
 * is taken from OpenTelemetry's environment variables, else a default of the program. */

enum config_otlp_temporality {
    CONFIG_OTLP_CUMULATIVE,
    CONFIG_OTLP_DELTA
};

enum config_otlp_histograms {
    CONFIG_OTLP_EXPONENTIAL,
    CONFIG_OTLP_EXPLICIT
};

enum config_otlp_spans {
    CONFIG_OTLP_SPANS_SERVER,
    CONFIG_OTLP_SPANS_BOTH
};

struct config_otlp_metrics {
    bool enabled;
    char *endpoint;       /* "": otlp.endpoint */
    unsigned interval_ms; /* 0: absent */
    enum config_otlp_temporality temporality;
    enum config_otlp_histograms histograms;
};

/* The share of some services. */
struct config_otlp_share {
    char *namespace; /* globs; NULL: any */
    char *service;
    double ratio;
};

struct config_otlp_traces {
    bool enabled;
    char *endpoint; /* "": otlp.endpoint */
    enum config_otlp_spans spans;
    double ratio;
    struct config_otlp_share *shares;
    size_t share_count;
    unsigned slower_than_ms; /* 0: than 99 % */
    bool query;
};

struct config_otlp_attribute {
    char *name;
    char *value;
};

struct config_otlp {
    char *endpoint; /* "": absent */
    struct config_otlp_metrics metrics;
    struct config_otlp_traces traces;
    struct config_named_value *headers;
    size_t header_count;
    struct config_otlp_attribute *attributes;
    size_t attribute_count;
    char *compression;   /* "auto", "none" or "gzip" */
    unsigned timeout_ms; /* 0: absent */
    char *ca_file;       /* these three: "" is absent */
    char *cert_file;
    char *key_file;
    uint64_t queue_bytes; /* of each signal */
    unsigned retry_max_ms;
};
