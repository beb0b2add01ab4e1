#pragma once

#include "tests/support/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Random HTTP conversations with unique ids, and what is true about each of their exchanges. */

struct random_source {
    uint64_t state;
};

/* The same seed gives the same numbers. */
struct random_source random_from(uint64_t seed);
uint64_t random_number(struct random_source *source);
/* 0 to `limit` - 1. */
uint32_t random_below(struct random_source *source, uint32_t limit);
/* True in `percent` of all calls. */
bool random_chance(struct random_source *source, double percent);

/* How a client asks. */
enum talk_style {
    TALK_IN_TURN, /* waits for each answer */
    TALK_BURSTS,  /* several requests at once, then all answers */
    TALK_WINDOW,  /* always so many requests without an answer */
    TALK_RANDOM,  /* whatever */
    TALK_STYLES
};

/* One exchange; places are of packets in the wire's list as it was made. */
struct talk_exchange {
    unsigned id;
    unsigned status; /* of the final response; tells ids apart */
    unsigned interims;
    bool is_head; /* HEAD: its answer has no body */
    bool close_delimited;
    uint64_t request_body;
    uint64_t response_body;
    size_t request_head[2]; /* first and last packet */
    size_t request_head_bytes;
    size_t response_head[2];
    int64_t response_start_ns;
};

#define TALK_EXCHANGES_MAX 64

struct talk {
    struct wire wire;
    struct talk_exchange exchanges[TALK_EXCHANGES_MAX];
    unsigned count;
    enum talk_style style;
    struct random_source *random;
    bool server_flies; /* answers are captured before they arrive; else requests */
    bool flies;
    uint64_t first_id;
};

/* A whole connection with `count` exchanges whose targets are "/r/ID", ids from `first_id` on. */
void talk_make(struct talk *talk, enum talk_style style, unsigned count, uint64_t first_id,
               struct random_source *random);
void talk_fini(struct talk *talk);
