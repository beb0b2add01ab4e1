#pragma once

#include "agent/base/address.h"

#include <stdint.h>

/*
 * What the reader of a connection needs no payload of, so that the capture need not copy it: told
 * by the stage that reads messages, for one direction of one connection on one interface. Packets
 * that do not fit the description are whole.
 */
enum plain_kind {
    PLAIN_NONE,  /* no longer: everything is needed */
    PLAIN_RANGE, /* `length` bytes from `sequence` on lie in one body of known length */
    PLAIN_ALL,   /* all that will come: nobody reads it */
    PLAIN_HABIT, /* what begins no message: a guess from what came so far, see plain.c of exchange
                  */
};

struct plain_bytes {
    struct endpoint source;
    struct endpoint destination;
    uint32_t interface;
    uint32_t sequence;
    uint32_t length;
    enum plain_kind kind;
};

typedef void plain_bytes_callback(void *context, const struct plain_bytes *plain);

/* Packets up to this length (from the IP header on) are whole whatever is told: copying them costs
 * little, and most that matters is in such. */
#define PLAIN_PACKET_MIN 4096
