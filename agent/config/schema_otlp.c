#include "agent/config/check.h"
#include "agent/config/otlp.h"
#include "agent/config/schema_rows.h"

static const struct schema_key metrics_keys[] = {
    {
        .name = "enabled",
        .kind = SCHEMA_BOOL,
        .offset = offsetof(struct config_otlp_metrics, enabled),
        .fallback = "true",
        .choices = "false|true",
        .help = "Whether metrics are sent where there is an endpoint.",
    },
    {
        .name = "endpoint",
        .kind = SCHEMA_TEXT,
        .offset = offsetof(struct config_otlp_metrics, endpoint),
        .fallback = "",
        .max_length = URL_MAX_LENGTH,
        .check = check_url,
        .help = "The whole URL for metrics. Empty: otlp.endpoint with /v1/metrics.",
    },
    {
        .name = "interval",
        .kind = SCHEMA_MILLIS,
        .offset = offsetof(struct config_otlp_metrics, interval_ms),
        .fallback = "0ms",
        .minimum = "0ms",
        .maximum = "1h",
        .help = "Time between two reports, 100ms or more. 0ms: OTEL_METRIC_EXPORT_INTERVAL, else "
                "60s.",
    },
    {
        .name = "temporality",
        .kind = SCHEMA_CHOICE,
        .offset = offsetof(struct config_otlp_metrics, temporality),
        .fallback = "cumulative",
        .choices = "cumulative|delta",
        .help = "What counters and histograms tell: all since their start, or what was added since "
                "the last report.",
    },
    {
        .name = "histograms",
        .kind = SCHEMA_CHOICE,
        .offset = offsetof(struct config_otlp_metrics, histograms),
        .fallback = "exponential",
        .choices = "exponential|explicit",
        .help = "The buckets of histograms: exponential ones of about 2 %, or the bounds of "
                "metrics.duration_buckets.",
    },
};
static const struct schema_section metrics_section = KEYS(metrics_keys);

static const struct schema_key share_keys[] = {
    {
        .name = "namespace",
        .kind = SCHEMA_TEXT,
        .offset = offsetof(struct config_otlp_share, namespace),
        .max_length = NAME_MAX_LENGTH,
        .help = "Glob over the span's service.namespace. Absent: any.",
    },
    {
        .name = "service",
        .kind = SCHEMA_TEXT,
        .offset = offsetof(struct config_otlp_share, service),
        .max_length = NAME_MAX_LENGTH,
        .check = check_not_empty,
        .help = "Glob over the span's service.name. Absent: any.",
    },
    {
        .name = "ratio",
        .kind = SCHEMA_REAL,
        .required = true,
        .offset = offsetof(struct config_otlp_share, ratio),
        .minimum = "0",
        .maximum = "1",
        .help = "The share of these services, instead of otlp.traces.ratio.",
    },
};
static const struct schema_section share_section = KEYS(share_keys);

static const struct schema_key traces_keys[] = {
    {
        .name = "enabled",
        .kind = SCHEMA_BOOL,
        .offset = offsetof(struct config_otlp_traces, enabled),
        .fallback = "true",
        .choices = "false|true",
        .help = "Whether spans are sent where there is an endpoint.",
    },
    {
        .name = "endpoint",
        .kind = SCHEMA_TEXT,
        .offset = offsetof(struct config_otlp_traces, endpoint),
        .fallback = "",
        .max_length = URL_MAX_LENGTH,
        .check = check_url,
        .help = "The whole URL for spans. Empty: otlp.endpoint with /v1/traces.",
    },
    {
        .name = "spans",
        .kind = SCHEMA_CHOICE,
        .offset = offsetof(struct config_otlp_traces, spans),
        .fallback = "server",
        .choices = "server|both",
        .help = "Whose view of a request becomes a span: who was asked, or who asked as well. Both "
                "would have the same parent.",
    },
    {
        .name = "ratio",
        .kind = SCHEMA_REAL,
        .offset = offsetof(struct config_otlp_traces, ratio),
        .fallback = "1",
        .minimum = "0",
        .maximum = "1",
        .help = "The share of the exchanges that become spans, of those about which their trace "
                "context says nothing. Errors and the slowest always do.",
    },
    {
        .name = "shares",
        .kind = SCHEMA_SECTION,
        LIST(config_otlp_traces, shares, share_count, 256),
        .section = &share_section,
        .fallback = "[]",
        .help = "Other shares for some services: the first that fits.",
    },
    {
        .name = "slower_than",
        .kind = SCHEMA_MILLIS,
        .offset = offsetof(struct config_otlp_traces, slower_than_ms),
        .fallback = "0ms",
        .minimum = "0ms",
        .maximum = "24h",
        .help = "What is slow. 0ms: slower than 99 % of the latest exchanges of its service.",
    },
    {
        .name = "query",
        .kind = SCHEMA_BOOL,
        .offset = offsetof(struct config_otlp_traces, query),
        .fallback = "false",
        .choices = "false|true",
        .help = "The query of the target as well (url.query). It may hold secrets.",
    },
};
static const struct schema_section traces_section = KEYS(traces_keys);

static const struct schema_key attribute_keys[] = {
    {
        .name = "name",
        .kind = SCHEMA_TEXT,
        .required = true,
        .offset = offsetof(struct config_otlp_attribute, name),
        .max_length = NAME_MAX_LENGTH,
        .check = check_not_empty,
        .help = "Name of the attribute, as k8s.cluster.name.",
    },
    {
        .name = "value",
        .kind = SCHEMA_TEXT,
        .required = true,
        .offset = offsetof(struct config_otlp_attribute, value),
        .max_length = VALUE_MAX_LENGTH,
        .help = "What it is set to.",
    },
};
static const struct schema_section attribute_section = KEYS(attribute_keys);

#define PART(part)                                                                                 \
    .kind = SCHEMA_SECTION, .offset = offsetof(struct config_otlp, part),                          \
    .section = &(part##_section)

static const struct schema_key otlp_keys[] = {
    {
        .name = "endpoint",
        .kind = SCHEMA_TEXT,
        .offset = offsetof(struct config_otlp, endpoint),
        .fallback = "",
        .max_length = URL_MAX_LENGTH,
        .check = check_url,
        .help = "The receiver's base URL, as http://collector:4318. Empty: "
                "OTEL_EXPORTER_OTLP_ENDPOINT, else nothing is sent.",
    },
    {.name = "metrics", PART(metrics), .help = "The metrics of /metrics, again and again."},
    {.name = "traces", PART(traces), .help = "Exchanges as spans."},
    {
        .name = "headers",
        .kind = SCHEMA_SECTION,
        LIST(config_otlp, headers, header_count, 32),
        .section = &schema_named_value,
        .fallback = "[]",
        .check_item = check_named_value,
        .help = "Header fields of every request. A value_file is read again when it changes. "
                "None: OTEL_EXPORTER_OTLP_HEADERS.",
    },
    {
        .name = "resource_attributes",
        .kind = SCHEMA_SECTION,
        LIST(config_otlp, attributes, attribute_count, 16),
        .section = &attribute_section,
        .fallback = "[]",
        .help = "Attributes of every resource, in front of those of OTEL_RESOURCE_ATTRIBUTES.",
    },
    {
        .name = "compression",
        .kind = SCHEMA_CHOICE_TEXT,
        .offset = offsetof(struct config_otlp, compression),
        .fallback = "auto",
        .choices = "auto|none|gzip",
        .help = "Compression of requests. auto: OTEL_EXPORTER_OTLP_COMPRESSION, else gzip.",
    },
    {
        .name = "timeout",
        .kind = SCHEMA_MILLIS,
        .offset = offsetof(struct config_otlp, timeout_ms),
        .fallback = "0ms",
        .minimum = "0ms",
        .maximum = "10m",
        .help = "How long one request may take. 0ms: OTEL_EXPORTER_OTLP_TIMEOUT, else 10s.",
    },
    {
        .name = "ca_file",
        .kind = SCHEMA_TEXT,
        .offset = offsetof(struct config_otlp, ca_file),
        .fallback = "",
        .max_length = PATH_MAX_LENGTH,
        .help = "Certificates (PEM) that the receiver's is checked with. Empty: "
                "OTEL_EXPORTER_OTLP_CERTIFICATE, else the system's.",
    },
    {
        .name = "cert_file",
        .kind = SCHEMA_TEXT,
        .offset = offsetof(struct config_otlp, cert_file),
        .fallback = "",
        .max_length = PATH_MAX_LENGTH,
        .help = "Our own certificate (PEM), for receivers that ask for one. Empty: "
                "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE, else none.",
    },
    {
        .name = "key_file",
        .kind = SCHEMA_TEXT,
        .offset = offsetof(struct config_otlp, key_file),
        .fallback = "",
        .max_length = PATH_MAX_LENGTH,
        .help = "The key of our certificate (PEM). Empty: OTEL_EXPORTER_OTLP_CLIENT_KEY, else it "
                "is in cert_file.",
    },
    {
        .name = "queue_size",
        .kind = SCHEMA_BYTES,
        .offset = offsetof(struct config_otlp, queue_bytes),
        .fallback = "16MiB",
        .minimum = "256KiB",
        .maximum = "16GiB",
        .help = "Memory in which spans wait, and as much for metrics; what finds no room is lost "
                "and counted. Rounded up to a power of two.",
    },
    {
        .name = "retry_max",
        .kind = SCHEMA_MILLIS,
        .offset = offsetof(struct config_otlp, retry_max_ms),
        .fallback = "30s",
        .minimum = "100ms",
        .maximum = "1h",
        .help = "Longest wait before the receiver is tried again; the first is 250ms, then twice "
                "as long each time.",
    },
};
const struct schema_section schema_otlp = KEYS(otlp_keys);
