#pragma once

#include "agent/base/address.h"
#include "agent/decode/segment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A connection as one interface shows it, and its two byte streams. A flow's two sides are numbered
 * 0 and 1 by the order of their addresses; which of them is the client is not TCP's to decide.
 * Stream positions are 64-bit offsets that never wrap; the first byte seen of a stream lies at
 * STREAM_ORIGIN, so that bytes captured late lie before it and not below zero.
 */
#define FLOW_SIDES 2
#define STREAM_ORIGIN (UINT64_C(1) << 32)
#define STREAM_NO_END UINT64_MAX

struct flow_key {
    uint64_t address[FLOW_SIDES][2];
    uint16_t port[FLOW_SIDES];
    uint32_t interface;
};

struct stream {
    uint64_t start;  /* where the delivery began */
    uint64_t next;   /* everything before is delivered or declared missing */
    uint64_t end;    /* behind the last byte once the FIN was seen, else STREAM_NO_END */
    uint32_t origin; /* the sequence number at STREAM_ORIGIN */
    bool known;      /* origin is set */
    bool seen;       /* a segment of this side was captured */
    bool synced;     /* start and next are set */
    bool syn_seen;
    bool payload_seen;
    bool ended;                     /* the end was delivered */
    enum frame_direction direction; /* of this side's segments */
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
    bool reset;        /* a RST was captured; what precedes it may still come */
    unsigned reset_side;
    max_align_t user[]; /* the next stage's, zeroed at the start */
};

/* Begins the delivery of a stream at `start`, once. */
void stream_sync(struct stream *stream, uint64_t start);

/* The address and port of a side. */
struct endpoint flow_endpoint(const struct flow *flow, unsigned side);
