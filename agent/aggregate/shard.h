#pragma once

#include "agent/aggregate/aggregate.h"
#include "agent/aggregate/histogram.h"
#include "agent/aggregate/label_table.h"
#include "agent/aggregate/naming.h"
#include "agent/aggregate/series_table.h"

/* What a struct aggregate_shard is, for the modules of this room. */
struct aggregate_shard {
    struct histogram_layout durations;
    struct histogram_layout sizes;
    struct label_table labels;
    struct series_table histograms;
    struct series_table numbers;
    struct tally *tallies; /* one more than the mask says, for what is not to be found again */
    uint32_t tally_mask;
    uint64_t removals; /* records let go, and 1: who remembers a record asks first */
    uint64_t exchanges;
    const struct directory *directory; /* NULL: nobody is known */
    uint32_t directory_epoch;          /* of the names that connections remember; never 0 */
    uint32_t other_route;              /* the label "{other}" */
    uint32_t max_lines;
    uint32_t max_routes; /* per service; 0: no bound of their own */
    bool body_sizes;
    bool await_pods;
    bool await_peers;
    bool complete; /* who is not known now is not there */
    int64_t (*interface_since)(void *context, uint32_t interface);
    void *interface_context;
    int64_t idle_limit_ns;
    int64_t now_ns;   /* of the last tick */
    int64_t clock_ns; /* the same without jumps: what idleness is measured with */
    uint32_t swept_histograms;
    uint32_t swept_numbers;
    /* Cells, for readers. */
    uint64_t lines;                   /* sample lines of all records */
    uint64_t rejected;                /* updates that found no room for their record */
    uint64_t routes_rejected;         /* exchanges whose route went into "{other}" */
    uint64_t unnamed[NAMING_REASONS]; /* exchanges of which an end stayed unknown */
};

/* The record of this key, made when there is none and room for its sample lines is left; else NULL,
 * which is counted. The worker's thread. */
struct series *shard_series(struct aggregate_shard *shard, const struct series_key *key);

/* The record, or NULL when there is none. */
struct series *shard_look_up(struct aggregate_shard *shard, const struct series_key *key);

/* Lets go of records that were not used for too long: some at each call, all of them in turn. */
void shard_sweep(struct aggregate_shard *shard);

const struct histogram_layout *shard_layout(const struct aggregate_shard *shard,
                                            enum series_kind kind);

/* The table where records of a kind are. */
struct series_table *shard_table(struct aggregate_shard *shard, enum series_kind kind);
