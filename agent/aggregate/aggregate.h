#pragma once

#include "agent/exchange/exchange.h"
#include "agent/kube/directory.h"
#include "exporters/metric_set.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Series: what the exchanges of one worker add up to. Each worker owns one shard and is its only
 * writer; any thread may read all shards while they are written (single-writer atomics, no lock, no
 * pause of the worker). Tables are sized once, at the start.
 */
struct aggregate_options {
    const double *duration_buckets; /* seconds, ascending; copied */
    size_t duration_bucket_count;
    uint32_t max_series;
    int64_t series_idle_ns;
    bool body_sizes;
};

struct aggregate_shard;

/* `directory` names the addresses until another is set. NULL: out of memory. */
struct aggregate_shard *aggregate_shard_new(const struct aggregate_options *options,
                                            const struct directory *directory);
void aggregate_shard_free(struct aggregate_shard *shard);

/* The sink to give to the exchange stage; the worker's thread only. */
struct exchange_sink aggregate_shard_sink(struct aggregate_shard *shard);

/* The worker's thread: another directory from now on; names of open connections are looked up
 * again. The former one is no longer used when the call returns. */
void aggregate_shard_set_directory(struct aggregate_shard *shard, const struct directory *directory);

/* The worker's thread, about once a second: lets go of series that were idle for too long. */
void aggregate_shard_tick(struct aggregate_shard *shard, int64_t now_ns);

/* Writes every family of these shards, equal series added together. Any thread, at any time.
 * Returns 0 or -ENOMEM. */
int aggregate_write(struct aggregate_shard *const *shards, size_t count,
                    const struct metric_sink *sink);
