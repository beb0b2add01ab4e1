#include "agent/config/schema.h"

#include "agent/config/config.h"
#include "agent/config/store.h"
#include "agent/config/yaml_reader.h"
#include "agent/exchange/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What every row has to hold, so that no walk over the table meets a surprise. */
static void check_row(const struct schema_key *key)
{
    bool number = key->kind == SCHEMA_BYTES || key->kind == SCHEMA_SECONDS ||
                  key->kind == SCHEMA_MILLIS || key->kind == SCHEMA_COUNT ||
                  key->kind == SCHEMA_PORT || key->kind == SCHEMA_REAL;
    bool choice =
        key->kind == SCHEMA_CHOICE || key->kind == SCHEMA_BOOL || key->kind == SCHEMA_CHOICE_TEXT;
    assert_true(strlen(key->name) < SCHEMA_NAME_SIZE);
    assert_true(key->help != NULL && strlen(key->help) > 10);
    assert_int_equal(key->help[strlen(key->help) - 1], '.');
    assert_int_equal(number, key->minimum != NULL && key->maximum != NULL);
    assert_int_equal(choice, key->choices != NULL);
    assert_int_equal(key->kind == SCHEMA_TEXT, key->max_length > 0);
    assert_int_equal(key->kind == SCHEMA_SECTION, key->section != NULL);
    assert_int_equal(key->element_size > 0, key->max_items > 0);
    if (key->element_size > 0) {
        assert_true(key->fallback != NULL && key->fallback[0] == '[');
    }
}

static void check_section(const struct schema_section *section)
{
    assert_in_range(section->count, 1, SCHEMA_SECTION_MAX);
    for (size_t i = 0; i < section->count; i++) {
        const struct schema_key *key = &section->keys[i];
        check_row(key);
        assert_ptr_equal(schema_find(section, key->name), key); /* no name twice */
        if (key->section != NULL) {
            check_section(key->section);
        }
    }
}

static void test_rows(void **state)
{
    (void)state;
    check_section(schema_root());
}

static size_t count_keys(const struct schema_section *section)
{
    size_t count = section->count;
    for (size_t i = 0; i < section->count; i++) {
        if (section->keys[i].section != NULL && section->keys[i].element_size == 0) {
            count += count_keys(section->keys[i].section);
        }
    }
    return count;
}

static void test_marks_of_all_keys_are_kept(void **state)
{
    (void)state;
    assert_true(count_keys(schema_root()) <= YAML_GIVEN_MAX);
}

static void test_suggestions(void **state)
{
    (void)state;
    static const struct {
        const char *section; /* NULL: the top level */
        const char *name;
        const char *suggestion; /* NULL: none */
    } cases[] = {
        {NULL, "capture", "capture"},
        {NULL, "Capture", "capture"},
        {NULL, "metric", "metrics"},
        {NULL, "tpc", NULL}, /* two of three letters replaced */
        {NULL, "tc", "tcp"},
        {NULL, "max_series", "metrics.max_series"},
        {NULL, "", NULL},
        {"capture", "ringsize", "ring_size"},
        {"capture", "RingSize", "ring_size"},
        {"capture", "worker", "workers"},
        {"capture", "wrkrs", "workers"},
        {"capture", "wks", NULL},
        {"capture", "limit", "memory.limit"},
        {"capture", "rules", "rules at the top level"},
        {"capture", "something_else_that_is_longer_than_any_key_of_the_table", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char suggestion[2 * SCHEMA_NAME_SIZE];
        const struct schema_section *section = schema_root();
        if (cases[i].section != NULL) {
            section = schema_find(section, cases[i].section)->section;
        }
        bool found = schema_suggest(section, cases[i].name, suggestion, sizeof(suggestion));
        if (found != (cases[i].suggestion != NULL)) {
            fail_msg("%s: %s", cases[i].name, found ? suggestion : "no suggestion");
        }
        if (found) {
            assert_string_equal(suggestion, cases[i].suggestion);
        }
    }
}

/* Patterns that pass the check can be matched: both stages agree on the bounds. */
static void test_patterns_are_those_that_routes_match(void **state)
{
    (void)state;
    const struct schema_section *routes = schema_find(schema_root(), "routes")->section;
    const struct schema_key *patterns = schema_find(routes, "patterns");
    assert_true(patterns->max_length <= ROUTE_TEXT_SIZE);
    char deepest[ROUTE_SEGMENTS_MAX * 2 + 3] = "";
    for (int i = 0; i < ROUTE_SEGMENTS_MAX; i++) {
        strcat(deepest, "/a");
    }
    assert_null(patterns->check(deepest));
    strcat(deepest, "/a");
    assert_non_null(patterns->check(deepest));
}

static void test_release_empties(void **state)
{
    (void)state;
    static struct config config;
    assert_true(store_apply_defaults(schema_root(), &config));
    store_release(schema_root(), &config);
    assert_null(config.metrics.duration_buckets);
    assert_int_equal(config.metrics.duration_bucket_count, 0);
    assert_null(config.metrics.listen);
    store_release(schema_root(), &config); /* a second time is harmless */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_marks_of_all_keys_are_kept),
        cmocka_unit_test(test_suggestions),
        cmocka_unit_test(test_patterns_are_those_that_routes_match),
        cmocka_unit_test(test_release_empties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
