#pragma once

#include "exporters/exchange_record.h"
#include "exporters/metric_set.h"

#include <stdbool.h>

/*
 * Which exchanges become events. Asked by all workers at the same time; lock-free, and takes no
 * memory after it was made.
 */
struct event_filter;

struct event_filter_options {
    bool only_errors;         /* with both of these, an exchange that is either passes */
    uint64_t slower_than_ns;  /* 0: any */
    unsigned rate_per_second; /* of each service, after the others; 0: any */
};

/* NULL: out of memory. */
struct event_filter *event_filter_new(const struct event_filter_options *options);
void event_filter_free(struct event_filter *filter);

/* Whether the exchange becomes an event; `now_ns` of a clock that does not jump. */
bool event_filter_wants(struct event_filter *filter, const struct exchange_record *record,
                        int64_t now_ns);

/* What was filtered, by reason. */
void event_filter_write_metrics(const struct event_filter *filter, const struct metric_sink *sink);
