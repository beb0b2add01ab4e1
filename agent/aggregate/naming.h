#pragma once

#include "agent/exchange/exchange.h"
#include "agent/kube/directory.h"

#include <stddef.h>
#include <stdint.h>

/*
 * The first thing that happens to an exchange behind its pairing: its connection gets names, and
 * where one is awaited it is held until the name is known or the hold is over. One per worker, on
 * its thread.
 */
struct naming;
struct aggregate_shard;

/* Why an exchange was reported with an end that nobody knew. */
enum naming_reason {
    NAMING_TIMEOUT, /* the name did not come within the hold, or is not waited for */
    NAMING_FULL,    /* there was no room to wait */
    NAMING_INTERFACE_GONE,
    NAMING_SHUTDOWN,
    NAMING_REASONS
};

struct naming_options {
    struct aggregate_shard *shard; /* knows the names; outlives this */
    int64_t hold_ns;               /* from the first thing seen of a connection; 0: none */
    size_t memory_bytes;           /* for what is held */
};

/* Passes to `next` what has its names. NULL: out of memory. */
struct naming *naming_new(const struct naming_options *options, const struct exchange_sink *next);
void naming_free(struct naming *naming);

/* The sink to give to the exchange stage. */
struct exchange_sink naming_sink(struct naming *naming);

/* aggregate_shard_set_directory, and whoever is known now need not wait any more. */
void naming_set_directory(struct naming *naming, const struct directory *directory);

/* The directory has everything that there is to know at the start: from now on only pods are
 * awaited. */
void naming_set_complete(struct naming *naming);

/* Time passes; any clock. A jump of it counts as ten seconds. */
void naming_tick(struct naming *naming, int64_t now_ns);

/* Nobody will be known there any more: behind the closing of its connections. */
void naming_interface_gone(struct naming *naming, uint32_t interface);

/* Nobody waits any longer. */
void naming_finish(struct naming *naming);

/* "timeout", "full", ...: the label of the metric. */
const char *naming_reason_name(enum naming_reason reason);
