#include "tests/unit/decode/packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Frames of the tests were captured then. */
#define TIME_NS INT64_C(1700000000123456789)
#define INTERFACE 7

struct packet packet_begin(enum frame_link link)
{
    return (struct packet){.link = link};
}

void put_u8(struct packet *packet, uint8_t value)
{
    assert_true(packet->length < sizeof(packet->bytes));
    packet->bytes[packet->length++] = value;
}

void put_u16(struct packet *packet, uint16_t value)
{
    put_u8(packet, (uint8_t)(value >> 8));
    put_u8(packet, (uint8_t)value);
}

void put_u32(struct packet *packet, uint32_t value)
{
    put_u16(packet, (uint16_t)(value >> 16));
    put_u16(packet, (uint16_t)value);
}

void put_fill(struct packet *packet, uint8_t value, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put_u8(packet, value);
    }
}

void put_text(struct packet *packet, const char *text)
{
    for (; *text != '\0'; text++) {
        put_u8(packet, (uint8_t)*text);
    }
}

void set_u16(struct packet *packet, size_t at, uint16_t value)
{
    packet->bytes[at] = (uint8_t)(value >> 8);
    packet->bytes[at + 1] = (uint8_t)value;
}

void put_ethernet(struct packet *packet, uint16_t type)
{
    put_fill(packet, 0x02, 12);
    put_u16(packet, type);
}

void put_vlan(struct packet *packet, uint16_t type)
{
    put_u16(packet, 0x2064);
    put_u16(packet, type);
}

void put_sll(struct packet *packet, uint16_t packet_type, uint16_t arphrd, uint16_t type)
{
    put_u16(packet, packet_type);
    put_u16(packet, arphrd);
    put_u16(packet, 6);
    put_fill(packet, 0x02, 8);
    put_u16(packet, type);
}

void put_sll2(struct packet *packet, uint32_t ifindex, uint8_t packet_type, uint16_t arphrd,
              uint16_t type)
{
    put_u16(packet, type);
    put_u16(packet, 0);
    put_u32(packet, ifindex);
    put_u16(packet, arphrd);
    put_u8(packet, packet_type);
    put_u8(packet, 6);
    put_fill(packet, 0x02, 8);
}

size_t put_ipv4(struct packet *packet, uint8_t protocol, size_t options_length)
{
    size_t at = packet->length;
    put_u8(packet, (uint8_t)(0x40 | ((20 + options_length) / 4)));
    put_u8(packet, 0);
    put_u16(packet, 0); /* total length */
    put_u16(packet, 0x1234);
    put_u16(packet, 0x4000); /* not a fragment */
    put_u8(packet, 64);
    put_u8(packet, protocol);
    put_u16(packet, 0xbad0); /* the checksum is not looked at */
    put_u32(packet, 0x0a010203);
    put_u32(packet, 0x0a010204);
    put_fill(packet, 0x01, options_length);
    return at;
}

void end_ipv4(struct packet *packet, size_t at)
{
    set_u16(packet, at + 2, (uint16_t)(packet->length - at));
}

static void put_ipv6_address(struct packet *packet, uint8_t last)
{
    put_u32(packet, 0x20010db8);
    put_fill(packet, 0, 11);
    put_u8(packet, last);
}

size_t put_ipv6(struct packet *packet, uint8_t protocol)
{
    size_t at = packet->length;
    put_u32(packet, 0x60000000);
    put_u16(packet, 0); /* payload length */
    put_u8(packet, protocol);
    put_u8(packet, 64);
    put_ipv6_address(packet, 1);
    put_ipv6_address(packet, 2);
    return at;
}

void end_ipv6(struct packet *packet, size_t at)
{
    set_u16(packet, at + 4, (uint16_t)(packet->length - at - 40));
}

void put_tcp(struct packet *packet, size_t options_length)
{
    put_u16(packet, SOURCE_PORT);
    put_u16(packet, DESTINATION_PORT);
    put_u32(packet, SEQUENCE);
    put_u32(packet, ACKNOWLEDGMENT);
    put_u8(packet, (uint8_t)((TCP_HEADER_LENGTH + options_length) / 4 << 4));
    put_u8(packet, TCP_PSH | TCP_ACK);
    put_u16(packet, 0xffff);
    put_u16(packet, 0xbad0);
    put_u16(packet, 0);
    put_fill(packet, 0x01, options_length);
}

void put_ipv4_segment(struct packet *packet, const char *payload)
{
    size_t at = put_ipv4(packet, 6, 0);
    put_tcp(packet, 0);
    put_text(packet, payload);
    end_ipv4(packet, at);
}

void put_ipv6_segment(struct packet *packet, const char *payload)
{
    size_t at = put_ipv6(packet, 6);
    put_tcp(packet, 0);
    put_text(packet, payload);
    end_ipv6(packet, at);
}

struct decoded decode_cut(const struct packet *packet, size_t captured)
{
    uint8_t *copy = malloc(captured);
    assert_true(copy != NULL || captured == 0);
    if (captured > 0) {
        memcpy(copy, packet->bytes, captured);
    }
    size_t wire_length = packet->wire_length != 0 ? packet->wire_length : packet->length;
    struct frame frame = {.bytes = copy,
                          .captured_length = (uint32_t)captured,
                          .wire_length = (uint32_t)wire_length,
                          .time_ns = TIME_NS,
                          .interface = INTERFACE,
                          .link = packet->link,
                          .direction = FRAME_TO_POD};
    struct decoded decoded;
    memset(&decoded, 0xa5, sizeof(decoded)); /* what is not filled in shows */
    decoded.result = decode_frame(&frame, &decoded.segment);
    if (decoded.result == DECODE_SEGMENT) {
        decoded.payload_at = (size_t)(decoded.segment.payload - copy);
        assert_true(decoded.payload_at + decoded.segment.payload_captured <= captured);
        assert_true(decoded.segment.payload_captured <= decoded.segment.payload_length);
        assert_int_equal(decoded.segment.time_ns, TIME_NS);
        assert_int_equal(decoded.segment.direction, FRAME_TO_POD);
    }
    free(copy);
    return decoded;
}

struct decoded decode_whole(const struct packet *packet)
{
    return decode_cut(packet, packet->length);
}

static void assert_endpoints(const struct segment *segment)
{
    char text[ENDPOINT_TEXT_SIZE];
    bool ipv4 = address_is_ipv4(&segment->source.address);
    endpoint_format(&segment->source, text);
    assert_string_equal(text, ipv4 ? "10.1.2.3:40312" : "[2001:db8::1]:40312");
    endpoint_format(&segment->destination, text);
    assert_string_equal(text, ipv4 ? "10.1.2.4:8080" : "[2001:db8::2]:8080");
}

void assert_segment(const struct packet *packet, const char *payload)
{
    struct decoded decoded = decode_whole(packet);
    assert_int_equal(decoded.result, DECODE_SEGMENT);
    assert_endpoints(&decoded.segment);
    assert_int_equal(decoded.segment.sequence, SEQUENCE);
    assert_int_equal(decoded.segment.acknowledgment, ACKNOWLEDGMENT);
    assert_int_equal(decoded.segment.flags, TCP_PSH | TCP_ACK);
    assert_int_equal(decoded.segment.payload_length, strlen(payload));
    assert_int_equal(decoded.segment.payload_captured, strlen(payload));
    assert_memory_equal(packet->bytes + decoded.payload_at, payload, strlen(payload));
}

void assert_result(const struct packet *packet, enum decode_result result)
{
    assert_int_equal(decode_whole(packet).result, result);
}
