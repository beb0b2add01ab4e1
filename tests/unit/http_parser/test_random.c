#include "http_parser/machine.h"
#include "tests/unit/http_parser/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*
 * Connections made up at random, together with what a stream must make of them: first whole, then
 * in random pieces, then with one byte changed, where only the pieces must make no difference; each
 * time with any of the implementations. A failure prints the seed of its case;
 * VETHSCOPE_TEST_SEED=<seed> runs that case first.
 */
enum {
    CASES = 100000,
    MESSAGES_MAX = 3,
    ROOM = 2048
};

struct made {
    uint64_t random;
    enum http_kind kind;
    char bytes[ROOM];
    size_t length;
    char expected[ROOM];
    size_t expected_length;
    char answers[MESSAGES_MAX + 1];
};

/* xorshift64*: small, and the same on every machine. */
static unsigned pick(struct made *made, unsigned choices)
{
    made->random ^= made->random >> 12;
    made->random ^= made->random << 25;
    made->random ^= made->random >> 27;
    return (unsigned)((made->random * UINT64_C(0x2545F4914F6CDD1D)) >> 33) % choices;
}

static void add(struct made *made, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct made *made, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(made->bytes + made->length, ROOM - made->length, format, arguments);
    va_end(arguments);
    assert_true(length >= 0 && (size_t)length < ROOM - made->length);
    made->length += (size_t)length;
}

static void expect(struct made *made, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void expect(struct made *made, const char *format, ...)
{
    char *to = made->expected + made->expected_length;
    size_t room = ROOM - made->expected_length;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(to, room, format, arguments);
    va_end(arguments);
    assert_true(length >= 0 && (size_t)length < room);
    made->expected_length += (size_t)length;
}

static const char *line_end(struct made *made)
{
    return pick(made, 4) == 0 ? "\n" : "\r\n";
}

static void add_fields(struct made *made)
{
    static const char *const fields[] = {
        "Host: h",
        "User-Agent:x",
        "Accept: */*",
        "X: \t y \t ",
        "Cookie: a=b; c=\"d\"",
        "Connection: te",
        "X-Empty:",
        "b3: 0",
        "Expect: nothing",
        "Content-Lengths: 3",
        "Folded: a\r\n b",
        "Obs: \xe4\xff",
        "TE: trailers",
    };
    for (unsigned left = pick(made, 5); left > 0; left--) {
        /* at most one Host: the first field of the list comes first or not at all */
        unsigned field = 1 + pick(made, sizeof(fields) / sizeof(fields[0]) - 1);
        add(made, "%s%s", fields[field], line_end(made));
    }
    if (pick(made, 2) == 0)
        add(made, "%s%s", fields[0], line_end(made));
}

/* Body bytes that look like framing. */
static void add_data(struct made *made, unsigned length)
{
    static const char filler[] = "0\r\n\r\nGET / HTTP/1.1\r\n\r\nHTTP/1.1 200 OK\r\n\r\n5\r\n";
    for (unsigned i = 0; i < length; i++)
        made->bytes[made->length++] = filler[pick(made, sizeof(filler) - 1)];
    assert_true(made->length < ROOM);
}

static unsigned add_chunks(struct made *made)
{
    static const char *const extensions[] = {"", "", "", ";a", ";a=\"b\"", " ; a = b", "  "};
    unsigned total = 0;
    for (unsigned left = pick(made, 4); left > 0; left--) {
        unsigned length = 1 + pick(made, 40);
        add(made, "%s%x%s\r\n", pick(made, 3) == 0 ? "00" : "", length,
            extensions[pick(made, sizeof(extensions) / sizeof(extensions[0]))]);
        add_data(made, length);
        add(made, "\r\n");
        total += length;
    }
    add(made, "0\r\n");
    for (unsigned left = pick(made, 3); left > 0; left--)
        add(made, "Trailer: %u\r\n", left);
    add(made, "\r\n");
    return total;
}

/* Fields, the empty line and a body; returns the body's length. */
static unsigned add_rest(struct made *made, bool has_body)
{
    unsigned length = 0;
    unsigned framing = pick(made, 3);
    add_fields(made);
    if (framing == 0) {
        length = pick(made, 60);
        add(made, "Content-Length: %u\r\n", length);
    } else if (framing == 1) {
        add(made, "Transfer-Encoding: chunked\r\n");
    } else {
        add(made, "Content-Length: 0\r\n");
    }
    add_fields(made);
    add(made, "%s", line_end(made));
    if (!has_body)
        return 0;
    if (framing == 1)
        return add_chunks(made);
    add_data(made, length);
    return length;
}

/* A second Host line is the one ambiguity the fields above can add up to. */
static const char *ambiguity(const struct made *made, size_t head_start)
{
    size_t hosts = 0;
    char text[ROOM];
    snprintf(text, sizeof(text), "%.*s", (int)(made->length - head_start),
             made->bytes + head_start);
    for (const char *at = text; (at = strstr(at, "Host: h")) != NULL; at++)
        hosts++;
    return hosts > 1 ? " ambiguous" : "";
}

static void add_request(struct made *made)
{
    static const char *const methods[] = {"GET", "POST", "x-y", "CONNECT", "HEAD"};
    static const char *const targets[] = {"/", "*", "http://h/a?b", "h:443", "/\xc3\xa4"};
    const char *method = methods[pick(made, 5)];
    const char *target = targets[pick(made, 5)];
    for (unsigned left = pick(made, 3); left > 0; left--)
        add(made, "%s", line_end(made));
    size_t start = made->length;
    add(made, "%s %s HTTP/1.1%s", method, target, line_end(made));
    unsigned length = add_rest(made, true);
    expect(made, "%s%s %s 1.1; end %u%s", made->expected_length > 0 ? "; " : "", method, target,
           length, ambiguity(made, start));
}

static void add_response(struct made *made, size_t index)
{
    static const unsigned statuses[] = {200, 404, 500, 304, 206};
    unsigned status = statuses[pick(made, 5)];
    bool is_head = pick(made, 5) == 0;
    made->answers[index] = is_head ? 'H' : '.';
    if (pick(made, 6) == 0) {
        add(made, "HTTP/1.1 100 Go on%s%s", line_end(made), line_end(made));
        expect(made, "%s100 1.1 Go on; end 0", made->expected_length > 0 ? "; " : "");
    }
    size_t start = made->length;
    add(made, "HTTP/1.1 %u R%s", status, line_end(made));
    unsigned length = add_rest(made, !is_head && status != 304);
    expect(made, "%s%u 1.1 R; end %u%s", made->expected_length > 0 ? "; " : "", status, length,
           ambiguity(made, start));
}

static void make(struct made *made, uint64_t seed)
{
    memset(made, 0, sizeof(*made));
    made->random = seed * 2 + 1;
    pick(made, 2);
    made->kind = pick(made, 2) == 0 ? HTTP_REQUESTS : HTTP_RESPONSES;
    size_t messages = 1 + pick(made, MESSAGES_MAX);
    for (size_t i = 0; i < messages; i++) {
        if (made->kind == HTTP_REQUESTS)
            add_request(made);
        else
            add_response(made, i);
    }
}

static struct guarded memory;

static void run(struct made *made, struct trace *trace, unsigned longest)
{
    /* one that the processor cannot run leaves the last one */
    http_machine_force((enum http_machine)pick(made, HTTP_MACHINE_COUNT));
    trace_init(trace, &memory, made->kind, made->answers, made->bytes);
    while (trace->given < made->length) {
        size_t left = made->length - trace->given;
        size_t length = longest == 0 ? left : 1 + pick(made, longest);
        trace_give(trace, length < left ? length : left);
    }
    trace_close(trace);
}

static void assert_same(const char *a, const char *b, uint64_t seed)
{
    if (strcmp(a, b) != 0)
        print_error("VETHSCOPE_TEST_SEED=%llu\n  %s\n  %s\n", (unsigned long long)seed, a, b);
    assert_string_equal(a, b);
}

static void check_case(uint64_t seed)
{
    static struct made made;
    static struct trace whole;
    static struct trace pieces;
    make(&made, seed);
    unsigned longest = 1 + pick(&made, 100);
    run(&made, &whole, 0);
    expect(&made, "; closed");
    assert_same(whole.text, made.expected, seed);
    run(&made, &pieces, longest);
    assert_same(pieces.text, whole.text, seed);
    static const char odd[] = "\r\n\r\n \t:,;0f\x00\x7f\xff"
                              "cH/";
    made.bytes[pick(&made, (unsigned)made.length)] = odd[pick(&made, sizeof(odd) - 1)];
    run(&made, &whole, 0);
    run(&made, &pieces, longest);
    assert_same(pieces.text, whole.text, seed);
}

static void test_random_connections(void **state)
{
    (void)state;
    const char *given = getenv("VETHSCOPE_TEST_SEED");
    uint64_t first = given != NULL ? strtoull(given, NULL, 10) : 1;
    print_message("seeds %llu to %llu\n", (unsigned long long)first,
                  (unsigned long long)(first + CASES - 1));
    for (uint64_t seed = first; seed < first + CASES; seed++)
        check_case(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_connections)};
    guarded_init(&memory, ROOM);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    guarded_fini(&memory);
    return failed;
}
