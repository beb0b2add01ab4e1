#pragma once

#include "exporters/byte_writer.h"
#include "exporters/metric_set.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What Prometheus' text format and OpenMetrics share: lines of a name, labels and a number. A
 * failed allocation is remembered by the output.
 */
struct sample_lines {
    struct byte_writer *out;
    bool openmetrics;          /* its spelling of bounds, and exemplars */
    const char *name;          /* of the family whose points are being written */
    size_t name_length;        /* less "_total" in OpenMetrics */
    struct byte_writer labels; /* of the current point, escaped once for all its lines */
    struct byte_writer head;   /* of its bucket lines, up to the bound */
    struct byte_writer bounds; /* how they end, each behind its length */
    double *bound_values;      /* what they were written from */
    size_t bound_count;
};

void sample_lines_init(struct sample_lines *lines, struct byte_writer *out, bool openmetrics);

/* Returns 0, or -ENOMEM when what was written is not whole. The output stays the caller's. */
int sample_lines_fini(struct sample_lines *lines);

/* The name of the lines to come, and one line about the family: "# KEYWORD NAME TEXT". */
void sample_lines_name(struct sample_lines *lines, const char *name, size_t length);
void sample_lines_about(struct sample_lines *lines, const char *keyword, struct text text);

/* The labels of the lines to come. */
void sample_lines_labels(struct sample_lines *lines, const struct metric_point *point);

/* One line: the name with a suffix, the labels, the number. */
void sample_lines_count(struct sample_lines *lines, const char *suffix, uint64_t count);
void sample_lines_number(struct sample_lines *lines, const char *suffix, double value);

/* The same for a time since the epoch, in seconds; nothing where it is not known (0). */
void sample_lines_time(struct sample_lines *lines, const char *suffix, int64_t time_ns);

/* All lines of a histogram but `_created`. */
void sample_lines_histogram(struct sample_lines *lines, const struct metric_histogram *histogram);
