#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Two-way conversations made up at random and cut into packets as two TCP hosts may send them, with
 * retransmissions of any cut, probes and bare acknowledgments; then captured badly: reordered
 * within a window, some packets twice, some not at all.
 */
enum {
    RANDOM_PACKETS = 512,
    RANDOM_STREAM = 4096 /* bytes a direction, at most */
};

struct random_packet {
    unsigned side;
    uint32_t at;     /* offset of the first byte in its stream */
    uint32_t length; /* of the payload */
    uint32_t ack;    /* offset in the other stream; one more than its length: its FIN as well */
    bool syn;
    bool fin;
    bool has_ack;
    uint64_t key; /* the capture's order */
};

struct random_talk {
    uint64_t random;
    uint64_t bytes; /* seed of the streams' content */
    uint32_t isn[2];
    uint32_t length[2];
    bool handshake; /* else the capture began later */
    unsigned window;
    unsigned count;
    struct random_packet packets[RANDOM_PACKETS];
};

unsigned random_pick(struct random_talk *talk, unsigned choices);

/* A whole conversation, in the order in which it was on the wire. */
void random_talk_make(struct random_talk *talk, uint64_t seed);

/* Captures it: each packet up to `window` packets later than it was, a part twice, `lost` in a
 * thousand not at all. */
void random_talk_capture(struct random_talk *talk, unsigned window, unsigned lost);

/* The byte at an offset of a stream. */
static inline uint8_t random_talk_byte(const struct random_talk *talk, unsigned side,
                                       uint32_t offset)
{
    uint64_t mixed = (talk->bytes + offset * 2 + side) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint8_t)(mixed >> 56);
}
