#pragma once

#include "agent/aggregate/shard.h"

/* From what the exchange stage tells to the records it counts in; the worker's thread. */
void feed_exchange(struct aggregate_shard *shard, struct connection *connection,
                   const struct exchange *exchange);
void feed_event(struct aggregate_shard *shard, struct connection *connection,
                const struct connection_event *event);
