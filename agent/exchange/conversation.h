#pragma once

#include "agent/base/plain_bytes.h"
#include "agent/exchange/exchange.h"
#include "agent/exchange/request.h"
#include "agent/exchange/route_cache.h"
#include "agent/exchange/speaker.h"

#include <stdbool.h>
#include <stdint.h>

/* What a flow's bytes are. */
enum conversation_protocol {
    CONVERSATION_UNDECIDED, /* the bytes so far fit HTTP/1.x and end too early to be sure */
    CONVERSATION_SEARCHING, /* its beginning was missed: looking for a message start */
    CONVERSATION_HTTP1,
    CONVERSATION_BLIND,
};

/* The response being read, or else the latest. */
struct response {
    struct request *request; /* whom it answers; NULL: nobody known */
    int64_t start_ns;
    uint64_t peer_offset;        /* what the server had received when it began; 0: none began yet */
    uint64_t end_offset;         /* behind its last byte; 0: not ended, or not known where */
    enum exchange_reason reason; /* why nobody is known */
    uint16_t status;
    uint8_t minor_version;
    bool open;   /* a final response has begun and not ended */
    bool adrift; /* its end cannot be seen any more */
    bool paired; /* it answered somebody */
    bool ambiguous;
};

/* What is known of the order of messages; see evidence.c. */
struct evidence {
    uint64_t asked;      /* the client's bytes before were requests that are answered */
    uint64_t answered;   /* the server's bytes before were their answers; 0: nothing is known */
    uint64_t burst_ack;  /* what the client had received when it sent its latest request */
    unsigned burst_size; /* requests that it sent then */
    unsigned patience;   /* answers beyond the first that it has waited for before it asked again */
    bool bursts;         /* it sends several requests at once */
    bool overlaps;       /* it was seen to ask with some but not all of its answers */
    bool guessed; /* order rests on its waiting: requests, or answers to a burst, were lost */
    bool responses_missing; /* responses may have been lost since the latest that is paired */
    bool broken;            /* requests of the current burst are missing */
    bool unpairable;        /* nothing that comes is certain any more */
};

/* Exchanges that are reported once their client has shown that it waits; see probation.c. */
struct probation {
    struct conversation *previous; /* with such exchanges, the longest quiet first */
    struct conversation *next;
    int64_t since_ns;
    unsigned needed; /* times that it has to wait for an answer before it is believed */
    unsigned held;
};

/* The exchange stage's state of a flow; lies in flow->user. */
struct conversation {
    struct connection connection;
    struct request *first; /* the oldest that is not reported */
    struct request *last;
    unsigned request_count;
    struct response response;
    struct evidence evidence;
    struct probation probation;
    const char *blind_name;
    int64_t connect_server_ns;
    int64_t connect_client_ns;
    enum conversation_protocol protocol;
    enum exchange_reason missing_reason;
    enum conversation_role first_finished; /* ROLES: nobody yet */
    unsigned client_side;
    uint64_t unplaced_bytes; /* passed over while searching: missed, or blind in the end */
    bool untimed;            /* its times are not to be told */
    bool begun;              /* content was seen */
    bool roles_known;
    bool opened;     /* CONNECTION_OPENED was sent */
    bool exchanged;  /* an exchange was reported */
    bool interim;    /* a 1xx is being read */
    bool plain_told; /* something was told of one of its sides */
    struct speaker speakers[ROLES];
};

/* What the rooms of this stage share; one per worker. */
struct pairing {
    struct exchange_sink sink;
    struct partial_store partials;
    struct request_store requests;
    struct conversation *probation_first;
    struct conversation *probation_last;
    int64_t now_ns; /* of the latest packet that carried anything */
    struct route_cache routes;
    enum exchange_side default_side;
    size_t max_target_bytes;
    uint16_t *server_ports;
    size_t server_port_count;
    plain_bytes_callback *plain; /* NULL: nobody wants to know */
    void *plain_context;
};

/* Sends an event without a name; nothing when the amount is 0. */
void conversation_event(struct pairing *pairing, struct conversation *conversation,
                        enum connection_event_kind kind, uint64_t amount);
