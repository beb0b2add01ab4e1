#pragma once

#include "exporters/delivery/delivery.h"
#include "exporters/otlp/otlp_channel.h"
#include "exporters/otlp/otlp_sampler.h"

/* Exchanges as spans, to one URL. */
struct otlp_traces;

struct otlp_traces_options {
    const char *url;
    bool client; /* also exchanges that were seen from the client's side */
    bool query;  /* the query of the target as well, which may hold secrets */
    struct otlp_sampler_options sampler;
};

/* NULL and one line when it cannot be made. Nothing runs before otlp_traces_start, which returns 0
 * or -errno. */
struct otlp_traces *otlp_traces_new(const struct otlp_options *options,
                                    const struct otlp_traces_options *traces,
                                    char error_out[static OUTBOX_ERROR_SIZE]);
int otlp_traces_start(struct otlp_traces *traces);

/* What the delivery thread hands records to. */
struct delivery_outlet otlp_traces_outlet(struct otlp_traces *traces);
const struct exporter_health *otlp_traces_health(const struct otlp_traces *traces);

/* No more records come: sends what waits, until `deadline_ns` (CLOCK_MONOTONIC). Does not wait. */
void otlp_traces_order_stop(struct otlp_traces *traces, int64_t deadline_ns);

/* Waits for that end. */
void otlp_traces_stop(struct otlp_traces *traces);

/* Stops as well. NULL is fine. */
void otlp_traces_free(struct otlp_traces *traces);
