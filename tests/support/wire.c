#include "tests/support/wire.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_PORT 40000
#define SERVER_PORT 80
/* 2026-01-01T00:00:00Z */
#define FIRST_NS (INT64_C(1767225600) * 1000000000)
#define STEP_NS 1000
/* Of an Ethernet segment. */
#define DEFAULT_MSS 1448

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

void wire_init(struct wire *wire, unsigned number)
{
    static const uint8_t client[] = {10, 0, 0, 1};
    static const uint8_t server[] = {10, 0, 0, 2};
    *wire = (struct wire){.now_ns = FIRST_NS,
                          .step_ns = STEP_NS,
                          .interface = 1,
                          .snap = UINT32_MAX,
                          .mss = DEFAULT_MSS};
    wire->ends[WIRE_CLIENT].endpoint.address = address_from_ipv4(client);
    wire->ends[WIRE_CLIENT].endpoint.port = (uint16_t)(FIRST_PORT + number % 20000);
    wire->ends[WIRE_SERVER].endpoint.address = address_from_ipv4(server);
    wire->ends[WIRE_SERVER].endpoint.port = SERVER_PORT;
    wire->ends[WIRE_CLIENT].sequence = 1000 + number * 77777;
    wire->ends[WIRE_SERVER].sequence = 4000000000U + number * 99991;
    wire->ends[WIRE_CLIENT].arrived = wire->ends[WIRE_SERVER].sequence;
    wire->ends[WIRE_SERVER].arrived = wire->ends[WIRE_CLIENT].sequence;
    wire_land(wire);
}

void wire_fini(struct wire *wire)
{
    free(wire->packets);
    free(wire->bytes);
    *wire = (struct wire){0};
}

static size_t keep_bytes(struct wire *wire, const char *bytes, size_t length)
{
    size_t at = wire->length;
    if (wire->room - at < length) {
        wire->room = (at + length) * 2 + 4096;
        wire->bytes = realloc(wire->bytes, wire->room);
        require(wire->bytes != NULL);
    }
    if (length > 0) {
        memcpy(wire->bytes + at, bytes, length);
    }
    wire->length += length;
    return at;
}

static struct wire_packet *new_packet(struct wire *wire)
{
    if (wire->count == wire->capacity) {
        wire->capacity = wire->capacity * 2 + 64;
        wire->packets = realloc(wire->packets, wire->capacity * sizeof(*wire->packets));
        require(wire->packets != NULL);
    }
    return &wire->packets[wire->count++];
}

struct wire_packet *wire_packet(struct wire *wire, enum wire_end_name from, uint8_t flags,
                                const char *bytes, size_t length)
{
    struct wire_end *own = &wire->ends[from];
    struct wire_end *peer = &wire->ends[1 - from];
    uint32_t payload = (uint32_t)length;
    bool first = (flags & TCP_SYN) != 0 && from == WIRE_CLIENT;
    struct wire_packet *packet = new_packet(wire);
    *packet = (struct wire_packet){
        .segment = {.time_ns = wire->now_ns,
                    .source = own->endpoint,
                    .destination = peer->endpoint,
                    .interface = wire->interface,
                    .sequence = own->sequence,
                    .acknowledgment = first ? 0 : own->received,
                    .payload_length = payload,
                    .payload_captured = payload < wire->snap ? payload : wire->snap,
                    .flags = (uint8_t)(flags | (first ? 0 : TCP_ACK))},
        .at = keep_bytes(wire, bytes, length),
        .from = from};
    wire->now_ns += wire->step_ns;
    own->sequence += payload + ((flags & (TCP_SYN | TCP_FIN)) != 0 ? 1 : 0);
    peer->arrived = own->sequence;
    if (!wire->in_flight) {
        peer->received = peer->arrived;
    }
    return packet;
}

void wire_send(struct wire *wire, enum wire_end_name from, const char *bytes, size_t length)
{
    while (length > 0) {
        size_t part = length < wire->mss ? length : wire->mss;
        wire_packet(wire, from, TCP_PSH, bytes, part);
        bytes += part;
        length -= part;
    }
}

void wire_open(struct wire *wire)
{
    wire_packet(wire, WIRE_CLIENT, TCP_SYN, NULL, 0);
    wire_packet(wire, WIRE_SERVER, TCP_SYN, NULL, 0);
    wire_packet(wire, WIRE_CLIENT, 0, NULL, 0);
}

void wire_close(struct wire *wire, enum wire_end_name first)
{
    wire_land(wire);
    wire_packet(wire, first, TCP_FIN, NULL, 0);
    wire_packet(wire, 1 - first, TCP_FIN, NULL, 0);
    wire_packet(wire, first, 0, NULL, 0);
}

void wire_land(struct wire *wire)
{
    for (unsigned end = 0; end < WIRE_ENDS; end++) {
        wire->ends[end].received = wire->ends[end].arrived;
    }
}

void wire_lose(struct wire *wire, size_t index)
{
    wire->count--;
    memmove(wire->packets + index, wire->packets + index + 1,
            (wire->count - index) * sizeof(*wire->packets));
}

void wire_deliver(const struct wire *wire, const struct wire_packet *packet, struct tcp *tcp)
{
    struct segment segment = packet->segment;
    uint8_t *copy = malloc(segment.payload_captured + (segment.payload_captured == 0));
    require(copy != NULL);
    if (segment.payload_captured > 0) {
        memcpy(copy, wire->bytes + packet->at, segment.payload_captured);
    }
    segment.payload = copy;
    tcp_segment(tcp, &segment);
    free(copy);
}
