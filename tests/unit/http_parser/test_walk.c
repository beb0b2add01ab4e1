#include "http_parser/machine.h"
#include "tests/unit/http_parser/guarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/*
 * The walkers alone, each against what is plain as written down here a second time, byte by byte.
 * That they find it plain matters as much as that they find the rest odd: a walker that gives every
 * head to the careful reader reads all of them rightly, and slowly.
 */
enum {
    ROOM = 4096
};

static struct guarded memory;

static bool is_odd(char byte)
{
    uint8_t code = (uint8_t)byte;
    return (code < ' ' && byte != '\t' && byte != '\r' && byte != '\n') || code == 127;
}

/* Token characters but the four that are left to the careful reader. */
static bool is_name(char byte)
{
    return byte != '\0' &&
           strchr("!#$%&'*+-._0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
                  byte) != NULL;
}

/* Where the plain line at `at` ends, behind its LF; 0: it is not plain, or has no end. */
static size_t plain_line(const char *bytes, size_t length, size_t at, bool has_name)
{
    size_t name = at;
    while (has_name && name < length && is_name(bytes[name]))
        name++;
    if (has_name && (name == at || name == length || bytes[name] != ':'))
        return 0;
    for (; at < length; at++) {
        if (bytes[at] == '\n')
            return at + 1;
        if (is_odd(bytes[at]) || (bytes[at] == '\r' && at + 1 < length && bytes[at + 1] != '\n'))
            return 0;
    }
    return 0;
}

/* The length of the plain head the bytes begin with, or 0. */
static size_t plain_head(const char *bytes, size_t length)
{
    size_t at = plain_line(bytes, length, 0, false);
    while (at != 0 && at < length) {
        if (bytes[at] == '\n')
            return at + 1;
        if (bytes[at] == '\r')
            return at + 1 < length && bytes[at + 1] == '\n' ? at + 2 : 0;
        at = plain_line(bytes, length, at, true);
    }
    return 0;
}

static void check_copy(const char *copy, size_t length)
{
    size_t expected = plain_head(copy, length);
    for (int machine = 1; machine < HTTP_MACHINE_COUNT; machine++) {
        struct http_walk_found found;
        if (!http_machine_force((enum http_machine)machine))
            continue;
        enum http_walk walk = http_machine_walk(copy, copy, copy + length, &found);
        assert_int_equal(walk == HTTP_WALK_DONE, expected != 0);
        if (walk == HTTP_WALK_DONE)
            assert_ptr_equal(found.behind, copy + expected);
    }
}

static void check(const char *bytes, size_t length)
{
    check_copy(guarded_copy(&memory, bytes, length), length);
    check_copy(guarded_copy_front(&memory, bytes, length), length);
}

/* Over three blocks and into a fourth; names, values and line ends at the blocks' edges. */
static const char head[] = "GET /some/where?over=the&rainbow HTTP/1.1\r\n"
                           "Host: a-host\n"
                           "A-Name-Across-The-First-Edge: v\r\n"
                           "Another-Name: and its value, \t\x80\xff~^`|\r\n"
                           "!#$%&'*+-._09azAZ:\r\n"
                           "Connection: keep-alive\r\n"
                           "X: y\r\n"
                           "\r\n"
                           "\x01 body";

static void test_every_byte_everywhere(void **state)
{
    (void)state;
    char bytes[sizeof(head)];
    memcpy(bytes, head, sizeof(head));
    for (size_t place = 0; place < sizeof(head) - 1; place++) {
        for (unsigned value = 0; value < 256; value++) {
            bytes[place] = (char)value;
            check(bytes, sizeof(head) - 1);
        }
        bytes[place] = head[place];
    }
}

static void test_every_length_and_alignment(void **state)
{
    enum {
        PADDING = 130
    };
    (void)state;
    char bytes[PADDING + sizeof(head)];
    for (size_t padding = 0; padding <= PADDING; padding++) {
        memset(bytes, 'p', padding);
        memcpy(bytes + padding, head, sizeof(head) - 1);
        for (size_t length = 1; length < padding + sizeof(head); length++)
            check(bytes, length);
    }
}

static void assert_found(const char *bytes, const struct http_names_line *line, const char *name,
                         const char *value)
{
    const char *at = strstr(bytes, name);
    assert_non_null(at);
    assert_ptr_equal(line->name.data, at);
    assert_int_equal(line->name.length, strlen(name));
    assert_ptr_equal(line->value.data, at + strlen(name) + 1);
    assert_int_equal(line->value.length, strlen(value));
    assert_memory_equal(line->value.data, value, strlen(value));
}

/* With targets of every length, so that each part falls on every place of a block. */
static void test_what_is_found(void **state)
{
    (void)state;
    for (int length = 1; length < 200; length++) {
        char bytes[512];
        snprintf(bytes, sizeof(bytes),
                 "GET %0*d\tHTTP/1.1\r\nAccept: x\r\nHost:h\r\nx-Private: 7\r\nUser-Agent:  a b \n"
                 "Content-Length: 12\r\n\r\n ",
                 length, 7);
        for (int machine = 1; machine < HTTP_MACHINE_COUNT; machine++) {
            struct http_walk_found found;
            if (!http_machine_force((enum http_machine)machine))
                continue;
            enum http_walk walk = http_machine_walk(bytes, bytes, strchr(bytes, '\0'), &found);
            assert_int_equal(walk, HTTP_WALK_DONE);
            assert_ptr_equal(found.word_end, bytes + 3);
            assert_ptr_equal(found.feed, strchr(bytes, '\n'));
            assert_string_equal(found.behind, " ");
            assert_int_equal(found.count, 3);
            assert_found(bytes, &found.lines[0], "Host", "h\r");
            assert_found(bytes, &found.lines[1], "User-Agent", "  a b ");
            assert_found(bytes, &found.lines[2], "Content-Length", " 12\r");
        }
    }
}

static void test_too_many_known_lines(void **state)
{
    (void)state;
    char bytes[ROOM];
    for (size_t count = 0; count <= HTTP_WALK_LINES_MAX + 1; count++) {
        size_t length = (size_t)sprintf(bytes, "GET / HTTP/1.1\r\n");
        for (size_t i = 0; i < count; i++)
            length += (size_t)sprintf(bytes + length, "Host: %zu\r\n", i);
        length += (size_t)sprintf(bytes + length, "\r\n");
        for (int machine = 1; machine < HTTP_MACHINE_COUNT; machine++) {
            struct http_walk_found found;
            if (!http_machine_force((enum http_machine)machine))
                continue;
            enum http_walk walk = http_machine_walk(bytes, bytes, bytes + length, &found);
            assert_int_equal(walk, count <= HTTP_WALK_LINES_MAX ? HTTP_WALK_DONE : HTTP_WALK_ODD);
            if (walk == HTTP_WALK_DONE)
                assert_int_equal(found.count, count);
        }
    }
}

/* What a processor is known to have is not passed over, and the first call takes the best. */
static void test_machines(void **state)
{
    (void)state;
    struct http_walk_found found;
    static const char bytes[] = "GET / HTTP/1.1\r\n\r\n";
    enum http_walk first = http_machine_walk(bytes, bytes, bytes + sizeof(bytes) - 1, &found);
#if defined(__x86_64__)
    assert_int_equal(http_machine_force(HTTP_MACHINE_SSE42), __builtin_cpu_supports("sse4.2") != 0);
    assert_int_equal(first, __builtin_cpu_supports("sse4.2") ? HTTP_WALK_DONE : HTTP_WALK_ODD);
    assert_false(http_machine_force(HTTP_MACHINE_NEON));
#elif defined(__aarch64__)
    assert_true(http_machine_force(HTTP_MACHINE_NEON));
    assert_int_equal(first, HTTP_WALK_DONE);
    assert_false(http_machine_force(HTTP_MACHINE_AVX2));
#endif
    assert_true(http_machine_force(HTTP_MACHINE_PORTABLE));
    assert_int_equal(http_machine_walk(bytes, bytes, bytes + sizeof(bytes) - 1, &found),
                     HTTP_WALK_ODD);
    for (int machine = 0; machine < HTTP_MACHINE_COUNT; machine++)
        assert_non_null(http_machine_name((enum http_machine)machine));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machines),
        cmocka_unit_test(test_every_byte_everywhere),
        cmocka_unit_test(test_every_length_and_alignment),
        cmocka_unit_test(test_what_is_found),
        cmocka_unit_test(test_too_many_known_lines),
    };
    guarded_init(&memory, ROOM);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    guarded_fini(&memory);
    return failed;
}
