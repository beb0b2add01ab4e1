#pragma once

#include "agent/capture/frame.h"
#include "agent/decode/segment.h"

/* What a frame turned out to be. */
enum decode_result {
    DECODE_SEGMENT,
    DECODE_OTHER,     /* not IP, not TCP */
    DECODE_FRAGMENT,  /* a later fragment of a TCP segment: its bytes will be missed and counted */
    DECODE_DUPLICATE, /* the outgoing copy of a loopback packet: it is captured incoming as well */
    DECODE_DAMAGED,   /* headers contradict themselves, or the capture cut them off */
    DECODE_UNKNOWN_LINK, /* a link type this project does not read */
    DECODE_RESULT_COUNT,
};

/*
 * Finds the TCP segment in a frame: Ethernet with VLAN tags, SLL, SLL2, NULL/LOOP and raw IP; IPv4
 * (RFC 791), IPv6 with extension headers (RFC 8200), TCP (RFC 9293 section 3.1). Checksums are not
 * looked at: with offload they are wrong in every capture on the sending host. The output is
 * whole only with DECODE_SEGMENT, else undefined; its payload points into the frame.
 */
enum decode_result decode_frame(const struct frame *frame, struct segment *segment_out);
