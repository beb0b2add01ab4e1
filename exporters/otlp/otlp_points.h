#pragma once

#include "exporters/metric_set.h"
#include "exporters/otlp/otlp_delta.h"
#include "exporters/otlp/otlp_request.h"
#include "exporters/otlp/otlp_resource.h"

struct otlp_points_options {
    struct text agent_resource; /* a Resource message, for points about the agent itself */
    bool explicit_buckets;      /* also where there are exponential ones */
    bool delta;
    size_t max_series; /* remembered for deltas */
    int64_t start_ns;  /* of series that do not know when they began */
    struct otlp_extras extras;
    /* Takes one data point: what otlp_request_write reads, in so many parts. */
    void (*emit)(void *context, const struct text *parts, size_t count);
    /* A data point that cannot be reported. */
    void (*lose)(void *context);
    void *context;
};

/*
 * A metric sink that makes data points. A point whose labels name a service is about that service,
 * any other about the agent. Requests whose duration nobody knows count in the zero bucket of an
 * exponential histogram, as its count has to be the sum of its buckets. For one thread; the
 * families are read by another one, which learns of each with its first point.
 */
struct otlp_points;

/* NULL: out of memory. */
struct otlp_points *otlp_points_new(const struct otlp_points_options *options);
void otlp_points_free(struct otlp_points *points);

/* Around one report, which is of this moment. */
struct metric_sink otlp_points_begin(struct otlp_points *points, int64_t now_ns);
void otlp_points_end(struct otlp_points *points);

/* By number; for otlp_request_options. */
struct otlp_family *const *otlp_points_families(const struct otlp_points *points);
