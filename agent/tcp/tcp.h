#pragma once

#include "agent/tcp/flow.h"
#include "agent/tcp/flow_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The TCP stage of one worker: segments in, in-order bytes and gaps of known length out (RFC 9293).
 * Not a TCP endpoint but an observer of two: what it sees may miss packets and be out of order. See
 * reassembly.c for how it orders the two directions by what they acknowledge.
 */
struct tcp;

/* In-order bytes of one side. */
struct stream_data {
    const char *bytes; /* until the callback returns */
    uint32_t length;
    uint64_t offset;      /* of the first byte in this side's stream */
    uint64_t peer_offset; /* what the sender had received from the other side by then; 0: no ACK */
    int64_t time_ns;
};

/* The time of bytes that no captured packet carried. */
#define TCP_TIME_UNKNOWN INT64_MIN

enum flow_end {
    FLOW_END_FIN,   /* both directions ended in order */
    FLOW_END_RESET, /* `side` sent a RST */
    FLOW_END_IDLE,
    FLOW_END_EVICTED,   /* its place in the table was needed */
    FLOW_END_REUSED,    /* the ports began another connection */
    FLOW_END_CAPTURE,   /* the capture ended */
    FLOW_END_INTERFACE, /* the interface is gone */
};

/* Calls into the next stage, on the worker's thread. `side` is the sender's. */
struct tcp_handler {
    void *context;
    void (*data)(void *context, struct flow *flow, unsigned side, const struct stream_data *data);
    /* Missing bytes; `time_ns` is known where the packet was captured and cut short. */
    void (*gap)(void *context, struct flow *flow, unsigned side, uint64_t length, int64_t time_ns);
    void (*finished)(void *context, struct flow *flow, unsigned side, int64_t time_ns);
    void (*closed)(void *context, struct flow *flow, enum flow_end end, unsigned side,
                   int64_t time_ns);
    /* The handshake's SYN was answered, and the answer acknowledged (flow->established). */
    void (*answered)(void *context, struct flow *flow, unsigned client_side, int64_t time_ns);
    void (*established)(void *context, struct flow *flow, unsigned client_side, int64_t time_ns);
    /* Payload that repeats what was delivered, or contradicts what is held. */
    void (*retransmitted)(void *context, struct flow *flow, unsigned side, uint32_t bytes);
    void (*conflicting)(void *context, struct flow *flow, unsigned side, uint32_t bytes);
    /* Bytes of a flow that nobody reads, since the last call. */
    void (*unread)(void *context, struct flow *flow, uint64_t bytes);
};

struct tcp_options {
    uint32_t max_flows;
    uint64_t max_held_bytes; /* of all flows' out-of-order segments */
    size_t user_size;        /* of flow->user */
    int64_t idle_ns;
    uint32_t reorder_packets; /* how many packets later a captured packet may turn up */
    int64_t reorder_ns;       /* and how much later; 0: any (files) */
};

struct tcp_counters {
    uint64_t flows;
    uint64_t evicted;
    uint64_t held_refused;  /* out-of-order segments for which there was no room */
    uint64_t out_of_window; /* segments that fit no place near their stream */
};

/* NULL: out of memory. */
struct tcp *tcp_new(const struct tcp_options *options, const struct tcp_handler *handler);
void tcp_free(struct tcp *tcp);

void tcp_segment(struct tcp *tcp, const struct segment *segment);

/* Time passes: expires idle flows and gives up what was waited for too long. At least every
 * 100 ms while live. */
void tcp_tick(struct tcp *tcp, int64_t now_ns);

/* Closes every flow of an interface. */
void tcp_interface_gone(struct tcp *tcp, uint32_t interface);

/* Closes everything: the capture ended. */
void tcp_finish(struct tcp *tcp);

/* From now on the flow's bytes are counted and not delivered. For the handler. */
void tcp_flow_unread(struct tcp *tcp, struct flow *flow);

struct tcp_counters tcp_counters(const struct tcp *tcp);
