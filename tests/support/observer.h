#pragma once

#include "agent/exchange/pairing.h"
#include "agent/tcp/tcp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The stages tcp and exchange, and everything they report as lines of text:
 *     GET /a 200 complete 0>12
 *     POST /b - timeout 5>-
 *     - - 200 response_only/midstream ->12
 * method, target, status, outcome with its reason, body bytes of both; then what is there of
 * "interim=100,103", "ambiguous", "host=a". "-" stands for what is not known.
 */
struct observer_options {
    uint64_t memory_bytes; /* of the exchange stage; 0: plenty */
    size_t max_head_bytes; /* 0: 64 KiB */
    size_t max_target_bytes;
    uint32_t max_flows;
    uint64_t max_held_bytes;
    uint32_t reorder_packets;
    int64_t idle_ns;
    const uint16_t *server_ports;
    size_t server_port_count;
    bool show_times;  /* adds times=REQUEST,REQUEST_END,RESPONSE,RESPONSE_END since `epoch_ns` */
    bool show_hosts;  /* adds host=, agent= and trace= where they are there */
    bool show_events; /* a line for every event, where it happens */
    int64_t epoch_ns;
};

#define OBSERVER_TEXT_SIZE 65536
#define OBSERVER_PROTOCOLS 8
#define OBSERVER_NAME_SIZE 256

struct observer_protocol {
    const char *name;
    uint64_t connections;
    uint64_t bytes;
    char server_name[OBSERVER_NAME_SIZE]; /* the latest that was asked for */
};

struct observer {
    struct observer_options options;
    struct pairing *pairing;
    struct tcp *tcp;
    /* Called instead of writing a line, where a test looks at the exchanges itself. */
    void (*exchange)(void *context, const struct exchange *exchange);
    void *context;
    uint64_t exchanges;
    uint64_t missed_bytes;
    uint64_t failed;
    uint64_t opened;
    uint64_t closed;
    uint64_t retransmitted;
    uint64_t conflicting;
    struct observer_protocol protocols[OBSERVER_PROTOCOLS];
    int64_t active_requests; /* REQUEST_BEGAN less REQUEST_ENDED */
    bool went_negative;      /* there were more of the latter */
    size_t length;
    char text[OBSERVER_TEXT_SIZE];
};

/* Starts with these options; NULL: the defaults. Aborts when there is no memory. */
void observer_init(struct observer *observer, const struct observer_options *options);

/* The stages go; what was written stays. */
void observer_fini(struct observer *observer);

/* Closes every connection and forgets what was written and counted: as new, and much faster. */
void observer_reset(struct observer *observer);

/* Adds a line for each thing that was counted and not shown yet: "missed 10", "blind tls 1 517",
 * "failed 1". */
void observer_summarize(struct observer *observer);

/* NULL when every record was given back and began and ended balance; else what does not hold. To be
 * called once all connections are closed. */
const char *observer_leak(const struct observer *observer);
