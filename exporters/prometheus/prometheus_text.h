#pragma once

#include "exporters/prometheus/sample_lines.h"

/* The content type of what is written here. */
#define PROMETHEUS_TEXT_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/*
 * A metric set in the Prometheus text format 0.0.4. Label values and help texts come out as valid
 * UTF-8 whatever they were; an empty label value is left out, which means the same.
 */
struct prometheus_text {
    struct sample_lines lines;
    enum metric_type type; /* of the family whose points are being written */
};

void prometheus_text_init(struct prometheus_text *text, struct byte_writer *out);

/* Returns 0, or -ENOMEM when what was written is not whole. The output stays the caller's. */
int prometheus_text_fini(struct prometheus_text *text);

/* The sink to give to a producer, valid as long as `text`. */
struct metric_sink prometheus_text_sink(struct prometheus_text *text);
