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
    uint32_t max_series;             /* sample lines of this shard */
    uint32_t max_routes_per_service; /* more share "{other}"; 0: no bound but max_series */
    int64_t series_idle_ns;
    int native_schema;           /* 0 to HISTOGRAM_SCHEMA_MAX (histogram.h) */
    unsigned native_max_buckets; /* HISTOGRAM_WINDOW_MIN to HISTOGRAM_WINDOW; 0: as many */
    bool body_sizes;
    bool await_pods;  /* a link's own end is a pod's, which has a name or will have one; and until
                         naming_set_complete any end may */
    bool await_peers; /* who is at the other end will be known too, where the directory awaits it */
    /* When an interface appeared (CLOCK_MONOTONIC); 0: it was there before. NULL: all were. */
    int64_t (*interface_since)(void *context, uint32_t interface);
    void *interface_context;
};

struct aggregate_shard;

/* `directory` (NULL: nobody is known) names the addresses until another is set. NULL: out of
 * memory. */
struct aggregate_shard *aggregate_shard_new(const struct aggregate_options *options,
                                            const struct directory *directory);
void aggregate_shard_free(struct aggregate_shard *shard);

/* The sink to give to the exchange stage; the worker's thread only. */
struct exchange_sink aggregate_shard_sink(struct aggregate_shard *shard);

/* The worker's thread: another directory from now on. Ends of open connections that nobody knew are
 * looked up again, when none of their requests is counted as active; who is known keeps the name.
 * The former directory is no longer used when the call returns. */
void aggregate_shard_set_directory(struct aggregate_shard *shard,
                                   const struct directory *directory);

/* Who is at the ends of a connection, by the names that it has for its life; what is not known is
 * empty. */
struct aggregate_ends {
    struct workload client;
    struct workload server;
    bool client_known;
    bool server_known;
};

/* The worker's thread, while it handles something of the connection: the slices live as long. */
void aggregate_shard_ends(const struct aggregate_shard *shard, const struct connection *connection,
                          struct aggregate_ends *ends_out);

/* How many exchanges it was given; the worker's thread. */
uint64_t aggregate_shard_exchanges(const struct aggregate_shard *shard);

/* The worker's thread, about once a second, with the wall clock or the time of the packets: lets go
 * of series that were idle for too long. A jump of the clock counts as 10 seconds. */
void aggregate_shard_tick(struct aggregate_shard *shard, int64_t now_ns);

/*
 * Writes every family that has a point, equal series of these shards (which share their options)
 * added together, in a fixed order. Any thread, at any time. Returns 0, or -ENOMEM before anything
 * was written.
 *
 * The service graph counts a request from its server's side. A client's view counts as well where
 * no shard holds a request answered by a server of that name: then the server has no link here.
 */
int aggregate_write(struct aggregate_shard *const *shards, size_t count,
                    const struct metric_sink *sink);
