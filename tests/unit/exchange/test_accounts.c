#include "tests/support/observer.h"
#include "tests/support/random_talk.h"
#include "tests/unit/exchange/property.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/*
 * What was lost adds up, to the byte: every message of a connection is reported, with its partner
 * or alone, or its bytes are counted as missed; no byte is both or neither. So that the sizes of
 * reported messages are known, none has a body, and each is a packet of its own.
 * No pair is wrong either, unless so much is missing that nothing tells a burst of which one
 * request and one answer are left from a client that waits. VETHSCOPE_SEED=N plays others.
 */

#define CONNECTIONS 4000
#define DECEIVING_LOSS_PERCENT 30
#define EXCHANGES_MAX 40
#define MESSAGE_SIZE 64

struct account {
    uint64_t sent;     /* bytes of all messages */
    uint64_t reported; /* bytes of those that were told of */
    uint64_t requests[EXCHANGES_MAX];
    uint64_t responses[EXCHANGES_MAX]; /* sizes by number */
    unsigned told[EXCHANGES_MAX];      /* how often each request was */
    unsigned answers;                  /* that were told of */
    bool wrong;
};

static struct observer observer;

static void on_exchange(void *context, const struct exchange *exchange)
{
    struct account *account = context;
    unsigned response = exchange->status - 200U;
    if (exchange->target.data != NULL) {
        unsigned request = (unsigned)strtoul(exchange->target.data + 1, NULL, 10);
        assert_in_range(request, 0, EXCHANGES_MAX - 1);
        account->told[request]++;
        account->reported += account->requests[request];
        account->wrong |= exchange->status != EXCHANGE_STATUS_UNKNOWN && response != request;
    }
    if (exchange->status != EXCHANGE_STATUS_UNKNOWN) {
        assert_in_range(response, 0, EXCHANGES_MAX - 1);
        account->answers++;
        account->reported += account->responses[response];
    }
}

static uint64_t ask(struct wire *wire, unsigned number)
{
    char message[MESSAGE_SIZE];
    int length = snprintf(message, sizeof(message), "GET /%u! HTTP/1.1\r\n\r\n", number);
    wire_send(wire, WIRE_CLIENT, message, (size_t)length);
    return (uint64_t)length;
}

static uint64_t answer(struct wire *wire, unsigned number)
{
    char message[MESSAGE_SIZE];
    int length = snprintf(message, sizeof(message), "HTTP/1.1 %u OK\r\nContent-Length: 0\r\n\r\n",
                          200 + number);
    wire_send(wire, WIRE_SERVER, message, (size_t)length);
    return (uint64_t)length;
}

/* Requests in bursts of at most `burst`, each burst answered before the next. */
static void talk(struct wire *wire, struct account *account, unsigned burst,
                 struct random_source *random)
{
    unsigned count = 1 + random_below(random, EXCHANGES_MAX);
    wire_open(wire);
    for (unsigned first = 0; first < count;) {
        unsigned end = first + 1 + random_below(random, burst);
        end = end < count ? end : count;
        for (unsigned i = first; i < end; i++) {
            account->requests[i] = ask(wire, i);
            account->sent += account->requests[i];
        }
        for (unsigned i = first; i < end; i++) {
            account->responses[i] = answer(wire, i);
            account->sent += account->responses[i];
        }
        first = end;
    }
    wire_close(wire, WIRE_CLIENT);
}

/* The handshake and the FINs tell how long each stream was; anything between may be lost. */
static void deliver(struct wire *wire, double loss_percent, struct random_source *random)
{
    for (size_t i = 0; i < wire->count; i++) {
        const struct wire_packet *packet = &wire->packets[i];
        bool ends = (packet->segment.flags & (TCP_SYN | TCP_FIN)) != 0;
        if (ends || !random_chance(random, loss_percent)) {
            wire_deliver(wire, packet, observer.tcp);
        }
    }
}

static void play(uint64_t seed, unsigned burst, double loss_percent)
{
    struct random_source random = random_from(seed);
    struct account account = {0};
    struct wire wire;
    wire_init(&wire, (unsigned)(seed % 1000));
    talk(&wire, &account, burst, &random);
    observer_reset(&observer);
    observer.context = &account;
    deliver(&wire, loss_percent, &random);
    tcp_finish(observer.tcp);
    wire_fini(&wire);
    uint64_t blind = 0;
    for (unsigned i = 0; i < OBSERVER_PROTOCOLS; i++) {
        blind += observer.protocols[i].bytes;
    }
    bool wrong = account.wrong && loss_percent < DECEIVING_LOSS_PERCENT;
    bool twice = false;
    for (unsigned i = 0; i < EXCHANGES_MAX; i++) {
        twice |= account.told[i] > 1;
    }
    if (account.reported + observer.missed_bytes + blind != account.sent || wrong || twice) {
        print_error("seed %" PRIu64 ", bursts of %u, %g %% lost: %" PRIu64 " sent, %" PRIu64
                    " reported, %" PRIu64 " missed, %" PRIu64 " blind%s%s\n",
                    seed, burst, loss_percent, account.sent, account.reported,
                    observer.missed_bytes, blind, wrong ? ", a wrong pair" : "",
                    twice ? ", a request twice" : "");
        fail();
    }
}

static void test_every_byte_is_reported_or_missed(void **state)
{
    (void)state;
    static const double losses[] = {0, 1, 5, 30, 80};
    uint64_t seed = property_seed();
    uint64_t connections = property_fewer_cases(CONNECTIONS);
    for (size_t loss = 0; loss < sizeof(losses) / sizeof(losses[0]); loss++) {
        for (uint64_t i = 0; i < connections; i++) {
            play(seed + i, (seed + i) % 2 == 0 ? 6 : 1, losses[loss]);
        }
    }
    print_message("seeds %" PRIu64 " to %" PRIu64 "\n", seed, seed + connections - 1);
}

static int begin(void **state)
{
    (void)state;
    observer_init(&observer, NULL);
    observer.exchange = on_exchange;
    return 0;
}

static int end(void **state)
{
    (void)state;
    observer_fini(&observer);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte_is_reported_or_missed),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
