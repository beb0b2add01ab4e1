#pragma once

#include "exporters/metric_set.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exponential buckets a histogram holds; a wider range of values is kept at a coarser schema. */
#define HISTOGRAM_WINDOW 160
/* The finest schema: 32 buckets for each power of two, a relative error of about 1 percent. */
#define HISTOGRAM_SCHEMA 5

/*
 * How whole numbers (nanoseconds, bytes) become buckets: fixed upper bounds, inclusive and exact,
 * and beside them exponential ones. Shared by all histograms of one unit, read-only once made.
 */
struct histogram_layout {
    double *bounds;       /* as exposed, in the unit: seconds or bytes */
    uint64_t *raw_bounds; /* the largest raw value each bucket takes */
    size_t bound_count;
    double scale; /* raw values in one unit: 1e9 for seconds, 1 for bytes */
    /* Where the exponential buckets of one power of two end, as frexp's fractions. */
    double fractions[1 << HISTOGRAM_SCHEMA];
};

/* All fields are cells (cell.h). A zeroed histogram is an empty one. */
struct histogram {
    uint64_t sum_units; /* the sum is exact: whole units and what is left, in raw values */
    uint64_t sum_rest;
    uint64_t zero_count;
    uint64_t coarsened;                /* the schema is HISTOGRAM_SCHEMA less this */
    uint64_t first_index;              /* an int64_t; of the lowest exponential bucket in use */
    uint64_t width;                    /* exponential buckets from there on; 0: none in use */
    uint64_t window[HISTOGRAM_WINDOW]; /* bucket i is at i modulo HISTOGRAM_WINDOW */
    uint64_t buckets[];                /* one for each bound and one for +Inf; not cumulative */
};

/* Copies the bounds (ascending). A bound between two raw values takes those up to it; what decimal
 * fractions lose as doubles is made good. Returns 0 or -ENOMEM. */
int histogram_layout_init(struct histogram_layout *layout, const double *bounds, size_t count,
                          double scale);
void histogram_layout_fini(struct histogram_layout *layout);

/* How many cells a histogram of this layout has. */
size_t histogram_cells(const struct histogram_layout *layout);

/* The exponential bucket (2^(i/2^s), 2^((i+1)/2^s)] of a raw value above 0, s = HISTOGRAM_SCHEMA.
 */
int64_t histogram_index(const struct histogram_layout *layout, uint64_t raw);

/* Counts one value. The histogram's only writer. */
void histogram_observe(const struct histogram_layout *layout, struct histogram *histogram,
                       uint64_t raw);

/* Counts an observation whose value nobody knows (an answer that never came): it stands in the
 * +Inf bucket, and neither in the sum nor in an exponential bucket. */
void histogram_observe_unknown(const struct histogram_layout *layout, struct histogram *histogram);

/* Adds `from` to `into`; both are copies that nobody else writes. */
void histogram_merge(const struct histogram_layout *layout, struct histogram *into,
                     const struct histogram *from);

/* Shows a copy as the neutral model. `exponential_out` and `counts_out` (HISTOGRAM_WINDOW numbers)
 * are what the result points to, beside the layout and the histogram. */
struct metric_histogram histogram_metric(const struct histogram_layout *layout,
                                         const struct histogram *histogram,
                                         struct metric_exponential *exponential_out,
                                         uint64_t *counts_out);
