#include "agent/capture/kernel_filter.h"

#include "bpf_machine.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <pcap/pcap.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define SNAP 262144

/* 10.0.0.1:40000 to 10.0.0.2:80. */
static const uint8_t ipv4_tcp[40] = {
    0x45, 0,    0, 40, 0, 0, 0, 0, 64, IPPROTO_TCP, 0, 0, 10,   0, 0, 1, 10, 0, 0, 2,
    0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0,  0,           0, 0, 0x50, 2, 0, 0, 0,  0, 0, 0};

static struct kernel_filter *new_filter(const char *expression)
{
    char error[256] = "";
    struct kernel_filter *filter = kernel_filter_new(expression, SNAP, error, sizeof(error));
    assert_string_equal(error, "");
    assert_non_null(filter);
    return filter;
}

/* A program is well-formed by libpcap's check, and the kernel takes it. */
static void assert_valid(const struct sock_fprog *program)
{
    assert_true(program->len > 0 && program->len <= BPF_MAXINSNS);
    assert_true(bpf_validate((const struct bpf_insn *)(const void *)program->filter, program->len));
    int sockets[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets), 0);
    assert_int_equal(
        setsockopt(sockets[0], SOL_SOCKET, SO_ATTACH_FILTER, program, sizeof(*program)), 0);
    close(sockets[0]);
    close(sockets[1]);
}

static uint32_t run(struct kernel_filter *filter, const struct kernel_filter_interfaces *interfaces,
                    const struct bpf_packet *packet)
{
    struct sock_fprog program = kernel_filter_build(filter, interfaces);
    return bpf_machine_run(&program, packet);
}

static struct bpf_packet packet_of(const uint8_t *bytes, uint32_t length, uint32_t protocol)
{
    return (struct bpf_packet){
        .bytes = bytes, .length = length, .protocol = protocol, .ifindex = 5};
}

static void test_ipv4(void **state)
{
    (void)state;
    struct kernel_filter *filter = new_filter("");
    const struct kernel_filter_interfaces none = {0};
    uint8_t bytes[40];
    for (unsigned protocol = 0; protocol < 256; protocol++) {
        memcpy(bytes, ipv4_tcp, sizeof(bytes));
        bytes[9] = (uint8_t)protocol;
        bytes[6] = 0x20; /* the first, or a later, fragment passes as well */
        bytes[7] = (uint8_t)protocol;
        struct bpf_packet packet = packet_of(bytes, sizeof(bytes), ETH_P_IP);
        assert_int_equal(run(filter, &none, &packet), protocol == IPPROTO_TCP ? SNAP : 0);
        packet.length = 9;
        assert_int_equal(run(filter, &none, &packet), 0);
    }
    kernel_filter_free(filter);
}

static void test_ipv6(void **state)
{
    (void)state;
    struct kernel_filter *filter = new_filter("");
    const struct kernel_filter_interfaces none = {0};
    for (unsigned next = 0; next < 256; next++) {
        uint8_t bytes[60] = {0x60, [6] = (uint8_t)next};
        struct bpf_packet packet = packet_of(bytes, sizeof(bytes), ETH_P_IPV6);
        bool passes = next == 6 || next == 0 || next == 43 || next == 44 || next == 51 ||
                      next == 60 || next == 135;
        assert_int_equal(run(filter, &none, &packet), passes ? SNAP : 0);
    }
    kernel_filter_free(filter);
}

static void test_other_protocols(void **state)
{
    (void)state;
    struct kernel_filter *filter = new_filter("");
    const struct kernel_filter_interfaces none = {0};
    static const uint32_t others[] = {ETH_P_ARP, ETH_P_8021Q, ETH_P_8021AD, ETH_P_MPLS_UC, 0};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct bpf_packet packet = packet_of(ipv4_tcp, sizeof(ipv4_tcp), others[i]);
        assert_int_equal(run(filter, &none, &packet), 0);
    }
    kernel_filter_free(filter);
}

/* Of any number of excluded interfaces each is rejected, and its neighbours are not. */
static void test_excluded(void **state)
{
    (void)state;
    struct kernel_filter *filter = new_filter("");
    static uint32_t excluded[KERNEL_FILTER_EXCLUDED_MAX];
    for (uint32_t i = 0; i < KERNEL_FILTER_EXCLUDED_MAX; i++) {
        excluded[i] = i == 0 ? 1 : 3 * i + 4;
    }
    for (size_t count = 0; count <= KERNEL_FILTER_EXCLUDED_MAX; count = count * 5 / 4 + 1) {
        const struct kernel_filter_interfaces interfaces = {.excluded = excluded,
                                                            .excluded_count = count};
        struct sock_fprog program = kernel_filter_build(filter, &interfaces);
        assert_valid(&program);
        for (uint32_t index = 0; index < 3 * KERNEL_FILTER_EXCLUDED_MAX + 10; index++) {
            bool is_excluded = false;
            for (size_t i = 0; i < count; i++) {
                is_excluded = is_excluded || excluded[i] == index;
            }
            struct bpf_packet packet = packet_of(ipv4_tcp, sizeof(ipv4_tcp), ETH_P_IP);
            packet.ifindex = index;
            assert_int_equal(bpf_machine_run(&program, &packet), is_excluded ? 0 : SNAP);
        }
    }
    kernel_filter_free(filter);
}

/* The bound: so many are rejected here, one more is left to user space. */
static void test_excluded_bound(void **state)
{
    (void)state;
    struct kernel_filter *filter = new_filter("tcp port 80 or tcp port 8080");
    static uint32_t excluded[KERNEL_FILTER_EXCLUDED_MAX + 1];
    for (uint32_t i = 0; i <= KERNEL_FILTER_EXCLUDED_MAX; i++) {
        excluded[i] = i + 1;
    }
    const struct kernel_filter_interfaces interfaces = {
        .excluded = excluded, .excluded_count = KERNEL_FILTER_EXCLUDED_MAX + 1, .loopback = 1};
    struct sock_fprog program = kernel_filter_build(filter, &interfaces);
    assert_valid(&program);
    for (uint32_t index = 1; index <= KERNEL_FILTER_EXCLUDED_MAX + 1; index++) {
        struct bpf_packet packet = packet_of(ipv4_tcp, sizeof(ipv4_tcp), ETH_P_IP);
        packet.ifindex = index;
        assert_int_equal(bpf_machine_run(&program, &packet),
                         index <= KERNEL_FILTER_EXCLUDED_MAX ? 0 : SNAP);
    }
    /* The old and the new program together fit in 20 KiB. */
    assert_true(2 * program.len * sizeof(struct sock_filter) < 20480);
    kernel_filter_free(filter);
}

static void test_loopback(void **state)
{
    (void)state;
    struct kernel_filter *filter = new_filter("");
    const struct kernel_filter_interfaces interfaces = {.loopback = 1};
    struct sock_fprog program = kernel_filter_build(filter, &interfaces);
    assert_valid(&program);
    for (uint32_t index = 1; index < 3; index++) {
        for (uint32_t type = PACKET_HOST; type <= PACKET_LOOPBACK; type++) {
            struct bpf_packet packet = packet_of(ipv4_tcp, sizeof(ipv4_tcp), ETH_P_IP);
            packet.ifindex = index;
            packet.packet_type = type;
            bool rejected = index == 1 && type == PACKET_OUTGOING;
            assert_int_equal(bpf_machine_run(&program, &packet), rejected ? 0 : SNAP);
        }
    }
    kernel_filter_free(filter);
}

/* Both must accept: the prologue and the expression. */
static void test_expressions(void **state)
{
    (void)state;
    static const struct {
        const char *expression;
        bool passes;
    } expressions[] = {
        {"port 80", true},
        {"tcp dst port 80 and host 10.0.0.1", true},
        {"src net 10.0.0.0/8 and tcp[tcpflags] & tcp-syn != 0", true},
        {"greater 40", true},
        {"port 81", false},
        {"not port 80", false},
        {"udp", false},
        {"ip6", false},
        {"greater 41", false},
    };
    const uint32_t excluded[] = {2, 3, 9};
    const struct kernel_filter_interfaces interfaces = {
        .excluded = excluded, .excluded_count = 3, .loopback = 1};
    for (size_t i = 0; i < sizeof(expressions) / sizeof(expressions[0]); i++) {
        struct kernel_filter *filter = new_filter(expressions[i].expression);
        struct sock_fprog program = kernel_filter_build(filter, &interfaces);
        assert_valid(&program);
        struct bpf_packet packet = packet_of(ipv4_tcp, sizeof(ipv4_tcp), ETH_P_IP);
        assert_int_equal(bpf_machine_run(&program, &packet), expressions[i].passes ? SNAP : 0);
        packet.ifindex = 3;
        assert_int_equal(bpf_machine_run(&program, &packet), 0);
        kernel_filter_free(filter);
    }
}

static void test_wrong_expressions(void **state)
{
    (void)state;
    static const char *const expressions[] = {"tcp port", "port 99999999", "ether host 1:2:3:4:5:6",
                                              "no such thing ("};
    for (size_t i = 0; i < sizeof(expressions) / sizeof(expressions[0]); i++) {
        char error[256] = "";
        assert_null(kernel_filter_new(expressions[i], SNAP, error, sizeof(error)));
        assert_non_null(strstr(error, expressions[i]));
        assert_null(strchr(error, '\n'));
        assert_true(strlen(error) > strlen(expressions[i]) + 12);
    }
}

/* A sum of so many bytes of the header is five instructions each. */
static char *long_expression(unsigned terms)
{
    size_t size = 16 * (size_t)terms + 16;
    char *expression = malloc(size);
    assert_non_null(expression);
    size_t length = 0;
    for (unsigned i = 0; i < terms; i++) {
        length += (size_t)snprintf(expression + length, size - length, "%sip[%u]",
                                   i == 0 ? "" : "+", i % 40);
    }
    snprintf(expression + length, size - length, " != 0");
    return expression;
}

/* An expression whose program would not fit behind the rest is refused at once. */
static void test_expression_bound(void **state)
{
    (void)state;
    char *expression = long_expression(600);
    struct kernel_filter *filter = new_filter(expression);
    const struct kernel_filter_interfaces none = {0};
    struct sock_fprog program = kernel_filter_build(filter, &none);
    assert_true(program.len > 2500);
    assert_valid(&program);
    struct bpf_packet packet = packet_of(ipv4_tcp, sizeof(ipv4_tcp), ETH_P_IP);
    assert_int_equal(bpf_machine_run(&program, &packet), SNAP);
    kernel_filter_free(filter);
    free(expression);
    expression = long_expression(640);
    char error[256] = "";
    assert_null(kernel_filter_new(expression, SNAP, error, sizeof(error)));
    assert_non_null(strstr(error, "compiles to more than "));
    free(expression);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ipv4),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_other_protocols),
        cmocka_unit_test(test_excluded),
        cmocka_unit_test(test_excluded_bound),
        cmocka_unit_test(test_loopback),
        cmocka_unit_test(test_expressions),
        cmocka_unit_test(test_wrong_expressions),
        cmocka_unit_test(test_expression_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
