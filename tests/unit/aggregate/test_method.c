#include "agent/aggregate/method.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_known_methods(void **state)
{
    (void)state;
    static const char *const known[] = {"CONNECT", "DELETE", "GET", "HEAD",  "OPTIONS",
                                        "PATCH",   "POST",   "PUT", "QUERY", "TRACE"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        assert_string_equal(method_name(method_of(slice_of(known[i]))), known[i]);
    }
}

static void test_other_methods(void **state)
{
    (void)state;
    static const char *const other[] = {"", "get", "GETX", "GE", "_OTHER", "PROPFIND", "GET "};
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
        assert_int_equal(method_of(slice_of(other[i])), METHOD_OTHER);
    }
    assert_int_equal(method_of((struct slice){NULL, 0}), METHOD_OTHER);
    assert_int_equal(method_of((struct slice){"GET\0", 4}), METHOD_OTHER);
    assert_string_equal(method_name(METHOD_OTHER), "_OTHER");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_methods),
        cmocka_unit_test(test_other_methods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
