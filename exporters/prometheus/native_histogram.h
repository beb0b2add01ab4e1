#pragma once

#include "exporters/metric_set.h"

#include <stddef.h>
#include <stdint.h>

/* Exponential buckets as Prometheus counts them: runs of buckets that are not empty, and of each
 * bucket the difference to the one in front of it. */
struct native_span {
    int32_t offset; /* of the first its index, of the others the empty buckets in front of it */
    uint32_t length;
};

/* Writes the buckets of a histogram that has exponential ones. `spans_out` and `deltas_out` have
 * room for native_histogram_room(). Observations without a known value stand in the bucket of
 * +Inf, so the buckets add up to the histogram's count. */
void native_histogram_buckets(const struct metric_histogram *histogram,
                              struct native_span *spans_out, size_t *span_count_out,
                              int64_t *deltas_out, size_t *delta_count_out);

/* How many spans, and how many deltas, a histogram may have. */
size_t native_histogram_room(const struct metric_histogram *histogram);
