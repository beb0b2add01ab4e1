#pragma once

#include "exporters/otlp/otlp_family.h"

/*
 * From single spans and data points, as they wait in a queue, to the body of a request: those of
 * one resource (and of one metric) stand together. Both signals' envelopes have the same field
 * numbers.
 */

/* What stands in front of an item in the queue; its resource and its body follow. */
struct otlp_item {
    uint32_t resource_length;
    uint32_t body_length;
    uint32_t family; /* number of a family; 0 for spans */
};

struct otlp_request_options {
    struct text scope;                   /* an InstrumentationScope message */
    struct otlp_family *const *families; /* by number; NULL: the items are spans */
};

/* Writes the request that holds the items, which lie behind each other in `items`. Returns 0, or
 * -ENOMEM or (a queue that was damaged) -EBADMSG; then `out` is of no use. */
int otlp_request_write(const struct otlp_request_options *options, struct text items,
                       struct byte_writer *out);

/* How many items the receiver says that it refused, in the body of its 2xx answer; 0 when it says
 * nothing that can be read. */
uint64_t otlp_request_rejected(struct text answer);
