#pragma once

#include <stdint.h>

/* What a record counts; its families are in families.c. */
enum series_kind {
    SERIES_REQUEST_DURATION,
    SERIES_REQUEST_BODY,
    SERIES_RESPONSE_BODY,
    SERIES_PHASE,           /* part: enum series_phase */
    SERIES_CONNECT,         /* part: enum series_connect */
    SERIES_GRAPH_SECONDS,   /* service: the client, peer: the server, side: whose view */
    SERIES_HISTOGRAM_KINDS, /* the kinds before are histograms, those behind pairs of numbers */
    SERIES_ACTIVE = SERIES_HISTOGRAM_KINDS, /* requests now */
    SERIES_GRAPH_REQUESTS,                  /* all, failed; the rest as in SERIES_GRAPH_SECONDS */
    SERIES_CONNECTIONS,                     /* opened, failed */
    SERIES_RESENT_BYTES,                    /* retransmitted, conflicting */
    SERIES_UNSEEN,                          /* missed bytes, ambiguous exchanges */
    SERIES_UNMATCHED,                       /* messages; part: enum exchange_reason */
    SERIES_BLIND,                           /* connections, bytes; label: protocol */
};

enum series_phase {
    SERIES_PHASE_REQUEST,
    SERIES_PHASE_SERVER,
    SERIES_PHASE_RESPONSE,
    SERIES_PHASES
};
enum series_connect {
    SERIES_CONNECT_SERVER,
    SERIES_CONNECT_CLIENT
};

/* What tells records apart; the first three are labels of the worker's label_table. */
struct series_key {
    uint32_t service;
    uint32_t peer;  /* client side: server_address */
    uint32_t label; /* route or protocol */
    uint16_t status;
    uint16_t port;   /* client side: server_port */
    uint8_t kind;    /* enum series_kind */
    uint8_t side;    /* enum exchange_side */
    uint8_t method;  /* enum method */
    uint8_t outcome; /* enum exchange_outcome */
    uint8_t part;
    uint8_t unused[3]; /* zero: keys are compared as bytes */
};
#define SERIES_KEY_CELLS (sizeof(struct series_key) / sizeof(uint64_t))
