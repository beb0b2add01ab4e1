#pragma once

#include "agent/exchange/exchange.h"
#include "agent/pipeline.h"
#include "exporters/delivery/delivery.h"

/*
 * Where a worker's exchanges leave it for the exporters that deliver each of them: with the names
 * that both ends have in the metrics as well. The worker's thread.
 */
struct exchange_tap {
    struct delivery_inlet *inlet;
    const struct pipeline *pipeline; /* the worker sets it */
};

/* The sink to give to the pipeline, valid as long as the tap. */
struct exchange_sink exchange_tap_sink(struct exchange_tap *tap);
