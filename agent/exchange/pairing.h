#pragma once

#include "agent/base/plain_bytes.h"
#include "agent/exchange/exchange.h"
#include "agent/exchange/route.h"
#include "agent/tcp/tcp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The exchange stage of one worker: the byte streams of all flows in, exchanges out. See pairing.c
 * for when a pair is certain.
 */
struct pairing;

struct pairing_options {
    uint64_t memory_bytes; /* for waiting requests and incomplete heads */
    size_t max_head_bytes;
    size_t max_target_bytes;
    const uint16_t *server_ports; /* for connections whose start was not seen; copied */
    size_t server_port_count;
    enum exchange_side side;             /* of frames that do not tell their direction */
    const struct route_patterns *routes; /* outlives the pairing; NULL: none */
    plain_bytes_callback *plain;         /* told what nobody will look at; NULL: not wanted */
    void *plain_context;
};

struct pairing_counters {
    uint64_t requests_refused; /* no record was free */
    uint64_t heads_refused;    /* too long, or no buffer was free */
};

/* NULL: out of memory. */
struct pairing *pairing_new(const struct pairing_options *options,
                            const struct exchange_sink *sink);
void pairing_free(struct pairing *pairing);

/* What the TCP stage calls, and how many bytes of each flow the pairing uses. */
struct tcp_handler pairing_tcp_handler(struct pairing *pairing);
size_t pairing_flow_size(void);

/* Time passes: reports what waited for more of its connection. About once a second while live. */
void pairing_tick(struct pairing *pairing, int64_t now_ns);

struct pairing_counters pairing_counters(const struct pairing *pairing);
