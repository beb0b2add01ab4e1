#pragma once

#include "exporters/metric_set.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exponential buckets a histogram has room for. */
#define HISTOGRAM_WINDOW 160
/* 32 buckets for each power of two, a relative error of about 1 percent. */
#define HISTOGRAM_SCHEMA 5
/* The finest schema there is: 256 buckets for each power of two. */
#define HISTOGRAM_SCHEMA_MAX 8
/* Fewer could not hold any range of 64-bit values at a schema that others know (-4). */
#define HISTOGRAM_WINDOW_MIN 10
/* So many that no more than one bucket begins in each. */
#define HISTOGRAM_CELLS 512
/* Quarters of powers of two that raw values reach, whatever a unit is. */
#define HISTOGRAM_QUARTERS 264
/* Hexadecimal digits of a trace id. */
#define HISTOGRAM_TRACE_DIGITS 32

/*
 * How whole numbers (nanoseconds, bytes) become buckets: fixed upper bounds, inclusive and exact,
 * and beside them exponential ones. Shared by all histograms of one unit, read-only once made.
 */
struct histogram_layout {
    double *bounds;       /* as exposed, in the unit: seconds or bytes */
    uint64_t *raw_bounds; /* the largest raw value each bucket takes */
    size_t bound_count;
    double scale;        /* raw values in one unit: 1e9 for seconds, 1 for bytes */
    uint64_t unit;       /* the same */
    int schema;          /* that histograms begin with */
    int64_t per_power;   /* 2^schema */
    int64_t first_index; /* less 1, of the bucket where a double's exponent begins that reads 0 */
    int64_t window;      /* exponential buckets in use at most; more make the schema coarser */
    /* Where the exponential buckets of one power of two begin, as the mantissas of doubles, and how
     * many of them begin below each of HISTOGRAM_CELLS equal parts of it. */
    uint64_t mantissas[(1 << HISTOGRAM_SCHEMA_MAX) + 1];
    uint16_t begun[HISTOGRAM_CELLS];
    /* How many of the fixed bounds lie in lower quarters of a power of two than a value, counted
     * from the quarter of the raw value 1. */
    uint64_t first_quarter;
    uint32_t below[HISTOGRAM_QUARTERS + 1];
};

/* The latest value of a bucket that came with a trace id. All fields are cells. */
struct histogram_exemplar {
    uint64_t trace_id[2]; /* both 0: there is none */
    uint64_t raw;
    uint64_t time_ns; /* an int64_t, since the epoch */
};

/* All fields are cells (cell.h). A zeroed histogram is an empty one. */
struct histogram {
    uint64_t sum_units; /* the sum is exact: whole units and what is left, in raw values */
    uint64_t sum_rest;
    uint64_t zero_count;
    uint64_t coarsened;                /* the schema is the layout's less this */
    uint64_t first_index;              /* an int64_t; of the lowest exponential bucket in use */
    uint64_t width;                    /* exponential buckets from there on; 0: none in use */
    uint64_t window[HISTOGRAM_WINDOW]; /* bucket i is at i modulo HISTOGRAM_WINDOW */
    /* One for each bound and one for +Inf, not cumulative; behind them as many exemplars. */
    uint64_t buckets[];
};

/* Copies the bounds (ascending). A bound between two raw values takes those up to it; what decimal
 * fractions lose as doubles is made good. Returns 0 or -ENOMEM. */
int histogram_layout_init(struct histogram_layout *layout, const double *bounds, size_t count,
                          double scale);
void histogram_layout_fini(struct histogram_layout *layout);

/* Another schema (0 to HISTOGRAM_SCHEMA_MAX) and number of exponential buckets
 * (HISTOGRAM_WINDOW_MIN to HISTOGRAM_WINDOW) than the usual ones; before the first value. */
void histogram_layout_resolve(struct histogram_layout *layout, int schema, int64_t window);

/* How many cells a histogram of this layout has. */
size_t histogram_cells(const struct histogram_layout *layout);

/* Counts one value. The histogram's only writer. See measure.h for one that counts in several. */
void histogram_observe(const struct histogram_layout *layout, struct histogram *histogram,
                       uint64_t raw);

/* Makes room for an exponential bucket that the histogram has not in use, and returns its index
 * afterwards: in a coarser schema it is another. */
int64_t histogram_stretch(const struct histogram_layout *layout, struct histogram *histogram,
                          int64_t index);

/* Counts an observation whose value nobody knows (an answer that never came): it stands in the
 * +Inf bucket, and neither in the sum nor in an exponential bucket. */
void histogram_observe_unknown(const struct histogram_layout *layout, struct histogram *histogram);

/* Keeps a value that was observed as its bucket's exemplar. `trace_id`: 128 bits, the high ones
 * first. */
void histogram_exemplify(const struct histogram_layout *layout, struct histogram *histogram,
                         const struct histogram_exemplar *exemplar);

/* Adds `from` to `into`; both are copies that nobody else writes. */
void histogram_merge(const struct histogram_layout *layout, struct histogram *into,
                     const struct histogram *from);

/* Shows a copy as the neutral model. `exponential_out` and `counts_out` (HISTOGRAM_WINDOW numbers)
 * are what the result points to, beside the layout and the histogram. */
struct metric_histogram histogram_metric(const struct histogram_layout *layout,
                                         const struct histogram *histogram,
                                         struct metric_exponential *exponential_out,
                                         uint64_t *counts_out);

/* Shows the exemplars of a copy, one for each bucket: bound_count + 1 of them, and as many texts
 * that they point to. False: there is none. */
bool histogram_exemplars(const struct histogram_layout *layout, const struct histogram *histogram,
                         struct metric_exemplar *exemplars_out,
                         char (*texts_out)[HISTOGRAM_TRACE_DIGITS]);
