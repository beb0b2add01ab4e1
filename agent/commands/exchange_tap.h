#pragma once

#include "agent/exchange/exchange.h"
#include "agent/kube/directory.h"
#include "exporters/delivery/delivery.h"

/*
 * Where a worker's exchanges leave it for the exporters that deliver each of them: with the names
 * that both ends have at that moment. The worker's thread.
 */
struct exchange_tap {
    struct delivery_inlet *inlet;
    const struct directory *directory; /* the worker sets it when there is a newer one */
};

/* The sink to give to the pipeline, valid as long as the tap. */
struct exchange_sink exchange_tap_sink(struct exchange_tap *tap);
