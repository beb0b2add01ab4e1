#include "agent/decode/decode.h"

#include "agent/base/reader.h"
#include "agent/capture/sll2.h"

#include <endian.h>
#include <stddef.h>
#include <string.h>

enum ethertype {
    ETHERTYPE_IPV4 = 0x0800,
    ETHERTYPE_VLAN = 0x8100,
    ETHERTYPE_IPV6 = 0x86dd,
    ETHERTYPE_QINQ = 0x88a8,
    ETHERTYPE_QINQ_OLD = 0x9100,
};

/* IANA protocol numbers: TCP and the extension headers of RFC 8200 section 4 that may precede it.
 */
enum ip_protocol {
    PROTOCOL_HOP_BY_HOP = 0,
    PROTOCOL_TCP = 6,
    PROTOCOL_ROUTING = 43,
    PROTOCOL_FRAGMENT = 44,
    PROTOCOL_AUTHENTICATION = 51,
    PROTOCOL_DESTINATION_OPTIONS = 60,
    PROTOCOL_MOBILITY = 135,
};

/* Tags and headers that nest deeper than this are made to slow a reader down. */
#define MAX_VLAN_TAGS 4
#define MAX_EXTENSION_HEADERS 16
/* Linux builds packets of up to half a mebibyte (BIG TCP); a longer one is a damaged record's. */
#define MAX_PAYLOAD (UINT32_C(1) << 20)

#define IPV4_HEADER_MIN 20
#define TCP_HEADER_USED 14 /* up to the flags; window, checksum and options are not looked at */

#define ARPHRD_LOOPBACK_VALUE 772 /* Linux ARPHRD_LOOPBACK */
#define PACKET_TYPE_OUTGOING 4    /* PACKET_OUTGOING of packet(7) */

/* A frame on its way through the headers. */
struct decoder {
    struct reader reader;
    uint32_t wire_left; /* bytes on the wire from the reader's position on */
    struct segment *segment;
};

static void decoder_skip(struct decoder *decoder, uint32_t length)
{
    reader_skip(&decoder->reader, length);
    decoder->wire_left -= length < decoder->wire_left ? length : decoder->wire_left;
}

/* Network order, of a header that is known to be all there. */
static uint16_t be16_at(const uint8_t *bytes)
{
    uint16_t value;
    memcpy(&value, bytes, sizeof(value));
    return be16toh(value);
}

static uint32_t be32_at(const uint8_t *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof(value));
    return be32toh(value);
}

/* The IP header says how much of the frame is the packet: what follows is the link's padding. */
static void limit_to_packet(struct decoder *decoder, uint32_t packet_length)
{
    decoder->wire_left = packet_length;
    if (decoder->reader.left > packet_length) {
        decoder->reader.left = packet_length;
    }
}

static enum decode_result decode_tcp(struct decoder *decoder)
{
    struct segment *segment = decoder->segment;
    struct reader *reader = &decoder->reader;
    uint32_t wire_length = decoder->wire_left;
    const uint8_t *header = reader_bytes(reader, TCP_HEADER_USED);
    if (header == NULL) {
        return DECODE_DAMAGED;
    }
    uint32_t header_length = (uint32_t)(header[12] >> 4) * 4;
    if (header_length < 20 || header_length > wire_length ||
        wire_length - header_length > MAX_PAYLOAD) {
        return DECODE_DAMAGED;
    }
    segment->source.port = be16_at(header);
    segment->destination.port = be16_at(header + 2);
    segment->sequence = be32_at(header + 4);
    segment->acknowledgment = be32_at(header + 8);
    segment->flags = header[13];
    /* A snap length may end inside the options; only what comes after them matters. */
    uint32_t options = header_length - TCP_HEADER_USED;
    reader_skip(reader, options < reader->left ? options : reader->left);
    segment->payload_length = wire_length - header_length;
    segment->payload_captured = (uint32_t)reader->left;
    segment->payload = reader->at;
    return DECODE_SEGMENT;
}

static enum decode_result decode_ipv4(struct decoder *decoder)
{
    struct reader *reader = &decoder->reader;
    const uint8_t *header = reader_bytes(reader, IPV4_HEADER_MIN);
    if (header == NULL) {
        return DECODE_DAMAGED;
    }
    uint32_t header_length = (uint32_t)(header[0] & 0x0f) * 4;
    uint32_t total_length = be16_at(header + 2);
    uint16_t fragment = be16_at(header + 6);
    uint8_t protocol = header[9];
    if (protocol != PROTOCOL_TCP) {
        return DECODE_OTHER;
    }
    /* Zero: longer than the field can say (BIG TCP) or not filled in yet (segmentation offload). */
    if (total_length == 0) {
        total_length = decoder->wire_left;
    }
    if (header_length < IPV4_HEADER_MIN || total_length < header_length) {
        return DECODE_DAMAGED;
    }
    if ((fragment & 0x1fff) != 0) {
        return DECODE_FRAGMENT;
    }
    reader_skip(reader, header_length - IPV4_HEADER_MIN);
    limit_to_packet(decoder, total_length - header_length);
    decoder->segment->source.address = address_from_ipv4(header + 12);
    decoder->segment->destination.address = address_from_ipv4(header + 16);
    return reader->failed ? DECODE_DAMAGED : decode_tcp(decoder);
}

static bool is_extension_header(uint8_t protocol)
{
    return protocol == PROTOCOL_HOP_BY_HOP || protocol == PROTOCOL_ROUTING ||
           protocol == PROTOCOL_FRAGMENT || protocol == PROTOCOL_AUTHENTICATION ||
           protocol == PROTOCOL_DESTINATION_OPTIONS || protocol == PROTOCOL_MOBILITY;
}

/* Steps over one extension header and returns the protocol of the next. */
static uint8_t skip_extension_header(struct decoder *decoder, uint8_t protocol, bool *later_out)
{
    uint8_t next = reader_u8(&decoder->reader);
    uint8_t length = reader_u8(&decoder->reader);
    decoder->wire_left -= decoder->wire_left < 2 ? decoder->wire_left : 2;
    if (protocol == PROTOCOL_FRAGMENT) {
        uint16_t offset = reader_be16(&decoder->reader);
        decoder->wire_left -= decoder->wire_left < 2 ? decoder->wire_left : 2;
        *later_out = (offset & 0xfff8) != 0;
        decoder_skip(decoder, 4);
    } else if (protocol == PROTOCOL_AUTHENTICATION) { /* in 4-byte units less 2, RFC 4302 */
        decoder_skip(decoder, (uint32_t)length * 4 + 6);
    } else { /* in 8-byte units less the first */
        decoder_skip(decoder, (uint32_t)length * 8 + 6);
    }
    return next;
}

static enum decode_result decode_ipv6(struct decoder *decoder)
{
    struct reader *reader = &decoder->reader;
    reader_skip(reader, 4);
    uint32_t payload_length = reader_be16(reader);
    uint8_t protocol = reader_u8(reader);
    reader_skip(reader, 1);
    const uint8_t *source = reader_bytes(reader, 16);
    const uint8_t *destination = reader_bytes(reader, 16);
    if (destination == NULL) {
        return DECODE_DAMAGED;
    }
    decoder->segment->source.address = address_from_ipv6(source);
    decoder->segment->destination.address = address_from_ipv6(destination);
    /* Zero: a jumbogram (RFC 2675); the frame then tells how long it was. */
    if (payload_length == 0) {
        payload_length = decoder->wire_left > 40 ? decoder->wire_left - 40 : 0;
    }
    limit_to_packet(decoder, payload_length);
    bool later_fragment = false;
    for (unsigned i = 0; is_extension_header(protocol) && !later_fragment; i++) {
        if (i == MAX_EXTENSION_HEADERS || reader->failed) {
            return DECODE_DAMAGED;
        }
        protocol = skip_extension_header(decoder, protocol, &later_fragment);
    }
    if (reader->failed) {
        return DECODE_DAMAGED;
    }
    if (protocol != PROTOCOL_TCP) {
        return DECODE_OTHER;
    }
    return later_fragment ? DECODE_FRAGMENT : decode_tcp(decoder);
}

static enum decode_result decode_ip(struct decoder *decoder)
{
    if (decoder->reader.left == 0) {
        return DECODE_DAMAGED;
    }
    switch (decoder->reader.at[0] >> 4) {
    case 4:
        return decode_ipv4(decoder);
    case 6:
        return decode_ipv6(decoder);
    default:
        return DECODE_OTHER;
    }
}

static enum decode_result decode_ethertype(struct decoder *decoder, uint16_t type)
{
    for (unsigned tags = 0;
         type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ || type == ETHERTYPE_QINQ_OLD; tags++) {
        if (tags == MAX_VLAN_TAGS) {
            return DECODE_DAMAGED;
        }
        decoder_skip(decoder, 2);
        type = reader_be16(&decoder->reader);
        decoder->wire_left -= decoder->wire_left < 2 ? decoder->wire_left : 2;
    }
    if (decoder->reader.failed) {
        return DECODE_DAMAGED;
    }
    return type == ETHERTYPE_IPV4 || type == ETHERTYPE_IPV6 ? decode_ip(decoder) : DECODE_OTHER;
}

static enum decode_result decode_ethernet(struct decoder *decoder)
{
    decoder_skip(decoder, 12);
    uint16_t type = reader_be16(&decoder->reader);
    decoder->wire_left -= decoder->wire_left < 2 ? decoder->wire_left : 2;
    return decode_ethertype(decoder, type);
}

/* LINKTYPE_LINUX_SLL: packet type, ARPHRD, address length, address (8), protocol. */
static enum decode_result decode_sll(struct decoder *decoder)
{
    struct reader header = decoder->reader;
    uint16_t packet_type = reader_be16(&header);
    uint16_t arphrd = reader_be16(&header);
    reader_skip(&header, 10);
    uint16_t type = reader_be16(&header);
    decoder_skip(decoder, 16);
    if (header.failed) {
        return DECODE_DAMAGED;
    }
    if (arphrd == ARPHRD_LOOPBACK_VALUE && packet_type == PACKET_TYPE_OUTGOING) {
        return DECODE_DUPLICATE;
    }
    return decode_ethertype(decoder, type);
}

static enum decode_result decode_sll2(struct decoder *decoder)
{
    struct sll2_header header;
    if (!sll2_parse(&decoder->reader, &header)) {
        return DECODE_DAMAGED;
    }
    decoder->wire_left -=
        SLL2_HEADER_LENGTH < decoder->wire_left ? SLL2_HEADER_LENGTH : decoder->wire_left;
    if (header.arphrd == ARPHRD_LOOPBACK_VALUE && header.packet_type == PACKET_TYPE_OUTGOING) {
        return DECODE_DUPLICATE;
    }
    decoder->segment->interface = header.ifindex;
    return decode_ethertype(decoder, header.protocol);
}

enum decode_result decode_frame(const struct frame *frame, struct segment *segment_out)
{
    segment_out->time_ns = frame->time_ns;
    segment_out->interface = frame->interface;
    segment_out->direction = frame->direction;
    segment_out->untimed = frame->untimed;
    struct decoder decoder = {.reader = reader_over(frame->bytes, frame->captured_length),
                              .wire_left = frame->wire_length,
                              .segment = segment_out};
    enum decode_result result = DECODE_UNKNOWN_LINK;
    switch (frame->link) {
    case FRAME_LINK_ETHERNET:
        result = decode_ethernet(&decoder);
        break;
    case FRAME_LINK_NULL:
    case FRAME_LINK_LOOP:
        decoder_skip(&decoder, 4); /* the family; the version field of IP says the same */
        result = decode_ip(&decoder);
        break;
    case FRAME_LINK_RAW:
        result = decode_ip(&decoder);
        break;
    case FRAME_LINK_LINUX_SLL:
        result = decode_sll(&decoder);
        break;
    case FRAME_LINK_LINUX_SLL2:
        result = decode_sll2(&decoder);
        break;
    case FRAME_LINK_UNKNOWN:
        break;
    }
    return result;
}
