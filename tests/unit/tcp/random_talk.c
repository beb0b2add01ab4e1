#include "tests/unit/tcp/random_talk.h"

#include <stdlib.h>

/* One of the two hosts. */
struct host {
    uint32_t sent;     /* next new byte */
    uint32_t received; /* of the other's stream, its FIN included */
    bool fin_sent;
};

unsigned random_pick(struct random_talk *talk, unsigned choices)
{
    talk->random ^= talk->random >> 12;
    talk->random ^= talk->random << 25;
    talk->random ^= talk->random >> 27;
    return (unsigned)((talk->random * UINT64_C(0x2545F4914F6CDD1D)) >> 33) % choices;
}

static bool has_room(const struct random_talk *talk)
{
    return talk->count < RANDOM_PACKETS / 2;
}

static struct random_packet *send(struct random_talk *talk, const struct host *hosts, unsigned side,
                                  uint32_t at, uint32_t length)
{
    struct random_packet *packet = &talk->packets[talk->count++];
    *packet = (struct random_packet){
        .side = side, .at = at, .length = length, .ack = hosts[side].received, .has_ack = true};
    return packet;
}

static uint32_t pick_length(struct random_talk *talk, uint32_t left)
{
    static const unsigned most[] = {1, 8, 100, 100, 2500};
    uint32_t length = 1 + random_pick(talk, most[random_pick(talk, 5)]);
    return length < left ? length : left;
}

static void send_new(struct random_talk *talk, struct host *hosts, unsigned side)
{
    struct host *host = &hosts[side];
    uint32_t length = pick_length(talk, talk->length[side] - host->sent);
    struct random_packet *packet = send(talk, hosts, side, host->sent, length);
    host->sent += length;
    if (host->sent == talk->length[side] && random_pick(talk, 2) == 0) {
        packet->fin = true;
        host->fin_sent = true;
    }
}

/* Any cut of what was sent, with or without what the other side has got already. */
static void send_again(struct random_talk *talk, const struct host *hosts, unsigned side)
{
    const struct host *host = &hosts[side];
    uint32_t at = random_pick(talk, host->sent);
    uint32_t length = pick_length(talk, host->sent - at);
    struct random_packet *packet = send(talk, hosts, side, at, length);
    packet->fin = host->fin_sent && at + length == talk->length[side];
}

static void send_probe(struct random_talk *talk, const struct host *hosts, unsigned side)
{
    const struct host *host = &hosts[side];
    bool with_byte = host->sent > 0 && random_pick(talk, 2) == 0;
    send(talk, hosts, side, host->sent - 1, with_byte ? 1 : 0);
}

static void receive(struct random_talk *talk, struct host *hosts, unsigned side)
{
    const struct host *other = &hosts[1 - side];
    uint32_t there = other->sent + (other->fin_sent ? 1 : 0);
    uint32_t missing = there - hosts[side].received;
    if (missing > 0) {
        hosts[side].received +=
            random_pick(talk, 2) == 0 ? missing : random_pick(talk, missing) + 1;
    }
}

static void act(struct random_talk *talk, struct host *hosts, unsigned side)
{
    struct host *host = &hosts[side];
    unsigned action = random_pick(talk, 16);
    if (action < 6 && host->sent < talk->length[side]) {
        send_new(talk, hosts, side);
    } else if (action < 10) {
        receive(talk, hosts, side);
    } else if (action < 12) {
        send(talk, hosts, side, host->sent + (host->fin_sent ? 1 : 0), 0);
    } else if (action == 12 && host->sent > 0) {
        send_again(talk, hosts, side);
    } else if (action == 13 && !host->fin_sent) {
        send_probe(talk, hosts, side);
    } else if (action == 14 && host->sent == talk->length[side]) {
        send(talk, hosts, side, host->sent, 0)->fin = true;
        host->fin_sent = true;
    }
}

static void shake_hands(struct random_talk *talk, const struct host *hosts)
{
    struct random_packet *packet = send(talk, hosts, 0, 0, 0);
    packet->syn = true;
    packet->has_ack = false;
    packet = send(talk, hosts, 1, 0, 0);
    packet->syn = true;
    if (random_pick(talk, 4) != 0) {
        send(talk, hosts, 0, 0, 0);
    }
}

/* Both send what is left, and both acknowledge all of it. */
static void close_down(struct random_talk *talk, struct host *hosts)
{
    for (unsigned side = 0; side < 2; side++) {
        while (hosts[side].sent < talk->length[side] && has_room(talk)) {
            send_new(talk, hosts, side);
        }
        talk->length[side] = hosts[side].sent;
        if (!hosts[side].fin_sent) {
            send(talk, hosts, side, hosts[side].sent, 0)->fin = true;
            hosts[side].fin_sent = true;
        }
    }
    for (unsigned side = 0; side < 2; side++) {
        hosts[side].received = talk->length[1 - side] + 1;
        send(talk, hosts, side, talk->length[side] + 1, 0);
    }
}

static uint32_t pick_isn(struct random_talk *talk)
{
    uint32_t isn = random_pick(talk, 1u << 31) * 2 + random_pick(talk, 2);
    unsigned near = random_pick(talk, 3); /* wraps inside the stream, or changes its sign */
    if (near == 0) {
        return isn;
    }
    return (near == 1 ? 0 : UINT32_C(0x80000000)) - random_pick(talk, RANDOM_STREAM);
}

static uint32_t pick_stream(struct random_talk *talk)
{
    static const unsigned most[] = {1, 2, 50, 500, RANDOM_STREAM};
    return random_pick(talk, most[random_pick(talk, 5)] + 1);
}

void random_talk_make(struct random_talk *talk, uint64_t seed)
{
    talk->random = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
    talk->count = 0;
    talk->bytes = (uint64_t)random_pick(talk, 1u << 31) << 13;
    for (unsigned side = 0; side < 2; side++) {
        talk->isn[side] = pick_isn(talk);
        talk->length[side] = pick_stream(talk);
    }
    talk->handshake = random_pick(talk, 4) != 0;
    struct host hosts[2] = {0};
    if (talk->handshake) {
        shake_hands(talk, hosts);
    }
    unsigned steps = random_pick(talk, 200);
    while (steps-- > 0 && has_room(talk) && !(hosts[0].fin_sent && hosts[1].fin_sent)) {
        act(talk, hosts, random_pick(talk, 2));
    }
    close_down(talk, hosts);
}

/* ---- capturing ---- */

static int by_key(const void *a, const void *b)
{
    const struct random_packet *first = a;
    const struct random_packet *second = b;
    return (first->key > second->key) - (first->key < second->key);
}

static void lose_and_repeat(struct random_talk *talk, unsigned lost)
{
    static struct random_packet kept[RANDOM_PACKETS];
    unsigned count = 0;
    for (unsigned i = 0; i < talk->count && count + 1 < RANDOM_PACKETS; i++) {
        if (random_pick(talk, 1000) >= lost) {
            kept[count++] = talk->packets[i];
        }
        if (random_pick(talk, 16) == 0 && count > 0) {
            kept[count] = kept[random_pick(talk, count)];
            count++;
        }
    }
    talk->count = count;
    for (unsigned i = 0; i < count; i++) {
        talk->packets[i] = kept[i];
    }
}

void random_talk_capture(struct random_talk *talk, unsigned window, unsigned lost)
{
    talk->window = window;
    lose_and_repeat(talk, lost);
    for (unsigned i = 0; i < talk->count; i++) {
        uint64_t late = window == 0 ? 0 : random_pick(talk, window + 1);
        talk->packets[i].key = (i + late) * RANDOM_PACKETS + i;
    }
    qsort(talk->packets, talk->count, sizeof(talk->packets[0]), by_key);
}
