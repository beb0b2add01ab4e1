#include "agent/base/slab.h"

#include <errno.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_takes_up_to_its_capacity(void **state)
{
    (void)state;
    struct slab slab;
    assert_int_equal(slab_init(&slab, 40, 3), 0);
    char *objects[3];
    for (unsigned i = 0; i < 3; i++) {
        objects[i] = slab_take(&slab);
        assert_non_null(objects[i]);
        assert_int_equal((uintptr_t)objects[i] % alignof(max_align_t), 0);
        memset(objects[i], (int)('a' + i), 40);
        assert_int_equal(slab.used, i + 1);
    }
    assert_int_equal(slab.refused, 0);
    assert_null(slab_take(&slab));
    assert_null(slab_take(&slab));
    assert_int_equal(slab.refused, 2);
    assert_int_equal(slab.used, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(objects[i][0], 'a' + i); /* no two overlap */
        assert_int_equal(objects[i][39], 'a' + i);
    }
    slab_fini(&slab);
}

static void test_gives_back_and_takes_again(void **state)
{
    (void)state;
    struct slab slab;
    assert_int_equal(slab_init(&slab, 64, 2), 0);
    void *first = slab_take(&slab);
    void *second = slab_take(&slab);
    slab_give(&slab, first);
    assert_int_equal(slab.used, 1);
    assert_ptr_equal(slab_take(&slab), first); /* the warmest one */
    assert_null(slab_take(&slab));
    slab_give(&slab, first);
    slab_give(&slab, second);
    slab_give(&slab, NULL);
    assert_int_equal(slab.used, 0);
    assert_ptr_equal(slab_take(&slab), second);
    assert_ptr_equal(slab_take(&slab), first);
    assert_int_equal(slab.touched, 2); /* nothing new was needed */
    slab_fini(&slab);
}

static void test_smallest_objects_hold_the_free_list(void **state)
{
    (void)state;
    struct slab slab;
    assert_int_equal(slab_init(&slab, 1, 1000), 0);
    void *objects[1000];
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 1000; i++) {
            objects[i] = slab_take(&slab);
            assert_non_null(objects[i]);
        }
        assert_null(slab_take(&slab));
        for (unsigned i = 0; i < 1000; i++) {
            slab_give(&slab, objects[i]);
        }
    }
    assert_int_equal(slab.used, 0);
    slab_fini(&slab);
}

static void test_index_and_back(void **state)
{
    (void)state;
    struct slab slab;
    struct slab other;
    assert_int_equal(slab_init(&slab, 24, 100), 0);
    assert_int_equal(slab_init(&other, 24, 1), 0);
    for (uint32_t i = 0; i < 100; i++) {
        void *object = slab_take(&slab);
        assert_int_equal(slab_index(&slab, object), i);
        assert_ptr_equal(slab_at(&slab, i), object);
        assert_true(slab_owns(&slab, object));
        assert_false(slab_owns(&other, object));
    }
    assert_false(slab_owns(&slab, (char *)slab.region - 1));
    assert_false(slab_owns(&slab, (char *)slab.region + slab.region_size));
    slab_fini(&slab);
    slab_fini(&other);
}

static void test_empty_slab_refuses(void **state)
{
    (void)state;
    struct slab slab;
    assert_int_equal(slab_init(&slab, 16, 0), 0);
    assert_null(slab_take(&slab));
    assert_int_equal(slab.refused, 1);
    slab_fini(&slab);
    slab_fini(&slab); /* a second time is harmless */
    assert_null(slab.region);
}

static void test_more_than_the_machine_can_map(void **state)
{
    (void)state;
    struct slab slab;
    assert_int_equal(slab_init(&slab, (size_t)1 << 31, UINT32_MAX), -ENOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_up_to_its_capacity),
        cmocka_unit_test(test_gives_back_and_takes_again),
        cmocka_unit_test(test_smallest_objects_hold_the_free_list),
        cmocka_unit_test(test_index_and_back),
        cmocka_unit_test(test_empty_slab_refuses),
        cmocka_unit_test(test_more_than_the_machine_can_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
