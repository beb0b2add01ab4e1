#pragma once

#include "exporters/prometheus/sample_lines.h"

/* The content type of what is written here. */
#define OPENMETRICS_TEXT_CONTENT_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/*
 * A metric set as OpenMetrics 1.0.0: the same lines as in Prometheus' text format, with units,
 * exemplars and a mark at the end. Counters are called without "_total" where they are described.
 */
struct openmetrics_text {
    struct sample_lines lines;
    enum metric_type type; /* of the family whose points are being written */
    bool created;          /* with `_created` lines */
};

void openmetrics_text_init(struct openmetrics_text *text, struct byte_writer *out, bool created);

/* Ends the exposition. Returns 0, or -ENOMEM when what was written is not whole. The output stays
 * the caller's. */
int openmetrics_text_fini(struct openmetrics_text *text);

/* The sink to give to a producer, valid as long as `text`. */
struct metric_sink openmetrics_text_sink(struct openmetrics_text *text);
