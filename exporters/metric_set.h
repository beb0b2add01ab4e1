#pragma once

#include "exporters/text.h"

#include <stddef.h>
#include <stdint.h>

/*
 * The neutral metric model: what every wire format is written from. A producer calls the sink with
 * a family, then all points of that family, then the next family: nothing is built in between, so
 * a scrape of any size needs no memory of its own.
 */
enum metric_type {
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_HISTOGRAM
};

struct metric_family {
    const char *name; /* as exposed, "_total" of counters included */
    const char *help; /* one plain sentence or more; escaped by the writer */
    const char *unit; /* "seconds", "bytes" or "" */
    enum metric_type type;
};

struct metric_label {
    const char *name;
    struct text
        value; /* any bytes: made valid UTF-8 and escaped by the writer; empty is left out */
};

/* Sparse exponential buckets (OpenTelemetry's exponential histogram, Prometheus' native one). What
 * the histogram counted beyond these and zero_count has no value that is known: a request that was
 * never answered; it stands in the +Inf bucket. */
struct metric_exponential {
    int schema; /* base = 2^(2^-schema) */
    double zero_threshold;
    uint64_t zero_count;
    int first_index; /* of counts[0]; bucket i holds (base^i, base^(i+1)] */
    const uint64_t *counts;
    size_t count;
};

/* A request that one can look up: one of those in a bucket, not an average of them. */
struct metric_exemplar {
    struct text trace_id; /* 32 hexadecimal digits; empty: there is no exemplar */
    double value;
    int64_t time_ns; /* since the epoch */
};

struct metric_histogram {
    const double *bounds;          /* ascending upper bounds, without +Inf */
    const uint64_t *bucket_counts; /* not cumulative; bound_count + 1, the last is +Inf */
    size_t bound_count;
    uint64_t count;
    double sum;
    const struct metric_exponential *exponential; /* NULL: none */
    const struct metric_exemplar *exemplars;      /* one of each bucket; NULL: none at all */
};

struct metric_point {
    const struct metric_label *labels;
    size_t label_count;
    int64_t created_ns; /* since the epoch; 0: not known */
    union {
        double value;
        struct metric_histogram histogram;
    };
};

/* Writers implement this; calls come on the producer's thread. */
struct metric_sink {
    void *context;
    void (*family)(void *context, const struct metric_family *family);
    void (*point)(void *context, const struct metric_point *point);
};
