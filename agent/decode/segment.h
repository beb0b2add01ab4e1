#pragma once

#include "agent/base/address.h"
#include "agent/capture/frame.h"

#include <stdint.h>

/* Bits of the TCP header's control field (RFC 9293 section 3.1). */
enum tcp_flag {
    TCP_FIN = 0x01,
    TCP_SYN = 0x02,
    TCP_RST = 0x04,
    TCP_PSH = 0x08,
    TCP_ACK = 0x10,
    TCP_URG = 0x20,
};

/*
 * One TCP segment of one interface. The payload points into the frame and lives as long as it; when
 * the capture cut the packet short, `payload_captured` is less than `payload_length`, which is what
 * was on the wire.
 */
struct segment {
    int64_t time_ns; /* since the epoch */
    struct endpoint source;
    struct endpoint destination;
    uint32_t interface;
    uint32_t sequence;
    uint32_t acknowledgment; /* meaningful with TCP_ACK */
    uint32_t payload_length;
    uint32_t payload_captured;
    const uint8_t *payload;
    uint8_t flags; /* enum tcp_flag */
    enum frame_direction direction;
    bool untimed; /* time_ns is that of a packet before */
};
