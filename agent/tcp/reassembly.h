#pragma once

#include "agent/tcp/flow.h"
#include "agent/tcp/held_queue.h"
#include "agent/tcp/patience.h"
#include "agent/tcp/tcp.h"
#include "agent/tcp/waiting.h"

#include <stdbool.h>
#include <stdint.h>

/* The part of the TCP stage that puts bytes in order; see reassembly.c. */
struct reassembly {
    struct tcp_handler handler;
    /* A flow that waited may have reached its end. */
    void (*settled)(void *context, struct flow *flow);
    void *settled_context;
    struct held_store held;
    struct waiting_room waiting;
    struct moment now; /* segments so far are the clock of patience */
    struct patience patience;
    uint64_t refused; /* segments that could not be held */
};

/* Returns 0 or -errno. */
int reassembly_init(struct reassembly *reassembly, const struct tcp_options *options,
                    const struct tcp_handler *handler);
void reassembly_fini(struct reassembly *reassembly);

/* The payload (or, with length 0, the bare acknowledgment) of a segment of `side`. */
void reassembly_receive(struct reassembly *reassembly, struct flow *flow, unsigned side,
                        const struct piece *piece);

/* The side has sent everything before `offset`, though it may not have been captured. */
void reassembly_expect(struct reassembly *reassembly, struct flow *flow, unsigned side,
                       uint64_t offset);

/* Gives up what was waited for too long, by packets or, with `by_time`, by time as well. */
void reassembly_check(struct reassembly *reassembly, bool by_time);

/* Delivers everything that is held with the gaps between: the flow ends. */
void reassembly_flush(struct reassembly *reassembly, struct flow *flow);
