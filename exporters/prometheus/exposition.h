#pragma once

#include "exporters/byte_writer.h"
#include "exporters/metric_set.h"
#include "exporters/prometheus/negotiation.h"

#include <stdbool.h>
#include <stddef.h>

/* How an exposition is written. */
struct exposition_options {
    enum exposition_format format;
    bool gzip;
    bool native;  /* exponential buckets as well, in protobuf */
    bool created; /* `_created` lines, in OpenMetrics */
};

/*
 * One exposition: a metric set in one of the formats, compressed while it is being written where
 * that was asked for.
 */
struct exposition;

/* Writes to `out`, which stays the caller's. NULL: out of memory. */
struct exposition *exposition_new(const struct exposition_options *options,
                                  struct byte_writer *out);

/* The sink to give to the producer. */
struct metric_sink exposition_sink(struct exposition *exposition);

/* Ends and frees the exposition. Returns 0, or -ENOMEM when what was written is not whole. */
int exposition_finish(struct exposition *exposition);

const char *exposition_content_type(enum exposition_format format);

/* "text", "openmetrics", "protobuf": the label `format` of the agent's own metrics. */
const char *exposition_format_name(enum exposition_format format);
