#pragma once

#include "agent/decode/decode.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Frames written by hand, field by field, and what decoding them gives. */

struct packet {
    uint8_t bytes[512];
    size_t length;
    uint32_t wire_length; /* 0: as long as what is written */
    enum frame_link link;
};

/* What every frame's TCP header says. */
#define SOURCE_PORT 40312
#define DESTINATION_PORT 8080
#define SEQUENCE 0x01020304u
#define ACKNOWLEDGMENT 0xf5f6f7f8u
#define TCP_HEADER_LENGTH 20

struct packet packet_begin(enum frame_link link);
void put_u8(struct packet *packet, uint8_t value);
void put_u16(struct packet *packet, uint16_t value);
void put_u32(struct packet *packet, uint32_t value);
void put_fill(struct packet *packet, uint8_t value, size_t count);
void put_text(struct packet *packet, const char *text);
void set_u16(struct packet *packet, size_t at, uint16_t value);

/* Headers of links. */
void put_ethernet(struct packet *packet, uint16_t type);
void put_vlan(struct packet *packet, uint16_t type);
void put_sll(struct packet *packet, uint16_t packet_type, uint16_t arphrd, uint16_t type);
void put_sll2(struct packet *packet, uint32_t ifindex, uint8_t packet_type, uint16_t arphrd,
              uint16_t type);

/* IP headers from 10.1.2.3 to 10.1.2.4, from 2001:db8::1 to 2001:db8::2. They return where they
 * begin; the end functions write the length of what follows into them. */
size_t put_ipv4(struct packet *packet, uint8_t protocol, size_t options_length);
void end_ipv4(struct packet *packet, size_t at);
size_t put_ipv6(struct packet *packet, uint8_t protocol);
void end_ipv6(struct packet *packet, size_t at);

/* A TCP header with PSH and ACK; the options are a multiple of four bytes. */
void put_tcp(struct packet *packet, size_t options_length);

/* IPv4 and IPv6 with a TCP segment of this payload. */
void put_ipv4_segment(struct packet *packet, const char *payload);
void put_ipv6_segment(struct packet *packet, const char *payload);

/* What decoding gave. */
struct decoded {
    enum decode_result result;
    struct segment segment;
    size_t payload_at; /* in the frame */
};

/* Decodes the first `captured` bytes from a buffer of exactly that size; checks that the
 * payload of a segment lies within the frame. */
struct decoded decode_cut(const struct packet *packet, size_t captured);
struct decoded decode_whole(const struct packet *packet);

/* Asserts a segment with the header of put_tcp and this payload. */
void assert_segment(const struct packet *packet, const char *payload);
void assert_result(const struct packet *packet, enum decode_result result);
