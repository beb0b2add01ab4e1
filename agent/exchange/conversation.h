#pragma once

#include "agent/exchange/exchange.h"
#include "agent/exchange/partial.h"
#include "agent/exchange/request.h"
#include "agent/exchange/route.h"
#include "http_parser/stream.h"

#include <stdbool.h>
#include <stdint.h>

/* What a flow's bytes are. */
enum conversation_protocol {
    CONVERSATION_UNDECIDED, /* the bytes so far fit HTTP/1.x and end too early to be sure */
    CONVERSATION_SEARCHING, /* its beginning was missed: looking for a message start */
    CONVERSATION_HTTP1,
    CONVERSATION_BLIND,
};

enum conversation_role {
    ROLE_CLIENT,
    ROLE_SERVER,
    ROLES
};

/* One direction of the conversation. */
struct speaker {
    struct http_stream parser;
    struct partial *partial;      /* the beginning of a message head */
    uint64_t next_offset;         /* behind its latest bytes */
    uint64_t message_peer_offset; /* peer_offset of its latest message start */
    int64_t last_ns;              /* of its latest bytes */
    bool lost;                    /* its parser does not know where a message starts */
    bool finished;                /* FIN */
};

/* The response being read. */
struct response {
    struct request *request; /* whom it answers; NULL: nobody known */
    int64_t start_ns;
    enum exchange_reason reason; /* why nobody is known */
    uint16_t status;
    uint8_t minor_version;
    bool open;    /* a final response has begun and not ended */
    bool interim; /* a 1xx is being read */
    bool adrift;  /* its end cannot be seen any more */
    bool ambiguous;
};

/* The exchange stage's state of a flow; lies in flow->user. */
struct conversation {
    struct connection connection;
    struct request *first; /* the oldest that is not reported */
    struct request *last;
    struct response response;
    const char *blind_name;
    int64_t connect_server_ns;
    int64_t connect_client_ns;
    enum conversation_protocol protocol;
    enum exchange_reason missing_reason;
    enum conversation_role first_finished; /* ROLES: nobody yet */
    unsigned client_side;
    uint64_t unplaced_bytes; /* passed over while searching: missed, or blind in the end */
    bool begun;              /* content was seen */
    bool roles_known;
    bool opened;            /* CONNECTION_OPENED was sent */
    bool exchanged;         /* an exchange was reported */
    bool pipelines;         /* a request was sent before its predecessor was answered */
    bool responses_missing; /* responses may be lost: which request the next answers is not certain
                             */
    bool requests_missing;  /* requests may be lost before the next one */
    bool unpairable;        /* pipelined and lost: nothing that comes is certain any more */
    struct speaker speakers[ROLES];
};

/* What the rooms of this stage share; one per worker. */
struct pairing {
    struct exchange_sink sink;
    struct partial_store partials;
    struct request_store requests;
    const struct route_patterns *routes;
    enum exchange_side default_side;
    size_t max_target_bytes;
    uint16_t *server_ports;
    size_t server_port_count;
};

/* Sends an event without a name; nothing when the amount is 0. */
void conversation_event(struct pairing *pairing, struct conversation *conversation,
                        enum connection_event_kind kind, uint64_t amount);
