#include "agent/capture/pcapng_reader.h"

#include "agent/capture/link_type.h"

#include <stdlib.h>

/*
 * Every block is type, total length, body, total length again. A block that means something is
 * peeked whole before its body is read, so all offsets below are checked against one length; the
 * second length must equal the first, or what follows is not to be trusted. Blocks of other types
 * are passed over whatever their size.
 */

enum block_type {
    BLOCK_SECTION = 0x0a0d0d0a, /* the same in both byte orders */
    BLOCK_INTERFACE = 1,
    BLOCK_PACKET = 2, /* obsolete */
    BLOCK_SIMPLE_PACKET = 3,
    BLOCK_ENHANCED_PACKET = 6,
};

#define BYTE_ORDER_MAGIC 0x1a2b3c4dU
#define BLOCK_HEADER_SIZE 8 /* type and length */
#define BLOCK_OVERHEAD 12   /* and the second length */
#define SECTION_VERSION 1
#define DEFAULT_RESOLUTION 6 /* microseconds */

/* Far above any real section, far below what would hurt: 24 bytes each. */
#define INTERFACES_MAX 65536

/* Numbers made of names have this bit, plain indexes do not, so they never meet. */
#define NAMED_INTERFACE 0x80000000U

enum option_code {
    OPTION_END = 0,
    OPTION_NAME = 2,
    OPTION_RESOLUTION = 9,
    OPTION_OFFSET = 14
};

struct pcapng_interface {
    int64_t offset_seconds;
    uint32_t number;
    uint32_t snap_length; /* 0: none */
    enum frame_link link;
    uint64_t per_second; /* ticks, when if_tsresol is a power of 10 */
    uint64_t unit_ns;    /* of such a tick; 0 when it is less than one */
    uint8_t binary_bits; /* a tick is 2^-bits seconds; 0: it is a power of 10 */
};

/* One block, or the rest of one: all multi-byte fields are the section's byte order. */
struct block {
    const uint8_t *at;
    uint32_t left;
    bool swapped;
};

static uint32_t block_u32(const struct block *body, uint32_t offset)
{
    return record_u32(body->at + offset, body->swapped);
}

static uint16_t block_u16(const struct block *body, uint32_t offset)
{
    return record_u16(body->at + offset, body->swapped);
}

static uint64_t block_u64(const struct block *body, uint32_t offset)
{
    uint64_t first = block_u32(body, offset);
    uint64_t second = block_u32(body, offset + 4);
    bool big_endian = body->swapped == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
    return big_endian ? first << 32 | second : second << 32 | first;
}

static enum record_status damaged(struct pcapng_reader *reader, const char *how)
{
    reader->damage = how;
    return RECORD_DAMAGED;
}

/* FNV-1a. */
static uint32_t number_of_name(const uint8_t *name, uint32_t length)
{
    uint32_t hash = 2166136261U;
    for (uint32_t i = 0; i < length && name[i] != '\0'; i++) {
        hash = (hash ^ name[i]) * 16777619U;
    }
    return hash | NAMED_INTERFACE;
}

/* if_tsresol: a negative power of 10, or of 2 with the top bit set. Ticks too fine for 64 bits to
 * hold a second of them are read as the finest that do. */
static void set_resolution(struct pcapng_interface *interface, uint8_t resolution)
{
    unsigned exponent = resolution & 0x7fU;
    if (resolution > 0x80) {
        interface->binary_bits = (uint8_t)(exponent > 63 ? 63 : exponent);
        return;
    }
    interface->binary_bits = 0;
    interface->per_second = 1;
    interface->unit_ns = 1000000000;
    for (unsigned i = 0; i < exponent && i < 19; i++) {
        interface->per_second *= 10;
        interface->unit_ns /= 10;
    }
}

static void apply_option(struct pcapng_interface *interface, enum option_code code,
                         const struct block *value)
{
    if (code == OPTION_NAME && value->left > 0) {
        interface->number = number_of_name(value->at, value->left);
    } else if (code == OPTION_RESOLUTION && value->left >= 1) {
        set_resolution(interface, value->at[0]);
    } else if (code == OPTION_OFFSET && value->left >= 8) {
        interface->offset_seconds = (int64_t)block_u64(value, 0);
    }
}

static bool read_options(struct block *body, struct pcapng_interface *interface)
{
    while (body->left >= 4) {
        uint16_t code = block_u16(body, 0);
        uint16_t length = block_u16(body, 2);
        uint32_t padded = 4 + (((uint32_t)length + 3) & ~3U);
        if (code == OPTION_END) {
            return true;
        }
        if (padded > body->left) {
            return false;
        }
        struct block value = {body->at + 4, length, body->swapped};
        apply_option(interface, (enum option_code)code, &value);
        body->at += padded;
        body->left -= padded;
    }
    return true;
}

static bool room_for_interface(struct pcapng_reader *reader)
{
    if (reader->interface_count < reader->interface_capacity) {
        return true;
    }
    uint32_t capacity = reader->interface_capacity == 0 ? 8 : 2 * reader->interface_capacity;
    struct pcapng_interface *grown =
        capacity > INTERFACES_MAX
            ? NULL
            : realloc(reader->interfaces, capacity * sizeof(*reader->interfaces));
    if (grown == NULL) {
        return false;
    }
    reader->interfaces = grown;
    reader->interface_capacity = capacity;
    return true;
}

static enum record_status read_interface(struct pcapng_reader *reader, struct block *body)
{
    if (body->left < 8) {
        return damaged(reader, "an interface description that is too short");
    }
    if (!room_for_interface(reader)) {
        return damaged(reader, "more interfaces than can be kept");
    }
    struct pcapng_interface interface = {.number = reader->interface_count,
                                         .link = link_type_map(block_u16(body, 0)),
                                         .snap_length = block_u32(body, 4)};
    set_resolution(&interface, DEFAULT_RESOLUTION);
    body->at += 8;
    body->left -= 8;
    if (!read_options(body, &interface)) {
        return damaged(reader, "an option of an interface longer than its block");
    }
    reader->interfaces[reader->interface_count++] = interface;
    return RECORD_END;
}

/* The part of a second that remains of ticks of 2^-bits seconds; `bits` is 1 to 63. */
static uint64_t binary_fraction_ns(uint64_t ticks, unsigned bits)
{
    uint64_t fraction = ticks & (UINT64_MAX >> (64 - bits));
    if (bits > 32) {
        fraction >>= bits - 32;
        bits = 32;
    }
    return fraction * 1000000000 >> bits;
}

static void split_time(const struct pcapng_interface *interface, uint64_t ticks,
                       uint64_t *seconds_out, uint64_t *nanoseconds_out)
{
    if (interface->binary_bits != 0) {
        *seconds_out = ticks >> interface->binary_bits;
        *nanoseconds_out = binary_fraction_ns(ticks, interface->binary_bits);
        return;
    }
    uint64_t fraction = ticks % interface->per_second;
    *seconds_out = ticks / interface->per_second;
    *nanoseconds_out = interface->unit_ns > 0 ? fraction * interface->unit_ns
                                              : fraction / (interface->per_second / 1000000000);
}

static int64_t time_of(const struct pcapng_interface *interface, uint64_t ticks)
{
    uint64_t seconds;
    uint64_t nanoseconds;
    split_time(interface, ticks, &seconds, &nanoseconds);
    int64_t time;
    if (seconds > INT64_MAX ||
        __builtin_add_overflow((int64_t)seconds, interface->offset_seconds, &time) ||
        __builtin_mul_overflow(time, 1000000000, &time) ||
        __builtin_add_overflow(time, (int64_t)nanoseconds, &time) || time > RECORD_TIME_MAX) {
        return RECORD_TIME_MAX;
    }
    return time < 0 ? 0 : time;
}

/* Enhanced and obsolete packets differ only in how wide the interface is. */
static enum record_status read_packet(struct pcapng_reader *reader, const struct block *body,
                                      bool obsolete, struct frame *frame_out)
{
    if (body->left < 20) {
        return damaged(reader, "a packet block that is too short");
    }
    uint32_t index = obsolete ? block_u16(body, 0) : block_u32(body, 0);
    uint32_t captured = block_u32(body, 12);
    uint32_t wire = block_u32(body, 16);
    if (index >= reader->interface_count) {
        return damaged(reader, "a packet of an interface that is not described");
    }
    if (captured > body->left - 20 || captured > RECORD_CAPTURED_MAX) {
        return damaged(reader, "a packet longer than its block");
    }
    const struct pcapng_interface *interface = &reader->interfaces[index];
    uint64_t ticks = (uint64_t)block_u32(body, 4) << 32 | block_u32(body, 8);
    *frame_out = (struct frame){.bytes = body->at + 20,
                                .captured_length = captured,
                                .wire_length = wire < captured ? captured : wire,
                                .time_ns = time_of(interface, ticks),
                                .interface = interface->number,
                                .link = interface->link};
    reader->latest_ns = frame_out->time_ns;
    return RECORD_FRAME;
}

/* Only a length: the packet is the section's first interface's and has no time. */
static enum record_status read_simple_packet(struct pcapng_reader *reader, const struct block *body,
                                             struct frame *frame_out)
{
    if (body->left < 4) {
        return damaged(reader, "a packet block that is too short");
    }
    if (reader->interface_count == 0) {
        return damaged(reader, "a packet of an interface that is not described");
    }
    const struct pcapng_interface *interface = &reader->interfaces[0];
    uint32_t wire = block_u32(body, 0);
    uint32_t captured = wire;
    if (interface->snap_length != 0 && captured > interface->snap_length) {
        captured = interface->snap_length;
    }
    if (captured > body->left - 4 || captured > RECORD_CAPTURED_MAX) {
        return damaged(reader, "a packet longer than its block");
    }
    *frame_out = (struct frame){.bytes = body->at + 4,
                                .captured_length = captured,
                                .wire_length = wire,
                                .time_ns = reader->latest_ns,
                                .interface = interface->number,
                                .link = interface->link,
                                .untimed = true};
    return RECORD_FRAME;
}

static enum record_status read_section(struct pcapng_reader *reader, const struct block *body)
{
    if (body->left < 16 || block_u16(body, 4) != SECTION_VERSION) {
        return damaged(reader, "pcapng of a version other than 1");
    }
    reader->interface_count = 0;
    return RECORD_END;
}

/* RECORD_END: the block was no packet. */
static enum record_status read_block(struct pcapng_reader *reader, enum block_type type,
                                     struct block *body, struct frame *frame_out)
{
    switch (type) {
    case BLOCK_SECTION:
        return read_section(reader, body);
    case BLOCK_INTERFACE:
        return read_interface(reader, body);
    case BLOCK_PACKET:
    case BLOCK_ENHANCED_PACKET:
        return read_packet(reader, body, type == BLOCK_PACKET, frame_out);
    case BLOCK_SIMPLE_PACKET:
        return read_simple_packet(reader, body, frame_out);
    }
    return RECORD_END;
}

/* Takes the byte order of a section from its magic. */
static bool learn_byte_order(const uint8_t *block, bool *swapped_out)
{
    for (int swapped = 0; swapped < 2; swapped++) {
        if (record_u32(block + 8, swapped != 0) == BYTE_ORDER_MAGIC) {
            *swapped_out = swapped != 0;
            return true;
        }
    }
    return false;
}

/* Passes over a block that is longer than the buffer. */
static enum record_status pass_over(struct pcapng_reader *reader, struct byte_source *source,
                                    uint32_t length)
{
    if (!byte_source_discard(source, length - 4)) {
        return RECORD_TRUNCATED;
    }
    const uint8_t *trailer = byte_source_peek(source, 4);
    if (trailer == NULL) {
        return RECORD_TRUNCATED;
    }
    if (record_u32(trailer, reader->swapped) != length) {
        return damaged(reader, "a block whose two lengths differ");
    }
    reader->pending = 4;
    return RECORD_END;
}

static bool means_something(enum block_type type)
{
    switch (type) {
    case BLOCK_SECTION:
    case BLOCK_INTERFACE:
    case BLOCK_PACKET:
    case BLOCK_SIMPLE_PACKET:
    case BLOCK_ENHANCED_PACKET:
        return true;
    }
    return false;
}

static enum record_status next_block(struct pcapng_reader *reader, struct byte_source *source,
                                     struct frame *frame_out)
{
    const uint8_t *block = byte_source_peek(source, BLOCK_OVERHEAD);
    if (block == NULL) {
        return RECORD_TRUNCATED;
    }
    enum block_type type = (enum block_type)record_u32(block, reader->swapped);
    if (type == BLOCK_SECTION && !learn_byte_order(block, &reader->swapped)) {
        return damaged(reader, "a section of no known byte order");
    }
    uint32_t length = record_u32(block + 4, reader->swapped);
    if (length < BLOCK_OVERHEAD || length % 4 != 0) {
        return damaged(reader, "a block of an impossible length");
    }
    if (length > BYTE_SOURCE_PEEK_MAX) {
        return means_something(type) ? damaged(reader, "a block longer than any packet")
                                     : pass_over(reader, source, length);
    }
    block = byte_source_peek(source, length);
    if (block == NULL) {
        return RECORD_TRUNCATED;
    }
    if (record_u32(block + length - 4, reader->swapped) != length) {
        return damaged(reader, "a block whose two lengths differ");
    }
    reader->pending = length;
    struct block body = {block + BLOCK_HEADER_SIZE, length - BLOCK_OVERHEAD, reader->swapped};
    return read_block(reader, type, &body, frame_out);
}

enum record_status pcapng_reader_next(struct pcapng_reader *reader, struct byte_source *source,
                                      struct frame *frame_out)
{
    enum record_status status;
    do {
        byte_source_skip(source, reader->pending);
        reader->pending = 0;
        if (byte_source_peek(source, 1) == NULL) {
            return RECORD_END;
        }
        status = next_block(reader, source, frame_out);
    } while (status == RECORD_END);
    return status;
}

bool pcapng_reader_recognises(const uint8_t bytes[static 12])
{
    bool swapped;
    return record_u32(bytes, false) == BLOCK_SECTION && learn_byte_order(bytes, &swapped);
}

void pcapng_reader_init(struct pcapng_reader *reader)
{
    *reader = (struct pcapng_reader){0};
}

void pcapng_reader_fini(struct pcapng_reader *reader)
{
    free(reader->interfaces);
    *reader = (struct pcapng_reader){0};
}
