#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Which way a frame crossed the link of a pod; capture files do not tell. */
enum frame_direction {
    FRAME_DIRECTION_UNKNOWN,
    FRAME_TO_POD,
    FRAME_FROM_POD
};

/* How the first bytes of a frame read. Values are this project's own: every source maps its
 * numbers (pcap LINKTYPE_*) to them, so nothing behind the capture knows libpcap. */
enum frame_link {
    FRAME_LINK_UNKNOWN,
    FRAME_LINK_ETHERNET,   /* LINKTYPE_ETHERNET 1 */
    FRAME_LINK_NULL,       /* LINKTYPE_NULL 0: 4-byte family in the capturing host's byte order */
    FRAME_LINK_LOOP,       /* LINKTYPE_LOOP 108: 4-byte family in network byte order */
    FRAME_LINK_RAW,        /* LINKTYPE_RAW 101, LINKTYPE_IPV4 228, LINKTYPE_IPV6 229: IP at once */
    FRAME_LINK_LINUX_SLL,  /* LINKTYPE_LINUX_SLL 113 */
    FRAME_LINK_LINUX_SLL2, /* LINKTYPE_LINUX_SLL2 276 */
};

/*
 * One captured frame. The bytes belong to the source (kernel ring or file buffer) and live until
 * the callback that was handed the frame returns.
 */
struct frame {
    const uint8_t *bytes;
    uint32_t captured_length;
    uint32_t wire_length;
    int64_t time_ns;    /* since the epoch */
    uint32_t interface; /* kernel index when live; a number of the source's own from a file */
    enum frame_link link;
    enum frame_direction direction;
    bool untimed; /* the file has no time for it: time_ns is that of a frame before */
};

/* Takes each frame in the order of capture. */
typedef void frame_callback(void *context, const struct frame *frame);
