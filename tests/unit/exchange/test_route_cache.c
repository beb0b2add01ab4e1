#include "agent/exchange/route_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct route_cache *cache;
static char buffer[ROUTE_TEXT_SIZE];

static int setup(void **state)
{
    (void)state;
    cache = calloc(1, sizeof(*cache));
    return cache == NULL;
}

static int teardown(void **state)
{
    (void)state;
    free(cache);
    return 0;
}

/* What the cache says is what the template is, now and when asked again. */
static uint64_t check(struct slice target)
{
    char plain[ROUTE_TEXT_SIZE];
    struct slice wanted = route_template(cache->patterns, target, plain, sizeof(plain));
    struct route first = route_cache_find(cache, target, buffer);
    assert_true(slice_equal(first.text, wanted));
    assert_true((first.text.data == NULL) == (wanted.data == NULL));
    struct route again = route_cache_find(cache, target, buffer);
    assert_true(slice_equal(again.text, wanted));
    assert_int_equal(first.id, again.id);
    return first.id;
}

/* The target at the end of its memory: nothing behind it may be read. */
static uint64_t check_text(const char *text)
{
    size_t length = strlen(text);
    char *exact = malloc(length + 1);
    assert_non_null(exact);
    memcpy(exact, text, length);
    char *tight = realloc(exact, length > 0 ? length : 1);
    assert_non_null(tight);
    uint64_t id = check((struct slice){tight, length});
    free(tight);
    return id;
}

static void test_paths(void **state)
{
    (void)state;
    static const char *const targets[] = {"/",
                                          "/a",
                                          "/ab",
                                          "/abc",
                                          "/abcd",
                                          "/abcde",
                                          "/abcdef",
                                          "/abcdefg",
                                          "/abcdefgh",
                                          "/abcdefg/ijklmno",
                                          "/abcdefg/ijklmnop",
                                          "/users/42",
                                          "/users/42/",
                                          "//users///42",
                                          "/a;p=1/b",
                                          "*",
                                          "",
                                          "host:443",
                                          "http://host/users/42?x",
                                          "http://host",
                                          "/%2a/%zz"};
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        check_text(targets[i]);
    }
}

/* Equal ids and equal routes are the same. */
static void test_ids(void **state)
{
    (void)state;
    uint64_t users = check_text("/users/42");
    assert_true(users != 0);
    assert_int_equal(check_text("/users/43"), users);
    assert_int_equal(check_text("http://host/users/44"), users);
    assert_int_equal(check_text("/users/42?a=b"), users);
    assert_true(check_text("/users/42/") != users);
    assert_true(check_text("/useRs/42") != users);
    assert_int_equal(check_text("*"), 0);
}

/* Numbers lead to one route, whatever is beside them; what is more or less than a number does not.
 */
static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *before;
        const char *behind;
    } forms[] = {{"/users/", ""},        {"/users/", "/"},
                 {"/users/", "/orders"}, {"/", ""},
                 {"/", "/17"},           {"/users/", "?page=2"},
                 {"/users/", ";a=1"},    {"/users/", ";7/b"},
                 {"/users/", "#top"},    {"/users/", ".json"},
                 {"/users/a", ""},       {"/users/", "a"},
                 {"/users/%3", ""},      {"/users/", ":go"},
                 {"/u;", "/5"},          {"/users/1/orders/", "/20260131"}};
    static const char *const numbers[] = {
        "0",  "7", "10", "20260131", "20261331", "2026013", "202601311", "12345678901234567890",
        "1.5"};
    for (size_t form = 0; form < sizeof(forms) / sizeof(forms[0]); form++) {
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
            char target[128];
            snprintf(target, sizeof(target), "%s%s%s", forms[form].before, numbers[i],
                     forms[form].behind);
            check_text(target);
        }
    }
    for (size_t length = 60; length < 70; length++) {
        char target[128] = "/n/";
        memset(target + 3, '9', length);
        check_text(target);
    }
    assert_true(check_text("/users/20260131") != check_text("/users/42"));
}

/* A pattern may name one number, and others not. */
static void test_numbers_in_patterns(void **state)
{
    (void)state;
    const char *pattern = "/books/2001/{page}";
    struct route_patterns *patterns = route_patterns_new(&pattern, 1);
    assert_non_null(patterns);
    cache->patterns = patterns;
    uint64_t odyssey = check_text("/books/2001/5");
    assert_true(check_text("/books/2002/5") != odyssey);
    assert_int_equal(check_text("/books/2001/17"), odyssey);
    route_patterns_free(patterns);
}

/* The query may begin at any byte of a word, and what is behind it does not count. */
static void test_query(void **state)
{
    (void)state;
    char target[64];
    for (int length = 1; length < 30; length++) {
        snprintf(target, sizeof(target), "/%.*s", length, "abcdefghijklmnopqrstuvwxyzabcdefgh");
        uint64_t id = check_text(target);
        size_t end = strlen(target);
        static const char *const rests[] = {
            "?", "#", "?a=1", "#?", "??x/y#z", "?abcdefghijklm", "#1234567"};
        for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
            snprintf(target + end, sizeof(target) - end, "%s", rests[i]);
            assert_int_equal(check_text(target), id);
        }
        snprintf(target + end, sizeof(target) - end, "@>"); /* one less, one more than '?' */
        assert_true(check_text(target) != id);
    }
}

static void test_zero_bytes_count(void **state)
{
    (void)state;
    uint64_t without = check((struct slice){"/a", 2});
    assert_true(check((struct slice){"/a\0", 3}) != without);
    assert_true(check((struct slice){"/a\0\0", 4}) != without);
}

/* Around the lengths that are kept. */
static void test_long_paths(void **state)
{
    (void)state;
    char target[512];
    for (size_t length = 100; length < 500; length++) {
        target[0] = '/';
        for (size_t i = 1; i < length; i++) {
            target[i] = i % 30 == 0 ? '/' : (char)('a' + i % 26);
        }
        uint64_t id = check((struct slice){target, length});
        target[length - 1] = '~';
        uint64_t other = check((struct slice){target, length});
        assert_true(id != other || id == 0 || length > ROUTE_CACHE_PATH_WORDS * 8);
    }
}

/* Many more paths and routes than there is room for: ids stay what they mean. */
static void test_no_id_has_two_routes(void **state)
{
    (void)state;
    enum {
        IDS = 40000
    };
    char(*routes)[32] = calloc(IDS, sizeof(*routes));
    assert_non_null(routes);
    uint64_t random = 1;
    for (int i = 0; i < 30000; i++) {
        random = random * 6364136223846793005U + 1442695040888963407U;
        char target[32];
        static const char digits[] = "abcdefghijklmnop";
        unsigned number = (unsigned)(random >> 33) % 3000;
        int length =
            snprintf(target, sizeof(target), "/%c%c%c/%u", digits[number & 15],
                     digits[number >> 4 & 15], digits[number >> 8 & 15], (unsigned)(random >> 50));
        uint64_t id = check((struct slice){target, (size_t)length});
        assert_in_range(id, 1, IDS - 1);
        snprintf(target + 5, sizeof(target) - 5, "{id}");
        assert_true(routes[id][0] == '\0' || strcmp(routes[id], target) == 0);
        memcpy(routes[id], target, sizeof(target));
    }
    free(routes);
}

static void test_patterns(void **state)
{
    (void)state;
    static const char *const texts[] = {"/a/{x}?", "/b/{y}"};
    struct route_patterns *patterns = route_patterns_new(texts, 2);
    assert_non_null(patterns);
    cache->patterns = patterns;
    uint64_t id = check_text("/a/word");
    assert_int_equal(check_text("/a/other"), id);
    assert_true(check_text("/b/word") != id);
    route_patterns_free(patterns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_paths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ids, setup, teardown),
        cmocka_unit_test_setup_teardown(test_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_numbers_in_patterns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_query, setup, teardown),
        cmocka_unit_test_setup_teardown(test_zero_bytes_count, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_paths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_id_has_two_routes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_patterns, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
