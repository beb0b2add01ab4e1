#include "agent/base/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_equal(void **state)
{
    (void)state;
    assert_true(slice_equal(slice_of("abc"), slice_of("abc")));
    assert_false(slice_equal(slice_of("abc"), slice_of("abd")));
    assert_false(slice_equal(slice_of("abc"), slice_of("ab")));
    assert_true(slice_equal(slice_of(""), (struct slice){NULL, 0}));
    assert_true(slice_equal((struct slice){NULL, 0}, (struct slice){NULL, 0}));
    assert_false(slice_equal((struct slice){"a\0b", 3}, (struct slice){"a\0c", 3}));
}

static void test_of_string(void **state)
{
    (void)state;
    const char *string = "four";
    struct slice slice = slice_of(string);
    assert_ptr_equal(slice.data, string);
    assert_int_equal(slice.length, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_of_string),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
