#pragma once

#include "agent/base/plain_bytes.h"
#include "agent/exchange/pairing.h"
#include "agent/tcp/tcp.h"
#include "tests/support/wire.h"

#include <stddef.h>
#include <stdint.h>

/*
 * A conversation whose large packets are cut short as the capture would cut them, and what the
 * capture is told meanwhile.
 */
#define SEGMENT 16000         /* payload of a large packet */
#define CUT 88                /* of it, where only headers are kept */
#define BODY 60000            /* a large body, below what a range is told for */
#define LONG_BODY 1000000     /* a range is told for it */
#define PLAIN_TALK_TOLD 32    /* tellings that a test sees */
#define PLAIN_TALK_PATIENCE 4 /* packets that a lost one is waited for */

struct plain_talk {
    struct wire wire;
    struct pairing *pairing;
    struct tcp *tcp;
    size_t delivered; /* packets of the wire */
    struct plain_bytes told[PLAIN_TALK_TOLD];
    size_t told_count;
    unsigned complete;
    unsigned unpaired;   /* exchanges that are not complete */
    uint64_t body_bytes; /* of the latest that is complete, both ways */
    uint64_t missed;
};

/* With the handshake, or before it. */
void plain_talk_start(struct plain_talk *talk);
void plain_talk_begin(struct plain_talk *talk);

/* Closes what is open. What was counted stays, the wire goes. */
void plain_talk_end(struct plain_talk *talk);

/* Gives what was sent since the last call to TCP. */
void plain_talk_deliver(struct plain_talk *talk);

/* One packet that begins with the text and goes on with content; all of it, or so much, was
 * captured. */
void plain_talk_send(struct plain_talk *talk, enum wire_end_name from, const char *text,
                     uint32_t length);
void plain_talk_send_cut(struct plain_talk *talk, enum wire_end_name from, const char *text,
                         uint32_t length, uint32_t captured);

/* The text in one packet. */
void plain_talk_say(struct plain_talk *talk, enum wire_end_name from, const char *text);

/* A small request. */
void plain_talk_ask(struct plain_talk *talk);

/* The head of a response with so much content; until the next call. */
const char *plain_talk_response(uint64_t length);

/* A response's head and the beginning of its body in one large packet; returns how much is left. */
uint64_t plain_talk_answer(struct plain_talk *talk, uint64_t body);

/* So much content in packets of which the capture keeps the headers. */
void plain_talk_rest(struct plain_talk *talk, enum wire_end_name from, uint64_t left,
                     uint32_t packet);

/* Exchanges with bodies of BODY. Returns how many had begun before anything was told. */
unsigned plain_talk_bodies(struct plain_talk *talk, unsigned count);

/* What was told, for packets of this end. */
void plain_talk_check(const struct plain_talk *talk, size_t at, enum plain_kind kind,
                      enum wire_end_name from);
void plain_talk_check_range(const struct plain_talk *talk, size_t at, enum wire_end_name from,
                            uint32_t sequence, uint64_t length);
