#include "tests/unit/decode/packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*
 * The TCP header, and every way to cut a frame short. The random test prints the seed of a case
 * that fails; VETHSCOPE_TEST_SEED=<seed> runs that case first.
 */
enum {
    RANDOM_CASES = 300000,
    ETHERNET_IPV4 = 0x0800,
    ETHERNET_IPV6 = 0x86dd,
    ETHERNET_VLAN = 0x8100,
    FLAGS_END = 14 /* of the TCP header: what must be captured to know a segment */
};

static void test_tcp_options(void **state)
{
    (void)state;
    for (size_t options = 0; options <= 40; options += 4) {
        struct packet packet = packet_begin(FRAME_LINK_RAW);
        size_t at = put_ipv4(&packet, 6, 0);
        put_tcp(&packet, options);
        put_text(&packet, "optional");
        end_ipv4(&packet, at);
        assert_segment(&packet, "optional");
    }
}

static void test_every_flag(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags < 256; flags++) {
        struct packet packet = packet_begin(FRAME_LINK_RAW);
        put_ipv4_segment(&packet, "x");
        packet.bytes[20 + 13] = (uint8_t)flags;
        struct decoded decoded = decode_whole(&packet);
        assert_int_equal(decoded.result, DECODE_SEGMENT);
        assert_int_equal(decoded.segment.flags, flags);
    }
}

static void test_tcp_header_length_contradicts(void **state)
{
    (void)state;
    for (unsigned words = 0; words < 16; words++) {
        struct packet packet = packet_begin(FRAME_LINK_RAW);
        put_ipv4_segment(&packet, "12345678"); /* a header of up to seven words fits */
        packet.bytes[20 + 12] = (uint8_t)(words << 4);
        bool fits = words >= 5 && words <= 7;
        assert_result(&packet, fits ? DECODE_SEGMENT : DECODE_DAMAGED);
    }
}

static void test_empty_payload(void **state)
{
    (void)state;
    struct packet packet = packet_begin(FRAME_LINK_RAW);
    put_ipv4_segment(&packet, "");
    assert_segment(&packet, "");
}

/* ---- cut frames ---- */

/* Frames that together pass through every header there is. */
static struct packet frame_number(unsigned number)
{
    static const enum frame_link links[] = {
        FRAME_LINK_ETHERNET,  FRAME_LINK_ETHERNET,   FRAME_LINK_NULL, FRAME_LINK_LOOP,
        FRAME_LINK_LINUX_SLL, FRAME_LINK_LINUX_SLL2, FRAME_LINK_RAW,  FRAME_LINK_RAW};
    struct packet packet = packet_begin(links[number % 8]);
    uint16_t type = number < 8 ? ETHERNET_IPV4 : ETHERNET_IPV6;
    if (number % 8 == 0) {
        put_ethernet(&packet, type);
    } else if (number % 8 == 1) {
        put_ethernet(&packet, ETHERNET_VLAN);
        put_vlan(&packet, ETHERNET_VLAN);
        put_vlan(&packet, type);
    } else if (number % 8 < 4) {
        put_u32(&packet, 2);
    } else if (number % 8 == 4) {
        put_sll(&packet, 0, 1, type);
    } else if (number % 8 == 5) {
        put_sll2(&packet, 3, 0, 1, type);
    }
    return packet;
}

enum {
    FRAMES = 16
};

/* Returns where the TCP header begins. */
static size_t put_long_segment(struct packet *packet, bool ipv4)
{
    size_t at = ipv4 ? put_ipv4(packet, 6, 12) : put_ipv6(packet, 0);
    if (!ipv4) {
        static const uint8_t chain[] = {43, 0, 0, 0, 0, 0, 0, 0, 44, 0, 0, 0, 0, 0, 0, 0, 51, 0,
                                        0,  1, 1, 1, 1, 1, 6, 1, 0,  0, 0, 0, 0, 0, 0, 0, 0,  0};
        for (size_t i = 0; i < sizeof(chain); i++) {
            put_u8(packet, chain[i]);
        }
    }
    size_t tcp_at = packet->length;
    put_tcp(packet, 12);
    put_text(packet, "GET / HTTP/1.1\r\n\r\n");
    if (ipv4) {
        end_ipv4(packet, at);
    } else {
        end_ipv6(packet, at);
    }
    return tcp_at;
}

/* A snap length at every byte: up to the TCP flags nothing is known, behind them all but bytes. */
static void test_snap_length_at_every_byte(void **state)
{
    (void)state;
    for (unsigned number = 0; number < FRAMES; number++) {
        struct packet packet = frame_number(number);
        size_t tcp_at = put_long_segment(&packet, number < 8);
        size_t payload_at = tcp_at + 32;
        for (size_t captured = 0; captured <= packet.length; captured++) {
            struct decoded decoded = decode_cut(&packet, captured);
            if (captured < tcp_at + FLAGS_END) {
                assert_int_equal(decoded.result, DECODE_DAMAGED);
                continue;
            }
            assert_int_equal(decoded.result, DECODE_SEGMENT);
            assert_int_equal(decoded.segment.sequence, SEQUENCE);
            assert_int_equal(decoded.segment.payload_length, 18);
            size_t expected = captured > payload_at ? captured - payload_at : 0;
            assert_int_equal(decoded.segment.payload_captured, expected);
            assert_true(expected == 0 || decoded.payload_at == payload_at);
        }
    }
}

/* The same where the capture says that no more was on the wire. */
static void test_short_frames(void **state)
{
    (void)state;
    for (unsigned number = 0; number < FRAMES; number++) {
        struct packet packet = frame_number(number);
        size_t tcp_at = put_long_segment(&packet, number < 8);
        size_t whole = packet.length;
        for (packet.length = 0; packet.length < whole; packet.length++) {
            struct decoded decoded = decode_whole(&packet);
            bool known = packet.length >= tcp_at + FLAGS_END;
            assert_int_equal(decoded.result, known ? DECODE_SEGMENT : DECODE_DAMAGED);
            assert_true(!known || decoded.segment.payload_length == 18);
        }
    }
}

/* ---- random frames ---- */

static uint64_t next_random(uint64_t *random)
{
    *random ^= *random >> 12;
    *random ^= *random << 25;
    *random ^= *random >> 27;
    return *random * UINT64_C(0x2545F4914F6CDD1D);
}

static unsigned pick(uint64_t *random, unsigned choices)
{
    return (unsigned)(next_random(random) >> 33) % choices;
}

/* A valid frame with some bytes changed, or noise; of any lengths; on any link. */
static void run_random_case(uint64_t seed)
{
    uint64_t random = seed;
    struct packet packet = frame_number(pick(&random, FRAMES));
    put_long_segment(&packet, pick(&random, 2) == 0);
    unsigned changes = pick(&random, 5);
    for (unsigned i = 0; i < changes; i++) {
        packet.bytes[pick(&random, (unsigned)packet.length)] = (uint8_t)pick(&random, 256);
    }
    if (pick(&random, 8) == 0) {
        for (size_t i = 0; i < packet.length; i++) {
            packet.bytes[i] = (uint8_t)pick(&random, 256);
        }
    }
    if (pick(&random, 4) == 0) {
        packet.link = (enum frame_link)pick(&random, FRAME_LINK_LINUX_SLL2 + 1);
    }
    static const uint32_t lengths[] = {0, 0, 0, 1, 40, 60, 1514, 70000, UINT32_MAX};
    packet.wire_length = lengths[pick(&random, sizeof(lengths) / sizeof(lengths[0]))];
    size_t captured =
        pick(&random, 2) == 0 ? packet.length : pick(&random, (unsigned)packet.length);
    struct decoded decoded = decode_cut(&packet, captured);
    assert_true(decoded.result < DECODE_RESULT_COUNT);
    assert_true(decoded.result != DECODE_SEGMENT || decoded.segment.payload_length <= 1u << 20);
}

static uint64_t running_seed;

static void say_seed(void)
{
    if (running_seed != 0) {
        fprintf(stderr, "failed with VETHSCOPE_TEST_SEED=%llu\n", (unsigned long long)running_seed);
    }
}

static void test_random_frames(void **state)
{
    (void)state;
    const char *asked = getenv("VETHSCOPE_TEST_SEED");
    uint64_t first = asked != NULL ? strtoull(asked, NULL, 0) : 1;
    print_message("%u cases from seed %llu\n", RANDOM_CASES, (unsigned long long)first);
    for (running_seed = first; running_seed < first + RANDOM_CASES; running_seed++) {
        run_random_case(running_seed);
    }
    running_seed = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp_options),
        cmocka_unit_test(test_every_flag),
        cmocka_unit_test(test_tcp_header_length_contradicts),
        cmocka_unit_test(test_empty_payload),
        cmocka_unit_test(test_snap_length_at_every_byte),
        cmocka_unit_test(test_short_frames),
        cmocka_unit_test(test_random_frames),
    };
    atexit(say_seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
