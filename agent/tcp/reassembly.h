#pragma once

#include "agent/base/slab.h"
#include "agent/tcp/flow.h"
#include "agent/tcp/tcp.h"

#include <stdbool.h>
#include <stdint.h>

/* Payload of one segment at its place in the stream. */
struct piece {
    const char *bytes;
    uint32_t captured;
    uint32_t length; /* on the wire */
    uint64_t offset;
    uint64_t ack; /* offset in the other stream that the sender had received; 0: no ACK */
    int64_t time_ns;
};

/* Takes `count` bytes away from the front. */
void piece_drop_front(struct piece *piece, uint32_t count);

/* The part of the TCP stage that puts bytes in order; see reassembly.c. */
struct reassembly {
    struct tcp_handler handler;
    /* A flow that waited may have reached its end. */
    void (*settled)(void *context, struct flow *flow);
    void *settled_context;
    struct slab held;
    struct slab waiting;
    struct waiting *first; /* flows that wait, soonest check first */
    struct waiting *last;
    uint64_t packet; /* segments so far: the clock of patience */
    int64_t now_ns;
    uint32_t reorder_packets;
    int64_t reorder_ns;
    uint32_t held_per_flow;
};

/* Returns 0 or -ENOMEM. */
int reassembly_init(struct reassembly *reassembly, const struct tcp_options *options,
                    const struct tcp_handler *handler);
void reassembly_fini(struct reassembly *reassembly);

/* The payload (or, with length 0, the bare acknowledgment) of a segment of `side`. */
void reassembly_receive(struct reassembly *reassembly, struct flow *flow, unsigned side,
                        const struct piece *piece);

/* The side has sent everything before `offset`, though it may not have been captured. */
void reassembly_expect(struct reassembly *reassembly, struct flow *flow, unsigned side,
                       uint64_t offset);

/* Delivers the end of a side once everything before it is delivered. */
void reassembly_finish_side(struct reassembly *reassembly, struct flow *flow, unsigned side);

/* Gives up what was waited for too long, by packets (`all` false) or by time as well. */
void reassembly_check(struct reassembly *reassembly, bool by_time);

/* Delivers everything that is held with the gaps between: the flow ends. */
void reassembly_flush(struct reassembly *reassembly, struct flow *flow);
