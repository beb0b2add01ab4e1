#include "http_parser/machine.h"
#include "tests/support/http_same.h"
#include "tests/unit/http_parser/guarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*
 * Every implementation this processor can run reads a head as the portable one does: heads put
 * together at random, plain and faulty, some of their bytes changed, whole and in growing parts,
 * between pages that cannot be read. A failure prints the seed of its case;
 * VETHSCOPE_TEST_SEED=<seed> runs that case first.
 */
enum {
    CASES = 30000,
    ROOM = 2048
};

struct made {
    uint64_t random;
    char bytes[ROOM];
    size_t length;
};

static struct guarded memory;

/* xorshift64*: small, and the same on every machine. */
static unsigned pick(struct made *made, size_t choices)
{
    made->random ^= made->random >> 12;
    made->random ^= made->random << 25;
    made->random ^= made->random >> 27;
    return (unsigned)((made->random * UINT64_C(0x2545F4914F6CDD1D)) >> 33) % (unsigned)choices;
}

static void add(struct made *made, const char *text)
{
    size_t length = strlen(text);
    assert_true(made->length + length <= ROOM);
    memcpy(made->bytes + made->length, text, length);
    made->length += length;
}

#define ADD_ONE_OF(made, texts) add(made, (texts)[pick(made, sizeof(texts) / sizeof((texts)[0]))])

static void add_filler(struct made *made, size_t longest)
{
    static const char filler[] = "abcdefghijklmnopqrstuvwxyz-_.!0123456789,;=/\"() \t\x80\xff";
    for (unsigned left = pick(made, longest); left > 0; left--)
        made->bytes[made->length++] = filler[pick(made, sizeof(filler) - 1)];
}

static void add_line_end(struct made *made)
{
    static const char *const ends[] = {"\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n"};
    ADD_ONE_OF(made, ends);
}

static void add_first_line(struct made *made)
{
    static const char *const requests[] = {
        "GET /", "POST http://h/", "x-y *", "GET /a b", "GET  /", "a^`|~! /", "PUT\t/", "GET ", ""};
    static const char *const versions[] = {" HTTP/1.1", " HTTP/1.0", " HTTP/1.9 ", "\tHTTP/1.1"};
    static const char *const statuses[] = {"HTTP/1.1 200 ",  "HTTP/1.0 404",   "HTTP/1.1  503 ",
                                           "HTTP/1.1 999\t", "HTTP/1.1 100 x", "HTTP/1.1 099 "};
    if (pick(made, 8) == 0)
        add_line_end(made);
    if (pick(made, 2) == 0) {
        ADD_ONE_OF(made, requests);
        for (unsigned left = pick(made, 150); left > 0; left--)
            made->bytes[made->length++] = (char)('a' + pick(made, 26));
        ADD_ONE_OF(made, versions);
    } else {
        ADD_ONE_OF(made, statuses);
        add_filler(made, 80);
    }
    add_line_end(made);
}

static void add_fields(struct made *made)
{
    static const char *const names[] = {"Host:",
                                        "host: ",
                                        "Content-Length: ",
                                        "Transfer-Encoding: ",
                                        "Connection: ",
                                        "Expect: ",
                                        "Upgrade: ",
                                        "User-Agent: ",
                                        "traceparent: ",
                                        "b3: ",
                                        "X-B3-TraceId: ",
                                        "X-B3-SpanId: ",
                                        "X-B3-Sampled: ",
                                        "uber-trace-id:",
                                        "Content-Type: ",
                                        "Cookie: ",
                                        "X-Request-Id: ",
                                        "E:",
                                        "Content-Length : ",
                                        " folded ",
                                        "\tContent-Length: ",
                                        "no colon ",
                                        ": ",
                                        "a`b: "};
    static const char *const values[] = {"",          " ",          "5",           "5, 5",
                                         "6",         "x",          "chunked",     "gzip, chunked",
                                         "close",     "keep-alive", "te, upgrade", "100-continue",
                                         "websocket", "a\rb",       "\x01",        "\x7f",
                                         " \t v \t"};
    size_t likely = sizeof(names) / sizeof(names[0]) - (pick(made, 2) == 0 ? 7 : 0);
    for (unsigned left = pick(made, 12); left > 0; left--) {
        add(made, names[pick(made, likely)]);
        if (pick(made, 3) == 0)
            add(made, values[pick(made, sizeof(values) / sizeof(values[0]))]);
        else
            add_filler(made, 90);
        add_line_end(made);
    }
}

static void change_some(struct made *made)
{
    static const char odd[] = "\r\n\n\r: \t,;0\x00\x01\x1f\x7f\x80\xff`^|~@[AZaz_-";
    static const unsigned often[] = {0, 0, 1, 2};
    for (unsigned left = often[pick(made, 4)]; left > 0; left--)
        made->bytes[pick(made, made->length)] = odd[pick(made, sizeof(odd) - 1)];
}

static void make(struct made *made, uint64_t seed)
{
    memset(made, 0, sizeof(*made));
    made->random = seed * 2 + 1;
    pick(made, 2);
    add_first_line(made);
    add_fields(made);
    if (pick(made, 8) != 0)
        add_line_end(made);
    add_filler(made, pick(made, 2) == 0 ? 1 : 200);
    change_some(made);
}

typedef enum http_result head_parser(const char *bytes, size_t length, size_t *scanned,
                                     struct http_head *head_out);

/* One of the machines and the portable one, each with its own `scanned`. */
static enum http_result compare(head_parser *parse, enum http_machine machine, const char *bytes,
                                size_t length, size_t scanned[2])
{
    struct http_head head[2];
    struct http_head untouched;
    memset(&untouched, 0x5a, sizeof(untouched));
    memcpy(&head[0], &untouched, sizeof(untouched));
    memcpy(&head[1], &untouched, sizeof(untouched));
    assert_true(http_machine_force(HTTP_MACHINE_PORTABLE));
    enum http_result expected = parse(bytes, length, &scanned[0], &head[0]);
    assert_true(http_machine_force(machine));
    assert_int_equal(parse(bytes, length, &scanned[1], &head[1]), expected);
    assert_int_equal(scanned[1], scanned[0]);
    if (expected == HTTP_DONE)
        assert_true(http_same(&head[0], &head[1]));
    else
        assert_memory_equal(&head[1], &untouched, sizeof(untouched));
    return expected;
}

static void check_machine(struct made *made, head_parser *parse, enum http_machine machine)
{
    enum http_result result = HTTP_INCOMPLETE;
    size_t scanned[2] = {0, 0};
    size_t step = 1 + pick(made, 300);
    const char *copy = guarded_copy_front(&memory, made->bytes, made->length);
    compare(parse, machine, copy, made->length, (size_t[2]){0, 0});
    for (size_t length = 0; result == HTTP_INCOMPLETE && length < made->length;) {
        length = made->length - length < step ? made->length : length + step;
        copy = guarded_copy(&memory, made->bytes, length);
        compare(parse, machine, copy, length, (size_t[2]){0, 0});
        result = compare(parse, machine, copy, length, scanned);
    }
}

static uint64_t running;

static void test_random_heads(void **state)
{
    (void)state;
    static struct made made;
    const char *given = getenv("VETHSCOPE_TEST_SEED");
    uint64_t first = given != NULL ? strtoull(given, NULL, 10) : 1;
    for (running = first; running < first + CASES; running++) {
        make(&made, running);
        for (int machine = 1; machine < HTTP_MACHINE_COUNT; machine++) {
            if (!http_machine_force((enum http_machine)machine))
                continue;
            check_machine(&made, http_request_head_parse, (enum http_machine)machine);
            check_machine(&made, http_response_head_parse, (enum http_machine)machine);
        }
    }
    running = 0;
}

static int say_seed(void **state)
{
    (void)state;
    if (running != 0)
        print_error("VETHSCOPE_TEST_SEED=%llu\n", (unsigned long long)running);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(test_random_heads, say_seed)};
    guarded_init(&memory, ROOM);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    guarded_fini(&memory);
    return failed;
}
