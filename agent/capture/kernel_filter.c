#include "agent/capture/kernel_filter.h"

#include "agent/capture/bpf_text.h"
#include "agent/capture/plain_filter.h"
#include "agent/capture/plain_table.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/*
 * The program: search for the interface among the excluded, loopback, protocol, the user's
 * expression, how much is kept. Jumps of classic BPF are relative and forward; conditional ones
 * reach 255 instructions, so every part brings a `return 0` of its own and only the unconditional
 * jump, which reaches anywhere, leaves the search. The expression is compiled for raw IP, which is
 * what offset 0 is; its jumps are relative too. What it accepts goes on to the last part,
 * plain_filter.c.
 */

#define LEAF_MAX 8 /* compared one after the other at the end of a binary search */

/* Leaves of at least half LEAF_MAX, each with two instructions of its own and two to reach it. */
#define SEARCH_MAX (2 * KERNEL_FILTER_EXCLUDED_MAX + 2)
#define FIXED_MAX 32 /* loopback and protocol */
#define EXPRESSION_MAX (BPF_MAXINSNS - SEARCH_MAX - FIXED_MAX)

/* Distance of a jump out of the search, until that is known. */
#define TO_THE_END UINT32_MAX

#define IPV4_PROTOCOL_OFFSET 9
#define IPV6_NEXT_HEADER_OFFSET 6
#define PROTOCOL_MOBILITY 135

struct kernel_filter {
    struct bpf_program expression;
    uint32_t whole;    /* what the expression returns for a packet that it accepts */
    size_t plain_most; /* plain flows for which the kernel had room */
    unsigned length;
    struct sock_filter program[BPF_MAXINSNS];
};

static void emit(struct kernel_filter *filter, struct sock_filter instruction)
{
    filter->program[filter->length++] = instruction;
}

static void emit_leaf(struct kernel_filter *filter, const uint32_t *indexes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        emit(filter, JUMP_IF(BPF_JEQ, indexes[i], count - i, 0));
    }
    emit(filter, JUMP(TO_THE_END));
    emit(filter, RETURN(0));
}

/* The accumulator holds the index sought. */
static void emit_search(struct kernel_filter *filter, const uint32_t *indexes, size_t count)
{
    if (count <= LEAF_MAX) {
        emit_leaf(filter, indexes, count);
        return;
    }
    size_t half = count / 2;
    emit(filter, JUMP_IF(BPF_JGT, indexes[half - 1], 0, 1));
    unsigned to_upper = filter->length;
    emit(filter, JUMP(0));
    emit_search(filter, indexes, half);
    filter->program[to_upper].k = filter->length - to_upper - 1;
    emit_search(filter, indexes + half, count - half);
}

static void emit_excluded(struct kernel_filter *filter,
                          const struct kernel_filter_interfaces *interfaces)
{
    size_t count = interfaces->excluded_count;
    if (count == 0) {
        return;
    }
    if (count > KERNEL_FILTER_EXCLUDED_MAX) {
        count = KERNEL_FILTER_EXCLUDED_MAX;
    }
    emit(filter, LOAD_AUXILIARY(SKF_AD_IFINDEX));
    emit_search(filter, interfaces->excluded, count);
    for (unsigned i = 0; i < filter->length; i++) {
        struct sock_filter *instruction = &filter->program[i];
        if (instruction->code == (BPF_JMP | BPF_JA) && instruction->k == TO_THE_END) {
            instruction->k = filter->length - i - 1;
        }
    }
}

/* Loopback shows every packet twice, outgoing and incoming. */
static void emit_loopback(struct kernel_filter *filter, uint32_t loopback)
{
    if (loopback == 0) {
        return;
    }
    emit(filter, LOAD_AUXILIARY(SKF_AD_PKTTYPE));
    emit(filter, JUMP_IF(BPF_JEQ, PACKET_OUTGOING, 0, 3));
    emit(filter, LOAD_AUXILIARY(SKF_AD_IFINDEX));
    emit(filter, JUMP_IF(BPF_JEQ, loopback, 0, 1));
    emit(filter, RETURN(0));
}

static void emit_protocol(struct kernel_filter *filter)
{
    static const uint32_t followed[] = {IPPROTO_TCP,      IPPROTO_HOPOPTS, IPPROTO_ROUTING,
                                        IPPROTO_FRAGMENT, IPPROTO_AH,      IPPROTO_DSTOPTS,
                                        PROTOCOL_MOBILITY};
    const unsigned count = sizeof(followed) / sizeof(followed[0]);
    emit(filter, LOAD_AUXILIARY(SKF_AD_PROTOCOL));
    emit(filter, JUMP_IF(BPF_JEQ, ETH_P_IP, 0, 2));
    emit(filter, LOAD_BYTE(IPV4_PROTOCOL_OFFSET));
    emit(filter, JUMP_IF(BPF_JEQ, IPPROTO_TCP, count + 3, count + 2));
    emit(filter, JUMP_IF(BPF_JEQ, ETH_P_IPV6, 0, count + 1));
    emit(filter, LOAD_BYTE(IPV6_NEXT_HEADER_OFFSET));
    for (unsigned i = 0; i < count; i++) {
        emit(filter, JUMP_IF(BPF_JEQ, followed[i], count - i, 0));
    }
    emit(filter, RETURN(0));
}

/* As it is, but for a packet that it accepts, which goes on to the end of the expression. */
static void emit_expression(struct kernel_filter *filter)
{
    unsigned count = filter->expression.bf_len;
    for (unsigned i = 0; i < count; i++) {
        const struct bpf_insn *instruction = &filter->expression.bf_insns[i];
        bool accepts = instruction->code == (BPF_RET | BPF_K) && instruction->k != 0;
        emit(filter, accepts ? JUMP(count - i - 1)
                             : (struct sock_filter){instruction->code, instruction->jt,
                                                    instruction->jf, instruction->k});
    }
}

struct sock_fprog kernel_filter_build(struct kernel_filter *filter,
                                      const struct kernel_filter_interfaces *interfaces)
{
    filter->length = 0;
    emit_excluded(filter, interfaces);
    emit_loopback(filter, interfaces->loopback);
    emit_protocol(filter);
    emit_expression(filter);
    const struct plain_filter_rest rest = {filter->whole, interfaces->starved};
    filter->length +=
        plain_filter_emit(filter->program + filter->length, BPF_MAXINSNS - filter->length,
                          interfaces->plain, interfaces->plain_count, &rest);
    return (struct sock_fprog){(unsigned short)filter->length, filter->program};
}

static int attach(int socket, const struct sock_fprog *program)
{
    return setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, program, sizeof(*program)) < 0 ? -errno
                                                                                           : 0;
}

static int try_attach(struct kernel_filter *filter, int socket,
                      const struct kernel_filter_interfaces *interfaces)
{
    struct sock_fprog program = kernel_filter_build(filter, interfaces);
    return attach(socket, &program);
}

/* The kernel's allowance is for the old and the new program together, and small before Linux 6.7:
 * half as many plain flows, after a program without any has made room. So many is the most from
 * then on, as each try costs a translation. */
static int attach_fewer(struct kernel_filter *filter, int socket,
                        const struct kernel_filter_interfaces *interfaces)
{
    struct kernel_filter_interfaces less = *interfaces;
    filter->plain_most = interfaces->plain_count / 2;
    less.plain_count = 0;
    int status = try_attach(filter, socket, &less);
    less.plain_count = filter->plain_most;
    return status == 0 && less.plain_count > 0 ? try_attach(filter, socket, &less) : status;
}

int kernel_filter_attach(struct kernel_filter *filter, int socket,
                         const struct kernel_filter_interfaces *interfaces)
{
    struct kernel_filter_interfaces less = *interfaces;
    if (less.plain_count > filter->plain_most) {
        less.plain_count = filter->plain_most;
    }
    int status = try_attach(filter, socket, &less);
    while (status == -ENOMEM && less.plain_count > 0) {
        status = attach_fewer(filter, socket, &less);
        less.plain_count = filter->plain_most;
    }
    if (status == -ENOMEM && less.excluded_count > 0) {
        /* The kernel's allowance is smaller still: user space does it all. */
        less.excluded_count = 0;
        status = try_attach(filter, socket, &less);
    }
    return status;
}

int kernel_filter_close(int socket)
{
    struct sock_filter reject = RETURN(0);
    const struct sock_fprog program = {1, &reject};
    return attach(socket, &program);
}

struct kernel_filter *kernel_filter_new(const char *expression, uint32_t snap_length,
                                        char *error_out, size_t error_size)
{
    struct kernel_filter *filter = calloc(1, sizeof(*filter));
    pcap_t *handle = pcap_open_dead(DLT_RAW, (int)snap_length);
    if (filter == NULL || handle == NULL) {
        snprintf(error_out, error_size, "out of memory");
    } else if (pcap_compile(handle, &filter->expression, expression, 1, PCAP_NETMASK_UNKNOWN) < 0) {
        snprintf(error_out, error_size, "filter \"%s\": %s", expression, pcap_geterr(handle));
    } else if (filter->expression.bf_len > EXPRESSION_MAX) {
        snprintf(error_out, error_size, "filter \"%.100s\": compiles to more than %d instructions",
                 expression, EXPRESSION_MAX);
    } else {
        pcap_close(handle);
        filter->whole = snap_length;
        filter->plain_most = PLAIN_TABLE_MAX;
        return filter;
    }
    if (handle != NULL) {
        pcap_close(handle);
    }
    kernel_filter_free(filter);
    return NULL;
}

void kernel_filter_free(struct kernel_filter *filter)
{
    if (filter == NULL) {
        return;
    }
    pcap_freecode(&filter->expression);
    free(filter);
}
