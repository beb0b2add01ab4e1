#include "agent/aggregate/histogram.h"

#include "agent/aggregate/measure.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * Fixed buckets are found by comparing raw whole numbers, so a value that equals a bound is in its
 * bucket. Exponential buckets are a ring of HISTOGRAM_WINDOW counts over the indexes
 * [first_index, first_index + width): growing the range at either end moves nothing. When a value
 * would stretch the range beyond the layout's limit, neighbouring buckets are added together (index
 * >> 1, one schema coarser) until it fits.
 */

/* A decimal bound times the scale is a whole number up to this; rounding must not lose it. */
#define BOUND_ROUNDING 0.05L
/* Values up to this are the zero bucket; the same as Prometheus' client libraries use. */
#define ZERO_THRESHOLD 0x1p-128
/* The exponent of a double reads so much more than it is. */
#define EXPONENT_BIAS INT64_C(1023)

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static uint64_t raw_bound(double bound, double scale)
{
    long double raw = floorl((long double)bound * (long double)scale + BOUND_ROUNDING);
    if (raw < 0.0L) {
        return 0;
    }
    return raw >= 0x1p64L ? UINT64_MAX : (uint64_t)raw;
}

static uint64_t quarter_of(const struct histogram_layout *layout, uint64_t raw)
{
    return (measure_value(layout, raw) >> (MEASURE_MANTISSA_BITS - 2)) - layout->first_quarter;
}

static void count_below(struct histogram_layout *layout)
{
    size_t count = 0;
    layout->first_quarter = 0;
    layout->first_quarter = quarter_of(layout, 1);
    for (uint64_t quarter = 0; quarter <= HISTOGRAM_QUARTERS; quarter++) {
        while (count < layout->bound_count &&
               (layout->raw_bounds[count] == 0 ||
                quarter_of(layout, layout->raw_bounds[count]) < quarter)) {
            count++;
        }
        layout->below[quarter] = (uint32_t)count;
    }
}

int histogram_layout_init(struct histogram_layout *layout, const double *bounds, size_t count,
                          double scale)
{
    *layout =
        (struct histogram_layout){.bound_count = count, .scale = scale, .unit = (uint64_t)scale};
    histogram_layout_resolve(layout, HISTOGRAM_SCHEMA, HISTOGRAM_WINDOW);
    layout->bounds = calloc(count + 1, sizeof(*layout->bounds));
    layout->raw_bounds = calloc(count + 1, sizeof(*layout->raw_bounds));
    if (layout->bounds == NULL || layout->raw_bounds == NULL) {
        histogram_layout_fini(layout);
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        layout->bounds[i] = bounds[i];
        layout->raw_bounds[i] = raw_bound(bounds[i], scale);
    }
    count_below(layout);
    return 0;
}

void histogram_layout_resolve(struct histogram_layout *layout, int schema, int64_t window)
{
    size_t count = (size_t)1 << schema;
    layout->schema = schema;
    layout->per_power = (int64_t)count;
    layout->first_index = -EXPONENT_BIAS * (int64_t)count - 1;
    layout->window = window;
    for (size_t i = 0; i < count; i++) {
        long double exponent = (long double)i / (long double)count;
        layout->mantissas[i] = bits_of((double)exp2l(exponent)) & MEASURE_MANTISSA_MASK;
    }
    layout->mantissas[count] = UINT64_MAX;
    size_t begun = 0;
    for (size_t i = 0; i < HISTOGRAM_CELLS; i++) {
        while (layout->mantissas[begun] < (uint64_t)i << MEASURE_CELL_SHIFT) {
            begun++;
        }
        layout->begun[i] = (uint16_t)begun;
    }
}

void histogram_layout_fini(struct histogram_layout *layout)
{
    free(layout->bounds);
    free(layout->raw_bounds);
    *layout = (struct histogram_layout){0};
}

size_t histogram_cells(const struct histogram_layout *layout)
{
    size_t bucket = 1 + sizeof(struct histogram_exemplar) / sizeof(uint64_t);
    return sizeof(struct histogram) / sizeof(uint64_t) + (layout->bound_count + 1) * bucket;
}

static const struct histogram_exemplar *exemplars_of(const struct histogram_layout *layout,
                                                     const struct histogram *histogram)
{
    const void *behind = histogram->buckets + layout->bound_count + 1;
    return behind;
}

static struct histogram_exemplar *exemplars_in(const struct histogram_layout *layout,
                                               struct histogram *histogram)
{
    void *behind = histogram->buckets + layout->bound_count + 1;
    return behind;
}

/* Makes the buckets 2^steps times as wide. */
static void coarsen(struct histogram *histogram, unsigned steps)
{
    uint64_t window[HISTOGRAM_WINDOW] = {0};
    int64_t first = (int64_t)histogram->first_index;
    int64_t last = first + (int64_t)histogram->width - 1;
    for (int64_t i = first; i <= last; i++) {
        window[measure_position(i >> steps)] += histogram->window[measure_position(i)];
    }
    cell_set_all(histogram->window, window, HISTOGRAM_WINDOW);
    if (histogram->width > 0) {
        cell_set(&histogram->width, (uint64_t)((last >> steps) - (first >> steps) + 1));
    }
    cell_set(&histogram->first_index, (uint64_t)(first >> steps));
    cell_set(&histogram->coarsened, histogram->coarsened + steps);
}

int64_t histogram_stretch(const struct histogram_layout *layout, struct histogram *histogram,
                          int64_t index)
{
    int64_t first = (int64_t)histogram->first_index;
    int64_t last = first + (int64_t)histogram->width - 1;
    if (histogram->width == 0 || index < first) {
        first = index;
    }
    if (histogram->width == 0 || index > last) {
        last = index;
    }
    unsigned steps = 0;
    while ((last >> steps) - (first >> steps) >= layout->window) {
        steps++;
    }
    if (steps > 0) {
        coarsen(histogram, steps);
    }
    first >>= steps;
    cell_set(&histogram->first_index, (uint64_t)first);
    cell_set(&histogram->width, (uint64_t)((last >> steps) - first + 1));
    return index >> steps;
}

void histogram_observe(const struct histogram_layout *layout, struct histogram *histogram,
                       uint64_t raw)
{
    if (raw == 0) {
        measure_count_zero(histogram);
        return;
    }
    struct measure measure = measure_of(layout, raw);
    measure_count(layout, histogram, &measure);
}

void histogram_observe_unknown(const struct histogram_layout *layout, struct histogram *histogram)
{
    cell_add(&histogram->buckets[layout->bound_count], 1);
}

void histogram_exemplify(const struct histogram_layout *layout, struct histogram *histogram,
                         const struct histogram_exemplar *exemplar)
{
    uint64_t raw = exemplar->raw;
    size_t bucket = raw == 0 ? 0 : measure_bucket(layout, raw, measure_value(layout, raw));
    struct histogram_exemplar *kept = exemplars_in(layout, histogram) + bucket;
    cell_set(&kept->trace_id[0], exemplar->trace_id[0]);
    cell_set(&kept->trace_id[1], exemplar->trace_id[1]);
    cell_set(&kept->raw, exemplar->raw);
    cell_set(&kept->time_ns, exemplar->time_ns);
}

static bool is_set(const struct histogram_exemplar *exemplar)
{
    return (exemplar->trace_id[0] | exemplar->trace_id[1]) != 0;
}

/* The later of two stays. */
static void merge_exemplars(const struct histogram_layout *layout, struct histogram *into,
                            const struct histogram *from)
{
    const struct histogram_exemplar *theirs = exemplars_of(layout, from);
    struct histogram_exemplar *ours = exemplars_in(layout, into);
    for (size_t i = 0; i <= layout->bound_count; i++) {
        if (is_set(&theirs[i]) &&
            (!is_set(&ours[i]) || (int64_t)theirs[i].time_ns > (int64_t)ours[i].time_ns)) {
            ours[i] = theirs[i];
        }
    }
}

void histogram_merge(const struct histogram_layout *layout, struct histogram *into,
                     const struct histogram *from)
{
    measure_add_sum(layout, into, from->sum_units, from->sum_rest);
    into->zero_count += from->zero_count;
    for (size_t i = 0; i <= layout->bound_count; i++) {
        into->buckets[i] += from->buckets[i];
    }
    merge_exemplars(layout, into, from);
    if (into->coarsened < from->coarsened) {
        coarsen(into, (unsigned)(from->coarsened - into->coarsened));
    }
    int64_t first = (int64_t)from->first_index;
    for (int64_t i = first; i < first + (int64_t)from->width; i++) {
        uint64_t amount = from->window[measure_position(i)];
        if (amount > 0) { /* adding may coarsen further, so the schema is asked each time */
            measure_add_exponential(layout, into, i >> (into->coarsened - from->coarsened), amount);
        }
    }
}

struct metric_histogram histogram_metric(const struct histogram_layout *layout,
                                         const struct histogram *histogram,
                                         struct metric_exponential *exponential_out,
                                         uint64_t *counts_out)
{
    int64_t first = (int64_t)histogram->first_index;
    for (uint64_t i = 0; i < histogram->width; i++) {
        counts_out[i] = histogram->window[measure_position(first + (int64_t)i)];
    }
    *exponential_out =
        (struct metric_exponential){.schema = layout->schema - (int)histogram->coarsened,
                                    .zero_threshold = ZERO_THRESHOLD,
                                    .zero_count = histogram->zero_count,
                                    .first_index = (int)first,
                                    .counts = counts_out,
                                    .count = histogram->width};
    uint64_t count = 0;
    for (size_t i = 0; i <= layout->bound_count; i++) {
        count += histogram->buckets[i];
    }
    double sum = (double)histogram->sum_units + (double)histogram->sum_rest / layout->scale;
    return (struct metric_histogram){.bounds = layout->bounds,
                                     .bucket_counts = histogram->buckets,
                                     .bound_count = layout->bound_count,
                                     .count = count,
                                     .sum = sum,
                                     .exponential = exponential_out};
}

static void write_trace_id(const uint64_t trace_id[static 2], char text[HISTOGRAM_TRACE_DIGITS])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < HISTOGRAM_TRACE_DIGITS; i++) {
        size_t half = HISTOGRAM_TRACE_DIGITS / 2;
        text[i] = digits[trace_id[i / half] >> (60 - 4 * (i % half)) & 0xf];
    }
}

bool histogram_exemplars(const struct histogram_layout *layout, const struct histogram *histogram,
                         struct metric_exemplar *exemplars_out,
                         char (*texts_out)[HISTOGRAM_TRACE_DIGITS])
{
    const struct histogram_exemplar *exemplars = exemplars_of(layout, histogram);
    bool any = false;
    for (size_t i = 0; i <= layout->bound_count; i++) {
        exemplars_out[i] = (struct metric_exemplar){0};
        if (is_set(&exemplars[i])) {
            any = true;
            write_trace_id(exemplars[i].trace_id, texts_out[i]);
            exemplars_out[i].trace_id = (struct text){texts_out[i], HISTOGRAM_TRACE_DIGITS};
            exemplars_out[i].value = (double)exemplars[i].raw / layout->scale;
            exemplars_out[i].time_ns = (int64_t)exemplars[i].time_ns;
        }
    }
    return any;
}
