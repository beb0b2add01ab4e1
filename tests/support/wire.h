#pragma once

#include "agent/decode/segment.h"
#include "agent/tcp/tcp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One TCP connection between two ends as a capture shows it: what the ends send becomes packets in
 * a list, which a test may drop, repeat, cut short and shuffle before it gives them to TCP.
 */
enum wire_end_name {
    WIRE_CLIENT,
    WIRE_SERVER,
    WIRE_ENDS
};

struct wire_packet {
    struct segment segment; /* its payload is set when it is delivered */
    size_t at;              /* of the payload in wire->bytes */
    enum wire_end_name from;
};

struct wire_end {
    struct endpoint endpoint;
    uint32_t sequence; /* of the next byte to send */
    uint32_t received; /* what it acknowledges */
    uint32_t arrived;  /* what the other end has sent, whether received yet or not */
};

struct wire {
    struct wire_packet *packets;
    size_t count;
    size_t capacity;
    char *bytes;
    size_t length;
    size_t room;
    struct wire_end ends[WIRE_ENDS];
    int64_t now_ns;  /* of the next packet */
    int64_t step_ns; /* from one packet to the next */
    uint32_t interface;
    uint32_t snap;  /* payload bytes that are captured of a packet */
    size_t mss;     /* payload bytes of a packet */
    bool in_flight; /* what is sent does not arrive until wire_land */
};

/* Between 10.0.0.1:40000+`number` and 10.0.0.2:80, sequence numbers of its own, no packet yet. */
void wire_init(struct wire *wire, unsigned number);
void wire_fini(struct wire *wire);

/* One packet with these flags (and ACK where it belongs); SYN and FIN count one. Returns it, until
 * the next call. */
struct wire_packet *wire_packet(struct wire *wire, enum wire_end_name from, uint8_t flags,
                                const char *bytes, size_t length);

/* Payload in packets of at most `mss` bytes. */
void wire_send(struct wire *wire, enum wire_end_name from, const char *bytes, size_t length);

/* SYN, SYN-ACK, ACK. */
void wire_open(struct wire *wire);

/* FIN of one end, its ACK, FIN of the other, its ACK. */
void wire_close(struct wire *wire, enum wire_end_name first);

/* Everything in flight arrives. */
void wire_land(struct wire *wire);

/* Removes a packet from the capture: it was on the wire all the same. */
void wire_lose(struct wire *wire, size_t index);

/* Gives one packet to TCP, its payload in memory of exactly its size. */
void wire_deliver(const struct wire *wire, const struct wire_packet *packet, struct tcp *tcp);
