#include "agent/capture/kernel_filter.h"
#include "agent/capture/plain_filter.h"
#include "agent/capture/plain_table.h"

#include "bpf_machine.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define WHOLE 262144
#define LARGE 20000
#define INTERFACE 5
#define SEQUENCE UINT32_C(0xfffff000)

/* 10.0.0.1:80 to 10.0.0.2:40000, or the same in IPv6, with 20 bytes of TCP header. */
struct made {
    uint8_t bytes[LARGE];
    struct bpf_packet packet;
    size_t payload;
};

static void make(struct made *made, bool ipv6, uint32_t length, uint32_t sequence)
{
    memset(made->bytes, 'x', sizeof(made->bytes));
    size_t tcp = ipv6 ? 40 : 20;
    memset(made->bytes, 0, tcp + 20);
    made->bytes[0] = ipv6 ? 0x60 : 0x45;
    made->bytes[ipv6 ? 6 : 9] = IPPROTO_TCP;
    made->bytes[ipv6 ? 8 : 12] = 10;
    made->bytes[ipv6 ? 23 : 15] = 1;
    made->bytes[ipv6 ? 24 : 16] = 10;
    made->bytes[ipv6 ? 39 : 19] = 2;
    const uint8_t header[] = {0,
                              80,
                              0x9c,
                              0x40,
                              (uint8_t)(sequence >> 24),
                              (uint8_t)(sequence >> 16),
                              (uint8_t)(sequence >> 8),
                              (uint8_t)sequence,
                              0,
                              0,
                              0,
                              0,
                              0x50,
                              0x10};
    memcpy(made->bytes + tcp, header, sizeof(header));
    made->payload = tcp + 20;
    made->packet = (struct bpf_packet){.bytes = made->bytes,
                                       .length = length,
                                       .protocol = ipv6 ? ETH_P_IPV6 : ETH_P_IP,
                                       .ifindex = INTERFACE};
}

static struct plain_bytes flow_of(bool ipv6, enum plain_kind kind)
{
    struct made made;
    make(&made, ipv6, LARGE, 0);
    struct plain_bytes flow = {.interface = INTERFACE,
                               .source.port = 80,
                               .destination.port = 40000,
                               .sequence = SEQUENCE,
                               .length = 100000,
                               .kind = kind};
    flow.source.address =
        ipv6 ? address_from_ipv6(made.bytes + 8) : address_from_ipv4(made.bytes + 12);
    flow.destination.address =
        ipv6 ? address_from_ipv6(made.bytes + 24) : address_from_ipv4(made.bytes + 16);
    return flow;
}

static uint32_t run(const struct plain_bytes *flows, size_t count, bool starved,
                    const struct made *made)
{
    char error[256] = "";
    struct kernel_filter *filter = kernel_filter_new("", WHOLE, error, sizeof(error));
    assert_non_null(filter);
    const struct kernel_filter_interfaces interfaces = {
        .plain = flows, .plain_count = count, .starved = starved};
    struct sock_fprog program = kernel_filter_build(filter, &interfaces);
    int sockets[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets), 0);
    assert_int_equal(
        setsockopt(sockets[0], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)), 0);
    close(sockets[0]);
    close(sockets[1]);
    uint32_t kept = bpf_machine_run(&program, &made->packet);
    kernel_filter_free(filter);
    return kept;
}

static void test_whole_by_default(void **state)
{
    (void)state;
    struct made made;
    make(&made, false, LARGE, SEQUENCE);
    assert_int_equal(run(NULL, 0, false, &made), WHOLE);
    struct plain_bytes flow = flow_of(false, PLAIN_ALL);
    assert_int_equal(run(&flow, 1, false, &made), PLAIN_FILTER_KEPT);
    make(&made, false, PLAIN_PACKET_MIN, SEQUENCE);
    assert_int_equal(run(&flow, 1, false, &made), WHOLE);
    make(&made, false, PLAIN_PACKET_MIN + 1, SEQUENCE);
    assert_int_equal(run(&flow, 1, false, &made), PLAIN_FILTER_KEPT);
}

/* Every word that tells one flow from another is compared. */
static void test_only_this_flow(void **state)
{
    (void)state;
    for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
        struct plain_bytes flow = flow_of(ipv6, PLAIN_ALL);
        struct made made;
        size_t from = ipv6 ? 8 : 12;
        size_t to = ipv6 ? 44 : 24;
        make(&made, ipv6, LARGE, SEQUENCE);
        assert_int_equal(run(&flow, 1, false, &made), PLAIN_FILTER_KEPT);
        for (size_t at = from; at < to; at++) {
            made.bytes[at] ^= 1;
            assert_int_equal(run(&flow, 1, false, &made), WHOLE);
            made.bytes[at] ^= 1;
        }
        made.packet.ifindex++;
        assert_int_equal(run(&flow, 1, false, &made), WHOLE);
    }
}

static void test_fragments_are_whole(void **state)
{
    (void)state;
    struct plain_bytes flow = flow_of(false, PLAIN_ALL);
    struct made made;
    make(&made, false, LARGE, SEQUENCE);
    made.bytes[6] = 0x40; /* don't fragment */
    assert_int_equal(run(&flow, 1, false, &made), PLAIN_FILTER_KEPT);
    made.bytes[6] = 0x20;
    assert_int_equal(run(&flow, 1, false, &made), WHOLE);
    made.bytes[6] = 0;
    made.bytes[7] = 1;
    assert_int_equal(run(&flow, 1, false, &made), WHOLE);
    flow = flow_of(true, PLAIN_ALL);
    make(&made, true, LARGE, SEQUENCE);
    made.bytes[6] = IPPROTO_FRAGMENT;
    assert_int_equal(run(&flow, 1, false, &made), WHOLE);
}

/* Across the end of the sequence numbers; not one byte outside is left out. */
static void test_range(void **state)
{
    (void)state;
    struct plain_bytes flow = flow_of(false, PLAIN_RANGE);
    struct made made;
    const uint32_t payload = LARGE - 40;
    for (uint32_t offset = 0; offset < 2 * flow.length; offset += 499) {
        make(&made, false, LARGE, SEQUENCE + offset);
        uint32_t kept = run(&flow, 1, false, &made);
        if (offset + payload > flow.length) {
            assert_int_equal(kept, WHOLE);
        } else if (offset + LARGE <= flow.length) {
            assert_int_equal(kept, PLAIN_FILTER_KEPT);
        }
    }
    make(&made, false, LARGE, SEQUENCE - 1);
    assert_int_equal(run(&flow, 1, false, &made), WHOLE);
    make(&made, false, LARGE, SEQUENCE + UINT32_C(0x80000000));
    assert_int_equal(run(&flow, 1, false, &made), WHOLE);
}

static void check_habit(const struct plain_bytes *flow, bool starved, bool ipv6)
{
    static const char *const starts[] = {"HTTP/1.1", "GET /a H", "POST /a ", "PUT /a H",
                                         "HEAD /a ", "DELETE /", "PATCH /a", "OPTIONS ",
                                         "CONNECT ", "TRACE /a"};
    size_t count = flow == NULL ? 0 : 1;
    struct made made;
    make(&made, ipv6, LARGE, SEQUENCE);
    assert_int_equal(run(flow, count, starved, &made), PLAIN_FILTER_KEPT);
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        make(&made, ipv6, LARGE, SEQUENCE);
        memcpy(made.bytes + made.payload, starts[i], 8);
        assert_int_equal(run(flow, count, starved, &made), PLAIN_FILTER_MESSAGE_KEPT);
        /* with options in front of the payload */
        memmove(made.bytes + made.payload + 12, starts[i], 8);
        memset(made.bytes + made.payload, 1, 12);
        made.bytes[made.payload - 8] = 0x80;
        assert_int_equal(run(flow, count, starved, &made), PLAIN_FILTER_MESSAGE_KEPT);
    }
    make(&made, ipv6, LARGE, SEQUENCE);
    memcpy(made.bytes + LARGE - 5, "0\r\n\r\n", 5);
    assert_int_equal(run(flow, count, starved, &made), WHOLE);
    make(&made, ipv6, PLAIN_PACKET_MIN, SEQUENCE);
    assert_int_equal(run(flow, count, starved, &made), WHOLE);
}

static void test_habit(void **state)
{
    (void)state;
    for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
        struct plain_bytes flow = flow_of(ipv6, PLAIN_HABIT);
        check_habit(&flow, false, ipv6);
        check_habit(NULL, true, ipv6); /* of all, when the ring overflows */
    }
}

/* As many flows as the table takes, with equal and different ports: each has its own answer. */
static void test_many(void **state)
{
    (void)state;
    static struct plain_table table;
    for (unsigned i = 0; i < PLAIN_TABLE_MAX + 10; i++) {
        struct plain_bytes flow = flow_of(false, PLAIN_ALL);
        flow.source.address.bytes[15] = (uint8_t)i;
        flow.destination.port = (uint16_t)(40000 + i / 3);
        plain_table_tell(&table, &flow);
    }
    assert_int_equal(table.count, PLAIN_TABLE_MAX);
    unsigned plain = 0;
    for (unsigned i = 0; i < PLAIN_TABLE_MAX + 20; i++) {
        struct made made;
        make(&made, false, LARGE, SEQUENCE);
        made.bytes[15] = (uint8_t)i;
        made.bytes[22] = (uint8_t)((40000 + i / 3) >> 8);
        made.bytes[23] = (uint8_t)(40000 + i / 3);
        uint32_t kept = run(table.flows, table.count, false, &made);
        assert_true(kept == WHOLE || kept == PLAIN_FILTER_KEPT);
        assert_true(kept == WHOLE || (i >= 10 && i < PLAIN_TABLE_MAX + 10));
        plain += kept == PLAIN_FILTER_KEPT;
    }
    assert_true(plain >= 60); /* as many as fit the instructions */
}

static void test_table(void **state)
{
    (void)state;
    static struct plain_table table;
    struct plain_bytes flow = flow_of(false, PLAIN_NONE);
    plain_table_tell(&table, &flow);
    assert_false(table.changed);
    flow.kind = PLAIN_RANGE;
    plain_table_tell(&table, &flow);
    assert_true(table.changed);
    flow.kind = PLAIN_HABIT;
    plain_table_tell(&table, &flow);
    assert_int_equal(table.count, 1);
    assert_int_equal(table.flows[0].kind, PLAIN_HABIT);
    struct plain_bytes other = flow_of(true, PLAIN_ALL);
    plain_table_tell(&table, &other);
    assert_int_equal(table.count, 2);
    flow.kind = PLAIN_NONE;
    plain_table_tell(&table, &flow);
    assert_int_equal(table.count, 1);
    assert_int_equal(table.flows[0].kind, PLAIN_ALL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_by_default),
        cmocka_unit_test(test_only_this_flow),
        cmocka_unit_test(test_fragments_are_whole),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_habit),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
