#pragma once

#include "agent/base/slab.h"
#include "agent/tcp/evidence.h"
#include "agent/tcp/flow.h"
#include "agent/tcp/held_queue.h"

#include <stdbool.h>
#include <stdint.h>

/* What a stream waits with. */
struct waiting_side {
    struct held_queue queue;
    struct evidence evidence;
    int64_t passed_ns; /* of the latest bytes delivered since the flow waits */
};

/* A flow with something out of order; flow->waiting. */
struct waiting {
    struct flow *flow;
    struct waiting *previous;
    struct waiting *next;
    struct moment listed;
    bool asleep;
    struct waiting_side sides[FLOW_SIDES];
};

struct waiting_list {
    struct waiting *first; /* listed longest ago */
    struct waiting *last;
};

/*
 * All flows that wait. Those in which something ripens are awake and looked at several times in
 * one patience; those that wait for a packet that may never come are asleep and cost next to
 * nothing, however many a peer makes.
 */
struct waiting_room {
    struct slab slab;
    struct waiting_list awake;
    struct waiting_list asleep;
};

/* Returns 0 or -ENOMEM. */
int waiting_room_init(struct waiting_room *room, uint32_t capacity);
void waiting_room_fini(struct waiting_room *room);

/* The flow's record, awake, made when it has none. NULL: no room. */
struct waiting *waiting_room_enter(struct waiting_room *room, struct flow *flow, struct moment now);

/* Gives the record back; its queues are empty. */
void waiting_room_leave(struct waiting_room *room, struct flow *flow);

/* Puts it at the end of one of the lists. */
void waiting_room_list(struct waiting_room *room, struct waiting *waiting, bool asleep,
                       struct moment now);

/* Up to where a side of a flow that waits is known to have sent: a FIN says it all. */
static inline uint64_t waiting_sent(const struct flow *flow, unsigned side)
{
    const struct stream *stream = &flow->streams[side];
    bool finished = stream->end != STREAM_NO_END;
    return finished ? stream->end : flow->waiting->sides[side].evidence.acked;
}

/* The first held segment of a side of a flow that waits, or NULL. */
static inline struct held *waiting_head(const struct flow *flow, unsigned side)
{
    return flow->waiting->sides[side].queue.first[0];
}
