#include "exporters/prometheus/native_histogram.h"

#include <stdbool.h>

/* Empty buckets that are written out where a new span would cost more. */
#define GAP_MAX 2
/* The exponent above the largest double's. */
#define INFINITE_EXPONENT 1024

/* What is being written. */
struct native_writer {
    struct native_span *spans;
    size_t span_count;
    int64_t *deltas;
    size_t delta_count;
    int64_t next;  /* the index behind the last bucket that was written */
    int64_t count; /* in that bucket */
};

static void add_delta(struct native_writer *writer, int64_t count)
{
    writer->deltas[writer->delta_count++] = count - writer->count;
    writer->spans[writer->span_count - 1].length++;
    writer->count = count;
    writer->next++;
}

static void add_bucket(struct native_writer *writer, int64_t index, uint64_t count)
{
    if (writer->span_count == 0 || index - writer->next > GAP_MAX) {
        writer->spans[writer->span_count++] =
            (struct native_span){.offset = (int32_t)(index - writer->next)};
        writer->next = index;
    }
    while (writer->next < index) {
        add_delta(writer, 0);
    }
    add_delta(writer, (int64_t)count);
}

/* The bucket above all finite values. */
static int64_t infinite_index(int schema)
{
    int64_t largest = schema >= 0 ? (int64_t)INFINITE_EXPONENT * (1 << schema)
                                  : (int64_t)INFINITE_EXPONENT >> -schema;
    return largest + 1;
}

void native_histogram_buckets(const struct metric_histogram *histogram,
                              struct native_span *spans_out, size_t *span_count_out,
                              int64_t *deltas_out, size_t *delta_count_out)
{
    const struct metric_exponential *exponential = histogram->exponential;
    struct native_writer writer = {.spans = spans_out, .deltas = deltas_out};
    uint64_t known = exponential->zero_count;
    for (size_t i = 0; i < exponential->count; i++) {
        known += exponential->counts[i];
        if (exponential->counts[i] > 0) {
            /* Prometheus calls a bucket by its upper bound. */
            add_bucket(&writer, (int64_t)exponential->first_index + (int64_t)i + 1,
                       exponential->counts[i]);
        }
    }
    if (histogram->count > known) {
        add_bucket(&writer, infinite_index(exponential->schema), histogram->count - known);
    }
    *span_count_out = writer.span_count;
    *delta_count_out = writer.delta_count;
}

size_t native_histogram_room(const struct metric_histogram *histogram)
{
    return histogram->exponential->count + GAP_MAX + 1;
}
