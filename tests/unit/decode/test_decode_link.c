#include "tests/unit/decode/packet.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum {
    IPV4 = 0x0800,
    ARP = 0x0806,
    VLAN = 0x8100,
    IPV6 = 0x86dd,
    QINQ = 0x88a8,
    QINQ_OLD = 0x9100,
    HOST = 0,
    OUTGOING = 4,
    ARPHRD_ETHER = 1,
    ARPHRD_LOOPBACK = 772
};

static void test_ethernet(void **state)
{
    (void)state;
    struct packet packet = packet_begin(FRAME_LINK_ETHERNET);
    put_ethernet(&packet, IPV4);
    put_ipv4_segment(&packet, "hello");
    assert_segment(&packet, "hello");
    assert_int_equal(decode_whole(&packet).segment.interface, 7);

    packet = packet_begin(FRAME_LINK_ETHERNET);
    put_ethernet(&packet, IPV6);
    put_ipv6_segment(&packet, "hello");
    assert_segment(&packet, "hello");
}

static void test_ethernet_of_something_else(void **state)
{
    (void)state;
    static const uint16_t types[] = {ARP, 0x05dc /* an 802.3 length */, 0x8847 /* MPLS */};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct packet packet = packet_begin(FRAME_LINK_ETHERNET);
        put_ethernet(&packet, types[i]);
        put_ipv4_segment(&packet, "hello");
        assert_result(&packet, DECODE_OTHER);
    }
}

/* Minimum frames are filled up to 60 bytes: what is behind the packet is not payload. */
static void test_ethernet_padding(void **state)
{
    (void)state;
    struct packet packet = packet_begin(FRAME_LINK_ETHERNET);
    put_ethernet(&packet, IPV4);
    put_ipv4_segment(&packet, "abc");
    put_fill(&packet, 0, 3);
    assert_segment(&packet, "abc");

    packet = packet_begin(FRAME_LINK_ETHERNET);
    put_ethernet(&packet, IPV4);
    put_ipv4_segment(&packet, "");
    put_fill(&packet, 0, 6);
    assert_segment(&packet, "");

    packet = packet_begin(FRAME_LINK_ETHERNET);
    put_ethernet(&packet, IPV6);
    put_ipv6_segment(&packet, "abc");
    put_fill(&packet, 0, 9);
    assert_segment(&packet, "abc");
}

/* The same number of tags for each way in which a tag may be announced. */
static void test_vlan_tags(void **state)
{
    (void)state;
    static const uint16_t announced[] = {VLAN, QINQ, QINQ_OLD};
    for (size_t i = 0; i < 3; i++) {
        for (unsigned tags = 1; tags <= 6; tags++) {
            struct packet packet = packet_begin(FRAME_LINK_ETHERNET);
            put_ethernet(&packet, announced[i]);
            for (unsigned left = tags; left > 1; left--) {
                put_vlan(&packet, VLAN);
            }
            put_vlan(&packet, tags % 2 == 0 ? IPV6 : IPV4);
            if (tags % 2 == 0) {
                put_ipv6_segment(&packet, "tagged");
            } else {
                put_ipv4_segment(&packet, "tagged");
            }
            if (tags <= 4) {
                assert_segment(&packet, "tagged");
            } else {
                assert_result(&packet, DECODE_DAMAGED);
            }
        }
    }
}

static void test_tag_of_something_else(void **state)
{
    (void)state;
    struct packet packet = packet_begin(FRAME_LINK_ETHERNET);
    put_ethernet(&packet, VLAN);
    put_vlan(&packet, ARP);
    put_fill(&packet, 0, 28);
    assert_result(&packet, DECODE_OTHER);
}

static void test_sll(void **state)
{
    (void)state;
    struct packet packet = packet_begin(FRAME_LINK_LINUX_SLL);
    put_sll(&packet, HOST, ARPHRD_ETHER, IPV4);
    put_ipv4_segment(&packet, "hello");
    assert_segment(&packet, "hello");

    packet = packet_begin(FRAME_LINK_LINUX_SLL);
    put_sll(&packet, OUTGOING, ARPHRD_ETHER, VLAN);
    put_vlan(&packet, IPV6);
    put_ipv6_segment(&packet, "hello");
    assert_segment(&packet, "hello");

    packet = packet_begin(FRAME_LINK_LINUX_SLL);
    put_sll(&packet, HOST, ARPHRD_ETHER, ARP);
    put_fill(&packet, 0, 28);
    assert_result(&packet, DECODE_OTHER);
}

/* On a loopback device every packet is captured as it leaves and as it arrives. */
static void test_sll_loopback_counts_once(void **state)
{
    (void)state;
    struct packet packet = packet_begin(FRAME_LINK_LINUX_SLL);
    put_sll(&packet, OUTGOING, ARPHRD_LOOPBACK, IPV4);
    put_ipv4_segment(&packet, "hello");
    assert_result(&packet, DECODE_DUPLICATE);

    packet = packet_begin(FRAME_LINK_LINUX_SLL);
    put_sll(&packet, HOST, ARPHRD_LOOPBACK, IPV4);
    put_ipv4_segment(&packet, "hello");
    assert_segment(&packet, "hello");
}

static void test_sll2_tells_the_interface(void **state)
{
    (void)state;
    struct packet packet = packet_begin(FRAME_LINK_LINUX_SLL2);
    put_sll2(&packet, 0x01020304, HOST, ARPHRD_ETHER, IPV4);
    put_ipv4_segment(&packet, "hello");
    assert_segment(&packet, "hello");
    assert_int_equal(decode_whole(&packet).segment.interface, 0x01020304);

    packet = packet_begin(FRAME_LINK_LINUX_SLL2);
    put_sll2(&packet, 3, OUTGOING, ARPHRD_ETHER, QINQ);
    put_vlan(&packet, IPV6);
    put_ipv6_segment(&packet, "hello");
    assert_segment(&packet, "hello");

    packet = packet_begin(FRAME_LINK_LINUX_SLL2);
    put_sll2(&packet, 3, HOST, ARPHRD_ETHER, ARP);
    put_fill(&packet, 0, 28);
    assert_result(&packet, DECODE_OTHER);
}

static void test_sll2_loopback_counts_once(void **state)
{
    (void)state;
    struct packet packet = packet_begin(FRAME_LINK_LINUX_SLL2);
    put_sll2(&packet, 1, OUTGOING, ARPHRD_LOOPBACK, IPV4);
    put_ipv4_segment(&packet, "hello");
    assert_result(&packet, DECODE_DUPLICATE);

    packet = packet_begin(FRAME_LINK_LINUX_SLL2);
    put_sll2(&packet, 1, HOST, ARPHRD_LOOPBACK, IPV4);
    put_ipv4_segment(&packet, "hello");
    assert_segment(&packet, "hello");
}

/* The family is in the byte order of whoever captured, and its numbers differ between systems. */
static void test_null_and_loop(void **state)
{
    (void)state;
    static const uint32_t families[] = {2, 0x02000000, 24, 0x18000000, 30, 0x1e000000};
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        for (unsigned loop = 0; loop < 2; loop++) {
            struct packet packet = packet_begin(loop ? FRAME_LINK_LOOP : FRAME_LINK_NULL);
            put_u32(&packet, families[i]);
            if (i < 2) {
                put_ipv4_segment(&packet, "hello");
            } else {
                put_ipv6_segment(&packet, "hello");
            }
            assert_segment(&packet, "hello");
        }
    }
}

static void test_raw(void **state)
{
    (void)state;
    struct packet packet = packet_begin(FRAME_LINK_RAW);
    put_ipv4_segment(&packet, "hello");
    assert_segment(&packet, "hello");

    packet = packet_begin(FRAME_LINK_RAW);
    put_ipv6_segment(&packet, "hello");
    assert_segment(&packet, "hello");

    for (unsigned version = 0; version < 16; version++) {
        packet.bytes[0] = (uint8_t)(version << 4 | 5);
        if (version != 4 && version != 6) {
            assert_result(&packet, DECODE_OTHER);
        }
    }
}

static void test_nothing_at_all(void **state)
{
    (void)state;
    static const enum frame_link links[] = {FRAME_LINK_ETHERNET,  FRAME_LINK_NULL,
                                            FRAME_LINK_LOOP,      FRAME_LINK_RAW,
                                            FRAME_LINK_LINUX_SLL, FRAME_LINK_LINUX_SLL2};
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        struct packet packet = packet_begin(links[i]);
        assert_result(&packet, DECODE_DAMAGED);
    }
}

static void test_unknown_link(void **state)
{
    (void)state;
    struct packet packet = packet_begin(FRAME_LINK_UNKNOWN);
    put_ipv4_segment(&packet, "hello");
    assert_result(&packet, DECODE_UNKNOWN_LINK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ethernet),
        cmocka_unit_test(test_ethernet_of_something_else),
        cmocka_unit_test(test_ethernet_padding),
        cmocka_unit_test(test_vlan_tags),
        cmocka_unit_test(test_tag_of_something_else),
        cmocka_unit_test(test_sll),
        cmocka_unit_test(test_sll_loopback_counts_once),
        cmocka_unit_test(test_sll2_tells_the_interface),
        cmocka_unit_test(test_sll2_loopback_counts_once),
        cmocka_unit_test(test_null_and_loop),
        cmocka_unit_test(test_raw),
        cmocka_unit_test(test_nothing_at_all),
        cmocka_unit_test(test_unknown_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
