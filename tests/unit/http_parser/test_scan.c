#include "http_parser/scan.h"
#include "tests/unit/http_parser/guarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* The classes as the RFCs list them, written down a second time. */
static bool is_token(uint8_t byte)
{
    return byte != 0 && byte < 128 &&
           strchr("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
                  byte) != NULL;
}

static bool is_visible(uint8_t byte)
{
    return byte > ' ' && byte != 127;
}

static bool is_text(uint8_t byte)
{
    return (byte >= ' ' && byte != 127) || byte == '\t';
}

typedef const char *scanner(const char *at, const char *end);

/* Every byte value at every place of runs that end flush against an unreadable page: the scanner
 * stops there exactly when the byte is not of the class. */
static void check_class(scanner *scan, bool (*is_member)(uint8_t), const char *filler)
{
    enum {
        LONGEST = 50
    };
    struct guarded memory;
    char bytes[LONGEST];
    guarded_init(&memory, LONGEST);
    for (size_t i = 0; i < LONGEST; i++)
        bytes[i] = filler[i % strlen(filler)];
    for (size_t length = 0; length <= LONGEST; length++) {
        const char *run = guarded_copy(&memory, bytes, length);
        assert_ptr_equal(scan(run, run + length), run + length);
        for (size_t place = 0; place < length; place++) {
            for (unsigned value = 0; value < 256; value++) {
                char kept = bytes[place];
                bytes[place] = (char)value;
                run = guarded_copy(&memory, bytes, length);
                bytes[place] = kept;
                size_t expected = is_member((uint8_t)value) ? length : place;
                assert_int_equal(scan(run, run + length) - run, expected);
            }
        }
    }
    guarded_fini(&memory);
}

static void test_token(void **state)
{
    (void)state;
    check_class(http_scan_token, is_token, "aZ-");
    check_class(http_scan_token, is_token, "a_9-!~Q");
}

static void test_visible(void **state)
{
    (void)state;
    check_class(http_scan_visible, is_visible, "/path?\x80\xff~!");
}

static void test_text(void **state)
{
    (void)state;
    check_class(http_scan_text, is_text, "some text\t \x80\xff~!");
}

static void test_line(void **state)
{
    static const struct {
        const char *bytes;
        int lf; /* index, or -1 */
        bool odd;
    } cases[] = {
        {"", -1, false},      {"abc", -1, false},    {"abc\r", -1, false},    {"\n", 0, false},
        {"\r\n", 1, false},   {"abc\r\n", 4, false}, {"abc\n\r\n", 3, false}, {"a\rb\n", 3, true},
        {"a\r\r\n", 3, true}, {"a\x01", -1, true},   {"a\x7f\n", 2, true},    {"a\tb\n", 3, false},
    };
    (void)state;
    struct guarded memory;
    guarded_init(&memory, 64);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t length = strlen(cases[i].bytes);
        const char *bytes = guarded_copy(&memory, cases[i].bytes, length);
        bool odd = false;
        const char *lf = http_scan_line(bytes, bytes + length, &odd);
        if (cases[i].lf < 0)
            assert_null(lf);
        else
            assert_ptr_equal(lf, bytes + cases[i].lf);
        assert_int_equal(odd, cases[i].odd);
    }
    guarded_fini(&memory);
}

/* Words of every length, each letter in the other case, and each character wrong in turn. */
static void test_same(void **state)
{
    static const char word[] = "abcdefgh-jklmno9qrstuvwxyz";
    (void)state;
    for (size_t length = 0; length < sizeof(word); length++) {
        char other[sizeof(word)];
        memcpy(other, word, length);
        assert_true(http_chars_same(other, word, length));
        for (size_t i = 0; i < length; i++) {
            bool is_letter = word[i] >= 'a';
            other[i] = is_letter ? (char)(word[i] - 32) : word[i];
            assert_true(http_chars_same(other, word, length));
            other[i] = '#';
            assert_false(http_chars_same(other, word, length));
            other[i] = word[i];
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token), cmocka_unit_test(test_visible), cmocka_unit_test(test_text),
        cmocka_unit_test(test_line),  cmocka_unit_test(test_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
