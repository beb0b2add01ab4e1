#pragma once

#include "agent/base/reader.h"

#include <stdbool.h>
#include <stdint.h>

/* The header of LINKTYPE_LINUX_SLL2, the "any" device's cooked packets. */
#define SLL2_HEADER_LENGTH 20

struct sll2_header {
    uint16_t protocol; /* ethertype of what follows */
    uint32_t ifindex;
    uint16_t arphrd;
    uint8_t packet_type; /* PACKET_HOST, PACKET_OUTGOING, ... of packet(7) */
};

/* Reads the header and leaves the reader behind it; false when it is cut off. */
static inline bool sll2_parse(struct reader *reader, struct sll2_header *header_out)
{
    struct reader fields = reader_sub(reader, SLL2_HEADER_LENGTH);
    if (fields.failed) {
        return false;
    }
    header_out->protocol = reader_be16(&fields);
    reader_skip(&fields, 2); /* reserved */
    header_out->ifindex = reader_be32(&fields);
    header_out->arphrd = reader_be16(&fields);
    header_out->packet_type = reader_u8(&fields);
    return true;
}
