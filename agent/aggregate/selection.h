#pragma once

#include "agent/aggregate/aggregate.h"
#include "agent/base/address.h"
#include "agent/exchange/exchange.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What is left out of the metrics: the agent's own traffic, and what rules exclude. Stands in front
 * of the aggregate as a sink of its own. One per worker.
 */
struct selection;

/* Globs (fnmatch) on the name of the workload that was asked, on the route and on the user agent;
 * NULL fits everything. */
struct selection_rule {
    bool exclude;
    const char *namespace;
    const char *service;
    const char *route;
    const char *user_agent;
};

struct selection_options {
    const struct selection_rule *rules;  /* the first that fits decides; none: included. Copied, */
    size_t rule_count;                   /* their strings are not */
    struct aggregate_shard *shard;       /* says who was asked; outlives the selection */
    const struct address *own_addresses; /* copied */
    size_t own_address_count;
    uint16_t own_port; /* what is asked there on an own address is the agent's; 0: nothing */
};

/* Passes to `next` what is not left out. NULL: out of memory. */
struct selection *selection_new(const struct selection_options *options,
                                const struct exchange_sink *next);
void selection_free(struct selection *selection);

/* The sink to give to the exchange stage. */
struct exchange_sink selection_sink(struct selection *selection);
