#pragma once

#include "agent/tcp/tcp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Stands between the TCP stage and a test and aborts when a promise of agent/tcp/tcp.h is broken:
 * bytes and gaps follow each other without a hole, nothing is delivered before what it
 * acknowledges, nothing comes after an end. Reads every delivered byte.
 */
struct tcp_watch {
    struct tcp_handler next; /* called after the checks; members may be NULL */
    uint64_t data_bytes;
    uint64_t gap_bytes;
    uint64_t unread_bytes;
    uint64_t retransmitted_bytes;
    uint64_t conflicting_bytes;
    uint64_t closed[FLOW_END_INTERFACE + 1]; /* by enum flow_end */
    uint8_t sum;                             /* of all bytes, so that they are read */
};

struct tcp_watched_side {
    uint64_t start;
    uint64_t next;
    uint64_t data_bytes;
    uint64_t gap_bytes;
    bool begun;
    bool finished;
};

/* Lies at the start of flow->user. */
struct tcp_watched {
    struct tcp_watched_side sides[FLOW_SIDES];
    uint64_t unread_bytes;
    bool answered;
    bool established;
    bool closed;
};

struct tcp_handler tcp_watch_handler(struct tcp_watch *watch);

static inline struct tcp_watched *tcp_watched(struct flow *flow)
{
    return (struct tcp_watched *)flow->user;
}
