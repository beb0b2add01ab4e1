#pragma once

#include "agent/config/config.h"
#include "agent/exchange/exchange.h"
#include "agent/kube/directory.h"

/*
 * What is left out of the metrics: the agent's own traffic, and what the configured rules exclude.
 * Stands between the exchange stage and the aggregate as a sink of its own. One per worker.
 */
struct selection;

/* `rules` and `directory` outlive it. `own_port` is where this agent listens (0: nowhere): what
 * goes there on an address of this machine is its own. NULL: out of memory. */
struct selection *selection_new(const struct config *config, const struct directory *directory,
                                uint16_t own_port, const struct exchange_sink *next);
void selection_free(struct selection *selection);

/* The sink that passes on what is not left out. */
struct exchange_sink selection_sink(struct selection *selection);
