#include "agent/kube/directory/perfect_hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

static uint64_t random_hash(uint64_t number)
{
    uint64_t hash = (number + 1) * 0x9e3779b97f4a7c15u;
    hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9u;
    hash = (hash ^ hash >> 27) * 0x94d049bb133111ebu;
    return hash ^ hash >> 31;
}

/* How many of the hashes have no place; all others have one of their own, where they are found. */
static uint32_t count_homeless(const uint64_t *hashes, uint32_t count)
{
    struct perfect_hash perfect = perfect_hash_shape(count);
    uint8_t *pilots = calloc(1, perfect_hash_size(&perfect));
    uint32_t *places = calloc((size_t)count + 1, sizeof(*places));
    uint8_t *taken = calloc(1, perfect.places);
    uint32_t homeless = 0;
    assert_true(perfect_hash_seek(hashes, count, pilots, places));
    perfect.pilots = pilots;
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(perfect_hash_find(&perfect, hashes[i]), places[i]);
        homeless += places[i] == PERFECT_HASH_HOMELESS;
        if (places[i] != PERFECT_HASH_HOMELESS) {
            assert_in_range(places[i], 0, perfect.places - 1);
            assert_int_equal(taken[places[i]]++, 0);
        }
    }
    free(pilots);
    free(places);
    free(taken);
    return homeless;
}

static void test_every_hash_has_a_place(void **state)
{
    (void)state;
    static uint64_t hashes[20000];
    uint32_t homeless = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        hashes[i] = random_hash(i);
    }
    for (uint32_t count = 0; count < 400; count++) {
        homeless += count_homeless(hashes, count);
    }
    homeless += count_homeless(hashes, 20000);
    assert_in_range(homeless, 0, 100); /* of 100,000 */
}

static void test_equal_hashes_are_homeless(void **state)
{
    (void)state;
    uint64_t hashes[40];
    for (uint32_t i = 0; i < 40; i++) {
        hashes[i] = i < 20 ? 4711 : random_hash(i);
    }
    assert_in_range(count_homeless(hashes, 40), 20, 24);
}

/* What is not in the set is nearly always known to be absent. */
static void test_others_are_absent(void **state)
{
    (void)state;
    uint64_t hashes[300];
    struct perfect_hash perfect = perfect_hash_shape(300);
    uint8_t *pilots = calloc(1, perfect_hash_size(&perfect));
    uint32_t places[300];
    uint32_t present = 0;
    for (uint32_t i = 0; i < 300; i++) {
        hashes[i] = random_hash(i);
    }
    assert_true(perfect_hash_seek(hashes, 300, pilots, places));
    perfect.pilots = pilots;
    for (uint32_t i = 300; i < 100300; i++) {
        present += perfect_hash_find(&perfect, random_hash(i)) != PERFECT_HASH_ABSENT;
    }
    assert_in_range(present, 1, 2000);
    free(pilots);
}

static void test_too_many_are_refused(void **state)
{
    (void)state;
    uint64_t hash = 0;
    uint8_t pilots[2];
    uint32_t place = 0;
    assert_false(perfect_hash_seek(&hash, PERFECT_HASH_MOST + 1, pilots, &place));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_hash_has_a_place),
        cmocka_unit_test(test_equal_hashes_are_homeless),
        cmocka_unit_test(test_others_are_absent),
        cmocka_unit_test(test_too_many_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
