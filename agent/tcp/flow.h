#pragma once

#include "agent/base/address.h"
#include "agent/decode/segment.h"
#include "agent/tcp/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * A connection as one interface shows it, and its two byte streams. A flow's two sides are numbered
 * 0 and 1 by the order of their addresses; which of them is the client is not TCP's to decide.
 */
#define FLOW_SIDES 2

struct flow_key {
    uint64_t address[FLOW_SIDES][2];
    uint16_t port[FLOW_SIDES];
    uint32_t interface;
};

enum flow_list_name {
    FLOW_LIST_EMPTY,
    FLOW_LIST_CARRYING,
    FLOW_LISTS
};

struct waiting;

struct flow {
    struct flow_key key;
    struct stream streams[FLOW_SIDES];
    struct waiting *waiting; /* NULL: nothing is out of order */
    int64_t last_ns;         /* of the latest segment */
    int64_t listed_ns;       /* when it was put at its list's end */
    int64_t syn_ns;          /* of the first SYN, 0: not seen */
    int64_t syn_ack_ns;
    uint64_t unread_bytes; /* since they were last reported, of a flow that nobody reads */
    struct flow *previous; /* in its list, least recently listed first */
    struct flow *next;
    uint32_t hash;
    enum flow_list_name list;
    unsigned syn_side; /* sent the SYN, with syn_ns or syn_ack_ns */
    bool established;  /* the handshake's last ACK was seen */
    bool unread;       /* its bytes are only counted */
    bool closed;       /* it lingers to swallow late segments */
    bool untimed;      /* the time of some of its segments is not known */
    bool reset;        /* a RST was captured; what precedes it may still come */
    unsigned reset_side;
    uint8_t strangers;  /* segments in a row that do not fit */
    max_align_t user[]; /* the next stage's, zeroed at the start */
};

/* The address and port of a side. */
static inline struct endpoint flow_endpoint(const struct flow *flow, unsigned side)
{
    struct endpoint endpoint = {.port = flow->key.port[side]};
    memcpy(endpoint.address.bytes, flow->key.address[side], sizeof(endpoint.address.bytes));
    return endpoint;
}
