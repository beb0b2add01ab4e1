#include "tests/unit/decode/packet.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum {
    HOP_BY_HOP = 0,
    TCP = 6,
    UDP = 17,
    ROUTING = 43,
    FRAGMENT = 44,
    ESP = 50,
    AUTHENTICATION = 51,
    ICMPV6 = 58,
    NO_NEXT_HEADER = 59,
    DESTINATION_OPTIONS = 60,
    MOBILITY = 135,
    MORE_FRAGMENTS = 0x2000
};

/* ---- IPv4 ---- */

static void test_ipv4_options(void **state)
{
    (void)state;
    for (size_t options = 0; options <= 40; options += 4) {
        struct packet packet = packet_begin(FRAME_LINK_RAW);
        size_t at = put_ipv4(&packet, TCP, options);
        put_tcp(&packet, 0);
        put_text(&packet, "optional");
        end_ipv4(&packet, at);
        assert_segment(&packet, "optional");
    }
}

static void test_ipv4_of_something_else(void **state)
{
    (void)state;
    struct packet packet = packet_begin(FRAME_LINK_RAW);
    size_t at = put_ipv4(&packet, UDP, 0);
    put_fill(&packet, 0, 40);
    end_ipv4(&packet, at);
    assert_result(&packet, DECODE_OTHER);
}

/* Offload: the length is filled in behind the capture; BIG TCP: the field is too small for it. */
static void test_ipv4_total_length_zero(void **state)
{
    (void)state;
    struct packet packet = packet_begin(FRAME_LINK_RAW);
    put_ipv4(&packet, TCP, 4);
    put_tcp(&packet, 12);
    put_text(&packet, "offloaded");
    assert_segment(&packet, "offloaded");

    packet.wire_length = 200000;
    struct decoded decoded = decode_whole(&packet);
    assert_int_equal(decoded.result, DECODE_SEGMENT);
    assert_int_equal(decoded.segment.payload_length, 200000 - 24 - 32);
    assert_int_equal(decoded.segment.payload_captured, 9);
}

/* Linux stops at half a mebibyte; a length of gigabytes is a damaged capture file's. */
static void test_packets_that_nobody_sends(void **state)
{
    (void)state;
    struct packet packet = packet_begin(FRAME_LINK_RAW);
    put_ipv4(&packet, TCP, 0);
    put_tcp(&packet, 0);
    packet.wire_length = 512 * 1024;
    assert_result(&packet, DECODE_SEGMENT);
    packet.wire_length = UINT32_MAX;
    assert_result(&packet, DECODE_DAMAGED);
    packet.wire_length = 0x80000000;
    assert_result(&packet, DECODE_DAMAGED);

    packet = packet_begin(FRAME_LINK_RAW);
    put_ipv6(&packet, TCP);
    put_tcp(&packet, 0);
    packet.wire_length = UINT32_MAX;
    assert_result(&packet, DECODE_DAMAGED);
}

static void test_ipv4_header_length_too_small(void **state)
{
    (void)state;
    for (uint8_t words = 0; words < 5; words++) {
        struct packet packet = packet_begin(FRAME_LINK_RAW);
        put_ipv4_segment(&packet, "hello");
        packet.bytes[0] = 0x40 | words;
        assert_result(&packet, DECODE_DAMAGED);
    }
}

static void test_ipv4_total_length_too_small(void **state)
{
    (void)state;
    for (uint16_t total = 1; total < 40; total++) {
        struct packet packet = packet_begin(FRAME_LINK_RAW);
        put_ipv4_segment(&packet, "hello");
        set_u16(&packet, 2, total);
        assert_result(&packet, DECODE_DAMAGED);
    }
    struct packet packet = packet_begin(FRAME_LINK_RAW);
    put_ipv4_segment(&packet, "hello");
    set_u16(&packet, 2, 42);
    assert_segment(&packet, "he");
}

/* A mirror that cuts packets hides that from the frame's length: the IP header knows better. */
static void test_packet_longer_than_its_frame(void **state)
{
    (void)state;
    struct packet packet = packet_begin(FRAME_LINK_RAW);
    put_ipv4_segment(&packet, "hello");
    set_u16(&packet, 2, 1040);
    struct decoded decoded = decode_whole(&packet);
    assert_int_equal(decoded.result, DECODE_SEGMENT);
    assert_int_equal(decoded.segment.payload_length, 1000);
    assert_int_equal(decoded.segment.payload_captured, 5);

    packet = packet_begin(FRAME_LINK_RAW);
    put_ipv6_segment(&packet, "hello");
    set_u16(&packet, 4, 1020);
    decoded = decode_whole(&packet);
    assert_int_equal(decoded.result, DECODE_SEGMENT);
    assert_int_equal(decoded.segment.payload_length, 1000);
    assert_int_equal(decoded.segment.payload_captured, 5);
}

static void test_ipv4_fragments(void **state)
{
    (void)state;
    struct packet packet = packet_begin(FRAME_LINK_RAW);
    put_ipv4_segment(&packet, "first part");
    set_u16(&packet, 6, MORE_FRAGMENTS);
    assert_segment(&packet, "first part");
    set_u16(&packet, 6, MORE_FRAGMENTS | 185);
    assert_result(&packet, DECODE_FRAGMENT);
    set_u16(&packet, 6, 1);
    assert_result(&packet, DECODE_FRAGMENT);

    packet = packet_begin(FRAME_LINK_RAW);
    size_t at = put_ipv4(&packet, UDP, 0);
    put_fill(&packet, 0, 40);
    end_ipv4(&packet, at);
    set_u16(&packet, 6, 185);
    assert_result(&packet, DECODE_OTHER);
}

/* ---- IPv6 ---- */

/* An extension header of `units` times 8 bytes. */
static void put_extension(struct packet *packet, uint8_t next, uint8_t units)
{
    put_u8(packet, next);
    put_u8(packet, (uint8_t)(units - 1));
    put_fill(packet, 0, (size_t)units * 8 - 2);
}

/* An authentication header counts in 4-byte units. */
static void put_authentication(struct packet *packet, uint8_t next, uint8_t units)
{
    put_u8(packet, next);
    put_u8(packet, (uint8_t)(units - 2));
    put_fill(packet, 0, (size_t)units * 4 - 2);
}

static void put_fragment(struct packet *packet, uint8_t next, uint16_t offset_and_flag)
{
    put_u8(packet, next);
    put_u8(packet, 0xff); /* reserved; not a length */
    put_u16(packet, offset_and_flag);
    put_u32(packet, 0x12345678);
}

static void test_ipv6_each_extension_header(void **state)
{
    (void)state;
    static const uint8_t headers[] = {HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS, MOBILITY};
    for (size_t i = 0; i < sizeof(headers); i++) {
        for (uint8_t units = 1; units <= 4; units++) {
            struct packet packet = packet_begin(FRAME_LINK_RAW);
            size_t at = put_ipv6(&packet, headers[i]);
            put_extension(&packet, TCP, units);
            put_tcp(&packet, 0);
            put_text(&packet, "extended");
            end_ipv6(&packet, at);
            assert_segment(&packet, "extended");
        }
    }
}

static void test_ipv6_authentication_header(void **state)
{
    (void)state;
    for (uint8_t units = 2; units <= 9; units++) {
        struct packet packet = packet_begin(FRAME_LINK_RAW);
        size_t at = put_ipv6(&packet, AUTHENTICATION);
        put_authentication(&packet, TCP, units);
        put_tcp(&packet, 0);
        put_text(&packet, "signed");
        end_ipv6(&packet, at);
        assert_segment(&packet, "signed");
    }
}

static void test_ipv6_chain(void **state)
{
    (void)state;
    struct packet packet = packet_begin(FRAME_LINK_RAW);
    size_t at = put_ipv6(&packet, HOP_BY_HOP);
    put_extension(&packet, DESTINATION_OPTIONS, 1);
    put_extension(&packet, ROUTING, 2);
    put_extension(&packet, FRAGMENT, 3);
    put_fragment(&packet, AUTHENTICATION, 0);
    put_authentication(&packet, MOBILITY, 6);
    put_extension(&packet, TCP, 1);
    put_tcp(&packet, 8);
    put_text(&packet, "chained");
    end_ipv6(&packet, at);
    assert_segment(&packet, "chained");
}

static struct packet chain_of(unsigned headers)
{
    struct packet packet = packet_begin(FRAME_LINK_RAW);
    size_t at = put_ipv6(&packet, DESTINATION_OPTIONS);
    for (unsigned left = headers; left > 1; left--) {
        put_extension(&packet, DESTINATION_OPTIONS, 1);
    }
    put_extension(&packet, TCP, 1);
    put_tcp(&packet, 0);
    end_ipv6(&packet, at);
    return packet;
}

static void test_ipv6_chain_has_a_bound(void **state)
{
    (void)state;
    struct packet packet = chain_of(16);
    assert_segment(&packet, "");
    packet = chain_of(17);
    assert_result(&packet, DECODE_DAMAGED);
}

static void test_ipv6_of_something_else(void **state)
{
    (void)state;
    static const uint8_t others[] = {UDP, ESP, ICMPV6, NO_NEXT_HEADER};
    for (size_t i = 0; i < sizeof(others); i++) {
        struct packet packet = packet_begin(FRAME_LINK_RAW);
        size_t at = put_ipv6(&packet, HOP_BY_HOP);
        put_extension(&packet, others[i], 1);
        put_fill(&packet, 0, 40);
        end_ipv6(&packet, at);
        assert_result(&packet, DECODE_OTHER);
    }
}

static struct packet fragment_of(uint8_t protocol, uint16_t offset_and_flag)
{
    struct packet packet = packet_begin(FRAME_LINK_RAW);
    size_t at = put_ipv6(&packet, FRAGMENT);
    put_fragment(&packet, protocol, offset_and_flag);
    put_tcp(&packet, 0);
    put_text(&packet, "part");
    end_ipv6(&packet, at);
    return packet;
}

static void test_ipv6_fragments(void **state)
{
    (void)state;
    struct packet packet = fragment_of(TCP, 0); /* "atomic", RFC 6946 */
    assert_segment(&packet, "part");
    packet = fragment_of(TCP, 1);
    assert_segment(&packet, "part");
    packet = fragment_of(TCP, 0x0006); /* reserved bits */
    assert_segment(&packet, "part");
    packet = fragment_of(TCP, 0x05a9);
    assert_result(&packet, DECODE_FRAGMENT);
    packet = fragment_of(TCP, 0x0008);
    assert_result(&packet, DECODE_FRAGMENT);
    packet = fragment_of(UDP, 0x05a9);
    assert_result(&packet, DECODE_OTHER);
}

/* RFC 2675: a payload length of zero, and the true one in a hop-by-hop option. */
static void test_ipv6_jumbogram(void **state)
{
    (void)state;
    struct packet packet = packet_begin(FRAME_LINK_RAW);
    put_ipv6(&packet, HOP_BY_HOP);
    put_u8(&packet, TCP);
    put_u8(&packet, 0);
    put_u16(&packet, 0xc204);
    put_u32(&packet, 8 + 20 + 100000);
    put_tcp(&packet, 0);
    put_text(&packet, "jumbo");
    packet.wire_length = 40 + 8 + 20 + 100000;
    struct decoded decoded = decode_whole(&packet);
    assert_int_equal(decoded.result, DECODE_SEGMENT);
    assert_int_equal(decoded.segment.payload_length, 100000);
    assert_int_equal(decoded.segment.payload_captured, 5);
}

/* Segmentation offload leaves the length out without any option. */
static void test_ipv6_payload_length_zero(void **state)
{
    (void)state;
    struct packet packet = packet_begin(FRAME_LINK_RAW);
    put_ipv6(&packet, TCP);
    put_tcp(&packet, 0);
    put_text(&packet, "offloaded");
    assert_segment(&packet, "offloaded");

    packet = packet_begin(FRAME_LINK_ETHERNET);
    put_ethernet(&packet, 0x86dd);
    put_ipv6(&packet, TCP);
    put_fill(&packet, 0, 6); /* an empty packet and its padding */
    assert_result(&packet, DECODE_DAMAGED);
}

static void test_ipv6_payload_length_too_small(void **state)
{
    (void)state;
    for (uint16_t length = 1; length < 28; length++) {
        struct packet packet = packet_begin(FRAME_LINK_RAW);
        put_ipv6(&packet, DESTINATION_OPTIONS);
        put_extension(&packet, TCP, 1);
        put_tcp(&packet, 0);
        put_text(&packet, "hello");
        set_u16(&packet, 4, length);
        assert_result(&packet, DECODE_DAMAGED);
    }
}

/* A header that says it is longer than the packet. */
static void test_ipv6_extension_header_too_long(void **state)
{
    (void)state;
    static const uint8_t headers[] = {HOP_BY_HOP, ROUTING, AUTHENTICATION, DESTINATION_OPTIONS};
    for (size_t i = 0; i < sizeof(headers); i++) {
        struct packet packet = packet_begin(FRAME_LINK_RAW);
        size_t at = put_ipv6(&packet, headers[i]);
        put_u8(&packet, TCP);
        put_u8(&packet, 0xff);
        put_fill(&packet, 0, 60);
        end_ipv6(&packet, at);
        assert_result(&packet, DECODE_DAMAGED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ipv4_options),
        cmocka_unit_test(test_ipv4_of_something_else),
        cmocka_unit_test(test_ipv4_total_length_zero),
        cmocka_unit_test(test_packets_that_nobody_sends),
        cmocka_unit_test(test_ipv4_header_length_too_small),
        cmocka_unit_test(test_ipv4_total_length_too_small),
        cmocka_unit_test(test_packet_longer_than_its_frame),
        cmocka_unit_test(test_ipv4_fragments),
        cmocka_unit_test(test_ipv6_each_extension_header),
        cmocka_unit_test(test_ipv6_authentication_header),
        cmocka_unit_test(test_ipv6_chain),
        cmocka_unit_test(test_ipv6_chain_has_a_bound),
        cmocka_unit_test(test_ipv6_of_something_else),
        cmocka_unit_test(test_ipv6_fragments),
        cmocka_unit_test(test_ipv6_jumbogram),
        cmocka_unit_test(test_ipv6_payload_length_zero),
        cmocka_unit_test(test_ipv6_payload_length_too_small),
        cmocka_unit_test(test_ipv6_extension_header_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
