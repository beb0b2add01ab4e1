#pragma once

#include <stdbool.h>

/* The formats an exposition can have. */
enum exposition_format {
    EXPOSITION_TEXT,        /* Prometheus' text format 0.0.4 */
    EXPOSITION_OPENMETRICS, /* 1.0.0 */
    EXPOSITION_PROTOBUF,    /* delimited io.prometheus.client.MetricFamily */
    EXPOSITION_FORMATS
};

/* The format that an Accept field (NULL: there is none) likes best, by RFC 9110 section 12.5.1;
 * text where it likes none of them. Among equals what it names goes before what a wildcard covers,
 * and then what it names first. */
enum exposition_format negotiation_format(const char *accept);

/* Whether an Accept-Encoding field (NULL: there is none) takes gzip. */
bool negotiation_gzip(const char *accept_encoding);
