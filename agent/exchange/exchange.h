#pragma once

#include "agent/base/address.h"
#include "agent/base/slice.h"
#include "agent/exchange/outcome.h"

#include <stdbool.h>
#include <stdint.h>

/* From which end a connection is seen at its interface: the pod behind it was asked, or it asked.
 */
enum exchange_side {
    EXCHANGE_SERVER,
    EXCHANGE_CLIENT
};

/* What is not known. */
#define EXCHANGE_TIME_UNKNOWN INT64_MIN
#define EXCHANGE_SIZE_UNKNOWN UINT64_MAX
#define EXCHANGE_STATUS_UNKNOWN 0
/* More interim responses than these are counted, their codes are not kept. */
#define EXCHANGE_INTERIM_MAX 8

/* One connection as the stages behind the pairing see it; lives from its first exchange to its
 * closing. `slots` belong to the aggregate stage, zero at the start: whatever it wants to find
 * again without a look-up. */
struct connection {
    struct endpoint client;
    struct endpoint server;
    uint32_t interface;
    enum exchange_side side;
    uint64_t slots[8];
};

/* One request and the response that answers it. Slices are valid until the callback returns (who
 * keeps an exchange copies each of them, as aggregate/lobby.c), and hold any bytes. Absent: data
 * NULL, or one of the three above. */
struct exchange {
    int64_t start_ns;          /* first byte of the request (of the response in RESPONSE_ONLY) */
    int64_t request_end_ns;    /* last byte of the request */
    int64_t response_start_ns; /* first byte of the final response */
    int64_t response_end_ns;   /* last byte of it */
    int64_t connect_server_ns; /* a duration: SYN to SYN-ACK; with a connection's first exchange */
    int64_t connect_client_ns; /* a duration: SYN-ACK to ACK; with the first exchange too */
    uint64_t request_body_bytes;
    uint64_t response_body_bytes;
    struct slice method;
    struct slice target; /* as sent; longer ones are cut at the configured bound */
    struct slice route;  /* low-cardinality template */
    uint64_t route_id;   /* of this worker's: equal ids are equal routes; 0: it has none */
    struct slice host;   /* authority of the target, else the Host field */
    struct slice user_agent;
    struct slice trace_id;   /* 16 or 32 lower-case hex digits, from the trace context fields */
    uint64_t parent_span_id; /* from there too: the span that asked; 0: none */
    uint16_t status;
    uint16_t interim[EXCHANGE_INTERIM_MAX];
    uint8_t interim_count;
    uint8_t minor_version; /* of the request, else of the response */
    enum exchange_outcome outcome;
    enum exchange_reason reason;
    enum exchange_sampling sampling;
    bool ambiguous;
    bool ends_request; /* stands for a CONNECTION_REQUEST_ENDED as well */
};

/* What happens to a connection beside its exchanges. */
enum connection_event_kind {
    CONNECTION_OPENED,            /* handshake seen, or payload without one; once */
    CONNECTION_FAILED,            /* a SYN that was refused or never answered */
    CONNECTION_CONNECT_SERVER_NS, /* amount: SYN to SYN-ACK */
    CONNECTION_CONNECT_CLIENT_NS, /* amount: SYN-ACK to ACK */
    CONNECTION_RETRANSMITTED,     /* amount: bytes */
    CONNECTION_CONFLICTING,       /* amount: overlapping bytes that differed */
    CONNECTION_MISSED,            /* amount: bytes that were on the wire and not captured or read */
    CONNECTION_BLIND,             /* not HTTP/1.x; `protocol` says what; once */
    CONNECTION_BLIND_BYTES,       /* amount; with the same `protocol` */
    CONNECTION_REQUEST_BEGAN,     /* `method`; balanced by one REQUEST_ENDED */
    CONNECTION_REQUEST_ENDED,     /* `method`; before its exchange, else that `ends_request` */
    CONNECTION_CLOSED,            /* the last event: `slots` may be let go */
};

struct connection_event {
    enum connection_event_kind kind;
    uint64_t amount;
    const char *protocol;     /* "tls", "http2", "http09", "websocket", "connect", "unknown", ... */
    struct slice server_name; /* with BLIND: whom a TLS client asked for (SNI) */
    struct slice method;
};

/* Where exchanges go, as they end, and events; called on the worker's thread. */
struct exchange_sink {
    void *context;
    void (*exchange)(void *context, struct connection *connection, const struct exchange *exchange);
    void (*event)(void *context, struct connection *connection,
                  const struct connection_event *event);
};

/* The event that an exchange stands for which `ends_request`. */
struct connection_event exchange_end(const struct exchange *exchange);
