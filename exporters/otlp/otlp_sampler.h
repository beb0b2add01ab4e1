#pragma once

#include "exporters/exchange_record.h"

#include <stdatomic.h>
#include <stdbool.h>

/*
 * Which exchanges become spans. Always: those that failed, and those that took longest (than the
 * threshold, or than 99 % of their service's latest ones). Otherwise what the request's trace
 * context decided, and where it decided nothing, a share of the traces: by the trace id, so that
 * everybody who uses the same share keeps the same traces. Any thread.
 */
struct otlp_sampler_rule {
    const char *namespace; /* glob; NULL: any */
    const char *service;   /* glob; NULL: any */
    double ratio;
};

struct otlp_sampler_options {
    double ratio;                          /* where no rule fits */
    const struct otlp_sampler_rule *rules; /* the first that fits; outlive the sampler */
    size_t rule_count;
    uint64_t slower_than_ns; /* 0: than 99 % of the service's */
};

struct otlp_sampler;

/* NULL: out of memory. */
struct otlp_sampler *otlp_sampler_new(const struct otlp_sampler_options *options);
void otlp_sampler_free(struct otlp_sampler *sampler);

/* Looks at an exchange that makes a span (otlp_span_exists). Bounded: services beyond
 * OTLP_SAMPLER_SERVICES share what is known of the slowest. */
bool otlp_sampler_wants(struct otlp_sampler *sampler, const struct exchange_record *record);
#define OTLP_SAMPLER_SERVICES 1024
