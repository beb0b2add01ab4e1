#pragma once

#include "exporters/byte_writer.h"
#include "exporters/metric_set.h"

/* The content type of what is written here. */
#define PROMETHEUS_TEXT_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/*
 * A metric set in the Prometheus text format 0.0.4. Label values and help texts come out as valid
 * UTF-8 whatever they were; an empty label value is left out, which means the same.
 */
struct prometheus_text {
    struct byte_writer *out;
    struct metric_family family; /* the one whose points are being written */
    struct byte_writer labels;   /* of the current point, escaped once for all its lines */
    struct byte_writer bounds;   /* `le` values of the histogram before, each ended by NUL */
    double *bound_values;        /* what they were written from */
    size_t bound_count;
};

void prometheus_text_init(struct prometheus_text *text, struct byte_writer *out);

/* Returns 0, or -ENOMEM when what was written is not whole. The output stays the caller's. */
int prometheus_text_fini(struct prometheus_text *text);

/* The sink to give to a producer, valid as long as `text`. */
struct metric_sink prometheus_text_sink(struct prometheus_text *text);
