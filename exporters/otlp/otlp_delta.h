#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * From cumulative values to what happened since the last report. What was reported last is kept for
 * a bounded number of series; series that are not reported any more are forgotten. For one thread.
 */
struct otlp_delta;

/* A histogram in either form, as it is reported. */
struct otlp_distribution {
    uint64_t count;
    double sum;
    int schema; /* exponential ones; 0 for explicit bounds */
    uint64_t zero_count;
    int64_t first_index;
    const uint64_t *counts;
    size_t buckets;
};

enum otlp_delta_result {
    OTLP_DELTA_CHANGED,
    OTLP_DELTA_SAME, /* nothing happened: there is no point to report */
    OTLP_DELTA_FULL, /* no room to remember it: it cannot be reported */
};

/* NULL: out of memory. */
struct otlp_delta *otlp_delta_new(size_t max_series);
void otlp_delta_free(struct otlp_delta *delta);

/* Around all series of one report, at this time. */
void otlp_delta_begin(struct otlp_delta *delta, int64_t now_ns);
void otlp_delta_end(struct otlp_delta *delta);

/* A number that identifies a series: of the bytes that name it, and hard to guess. */
uint64_t otlp_delta_key(const struct otlp_delta *delta, const void *bytes, size_t length,
                        uint64_t more);

/* What replaces the value. `created_ns` is when the series began, and becomes when the report's
 * interval did: at the last report; at the beginning where there was none or the series began anew
 * since. The distribution's counts are valid until the next call. */
enum otlp_delta_result otlp_delta_number(struct otlp_delta *delta, uint64_t key, double *value,
                                         int64_t *created_ns);
enum otlp_delta_result otlp_delta_distribution(struct otlp_delta *delta, uint64_t key,
                                               struct otlp_distribution *distribution,
                                               int64_t *created_ns);

/* How many series are remembered. */
size_t otlp_delta_series(const struct otlp_delta *delta);
