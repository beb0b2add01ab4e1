#pragma once

#include "agent/aggregate/cell.h"
#include "agent/aggregate/histogram.h"

#include <string.h>

/*
 * A raw value and where it belongs in the histograms of one layout: found once, counted in as many
 * of them as one likes. Here are the steps of the packet path; the rest is in histogram.c.
 */
struct measure {
    uint64_t raw;
    uint64_t units; /* whole ones, and what is left */
    uint64_t rest;
    size_t bucket;
    int64_t index; /* of the exponential bucket; nothing when `raw` is 0 */
};

/* A double is 2^(exponent - MEASURE_EXPONENT_BIAS) times 1.mantissa. */
#define MEASURE_MANTISSA_BITS 52
#define MEASURE_MANTISSA_MASK ((UINT64_C(1) << MEASURE_MANTISSA_BITS) - 1)
#define MEASURE_EXPONENT_BIAS 1023
/* The first bits of a mantissa are the number of its cell: log2(HISTOGRAM_CELLS) of them. */
#define MEASURE_CELL_SHIFT (MEASURE_MANTISSA_BITS - 9)
/* Makes any index positive; a multiple of HISTOGRAM_WINDOW beyond 2^HISTOGRAM_SCHEMA_MAX times the
 * least exponent. */
#define MEASURE_INDEX_BIAS (HISTOGRAM_WINDOW * 2048)

/* The bucket that takes the value: bounds are inclusive. Of the bounds that have as many digits as
 * the value there are few, the others need not be asked. */
static inline size_t measure_bucket(const struct histogram_layout *layout, uint64_t raw)
{
    unsigned digits = raw == 0 ? 0 : HISTOGRAM_DIGITS - (unsigned)__builtin_clzll(raw);
    size_t first = layout->shorter[digits];
    size_t left = layout->shorter[digits + 1] - first;
    while (left > 0) {
        size_t half = left / 2;
        bool above = layout->raw_bounds[first + half] < raw;
        first += above ? half + 1 : 0;
        left = above ? left - half - 1 : half;
    }
    return first;
}

/* The exponential bucket (2^(i/2^s), 2^((i+1)/2^s)] of a raw value above 0; s: the layout's schema.
 */
static inline int64_t measure_index(const struct histogram_layout *layout, uint64_t raw)
{
    double value = (double)raw / layout->scale;
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    uint64_t mantissa = bits & MEASURE_MANTISSA_MASK;
    int64_t exponent = (int64_t)(bits >> MEASURE_MANTISSA_BITS) - MEASURE_EXPONENT_BIAS;
    /* How many of the power's buckets begin below the value. */
    int64_t begun = layout->begun[mantissa >> MEASURE_CELL_SHIFT];
    begun += layout->mantissas[begun] < mantissa;
    return begun - 1 + exponent * (1 << layout->schema);
}

static inline struct measure measure_of(const struct histogram_layout *layout, uint64_t raw)
{
    bool whole = raw >= layout->unit; /* mostly not: a division costs more than all the rest */
    return (struct measure){.raw = raw,
                            .units = whole ? raw / layout->unit : 0,
                            .rest = whole ? raw % layout->unit : raw,
                            .bucket = measure_bucket(layout, raw),
                            .index = raw == 0 ? 0 : measure_index(layout, raw)};
}

/* Where the window of a histogram has the bucket of this index. */
static inline size_t measure_position(int64_t index)
{
    return (uint32_t)(index + MEASURE_INDEX_BIAS) % HISTOGRAM_WINDOW;
}

/* `rest` and what is left in the histogram are each less than a unit. */
static inline void measure_add_sum(const struct histogram_layout *layout,
                                   struct histogram *histogram, uint64_t units, uint64_t rest)
{
    rest += histogram->sum_rest;
    bool whole = rest >= layout->unit;
    cell_set(&histogram->sum_rest, whole ? rest - layout->unit : rest);
    if (units + whole > 0) {
        cell_add(&histogram->sum_units, units + whole);
    }
}

static inline void measure_add_exponential(const struct histogram_layout *layout,
                                           struct histogram *histogram, int64_t index,
                                           uint64_t amount)
{
    if ((uint64_t)index - histogram->first_index >= histogram->width) {
        index = histogram_stretch(layout, histogram, index);
    }
    cell_add(&histogram->window[measure_position(index)], amount);
}

/* Counts the value. The histogram's only writer. */
static inline void measure_count(const struct histogram_layout *layout, struct histogram *histogram,
                                 const struct measure *measure)
{
    measure_add_sum(layout, histogram, measure->units, measure->rest);
    cell_add(&histogram->buckets[measure->bucket], 1);
    if (measure->raw == 0) {
        cell_add(&histogram->zero_count, 1);
    } else {
        measure_add_exponential(layout, histogram, measure->index >> histogram->coarsened, 1);
    }
}
