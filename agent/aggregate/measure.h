#pragma once

#include "agent/aggregate/cell.h"
#include "agent/aggregate/histogram.h"

#include <string.h>

/*
 * A raw value above 0 and where it belongs in the histograms of one layout: found once, counted in
 * as many of them as one likes. Here are the steps of the packet path; the rest is in histogram.c.
 */
struct measure {
    uint64_t units; /* whole ones, and what is left */
    uint64_t rest;
    size_t bucket;
    int64_t index; /* of the exponential bucket */
};

/* In place: a call would cost a fifth more, and there are three to five for an exchange. */
#define MEASURE_INLINE static inline __attribute__((always_inline))

/* A double is 2^(exponent - 1023) times 1.mantissa. */
#define MEASURE_MANTISSA_BITS 52
#define MEASURE_MANTISSA_MASK ((UINT64_C(1) << MEASURE_MANTISSA_BITS) - 1)
/* The first bits of a mantissa are the number of its cell: log2(HISTOGRAM_CELLS) of them. */
#define MEASURE_CELL_SHIFT (MEASURE_MANTISSA_BITS - 9)
/* Makes any index positive: a multiple of the window beyond 2^schema times the least exponent. */
#define MEASURE_INDEX_BIAS (INT64_C(2048) * HISTOGRAM_WINDOW)

/* The value in the layout's unit, as the bits of a double. */
static inline uint64_t measure_value(const struct histogram_layout *layout, uint64_t raw)
{
    double value = (double)raw / layout->scale;
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* The bucket that takes a raw value above 0, bounds inclusive: few are in its quarter of a power.
 */
static inline size_t measure_bucket(const struct histogram_layout *layout, uint64_t raw,
                                    uint64_t value)
{
    uint64_t quarter = (value >> (MEASURE_MANTISSA_BITS - 2)) - layout->first_quarter;
    size_t bucket = layout->below[quarter];
    size_t end = layout->below[quarter + 1];
    while (bucket < end && layout->raw_bounds[bucket] < raw) {
        bucket++;
    }
    return bucket;
}

/* The exponential bucket (2^(i/2^s), 2^((i+1)/2^s)] of a raw value above 0; s: the layout's schema.
 */
static inline int64_t measure_index(const struct histogram_layout *layout, uint64_t value)
{
    uint64_t mantissa = value & MEASURE_MANTISSA_MASK;
    int64_t exponent = (int64_t)(value >> MEASURE_MANTISSA_BITS);
    /* How many of the power's buckets begin below the value. */
    int64_t begun = layout->begun[mantissa >> MEASURE_CELL_SHIFT];
    begun += layout->mantissas[begun] < mantissa;
    return begun + exponent * layout->per_power + layout->first_index;
}

static inline struct measure measure_of(const struct histogram_layout *layout, uint64_t raw)
{
    uint64_t value = measure_value(layout, raw);
    bool whole = raw >= layout->unit; /* mostly not: a division costs more than all the rest */
    return (struct measure){.units = whole ? raw / layout->unit : 0,
                            .rest = whole ? raw % layout->unit : raw,
                            .bucket = measure_bucket(layout, raw, value),
                            .index = measure_index(layout, value)};
}

/* Where the window has the bucket of this index. */
static inline size_t measure_position(int64_t index)
{
    return (uint32_t)(index + MEASURE_INDEX_BIAS) % HISTOGRAM_WINDOW;
}

/* `rest` and what is left in the histogram are each less than a unit. */
MEASURE_INLINE void measure_add_sum(const struct histogram_layout *layout,
                                    struct histogram *histogram, uint64_t units, uint64_t rest)
{
    rest += histogram->sum_rest;
    if (rest >= layout->unit) {
        rest -= layout->unit;
        units++;
    }
    cell_set(&histogram->sum_rest, rest);
    if (units > 0) {
        cell_add(&histogram->sum_units, units);
    }
}

MEASURE_INLINE void measure_add_exponential(const struct histogram_layout *layout,
                                            struct histogram *histogram, int64_t index,
                                            uint64_t amount)
{
    if ((uint64_t)index - histogram->first_index >= histogram->width) {
        index = histogram_stretch(layout, histogram, index);
    }
    cell_add(&histogram->window[measure_position(index)], amount);
}

/* Counts the value. The histogram's only writer. */
MEASURE_INLINE void measure_count(const struct histogram_layout *layout,
                                  struct histogram *histogram, const struct measure *measure)
{
    measure_add_sum(layout, histogram, measure->units, measure->rest);
    cell_add(&histogram->buckets[measure->bucket], 1);
    measure_add_exponential(layout, histogram, measure->index >> histogram->coarsened, 1);
}

/* Counts the value 0, which is in the first bucket whatever the bounds are. */
static inline void measure_count_zero(struct histogram *histogram)
{
    cell_add(&histogram->buckets[0], 1);
    cell_add(&histogram->zero_count, 1);
}
