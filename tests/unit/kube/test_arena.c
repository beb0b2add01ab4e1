#include "agent/kube/wire/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define LIMIT ((size_t)1 << 20)

static void gives_aligned_memory_of_its_own(void **state)
{
    (void)state;
    struct arena *arena = arena_new(LIMIT);
    uint8_t *parts[100];
    for (size_t i = 0; i < 100; i++) {
        parts[i] = arena_take(arena, i);
        assert_non_null(parts[i]);
        assert_int_equal((uintptr_t)parts[i] % _Alignof(max_align_t), 0);
        memset(parts[i], (int)i, i);
    }
    for (size_t i = 1; i < 100; i++) {
        assert_ptr_not_equal(parts[i], parts[i - 1]);
        assert_int_equal(parts[i][0], i);
        assert_int_equal(parts[i][i - 1], i);
    }
    arena_free(arena);
}

static void refuses_what_passes_its_limit(void **state)
{
    (void)state;
    struct arena *arena = arena_new(LIMIT);
    assert_null(arena_take(arena, LIMIT + 1));
    assert_null(arena_take(arena, SIZE_MAX));
    size_t taken = 0;
    while (arena_take(arena, 4096) != NULL) {
        taken += 4096;
        assert_true(taken <= LIMIT);
    }
    assert_true(taken > LIMIT / 2);
    arena_free(arena);
}

static void a_reset_gives_everything_back(void **state)
{
    (void)state;
    struct arena *arena = arena_new(LIMIT);
    void *first = arena_take(arena, 64);
    for (int round = 0; round < 100; round++) {
        arena_reset(arena);
        assert_ptr_equal(arena_take(arena, 64), first);
        assert_non_null(arena_take(arena, LIMIT / 2));
    }
    arena_free(arena);
}

static void a_small_limit_is_kept_too(void **state)
{
    (void)state;
    struct arena *arena = arena_new(64);
    assert_non_null(arena_take(arena, 64));
    assert_null(arena_take(arena, 1));
    arena_reset(arena);
    assert_non_null(arena_take(arena, 1));
    arena_free(arena);
    arena_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_aligned_memory_of_its_own),
        cmocka_unit_test(refuses_what_passes_its_limit),
        cmocka_unit_test(a_reset_gives_everything_back),
        cmocka_unit_test(a_small_limit_is_kept_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
