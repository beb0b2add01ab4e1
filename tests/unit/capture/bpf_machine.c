#include "bpf_machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>

#include <cmocka.h>

struct machine {
    const struct bpf_packet *packet;
    uint32_t accumulator;
    uint32_t index;
    uint32_t scratch[BPF_MEMWORDS];
    bool outside; /* a load past the end: the packet is rejected */
};

static uint32_t auxiliary(const struct bpf_packet *packet, uint32_t what)
{
    switch (what) {
    case SKF_AD_PROTOCOL:
        return packet->protocol;
    case SKF_AD_PKTTYPE:
        return packet->packet_type;
    case SKF_AD_IFINDEX:
        return packet->ifindex;
    default:
        fail_msg("auxiliary data %u", what);
        return 0;
    }
}

static uint32_t load(struct machine *machine, uint32_t offset, uint16_t size)
{
    const struct bpf_packet *packet = machine->packet;
    if (offset >= (uint32_t)SKF_AD_OFF) {
        return auxiliary(packet, offset - (uint32_t)SKF_AD_OFF);
    }
    uint32_t count = size == BPF_W ? 4 : size == BPF_H ? 2 : 1;
    if (offset > packet->length || packet->length - offset < count) {
        machine->outside = true;
        return 0;
    }
    uint32_t value = 0;
    for (uint32_t i = 0; i < count; i++) {
        value = value << 8 | packet->bytes[offset + i];
    }
    return value;
}

static void load_accumulator(struct machine *machine, const struct sock_filter *at)
{
    switch (BPF_MODE(at->code)) {
    case BPF_ABS:
        machine->accumulator = load(machine, at->k, BPF_SIZE(at->code));
        break;
    case BPF_IND:
        machine->accumulator = load(machine, machine->index + at->k, BPF_SIZE(at->code));
        break;
    case BPF_IMM:
        machine->accumulator = at->k;
        break;
    case BPF_LEN:
        machine->accumulator = machine->packet->length;
        break;
    case BPF_MEM:
        machine->accumulator = machine->scratch[at->k];
        break;
    default:
        fail_msg("load 0x%02x", at->code);
    }
}

static void load_index(struct machine *machine, const struct sock_filter *at)
{
    switch (BPF_MODE(at->code)) {
    case BPF_MSH:
        machine->index = 4 * (load(machine, at->k, BPF_B) & 0x0f);
        break;
    case BPF_IMM:
        machine->index = at->k;
        break;
    case BPF_MEM:
        machine->index = machine->scratch[at->k];
        break;
    default:
        fail_msg("load 0x%02x", at->code);
    }
}

static void compute(struct machine *machine, const struct sock_filter *at)
{
    uint32_t operand = BPF_SRC(at->code) == BPF_X ? machine->index : at->k;
    switch (BPF_OP(at->code)) {
    case BPF_ADD:
        machine->accumulator += operand;
        break;
    case BPF_SUB:
        machine->accumulator -= operand;
        break;
    case BPF_AND:
        machine->accumulator &= operand;
        break;
    case BPF_RSH:
        machine->accumulator >>= operand;
        break;
    case BPF_LSH:
        machine->accumulator <<= operand;
        break;
    default:
        fail_msg("operation 0x%02x", at->code);
    }
}

static uint32_t jump(const struct machine *machine, const struct sock_filter *at)
{
    uint32_t operand = BPF_SRC(at->code) == BPF_X ? machine->index : at->k;
    bool holds = false;
    switch (BPF_OP(at->code)) {
    case BPF_JA:
        return at->k;
    case BPF_JEQ:
        holds = machine->accumulator == operand;
        break;
    case BPF_JGT:
        holds = machine->accumulator > operand;
        break;
    case BPF_JGE:
        holds = machine->accumulator >= operand;
        break;
    case BPF_JSET:
        holds = (machine->accumulator & operand) != 0;
        break;
    default:
        fail_msg("jump 0x%02x", at->code);
    }
    return holds ? at->jt : at->jf;
}

uint32_t bpf_machine_run(const struct sock_fprog *program, const struct bpf_packet *packet)
{
    struct machine machine = {.packet = packet};
    for (uint32_t i = 0; i < program->len; i++) {
        const struct sock_filter *at = &program->filter[i];
        switch (BPF_CLASS(at->code)) {
        case BPF_LD:
            load_accumulator(&machine, at);
            break;
        case BPF_LDX:
            load_index(&machine, at);
            break;
        case BPF_ST:
            machine.scratch[at->k] = machine.accumulator;
            break;
        case BPF_STX:
            machine.scratch[at->k] = machine.index;
            break;
        case BPF_ALU:
            compute(&machine, at);
            break;
        case BPF_JMP:
            i += jump(&machine, at);
            break;
        case BPF_RET:
            return BPF_RVAL(at->code) == BPF_A ? machine.accumulator : at->k;
        default:
            machine.index = machine.accumulator;
            break;
        }
        if (machine.outside) {
            return 0;
        }
    }
    fail_msg("ran past the end");
    return 0;
}
