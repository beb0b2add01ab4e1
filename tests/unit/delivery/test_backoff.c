#include "exporters/delivery/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

static void test_doubles_up_to_the_bound(void **state)
{
    (void)state;
    struct backoff backoff = {.first_ms = 100, .max_ms = 1000};
    static const int64_t bounds[] = {100, 200, 400, 800, 1000, 1000};
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        assert_in_range(backoff_next(&backoff, 0), bounds[i] / 2, bounds[i]);
    }
    backoff_reset(&backoff);
    assert_in_range(backoff_next(&backoff, 0), 50, 100);
}

static void test_waits_differ(void **state)
{
    (void)state;
    struct backoff backoff = {.first_ms = 1000000, .max_ms = 1000000};
    int64_t first = backoff_next(&backoff, 0);
    bool differs = false;
    for (unsigned i = 0; i < 10; i++) {
        differs = differs || backoff_next(&backoff, 0) != first;
    }
    assert_true(differs);
}

static void test_the_receiver_s_wish_is_kept_within_the_bound(void **state)
{
    (void)state;
    struct backoff backoff = {.first_ms = 10, .max_ms = 5000};
    assert_int_equal(backoff_next(&backoff, 3000), 3000);
    assert_int_equal(backoff_next(&backoff, 60000), 5000);
    assert_in_range(backoff_next(&backoff, 1), 20, 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles_up_to_the_bound),
        cmocka_unit_test(test_waits_differ),
        cmocka_unit_test(test_the_receiver_s_wish_is_kept_within_the_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
