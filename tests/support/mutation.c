#include "tests/support/mutation.h"

#include <stdlib.h>
#include <string.h>

static struct wire copy_without_packets(const struct wire *wire)
{
    struct wire copy = *wire;
    copy.packets = malloc((wire->count + 1) * sizeof(*copy.packets));
    copy.capacity = wire->count + 1;
    copy.count = 0;
    copy.room = wire->length + 1;
    copy.bytes = malloc(copy.room);
    if (copy.packets == NULL || copy.bytes == NULL) {
        abort();
    }
    if (wire->length > 0) {
        memcpy(copy.bytes, wire->bytes, wire->length);
    }
    return copy;
}

static void append(struct wire *wire, const struct wire_packet *packet)
{
    if (wire->count == wire->capacity) {
        wire->capacity *= 2;
        wire->packets = realloc(wire->packets, wire->capacity * sizeof(*wire->packets));
        if (wire->packets == NULL) {
            abort();
        }
    }
    wire->packets[wire->count++] = *packet;
}

/* Bytes `at` to `end` of a packet as a packet of its own; FIN goes with the last. */
static struct wire_packet part_of(const struct wire_packet *whole, uint32_t at, uint32_t end)
{
    struct wire_packet part = *whole;
    part.at += at;
    part.segment.sequence += at;
    part.segment.payload_length = end - at;
    part.segment.payload_captured = end - at;
    if (end < whole->segment.payload_length) {
        part.segment.flags &= (uint8_t)~TCP_FIN;
    }
    return part;
}

struct wire mutation_cut(const struct wire *wire, size_t size, struct random_source *random)
{
    struct wire copy = copy_without_packets(wire);
    for (size_t i = 0; i < wire->count; i++) {
        const struct wire_packet *packet = &wire->packets[i];
        uint32_t length = packet->segment.payload_length;
        uint32_t at = 0;
        do {
            uint32_t left = length - at;
            uint32_t step = size != 0 ? (uint32_t)size : 1 + random_below(random, left + 1);
            struct wire_packet part = part_of(packet, at, at + (step < left ? step : left));
            append(&copy, &part);
            at += part.segment.payload_length;
        } while (at < length);
    }
    return copy;
}

struct wire mutation_cut_one(const struct wire *wire, size_t index, size_t at)
{
    struct wire copy = copy_without_packets(wire);
    for (size_t i = 0; i < wire->count; i++) {
        const struct wire_packet *packet = &wire->packets[i];
        uint32_t length = packet->segment.payload_length;
        if (i == index) {
            struct wire_packet front = part_of(packet, 0, (uint32_t)at);
            struct wire_packet back = part_of(packet, (uint32_t)at, length);
            append(&copy, &front);
            append(&copy, &back);
        } else {
            append(&copy, packet);
        }
    }
    return copy;
}

/* The packet with the bytes of its predecessors from the same end in front, as a retransmission in
 * larger pieces has them. */
static void append_overlapping(struct wire *copy, const struct wire *wire, size_t index)
{
    const struct wire_packet *packet = &wire->packets[index];
    size_t before = index;
    while (before > 0 && wire->packets[before - 1].from != packet->from) {
        before--;
    }
    if (before == 0 || wire->packets[before - 1].segment.payload_length == 0) {
        append(copy, packet);
        return;
    }
    const struct wire_packet *older = &wire->packets[before - 1];
    uint32_t first = older->segment.payload_length;
    uint32_t second = packet->segment.payload_length;
    struct wire_packet both = *packet;
    both.segment.sequence = older->segment.sequence;
    both.segment.payload_length = first + second;
    both.segment.payload_captured = first + second;
    both.at = copy->length;
    copy->room = copy->length + first + second;
    copy->bytes = realloc(copy->bytes, copy->room);
    if (copy->bytes == NULL) {
        abort();
    }
    memcpy(copy->bytes + both.at, wire->bytes + older->at, first);
    memcpy(copy->bytes + both.at + first, wire->bytes + packet->at, second);
    copy->length = copy->room;
    append(copy, &both);
}

struct wire mutation_repeat(const struct wire *wire, double percent, struct random_source *random)
{
    struct wire copy = copy_without_packets(wire);
    for (size_t i = 0; i < wire->count; i++) {
        append(&copy, &wire->packets[i]);
        if (random_chance(random, percent)) {
            append(&copy, &wire->packets[random_below(random, (uint32_t)i + 1)]);
        }
    }
    return copy;
}

struct wire mutation_overlap(const struct wire *wire, double percent, struct random_source *random)
{
    struct wire copy = copy_without_packets(wire);
    for (size_t i = 0; i < wire->count; i++) {
        if (wire->packets[i].segment.payload_length > 0 && random_chance(random, percent)) {
            append_overlapping(&copy, wire, i);
        } else {
            append(&copy, &wire->packets[i]);
        }
    }
    return copy;
}

void mutation_reorder(struct wire *wire, unsigned window, struct random_source *random)
{
    struct place {
        uint64_t key;
        struct wire_packet packet;
    };
    struct place *places = malloc((wire->count + 1) * sizeof(*places));
    if (places == NULL) {
        abort();
    }
    for (size_t i = 0; i < wire->count; i++) {
        uint64_t key = i + random_below(random, window + 1);
        size_t at = i; /* stable, and nearly sorted: insertion is enough */
        for (; at > 0 && places[at - 1].key > key; at--) {
            places[at] = places[at - 1];
        }
        places[at] = (struct place){key, wire->packets[i]};
    }
    for (size_t i = 0; i < wire->count; i++) {
        wire->packets[i] = places[i].packet;
    }
    free(places);
}
