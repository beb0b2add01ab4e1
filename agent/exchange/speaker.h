#pragma once

#include "agent/base/plain_bytes.h"
#include "agent/exchange/partial.h"
#include "http_parser/stream.h"

#include <stdbool.h>
#include <stdint.h>

enum conversation_role {
    ROLE_CLIENT,
    ROLE_SERVER,
    ROLES
};

/* What the capture is told of one direction; see plain.c. */
struct plain_side {
    uint64_t end;      /* of the latest large body */
    uint64_t told_end; /* of the range */
    enum plain_kind told;
    uint8_t bodies; /* large ones of known length, in a row */
    bool starved;   /* packets of it were not captured */
    bool wild;      /* it had a habit and broke it */
};

/* One direction of the conversation. */
struct speaker {
    struct http_stream parser;
    struct partial *partial; /* the beginning of a message head */
    uint64_t next_offset;    /* behind its latest bytes, captured or not */
    uint64_t seen_offset;    /* behind its latest captured bytes */
    int64_t last_ns;         /* of these */
    bool lost;               /* its parser does not know where a message starts */
    bool heard;              /* bytes of it were captured since it is lost */
    bool finished;           /* FIN */
    struct plain_side plain;
};
