#pragma once

#include "exporters/metric_set.h"

#include <stdbool.h>

/*
 * From the names of the metric set, which are Prometheus', to OpenTelemetry's: those of the
 * semantic conventions where there are any. Turned back by the usual rule (dots to underscores, the
 * unit and
 * "_total" behind) a metric's name is the one that /metrics has.
 */

/* Longest name, terminator included; longer ones are cut. */
#define OTLP_NAME_SIZE 96

/* What a label becomes. */
enum otlp_label_kind {
    OTLP_LABEL_TEXT,
    OTLP_LABEL_NUMBER,
    OTLP_LABEL_RESOURCE, /* says what the point is about, and stands in its resource */
};

struct otlp_label {
    const char *attribute;
    enum otlp_label_kind kind;
};

/* "http_server_request_duration_seconds" is "http.server.request.duration". */
void otlp_names_metric(const struct metric_family *family, char name_out[static OTLP_NAME_SIZE]);

/* UCUM (https://ucum.org): "s", "By", "{request}" or "". */
const char *otlp_names_unit(const struct metric_family *family);

/* Whether a gauge is a sum that goes up and down: it may be added up over services. */
bool otlp_names_is_sum(const struct metric_family *family);

/* "http_route" is "http.route"; a label that nobody knows keeps its name. */
struct otlp_label otlp_names_label(const char *label);

/* The methods that have a name of their own in http.request.method; others are "_OTHER". */
bool otlp_names_is_method(struct text method);
