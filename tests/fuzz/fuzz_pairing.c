#include "tests/support/observer.h"
#include "tests/support/wire.h"

#include <stdlib.h>
#include <string.h>

/*
 * Two connections whose packets the input makes: each step is one byte that says what happens, and
 * for some of them more. Texts of HTTP come from a list, so that the fuzzer need not find them.
 * Whatever happens, every request that began ends, every record is given back, and no exchange
 * says what cannot be.
 */

#define WIRES 2
/* So few records and buffers, so short heads that their ends are met. */
#define MEMORY_BYTES 20000
#define HEAD_BYTES 600
#define STEP_LIMIT 4000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const texts[] = {
    "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n",
    "HEAD /2 HTTP/1.1\r\n\r\n",
    "POST /3 HTTP/1.1\r\nContent-Length: 10\r\n\r\n",
    "POST /4 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "PUT /5 HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
    "CONNECT a:1 HTTP/1.1\r\n\r\n",
    "GET /6 HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
    "HTTP/1.1 201 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 202 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.0 203 OK\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n",
    "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n",
    "HTTP/1.1 408 Timeout\r\nConnection: close\r\n\r\n",
    "5\r\n12345\r\n",
    "0\r\n\r\n",
    "1234567890",
    "GET /7 HTTP/1.1\r\nCookie: ",
    "\r\n\r\n",
};

enum action {
    SEND_TEXT,
    SEND_BYTES,
    SEND_PIECES,
    LOSE,
    LAND,
    BARE,
    REPEAT,
    WAIT,
    ACTIONS
};

struct play {
    const uint8_t *at;
    const uint8_t *end;
    struct observer *observer;
    struct wire wires[WIRES];
    size_t delivered[WIRES];
};

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static unsigned take(struct play *play)
{
    return play->at < play->end ? *play->at++ : 0;
}

static uint8_t touch(struct slice slice)
{
    uint8_t sum = 0;
    for (size_t i = 0; slice.data != NULL && i < slice.length; i++) {
        sum = (uint8_t)(sum + (uint8_t)slice.data[i]);
    }
    return sum;
}

static void check_exchange(void *context, const struct exchange *exchange)
{
    volatile uint8_t sum = 0;
    (void)context;
    sum =
        (uint8_t)(touch(exchange->method) + touch(exchange->target) + touch(exchange->route) +
                  touch(exchange->host) + touch(exchange->user_agent) + touch(exchange->trace_id));
    (void)sum;
    bool response_only = exchange->outcome == EXCHANGE_RESPONSE_ONLY;
    bool alone = response_only || exchange->outcome == EXCHANGE_REQUEST_ONLY;
    require((exchange->method.data == NULL) == response_only);
    require(exchange->status == EXCHANGE_STATUS_UNKNOWN || exchange->status == 101 ||
            (exchange->status >= 200 && exchange->status <= 999));
    require(exchange->status != EXCHANGE_STATUS_UNKNOWN ||
            exchange->response_start_ns == EXCHANGE_TIME_UNKNOWN);
    require(exchange->interim_count <= EXCHANGE_INTERIM_MAX);
    require(exchange->start_ns != EXCHANGE_TIME_UNKNOWN);
    require(alone || exchange->reason == EXCHANGE_REASON_NONE);
    require(!alone || exchange->reason != EXCHANGE_REASON_NONE);
    require(exchange->outcome != EXCHANGE_COMPLETE || exchange->status != EXCHANGE_STATUS_UNKNOWN);
}

static void deliver(struct play *play, unsigned number)
{
    struct wire *wire = &play->wires[number];
    for (; play->delivered[number] < wire->count; play->delivered[number]++) {
        wire_deliver(wire, &wire->packets[play->delivered[number]], play->observer->tcp);
    }
}

static void send_pieces(struct play *play, struct wire *wire, enum wire_end_name from)
{
    const char *text = texts[take(play) % (sizeof(texts) / sizeof(texts[0]))];
    wire->mss = 1 + take(play) % 16;
    wire_send(wire, from, text, strlen(text));
    wire->mss = 65535;
}

static void send_bytes(struct play *play, struct wire *wire, enum wire_end_name from)
{
    size_t length = take(play) % 64;
    size_t left = (size_t)(play->end - play->at);
    length = length < left ? length : left;
    wire_send(wire, from, (const char *)play->at, length);
    play->at += length;
}

/* A packet from before, captured again or late, perhaps cut short. */
static void repeat(struct play *play, const struct wire *wire)
{
    if (wire->count > 0) {
        struct wire_packet packet = wire->packets[take(play) % wire->count];
        uint32_t cut = take(play) % 64;
        if (packet.segment.payload_captured > cut) {
            packet.segment.payload_captured = cut;
        }
        wire_deliver(wire, &packet, play->observer->tcp);
    }
}

static void bare(struct play *play, struct wire *wire, enum wire_end_name from)
{
    static const uint8_t flags[] = {0, TCP_FIN, TCP_RST, TCP_SYN};
    wire_packet(wire, from, flags[take(play) % sizeof(flags)], NULL, 0);
}

static void pass_time(struct play *play, struct wire *wire)
{
    static const int64_t steps[] = {1000, 1000000000, INT64_C(301) * 1000000000, -5000};
    int64_t step = steps[take(play) % (sizeof(steps) / sizeof(steps[0]))];
    wire->now_ns += step;
    tcp_tick(play->observer->tcp, wire->now_ns);
    pairing_tick(play->observer->pairing, wire->now_ns);
}

static void do_step(struct play *play)
{
    unsigned step = take(play);
    unsigned number = step & 1;
    enum wire_end_name from = (step & 2) == 0 ? WIRE_CLIENT : WIRE_SERVER;
    struct wire *wire = &play->wires[number];
    wire->in_flight = (step & 4) != 0;
    switch ((enum action)(step >> 3 & 7)) {
    case SEND_TEXT:
    case LOSE: {
        const char *text = texts[take(play) % (sizeof(texts) / sizeof(texts[0]))];
        wire_send(wire, from, text, strlen(text));
        break;
    }
    case SEND_BYTES:
        send_bytes(play, wire, from);
        break;
    case SEND_PIECES:
        send_pieces(play, wire, from);
        break;
    case LAND:
        wire_land(wire);
        break;
    case BARE:
        bare(play, wire, from);
        break;
    case REPEAT:
        repeat(play, wire);
        break;
    case WAIT:
        pass_time(play, wire);
        break;
    case ACTIONS:
        break;
    }
    wire->in_flight = false;
    if ((enum action)(step >> 3 & 7) == LOSE) {
        play->delivered[number] = wire->count;
    } else if ((step & 128) == 0) { /* else captured with what comes next */
        deliver(play, number);
    }
}

static struct observer *new_observer(void)
{
    struct observer_options options = {.memory_bytes = MEMORY_BYTES,
                                       .max_head_bytes = HEAD_BYTES,
                                       .max_target_bytes = 100,
                                       .max_flows = 4,
                                       .reorder_packets = 4};
    struct observer *observer = malloc(sizeof(*observer));
    require(observer != NULL);
    observer_init(observer, &options);
    observer->exchange = check_exchange;
    return observer;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct play play;
    static struct observer *observer;
    if (observer == NULL) {
        observer = new_observer();
    }
    play = (struct play){.at = data, .end = data + size, .observer = observer};
    observer_reset(observer);
    unsigned options = take(&play);
    for (unsigned i = 0; i < WIRES; i++) {
        wire_init(&play.wires[i], i);
        play.wires[i].mss = 65535;
        if ((options >> i & 1) == 0) {
            wire_open(&play.wires[i]);
            deliver(&play, i);
        }
    }
    for (unsigned step = 0; step < STEP_LIMIT && play.at < play.end; step++) {
        do_step(&play);
    }
    for (unsigned i = 0; i < WIRES; i++) {
        deliver(&play, i);
        wire_fini(&play.wires[i]);
    }
    tcp_finish(observer->tcp);
    require(observer_leak(observer) == NULL);
    return 0;
}
