#pragma once

#include "agent/aggregate/aggregate.h"
#include "agent/base/plain_bytes.h"
#include "agent/capture/frame.h"
#include "agent/config/config.h"
#include "agent/exchange/exchange.h"
#include "agent/exchange/route.h"
#include "agent/kube/directory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * All stages of one worker, in the order in which the bytes travel: decode, tcp, exchange,
 * aggregate. Frames go in; what comes out is in the shard, and in the tap.
 */
struct pipeline;

struct pipeline_options {
    const struct config *config; /* outlives the pipeline, as do the routes */
    const struct route_patterns *routes;
    const struct directory *directory; /* until another is set */
    bool kubernetes; /* names come from an API server as well: they may come late */
    /* When an interface appeared (CLOCK_MONOTONIC); 0: it was there before. NULL: all were. */
    int64_t (*interface_since)(void *context, uint32_t interface);
    void *interface_context;
    plain_bytes_callback *plain; /* told what need not be captured; NULL: not wanted */
    void *plain_context;
    uint64_t memory_bytes;               /* this worker's share */
    int64_t reorder_ns;                  /* 0 for files: their time does not pass by itself */
    enum exchange_side file_side;        /* of frames that do not tell their direction */
    uint16_t own_port;                   /* where this agent listens; 0: nowhere */
    const struct address *own_addresses; /* and on which addresses; copied */
    size_t own_address_count;
    const struct exchange_sink *tap; /* sees everything that the shard sees; NULL: nobody */
};

/* Counts of a worker since its start; a copy. */
struct pipeline_counters {
    uint64_t frames;
    uint64_t segments;
    uint64_t fragments;
    uint64_t damaged;
    uint64_t unknown_link;
    uint64_t other;
    uint64_t exchanges;
    uint64_t flows;
    uint64_t flows_evicted;
    uint64_t held_refused;
    uint64_t heads_refused;
    uint64_t requests_refused;
    uint64_t out_of_window;
    uint64_t memory_bytes;
};

/* NULL: out of memory. */
struct pipeline *pipeline_new(const struct pipeline_options *options);
void pipeline_free(struct pipeline *pipeline);

/* A frame_callback whose context is the pipeline. The worker's thread, as all below. */
void pipeline_frame(void *pipeline, const struct frame *frame);
void pipeline_interface_gone(void *pipeline, uint32_t interface);

/* Another directory from now on; the former one is no longer used when the call returns. */
void pipeline_set_directory(struct pipeline *pipeline, const struct directory *directory);

/* aggregate_shard_ends, for a tap. */
void pipeline_ends(const struct pipeline *pipeline, const struct connection *connection,
                   struct aggregate_ends *ends_out);

/* The API server has told all that there is, or will not: until then every name may still come. */
void pipeline_set_complete(struct pipeline *pipeline);

/* Time passes: while live at least every 100 ms. Publishes the counters. */
void pipeline_tick(struct pipeline *pipeline, int64_t now_ns);

/* Closes everything that is open: the capture ended. */
void pipeline_finish(struct pipeline *pipeline);

/* Any thread: the counters as of the last tick (or finish). */
struct pipeline_counters pipeline_counters(const struct pipeline *pipeline);

/* Any thread: every family of these pipelines, and of the program itself. Returns 0 or -ENOMEM. */
int pipeline_write_metrics(struct pipeline *const *pipelines, size_t count,
                           const struct metric_sink *sink);
