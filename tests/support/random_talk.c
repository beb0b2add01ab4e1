#include "tests/support/random_talk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX 4000
#define TEXT_SIZE 32768
/* Statuses repeat after so many exchanges, more than a wrong pair is ever apart. */
#define STATUSES 797
#define STATUS_FIRST 200
#define STATUS_NO_CONTENT 204
#define STATUS_NOT_MODIFIED 304

/* ---- numbers ---- */

struct random_source random_from(uint64_t seed)
{
    return (struct random_source){seed};
}

uint64_t random_number(struct random_source *source)
{
    uint64_t z = source->state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint32_t random_below(struct random_source *source, uint32_t limit)
{
    return (uint32_t)(random_number(source) >> 32) % limit;
}

bool random_chance(struct random_source *source, double percent)
{
    return (double)(random_number(source) >> 11) * 0x1p-53 * 100 < percent;
}

/* ---- sending ---- */

struct text {
    size_t length;
    char bytes[TEXT_SIZE];
};

static void add(struct text *text, const char *bytes, size_t length)
{
    if (length > sizeof(text->bytes) - text->length) {
        abort();
    }
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

static void add_string(struct text *text, const char *string)
{
    add(text, string, strlen(string));
}

static bool chance(struct talk *talk, double percent)
{
    return random_chance(talk->random, percent);
}

static uint32_t below(struct talk *talk, uint32_t limit)
{
    return random_below(talk->random, limit);
}

/* Returns the range of packets that it took. */
static void send_text(struct talk *talk, enum wire_end_name from, const struct text *text,
                      size_t range_out[2])
{
    struct wire *wire = &talk->wire;
    wire->in_flight = talk->flies && talk->server_flies == (from == WIRE_SERVER);
    range_out[0] = wire->count;
    wire_send(wire, from, text->bytes, text->length);
    range_out[1] = wire->count - 1;
    wire->in_flight = false;
}

/* What is in flight arrives, and may be acknowledged at once. */
static void land(struct talk *talk, enum wire_end_name at)
{
    bool news = talk->wire.ends[at].received != talk->wire.ends[at].arrived;
    talk->wire.ends[at].received = talk->wire.ends[at].arrived;
    if (chance(talk, news ? 80 : 30)) {
        wire_packet(&talk->wire, at, 0, NULL, 0);
    }
}

/* ---- bodies ---- */

static uint32_t random_size(struct talk *talk)
{
    if (chance(talk, 20)) {
        return 0;
    }
    return chance(talk, 70) ? below(talk, 200) : below(talk, BODY_MAX);
}

/* Some look like messages: what a parser that lost its way must not fall for. */
static void add_content(struct talk *talk, struct text *text, size_t length)
{
    static const char request[] = "GET /quoted HTTP/1.1\r\nHost: q\r\n\r\n";
    static const char response[] = "HTTP/1.1 299 Quoted\r\nContent-Length: 0\r\n\r\n0\r\n\r\n";
    bool quotes = chance(talk, 2);
    const char *quote = chance(talk, 50) ? request : response;
    size_t size = strlen(quote);
    for (size_t at = 0; at < length; at++) {
        char letter = (char)('a' + at % 26);
        add(text, quotes ? &quote[at % size] : &letter, 1);
    }
}

static void add_chunked(struct talk *talk, struct text *text, size_t length)
{
    char line[32];
    while (length > 0) {
        size_t part = 1 + below(talk, (uint32_t)length);
        snprintf(line, sizeof(line), "%zx%s\r\n", part, chance(talk, 10) ? ";a=b" : "");
        add_string(text, line);
        add_content(talk, text, part);
        add_string(text, "\r\n");
        length -= part;
    }
    add_string(text, chance(talk, 20) ? "0\r\nTrailer: x\r\n\r\n" : "0\r\n\r\n");
}

/* ---- requests ---- */

enum request_shape {
    PLAIN,
    HEAD,
    WITH_LENGTH,
    CHUNKED,
    EXPECTING,
    SHAPES
};

static void add_request_head(struct talk *talk, struct text *text,
                             const struct talk_exchange *exchange, enum request_shape shape)
{
    static const char *const methods[SHAPES] = {"GET", "HEAD", "POST", "PUT", "POST"};
    char line[160];
    snprintf(line, sizeof(line), "%s /r/%u HTTP/1.1\r\nHost: a\r\n", methods[shape], exchange->id);
    add_string(text, line);
    if (chance(talk, 20)) {
        add_string(text, "Cookie: ");
        for (unsigned i = below(talk, 900); i > 0; i--) {
            add_string(text, "c");
        }
        add_string(text, "\r\n");
    }
    if (shape == CHUNKED) {
        add_string(text, "Transfer-Encoding: chunked\r\n");
    } else if (shape == WITH_LENGTH || shape == EXPECTING) {
        snprintf(line, sizeof(line), "Content-Length: %" PRIu64 "\r\n", exchange->request_body);
        add_string(text, line);
    }
    add_string(text, shape == EXPECTING ? "Expect: 100-continue\r\n\r\n" : "\r\n");
}

static void add_request_body(struct talk *talk, struct text *text,
                             const struct talk_exchange *exchange, enum request_shape shape)
{
    if (shape == CHUNKED) {
        add_chunked(talk, text, exchange->request_body);
    } else {
        add_content(talk, text, exchange->request_body);
    }
}

static struct talk_exchange *new_exchange(struct talk *talk)
{
    if (talk->count == TALK_EXCHANGES_MAX) {
        abort();
    }
    struct talk_exchange *exchange = &talk->exchanges[talk->count];
    *exchange = (struct talk_exchange){.id = (unsigned)(talk->first_id + talk->count)};
    exchange->status = STATUS_FIRST + exchange->id % STATUSES;
    talk->count++;
    return exchange;
}

static void send_interim(struct talk *talk, struct talk_exchange *exchange, unsigned status)
{
    static struct text text;
    char line[64];
    size_t range[2];
    text.length = 0;
    snprintf(line, sizeof(line), "HTTP/1.1 %u Interim\r\n\r\n", status);
    add_string(&text, line);
    send_text(talk, WIRE_SERVER, &text, range);
    exchange->interims++;
}

/* Of a client that pipelines: any number in one piece. */
static void ask_together(struct talk *talk, unsigned count)
{
    static struct text all;
    static struct text one;
    size_t at[TALK_EXCHANGES_MAX];
    size_t range[2];
    unsigned first = talk->count;
    all.length = 0;
    for (unsigned i = 0; i < count; i++) {
        struct talk_exchange *exchange = new_exchange(talk);
        enum request_shape shape =
            chance(talk, 60) ? PLAIN : (enum request_shape)below(talk, EXPECTING);
        exchange->is_head = shape == HEAD;
        exchange->request_body = shape == PLAIN || shape == HEAD ? 0 : below(talk, 100);
        one.length = 0;
        add_request_head(talk, &one, exchange, shape);
        exchange->request_head_bytes = one.length;
        add_request_body(talk, &one, exchange, shape);
        at[i] = all.length;
        add(&all, one.bytes, one.length);
    }
    send_text(talk, WIRE_CLIENT, &all, range);
    for (unsigned i = 0; i < count; i++) {
        struct talk_exchange *exchange = &talk->exchanges[first + i];
        exchange->request_head[0] = range[0] + at[i] / talk->wire.mss;
        exchange->request_head[1] =
            range[0] + (at[i] + exchange->request_head_bytes - 1) / talk->wire.mss;
    }
}

/* ---- responses ---- */

static bool has_body(const struct talk_exchange *exchange)
{
    return !exchange->is_head && exchange->status != STATUS_NO_CONTENT &&
           exchange->status != STATUS_NOT_MODIFIED;
}

static size_t add_response(struct talk *talk, struct text *text, struct talk_exchange *exchange)
{
    char line[96];
    size_t start = text->length;
    uint64_t size = random_size(talk);
    bool chunked = chance(talk, 30);
    snprintf(line, sizeof(line), "HTTP/1.1 %u Answer\r\nServer: s\r\n", exchange->status);
    add_string(text, line);
    snprintf(line, sizeof(line), "Content-Length: %" PRIu64 "\r\n\r\n", size);
    if (exchange->status == STATUS_NO_CONTENT) {
        add_string(text, "\r\n");
    } else {
        add_string(text, chunked ? "Transfer-Encoding: chunked\r\n\r\n" : line);
    }
    size_t head_bytes = text->length - start;
    if (has_body(exchange)) {
        exchange->response_body = size;
        if (chunked) {
            add_chunked(talk, text, size);
        } else {
            add_content(talk, text, size);
        }
    }
    return head_bytes;
}

static void locate_response(struct talk *talk, struct talk_exchange *exchange,
                            const size_t range[2], size_t at, size_t head_bytes)
{
    exchange->response_head[0] = range[0] + at / talk->wire.mss;
    exchange->response_head[1] = range[0] + (at + head_bytes - 1) / talk->wire.mss;
    exchange->response_start_ns = talk->wire.packets[exchange->response_head[0]].segment.time_ns;
}

static void answer(struct talk *talk, struct talk_exchange *exchange)
{
    static struct text text;
    size_t range[2];
    if (chance(talk, 5)) {
        send_interim(talk, exchange, 103);
    }
    text.length = 0;
    size_t head_bytes = add_response(talk, &text, exchange);
    if (text.length > head_bytes && chance(talk, 20)) { /* the head goes ahead */
        static struct text rest;
        rest.length = 0;
        add(&rest, text.bytes + head_bytes, text.length - head_bytes);
        text.length = head_bytes;
        send_text(talk, WIRE_SERVER, &text, range);
        locate_response(talk, exchange, range, 0, head_bytes);
        send_text(talk, WIRE_SERVER, &rest, range);
    } else {
        send_text(talk, WIRE_SERVER, &text, range);
        locate_response(talk, exchange, range, 0, head_bytes);
    }
}

/* Answers that a server writes in one piece. */
static void answer_together(struct talk *talk, unsigned first, unsigned count)
{
    static struct text text;
    size_t at[TALK_EXCHANGES_MAX];
    size_t heads[TALK_EXCHANGES_MAX];
    size_t range[2];
    text.length = 0;
    unsigned done = 0;
    for (; done < count && text.length < BODY_MAX; done++) {
        at[done] = text.length;
        heads[done] = add_response(talk, &text, &talk->exchanges[first + done]);
    }
    send_text(talk, WIRE_SERVER, &text, range);
    for (unsigned i = 0; i < done; i++) {
        locate_response(talk, &talk->exchanges[first + i], range, at[i], heads[i]);
    }
    for (; done < count; done++) {
        answer(talk, &talk->exchanges[first + done]);
    }
}

/* ---- conversations ---- */

/* Of a client that waits: head and body may come apart, and 100 between them. */
static void ask_in_turn(struct talk *talk)
{
    static struct text text;
    size_t range[2];
    struct talk_exchange *exchange = new_exchange(talk);
    enum request_shape shape = chance(talk, 50) ? PLAIN : (enum request_shape)below(talk, SHAPES);
    exchange->is_head = shape == HEAD;
    exchange->request_body = shape == PLAIN || shape == HEAD ? 0 : random_size(talk);
    text.length = 0;
    add_request_head(talk, &text, exchange, shape);
    exchange->request_head_bytes = text.length;
    bool apart = shape == EXPECTING || chance(talk, 30);
    if (!apart) {
        /* the head is what counts: leave its range to the packets that carry it */
        add_request_body(talk, &text, exchange, shape);
    }
    send_text(talk, WIRE_CLIENT, &text, exchange->request_head);
    exchange->request_head[1] =
        exchange->request_head[0] + (exchange->request_head_bytes - 1) / talk->wire.mss;
    if (apart) {
        if (chance(talk, 1)) { /* it goes on with the body although it has the answer */
            land(talk, WIRE_SERVER);
            answer(talk, exchange);
            land(talk, WIRE_CLIENT);
        } else if (shape == EXPECTING) {
            land(talk, WIRE_SERVER);
            send_interim(talk, exchange, 100);
            land(talk, WIRE_CLIENT);
        }
        text.length = 0;
        add_request_body(talk, &text, exchange, shape);
        if (text.length > 0) {
            send_text(talk, WIRE_CLIENT, &text, range);
        }
    }
    land(talk, WIRE_SERVER);
}

static void talk_in_turn(struct talk *talk, unsigned count)
{
    while (talk->count < count) {
        ask_in_turn(talk);
        if (talk->exchanges[talk->count - 1].response_start_ns == 0) {
            answer(talk, &talk->exchanges[talk->count - 1]);
        }
        land(talk, WIRE_CLIENT);
    }
}

static void talk_in_bursts(struct talk *talk, unsigned count)
{
    unsigned size = 1 + below(talk, 8);
    while (talk->count < count) {
        unsigned first = talk->count;
        unsigned burst = size < count - first ? size : count - first;
        if (chance(talk, 50)) {
            ask_together(talk, burst);
        } else {
            for (unsigned i = 0; i < burst; i++) {
                ask_together(talk, 1);
            }
        }
        land(talk, WIRE_SERVER);
        if (chance(talk, 50)) {
            answer_together(talk, first, burst);
        } else {
            for (unsigned i = 0; i < burst; i++) {
                answer(talk, &talk->exchanges[first + i]);
            }
        }
        land(talk, WIRE_CLIENT);
    }
}

/* Answers the oldest that is not answered, asks the next. */
static void talk_in_window(struct talk *talk, unsigned count)
{
    unsigned window = 2 + below(talk, 4);
    unsigned answered = 0;
    for (unsigned i = 0; i < window && talk->count < count; i++) {
        ask_together(talk, 1);
    }
    while (answered < count) {
        land(talk, WIRE_SERVER);
        answer(talk, &talk->exchanges[answered++]);
        land(talk, WIRE_CLIENT);
        if (talk->count < count) {
            ask_together(talk, 1);
        }
    }
}

static void talk_at_random(struct talk *talk, unsigned count)
{
    unsigned answered = 0;
    unsigned eagerness = 20 + below(talk, 60);
    while (answered < count) {
        bool may_ask = talk->count < count;
        if (may_ask && (answered == talk->count || chance(talk, eagerness))) {
            ask_together(talk, 1);
        } else {
            land(talk, WIRE_SERVER);
            answer(talk, &talk->exchanges[answered++]);
            if (chance(talk, 60)) {
                land(talk, WIRE_CLIENT);
            }
        }
    }
}

void talk_make(struct talk *talk, enum talk_style style, unsigned count, uint64_t first_id,
               struct random_source *random)
{
    static void (*const talks[TALK_STYLES])(struct talk *, unsigned) = {
        talk_in_turn, talk_in_bursts, talk_in_window, talk_at_random};
    *talk = (struct talk){.style = style, .random = random, .first_id = first_id};
    wire_init(&talk->wire, (unsigned)first_id);
    talk->wire.mss = random_chance(random, 60) ? talk->wire.mss : 100 + random_below(random, 1400);
    talk->flies = random_chance(random, 50);
    talk->server_flies = random_chance(random, 50);
    wire_open(&talk->wire);
    talks[style](talk, count);
    wire_close(&talk->wire, random_chance(random, 50) ? WIRE_CLIENT : WIRE_SERVER);
}

void talk_fini(struct talk *talk)
{
    wire_fini(&talk->wire);
}
