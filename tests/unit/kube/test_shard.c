#include "agent/kube/directory/name_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

/* A shard may be of any addresses, whatever a directory puts into one. */

static const struct shard_seed seed = {{0x243f6a8885a308d3u, 0x13198a2e03707344u}};

static struct address ipv4(uint32_t number)
{
    const uint8_t bytes[4] = {10, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
    return address_from_ipv4(bytes);
}

/* All have the same hash: who knows the seed can have what he multiplies be zero. */
static struct address ipv6_alike(uint64_t number)
{
    const uint64_t words[2] = {seed.words[0], number};
    struct address address;
    memcpy(address.bytes, words, sizeof(words));
    return address;
}

static struct address ipv6(uint64_t number)
{
    struct address address = {.bytes = {0x20, 0x01, [15] = 1}};
    memcpy(address.bytes + 4, &number, sizeof(number));
    return address;
}

static uint32_t role_at(const struct shard *shard, struct address address, uint16_t port)
{
    const struct endpoint endpoint = {address, port};
    const struct perfect_hash index = shard_index(shard);
    const struct shard_place *place =
        shard_find(shard, &index, &endpoint, shard_hash(&endpoint.address, &seed));
    return place == NULL ? 0 : place->role;
}

static struct shard_row row_of(struct address address, uint32_t role, uint16_t port)
{
    return (struct shard_row){address, {.role = role, .port = port}};
}

static void test_nobody_is_lost_and_nobody_found_who_is_not_there(void **state)
{
    (void)state;
    static struct shard_row rows[5000];
    for (uint32_t count = 0; count <= 5000; count = count * 3 / 2 + 1) {
        for (uint32_t i = 0; i < count; i++) {
            rows[i] = row_of(ipv4(i * 7), i + 1, 0);
        }
        struct shard *shard = shard_new(rows, count, true, &seed);
        assert_non_null(shard);
        for (uint32_t i = 0; i < count * 7; i++) {
            assert_int_equal(role_at(shard, ipv4(i), 80), i % 7 == 0 ? i / 7 + 1 : 0);
        }
        shard_release(shard);
    }
}

static void test_ports_have_rows_of_their_own(void **state)
{
    (void)state;
    struct shard_row rows[600];
    size_t count = 0;
    for (uint32_t i = 0; i < 200; i++) {
        rows[count++] = row_of(ipv4(i), 1 + i, 0);
        for (uint16_t port = 1; port <= i % 4 && count < 600; port++) {
            rows[count++] = row_of(ipv4(i), 1000 + i * 10 + port, port);
        }
    }
    struct shard *shard = shard_new(rows, count, true, &seed);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(role_at(shard, rows[i].address, rows[i].place.port), rows[i].place.role);
        assert_int_equal(role_at(shard, rows[i].address, 9), rows[i].address.bytes[15] + 1);
    }
    shard_release(shard);
}

static void test_addresses_with_the_same_hash_are_told_apart(void **state)
{
    (void)state;
    struct shard_row rows[300];
    size_t count = 0;
    for (uint32_t i = 0; i < 100; i++) {
        struct address alike = ipv6_alike(i + 1);
        struct address first = ipv6_alike(1);
        assert_true(shard_hash(&alike, &seed) == shard_hash(&first, &seed));
        rows[count++] = row_of(alike, 1 + i, 0);
        rows[count++] = row_of(alike, 1001 + i, 443);
        rows[count++] = row_of(ipv6(i), 2001 + i, 0);
    }
    struct shard *shard = shard_new(rows, count, false, &seed);
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(role_at(shard, ipv6_alike(i + 1), 80), 1 + i);
        assert_int_equal(role_at(shard, ipv6_alike(i + 1), 443), 1001 + i);
        assert_int_equal(role_at(shard, ipv6(i), 443), 2001 + i);
        assert_int_equal(role_at(shard, ipv6_alike(i + 101), 443), 0);
    }
    shard_release(shard);
}

/* What one agent's addresses collide by is of no use with another. */
static void test_collisions_cannot_be_chosen(void **state)
{
    (void)state;
    struct name_store *stores[2] = {name_store_new(), name_store_new()};
    assert_memory_not_equal(&stores[0]->seed, &stores[1]->seed, sizeof(struct shard_seed));
    for (size_t i = 0; i < 2; i++) {
        for (uint32_t at = 1; at < 1000; at++) {
            struct address alike = ipv6_alike(at);
            struct address next = ipv6_alike(at + 1);
            assert_true(shard_hash(&alike, &stores[i]->seed) !=
                        shard_hash(&next, &stores[i]->seed));
        }
        name_store_release(stores[i]);
    }
}

/* A tag is a byte: of IPv6 addresses whose ends are alike too, the whole is compared. */
static void test_ipv6_is_compared_as_a_whole(void **state)
{
    (void)state;
    struct shard_row rows[50];
    for (uint32_t i = 0; i < 50; i++) {
        rows[i] = row_of(ipv6(i), i + 1, 0);
    }
    struct shard *shard = shard_new(rows, 50, false, &seed);
    for (uint32_t i = 50; i < 100000; i++) {
        assert_int_equal(role_at(shard, ipv6(i), 1), 0);
    }
    shard_release(shard);
}

/* Addresses of a directory's shard have hashes that begin alike: their tags differ all the same. */
static void test_tags_tell_the_addresses_of_one_shard_apart(void **state)
{
    (void)state;
    struct shard_row rows[300];
    bool seen[UINT8_MAX + 1] = {false};
    uint32_t count = 0;
    for (uint32_t number = 0; count < 300; number++) {
        struct address address = ipv4(number);
        if (shard_of(shard_hash(&address, &seed)) == 5) {
            rows[count++] = row_of(address, 1, 0);
        }
    }
    struct shard *shard = shard_new(rows, count, true, &seed);
    const struct perfect_hash index = shard_index(shard);
    uint32_t tags = 0;
    for (uint32_t place = 0; place < index.places; place++) {
        uint8_t tag = index.pilots[index.groups + place];
        tags += !seen[tag] && tag != 0;
        seen[tag] = true;
    }
    assert_in_range(tags, 100, 128);
    shard_release(shard);
}

static void test_every_place_is_visited_once(void **state)
{
    (void)state;
    struct shard_row rows[400];
    uint8_t seen[401] = {0};
    for (uint32_t i = 0; i < 400; i++) {
        struct address address = i < 200 ? ipv6(i / 2) : ipv6_alike(i);
        rows[i] = row_of(address, i + 1, i < 200 && i % 2 == 1 ? 80 : 0);
    }
    struct shard *shard = shard_new(rows, 400, false, &seed);
    uint32_t at = 0;
    uint32_t count = 0;
    const struct shard_place *place = NULL;
    while ((place = shard_next(shard, &at)) != NULL) {
        assert_in_range(place->role, 1, 400);
        assert_int_equal(seen[place->role]++, 0);
        count++;
    }
    assert_int_equal(count, 400);
    shard_release(shard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_is_lost_and_nobody_found_who_is_not_there),
        cmocka_unit_test(test_ports_have_rows_of_their_own),
        cmocka_unit_test(test_addresses_with_the_same_hash_are_told_apart),
        cmocka_unit_test(test_collisions_cannot_be_chosen),
        cmocka_unit_test(test_ipv6_is_compared_as_a_whole),
        cmocka_unit_test(test_tags_tell_the_addresses_of_one_shard_apart),
        cmocka_unit_test(test_every_place_is_visited_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
