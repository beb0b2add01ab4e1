#include "agent/aggregate/label_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct label_table table;

static void init(uint32_t capacity)
{
    assert_int_equal(label_table_init(&table, capacity, 7), 0);
}

static uint32_t intern(uint32_t owner, const char *text)
{
    return label_table_intern(&table, owner, slice_of(text));
}

static void expect_text(uint32_t id, const char *expected)
{
    uint64_t text[LABEL_MAX / sizeof(uint64_t)];
    size_t length = label_table_copy(&table, id, text);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(text, expected, length);
}

static void test_same_text_same_label(void **state)
{
    (void)state;
    init(10);
    uint32_t a = intern(LABEL_NONE, "shop");
    uint32_t b = intern(LABEL_NONE, "shopping");
    assert_int_not_equal(a, LABEL_NONE);
    assert_int_not_equal(a, b);
    assert_int_equal(intern(LABEL_NONE, "shop"), a);
    assert_int_equal(label_table_find(&table, LABEL_NONE, slice_of("shopping")), b);
    assert_int_equal(label_table_find(&table, LABEL_NONE, slice_of("sho")), LABEL_NONE);
    assert_int_equal(label_table_find(&table, LABEL_NONE, slice_of("")), LABEL_NONE);
    expect_text(a, "shop");
    expect_text(b, "shopping");
    label_table_fini(&table);
}

static void test_label_goes_with_its_last_user(void **state)
{
    (void)state;
    init(1);
    uint32_t a = intern(LABEL_NONE, "a");
    label_table_acquire(&table, a);
    label_table_release(&table, a);
    assert_int_equal(intern(LABEL_NONE, "b"), LABEL_NONE);
    label_table_release(&table, a);
    uint32_t b = intern(LABEL_NONE, "b");
    assert_int_equal(b, a); /* the slot is used again */
    expect_text(b, "b");
    assert_int_equal(table.used, 1);
    label_table_fini(&table);
}

static void test_at_the_bound(void **state)
{
    (void)state;
    init(100);
    char text[16];
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "label %d", i);
        assert_int_not_equal(intern(LABEL_NONE, text), LABEL_NONE);
    }
    assert_int_equal(intern(LABEL_NONE, "one more"), LABEL_NONE);
    assert_int_not_equal(intern(LABEL_NONE, "label 99"), LABEL_NONE);
    assert_int_equal(table.used, 100);
    label_table_fini(&table);
}

static void test_owners(void **state)
{
    (void)state;
    init(10);
    uint32_t orders = intern(LABEL_NONE, "orders");
    uint32_t users = intern(LABEL_NONE, "users");
    uint32_t of_orders = intern(orders, "/items");
    uint32_t of_users = intern(users, "/items");
    assert_int_not_equal(of_orders, of_users);
    assert_int_equal(label_table_owned(&table, orders), 1);
    intern(orders, "/items");
    assert_int_equal(label_table_owned(&table, orders), 1);
    intern(orders, "/carts");
    assert_int_equal(label_table_owned(&table, orders), 2);
    assert_int_equal(label_table_owned(&table, LABEL_NONE), 0);

    /* An owner stays as long as what it owns. */
    label_table_release(&table, users);
    assert_int_equal(label_table_find(&table, LABEL_NONE, slice_of("users")), users);
    label_table_release(&table, users);
    label_table_release(&table, of_users);
    assert_int_equal(label_table_find(&table, LABEL_NONE, slice_of("users")), LABEL_NONE);
    label_table_fini(&table);
}

static void test_long_texts_are_cut(void **state)
{
    (void)state;
    init(10);
    char text[LABEL_MAX + 10];
    memset(text, 'x', sizeof(text));
    struct slice fitting = {text, LABEL_MAX};
    struct slice beyond = {text, LABEL_MAX + 1};
    uint32_t id = label_table_intern(&table, LABEL_NONE, fitting);
    assert_int_equal(label_table_intern(&table, LABEL_NONE, beyond), id);
    assert_int_equal(label_table_find(&table, LABEL_NONE, beyond), id);

    /* The cut does not go through a character: 3 bytes of which 2 would fit. */
    memcpy(text + LABEL_MAX - 2, "\xe2\x82\xac", 3);
    beyond.length = LABEL_MAX + 1;
    uint64_t copy[LABEL_MAX / sizeof(uint64_t)];
    id = label_table_intern(&table, LABEL_NONE, beyond);
    assert_int_equal(label_table_copy(&table, id, copy), LABEL_MAX - 2);
    label_table_fini(&table);
}

static void test_any_bytes(void **state)
{
    (void)state;
    init(10);
    struct slice with_nul = {"a\0b", 3};
    uint32_t id = label_table_intern(&table, LABEL_NONE, with_nul);
    assert_int_not_equal(label_table_intern(&table, LABEL_NONE, slice_of("a")), id);
    uint64_t copy[LABEL_MAX / sizeof(uint64_t)];
    assert_int_equal(label_table_copy(&table, id, copy), 3);
    assert_memory_equal(copy, "a\0b", 3);
    assert_int_equal(label_table_copy(&table, LABEL_NONE, copy), 0);
    assert_int_equal(label_table_copy(&table, 12345, copy), 0);
    label_table_fini(&table);
}

/* Thousands of labels come and go; the table always agrees with a plain array. */
static void test_against_a_model(void **state)
{
    (void)state;
    enum {
        TEXTS = 64
    };
    uint32_t ids[TEXTS] = {0};
    uint64_t random = 99;
    init(TEXTS / 2);
    int used = 0;
    for (int step = 0; step < 20000; step++) {
        random = random * 6364136223846793005U + 1442695040888963407U;
        uint32_t i = (uint32_t)(random >> 33) % TEXTS;
        char text[40];
        snprintf(text, sizeof(text), "a label of some length %u", i);
        uint32_t found = label_table_find(&table, LABEL_NONE, slice_of(text));
        assert_int_equal(found, ids[i]);
        label_table_release(&table, found);
        if (ids[i] != LABEL_NONE) {
            expect_text(ids[i], text);
            label_table_release(&table, ids[i]);
            ids[i] = LABEL_NONE;
            used--;
        } else {
            ids[i] = intern(LABEL_NONE, text);
            assert_int_equal(ids[i] != LABEL_NONE, used < TEXTS / 2);
            used += ids[i] != LABEL_NONE;
        }
        assert_int_equal(table.used, used);
    }
    label_table_fini(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_text_same_label),
        cmocka_unit_test(test_label_goes_with_its_last_user),
        cmocka_unit_test(test_at_the_bound),
        cmocka_unit_test(test_owners),
        cmocka_unit_test(test_long_texts_are_cut),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_against_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
