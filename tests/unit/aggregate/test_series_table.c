#include "agent/aggregate/series_table.h"

#include "agent/aggregate/cell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct series_table table;

static void init(uint32_t capacity)
{
    assert_int_equal(series_table_init(&table, 2, capacity, 7), 0);
}

static struct series_key key_of(uint32_t number)
{
    return (struct series_key){
        .service = number, .status = (uint16_t)(number % 7), .kind = SERIES_UNSEEN};
}

static struct series *add(uint32_t number)
{
    struct series_key key = key_of(number);
    return series_table_add(&table, &key, 1000);
}

static struct series *find(uint32_t number)
{
    struct series_key key = key_of(number);
    return series_table_find(&table, &key);
}

static void test_add_and_find(void **state)
{
    (void)state;
    init(10);
    assert_null(find(1));
    struct series *series = add(1);
    assert_non_null(series);
    assert_ptr_equal(find(1), series);
    assert_null(find(2));
    assert_int_equal(series->value[0], 0);
    assert_int_equal(series->created_ns, 1000);
    assert_int_equal(series_key_of(series).service, 1);
    series_table_fini(&table);
}

static void test_at_the_bound(void **state)
{
    (void)state;
    init(50);
    for (uint32_t i = 1; i <= 50; i++) {
        assert_non_null(add(i));
    }
    assert_null(add(51));
    assert_null(find(51));
    series_table_remove(&table, find(20));
    assert_non_null(add(51));
    assert_null(find(20));
    assert_non_null(find(51));
    series_table_fini(&table);
}

/* A slot that is used again starts at zero, and who remembers the former record can tell. */
static void test_reused_slot(void **state)
{
    (void)state;
    init(1);
    struct series *series = add(1);
    uint64_t generation = series->generation;
    uint64_t value[2];
    series_write_begin(series);
    cell_add(&series->value[0], 5);
    series_write_end(series);
    assert_true(series_table_read(&table, 0, generation, value));
    assert_int_equal(value[0], 5);
    series_table_remove(&table, series);
    assert_false(series_table_read(&table, 0, generation, value));
    assert_ptr_equal(add(2), series);
    assert_false(series_table_read(&table, 0, generation, value));
    assert_true(series_table_read(&table, 0, series->generation, value));
    assert_int_equal(value[0], 0);
    series_table_fini(&table);
}

static void test_readers_see_changes(void **state)
{
    (void)state;
    init(1);
    struct series *series = add(1);
    uint64_t sequence = series_read_begin(series);
    assert_true(series_read_end(series, sequence));
    series_write_begin(series);
    assert_false(series_read_end(series, sequence));
    series_write_end(series);
    assert_false(series_read_end(series, sequence));
    assert_int_equal(series_read_begin(series) % 2, 0);
    series_table_fini(&table);
}

/* Thousands of records come and go; the table always agrees with a plain array. */
static void test_against_a_model(void **state)
{
    (void)state;
    enum {
        KEYS = 64
    };
    struct series *model[KEYS + 1] = {0};
    uint64_t random = 5;
    init(KEYS / 2);
    int used = 0;
    for (int step = 0; step < 20000; step++) {
        random = random * 6364136223846793005U + 1442695040888963407U;
        uint32_t i = 1 + (uint32_t)(random >> 33) % KEYS;
        assert_ptr_equal(find(i), model[i]);
        if (model[i] != NULL) {
            series_table_remove(&table, model[i]);
            model[i] = NULL;
            used--;
        } else {
            model[i] = add(i);
            assert_int_equal(model[i] != NULL, used < KEYS / 2);
            used += model[i] != NULL;
        }
    }
    series_table_fini(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_and_find),    cmocka_unit_test(test_at_the_bound),
        cmocka_unit_test(test_reused_slot),     cmocka_unit_test(test_readers_see_changes),
        cmocka_unit_test(test_against_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
