#include "agent/capture/plain_filter.h"

#include "agent/capture/bpf_text.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

/*
 * For packets beyond PLAIN_PACKET_MIN alone: a search for the ports among those of the flows told,
 * IPv4's and IPv6's apart, then interface and addresses in full, as another flow must never be
 * taken for one. Fragments, extension headers and whatever is not understood are whole.
 *
 * A range is compared by the packet's first sequence number and the packet's length, headers
 * included, so it ends a header's length too early and never too late.
 */

#define PORTS_CELL 0
#define OFFSET_CELL 1

#define IPV4_FRAGMENT_OFFSET 6
#define IPV4_FRAGMENT_BITS 0x3fff
#define IPV4_SOURCE_OFFSET 12
#define IPV6_NEXT_HEADER_OFFSET 6
#define IPV6_SOURCE_OFFSET 8
#define IPV6_HEADER_LENGTH 40
#define TCP_SEQUENCE_OFFSET 4
#define TCP_LENGTH_OFFSET 12

#define MAPPED_OFFSET 12 /* of an IPv4 address in its mapped form */

#define LEAF_MAX 4
/* The tests of the packet's kind, the habit's rules, a leaf's end. */
#define FIXED_MAX 64
/* Of a flow: its place in the search and the tests of ports and interface; per address word; the
 * longest thing to do. */
#define FLOW_BASE 8
#define FLOW_WORD 2
#define FLOW_ACTION 9
/* A habit's action is a jump to the rules at the end, whose place is known last. */
#define TO_HABIT UINT32_MAX

#define LINE_END 0x0d0a

struct emitter {
    struct sock_filter *program;
    unsigned length;
    uint32_t whole;
    struct sock_filter others; /* what is done with a packet of no flow told */
};

static void emit(struct emitter *emitter, struct sock_filter instruction)
{
    emitter->program[emitter->length++] = instruction;
}

static uint32_t word_of(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static uint32_t ports_of(const struct plain_bytes *flow)
{
    return (uint32_t)flow->source.port << 16 | flow->destination.port;
}

static bool is_ipv4(const struct plain_bytes *flow)
{
    return address_is_ipv4(&flow->source.address);
}

int plain_filter_compare(const struct plain_bytes *a, const struct plain_bytes *b)
{
    if (is_ipv4(a) != is_ipv4(b)) {
        return is_ipv4(a) ? -1 : 1;
    }
    return (ports_of(a) > ports_of(b)) - (ports_of(a) < ports_of(b));
}

/* ---- what is done with a packet of a flow ---- */

static void emit_range(struct emitter *emitter, const struct plain_bytes *flow)
{
    emit(emitter, LOAD_WORD_AT(TCP_SEQUENCE_OFFSET));
    emit(emitter, COMPUTE(BPF_SUB, flow->sequence));
    emit(emitter, JUMP_IF(BPF_JGE, flow->length, 4, 0));
    emit(emitter, INDEX_TAKE());
    emit(emitter, LOAD_LENGTH());
    emit(emitter, ADD_INDEX());
    emit(emitter, JUMP_IF(BPF_JGT, flow->length, 0, 1));
    emit(emitter, RETURN(emitter->whole));
    emit(emitter, RETURN(PLAIN_FILTER_KEPT));
}

static void emit_action(struct emitter *emitter, const struct plain_bytes *flow)
{
    switch (flow->kind) {
    case PLAIN_NONE:
        emit(emitter, RETURN(emitter->whole));
        break;
    case PLAIN_RANGE:
        emit_range(emitter, flow);
        break;
    case PLAIN_ALL:
        emit(emitter, RETURN(PLAIN_FILTER_KEPT));
        break;
    case PLAIN_HABIT:
        emit(emitter, JUMP(TO_HABIT));
        break;
    }
}

/* A message's first segment has its head; the end of a line at the end of a segment is what chunked
 * bodies end with, and parts of a head. The index stands at the TCP header. */
static void emit_habit(struct emitter *emitter)
{
    static const char *const starts[] = {"HTTP", "GET ", "POST", "PUT ", "HEAD",
                                         "DELE", "PATC", "OPTI", "CONN", "TRAC"};
    const unsigned count = sizeof(starts) / sizeof(starts[0]);
    for (unsigned i = 0; i < emitter->length; i++) {
        struct sock_filter *instruction = &emitter->program[i];
        if (instruction->code == (BPF_JMP | BPF_JA) && instruction->k == TO_HABIT) {
            instruction->k = emitter->length - i - 1;
        }
    }
    emit(emitter, LOAD_BYTE_AT(TCP_LENGTH_OFFSET));
    emit(emitter, COMPUTE(BPF_AND, 0xf0));
    emit(emitter, COMPUTE(BPF_RSH, 2));
    emit(emitter, ADD_INDEX());
    emit(emitter, INDEX_TAKE());
    emit(emitter, LOAD_WORD_AT(0));
    for (unsigned i = 0; i < count; i++) {
        uint32_t start = word_of((const uint8_t *)starts[i]);
        emit(emitter, JUMP_IF(BPF_JEQ, start, count - i - 1, i + 1 < count ? 0 : 1));
    }
    emit(emitter, RETURN(PLAIN_FILTER_MESSAGE_KEPT));
    emit(emitter, LOAD_LENGTH());
    emit(emitter, COMPUTE(BPF_SUB, 2));
    emit(emitter, INDEX_TAKE());
    emit(emitter, LOAD_HALF_AT(0));
    emit(emitter, JUMP_IF(BPF_JEQ, LINE_END, 0, 1));
    emit(emitter, RETURN(emitter->whole));
    emit(emitter, RETURN(PLAIN_FILTER_KEPT));
}

/* ---- which flow it is ---- */

/* The distance to a place that was not known yet. */
static uint8_t distance(const struct emitter *emitter, unsigned from)
{
    return (uint8_t)(emitter->length - from - 1);
}

static void emit_flow(struct emitter *emitter, const struct plain_bytes *flow)
{
    unsigned tests[2 + 8];
    unsigned count = 0;
    bool ipv4 = is_ipv4(flow);
    const uint8_t *ends[] = {flow->source.address.bytes, flow->destination.address.bytes};
    emit(emitter, LOAD_CELL(PORTS_CELL));
    tests[count++] = emitter->length;
    emit(emitter, JUMP_IF(BPF_JEQ, ports_of(flow), 0, 0));
    emit(emitter, LOAD_AUXILIARY(SKF_AD_IFINDEX));
    tests[count++] = emitter->length;
    emit(emitter, JUMP_IF(BPF_JEQ, flow->interface, 0, 0));
    uint32_t offset = ipv4 ? IPV4_SOURCE_OFFSET : IPV6_SOURCE_OFFSET;
    for (unsigned end = 0; end < 2; end++) {
        for (unsigned i = ipv4 ? MAPPED_OFFSET : 0; i < sizeof(struct address); i += 4) {
            emit(emitter, LOAD_WORD(offset));
            tests[count++] = emitter->length;
            emit(emitter, JUMP_IF(BPF_JEQ, word_of(ends[end] + i), 0, 0));
            offset += 4;
        }
    }
    emit_action(emitter, flow);
    for (unsigned i = 0; i < count; i++) {
        emitter->program[tests[i]].jf = distance(emitter, tests[i]);
    }
}

static void emit_search(struct emitter *emitter, const struct plain_bytes *flows, size_t count)
{
    size_t half = count / 2;
    while (half < count && half > 0 && ports_of(&flows[half]) == ports_of(&flows[half - 1])) {
        half++; /* equal ports stay together */
    }
    if (count <= LEAF_MAX || half == count) {
        for (size_t i = 0; i < count; i++) {
            emit_flow(emitter, &flows[i]);
        }
        emit(emitter, emitter->others);
        return;
    }
    emit(emitter, LOAD_CELL(PORTS_CELL));
    emit(emitter, JUMP_IF(BPF_JGT, ports_of(&flows[half - 1]), 0, 1));
    unsigned to_upper = emitter->length;
    emit(emitter, JUMP(0));
    emit_search(emitter, flows, half);
    emitter->program[to_upper].k = emitter->length - to_upper - 1;
    emit_search(emitter, flows + half, count - half);
}

static void emit_ports(struct emitter *emitter)
{
    emit(emitter, LOAD_WORD_AT(0));
    emit(emitter, STORE_CELL(PORTS_CELL));
}

static void emit_ipv4(struct emitter *emitter, const struct plain_bytes *flows, size_t count)
{
    emit(emitter, LOAD_AUXILIARY(SKF_AD_PROTOCOL));
    emit(emitter, JUMP_IF(BPF_JEQ, ETH_P_IP, 1, 0));
    unsigned to_ipv6 = emitter->length;
    emit(emitter, JUMP(0));
    emit(emitter, LOAD_HALF(IPV4_FRAGMENT_OFFSET));
    emit(emitter, JUMP_IF(BPF_JSET, IPV4_FRAGMENT_BITS, 0, 1));
    emit(emitter, RETURN(emitter->whole));
    emit(emitter, INDEX_BEHIND_IPV4());
    emit_ports(emitter);
    emit_search(emitter, flows, count);
    emitter->program[to_ipv6].k = emitter->length - to_ipv6 - 1;
}

static void emit_ipv6(struct emitter *emitter, const struct plain_bytes *flows, size_t count)
{
    emit(emitter, LOAD_BYTE(IPV6_NEXT_HEADER_OFFSET));
    emit(emitter, JUMP_IF(BPF_JEQ, IPPROTO_TCP, 1, 0));
    emit(emitter, RETURN(emitter->whole));
    emit(emitter, INDEX_IS(IPV6_HEADER_LENGTH));
    emit_ports(emitter);
    emit_search(emitter, flows, count);
}

static unsigned cost_of(const struct plain_bytes *flow)
{
    unsigned words = is_ipv4(flow) ? 2 : 8;
    return FLOW_BASE + FLOW_WORD * words + FLOW_ACTION;
}

/* How many of the flows fit. */
static size_t fitting(const struct plain_bytes *flows, size_t count, unsigned room)
{
    room = room < PLAIN_FILTER_MAX ? room : PLAIN_FILTER_MAX;
    unsigned used = FIXED_MAX;
    size_t fits = 0;
    while (fits < count && used + cost_of(&flows[fits]) <= room) {
        used += cost_of(&flows[fits]);
        fits++;
    }
    return fits;
}

unsigned plain_filter_emit(struct sock_filter *program, unsigned room,
                           const struct plain_bytes *flows, size_t count,
                           const struct plain_filter_rest *rest)
{
    uint32_t whole = rest->whole;
    struct emitter emitter = {.program = program, .whole = whole, .others = RETURN(whole)};
    bool habit = rest->by_habit && room >= FIXED_MAX;
    if (habit) {
        emitter.others = JUMP(TO_HABIT);
    }
    count = fitting(flows, count, room);
    if (count == 0 && !habit) {
        emit(&emitter, RETURN(whole));
        return emitter.length;
    }
    size_t ipv4 = 0;
    while (ipv4 < count && is_ipv4(&flows[ipv4])) {
        ipv4++;
    }
    emit(&emitter, LOAD_LENGTH());
    emit(&emitter, JUMP_IF(BPF_JGT, PLAIN_PACKET_MIN, 1, 0));
    emit(&emitter, RETURN(whole));
    emit_ipv4(&emitter, flows, ipv4);
    emit_ipv6(&emitter, flows + ipv4, count - ipv4);
    for (size_t i = 0; i < count; i++) {
        habit = habit || flows[i].kind == PLAIN_HABIT;
    }
    if (habit) {
        emit_habit(&emitter);
    }
    return emitter.length;
}
