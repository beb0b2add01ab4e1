#pragma once

#include "agent/exchange/exchange.h"
#include "agent/pipeline.h"

#include <stdint.h>
#include <stdio.h>

/* Connections of one unreadable protocol. */
struct coverage_protocol {
    const char *name; /* a literal of the exchange stage */
    uint64_t connections;
    uint64_t bytes;
};

/* More protocols than the exchange stage names. */
#define COVERAGE_PROTOCOLS_MAX 32
/* More than these are counted together. */
#define COVERAGE_SERVERS_MAX 16
#define COVERAGE_SERVER_SIZE 256
#define COVERAGE_REASONS (EXCHANGE_REASON_UNSOLICITED + 1)

/* Connections whose client asked for this server before it went on unreadably. */
struct coverage_server {
    char name[COVERAGE_SERVER_SIZE];
    uint64_t connections;
};

/* What a report could not show, gathered while it is made. Zeroed: nothing yet. */
struct coverage {
    uint64_t exchanges;
    uint64_t missed_bytes;
    uint64_t ambiguous;
    uint64_t request_only[COVERAGE_REASONS];
    uint64_t response_only[COVERAGE_REASONS];
    struct coverage_protocol protocols[COVERAGE_PROTOCOLS_MAX];
    unsigned protocol_count;
    struct coverage_server servers[COVERAGE_SERVERS_MAX];
    unsigned server_count;
    uint64_t other_servers;
};

void coverage_exchange(struct coverage *coverage, const struct exchange *exchange);
void coverage_event(struct coverage *coverage, const struct connection_event *event);

/* Writes the summary; lines with nothing to say are left out. */
void coverage_print(const struct coverage *coverage, const struct pipeline_counters *counters,
                    FILE *out);
