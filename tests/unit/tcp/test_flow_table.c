#include "agent/tcp/flow_table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    LIMIT = 32, /* 8 empty, 24 carrying */
    EMPTY_LIMIT = 8,
    CARRYING_LIMIT = 24,
    USER_SIZE = 40
};

static struct flow_table table;

static int begin(void **state)
{
    (void)state;
    return flow_table_init(&table, LIMIT, USER_SIZE);
}

/* Every flow has the same hash: each look-up probes past all the others. */
static int begin_colliding(void **state)
{
    int status = begin(state);
    memset(table.seed, 0, sizeof(table.seed));
    return status;
}

static int end(void **state)
{
    (void)state;
    flow_table_fini(&table);
    return 0;
}

static struct segment segment_of(unsigned number)
{
    const uint8_t source[4] = {10, 0, (uint8_t)(number >> 8), (uint8_t)number};
    const uint8_t destination[4] = {10, 200, 0, 1};
    return (struct segment){
        .source = {.address = address_from_ipv4(source), .port = (uint16_t)(1000 + number)},
        .destination = {.address = address_from_ipv4(destination), .port = 80},
        .interface = 4};
}

static struct flow_key key_of(unsigned number)
{
    unsigned side;
    struct segment segment = segment_of(number);
    return flow_key_of(&segment, &side);
}

static struct flow *insert(unsigned number, int64_t now_ns)
{
    struct flow_key key = key_of(number);
    return flow_table_insert(&table, &key, now_ns);
}

static struct flow *find(unsigned number)
{
    struct flow_key key = key_of(number);
    return flow_table_find(&table, &key);
}

/* ---- keys ---- */

static void test_both_directions_have_one_key(void **state)
{
    (void)state;
    struct segment there = segment_of(1);
    struct segment back = there;
    back.source = there.destination;
    back.destination = there.source;
    unsigned side_there;
    unsigned side_back;
    struct flow_key key_there = flow_key_of(&there, &side_there);
    struct flow_key key_back = flow_key_of(&back, &side_back);
    assert_memory_equal(&key_there, &key_back, sizeof(key_there));
    assert_int_equal(side_there + side_back, 1);

    struct flow *flow = flow_table_insert(&table, &key_there, 1);
    struct endpoint source = flow_endpoint(flow, side_there);
    assert_true(address_equal(&source.address, &there.source.address));
    assert_int_equal(source.port, there.source.port);
    assert_int_equal(flow_endpoint(flow, side_back).port, 80);
}

/* On one address the ports decide. */
static void test_one_address_talking_to_itself(void **state)
{
    (void)state;
    struct segment there = segment_of(1);
    there.destination.address = there.source.address;
    struct segment back = there;
    back.source = there.destination;
    back.destination = there.source;
    unsigned side_there;
    unsigned side_back;
    struct flow_key key_there = flow_key_of(&there, &side_there);
    struct flow_key key_back = flow_key_of(&back, &side_back);
    assert_memory_equal(&key_there, &key_back, sizeof(key_there));
    assert_int_equal(side_there + side_back, 1);
}

static void test_every_part_of_the_key_counts(void **state)
{
    (void)state;
    struct segment segments[6];
    for (unsigned i = 0; i < 6; i++) {
        segments[i] = segment_of(1);
    }
    segments[1].source.port++;
    segments[2].destination.port++;
    segments[3].interface++;
    segments[4].source.address.bytes[0] = 1;
    segments[5].destination.address.bytes[15]++;
    unsigned side;
    for (unsigned i = 0; i < 6; i++) {
        struct flow_key key = flow_key_of(&segments[i], &side);
        assert_null(flow_table_find(&table, &key));
        assert_non_null(flow_table_insert(&table, &key, 1));
    }
    assert_int_equal(table.flows.used, 6);
}

/* ---- finding ---- */

static void test_a_new_flow_is_zeroed(void **state)
{
    (void)state;
    struct flow *flow = insert(1, 5);
    memset(flow->user, 0xff, USER_SIZE);
    flow->unread = true;
    flow_table_remove(&table, flow);
    flow = insert(2, 6);
    static const uint8_t zero[USER_SIZE];
    assert_memory_equal(flow->user, zero, USER_SIZE);
    assert_false(flow->unread);
    assert_int_equal(flow->last_ns, 6);
    assert_int_equal(flow->list, FLOW_LIST_EMPTY);
}

/* Random insertions and removals against a plain array. */
static void run_against_model(uint64_t seed)
{
    enum {
        NUMBERS = 64
    };
    struct flow *model[NUMBERS] = {0};
    unsigned count = 0;
    uint64_t random = seed;
    for (unsigned step = 0; step < 400; step++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        unsigned number = (unsigned)(random >> 40) % NUMBERS;
        if (model[number] != NULL) {
            flow_table_remove(&table, model[number]);
            model[number] = NULL;
            count--;
        } else if (count < LIMIT) {
            model[number] = insert(number, step);
            assert_non_null(model[number]);
            count++;
        }
        assert_int_equal(table.flows.used, count);
        for (unsigned i = 0; i < NUMBERS; i++) {
            assert_ptr_equal(find(i), model[i]);
        }
    }
    for (unsigned i = 0; i < NUMBERS; i++) {
        if (model[i] != NULL) {
            flow_table_remove(&table, model[i]);
        }
    }
}

static void test_random_operations(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        run_against_model(seed);
    }
    for (uint32_t slot = 0; slot <= table.slot_mask; slot++) {
        assert_int_equal(table.slots[slot].index, 0);
    }
}

/* The slots of removed flows are closed, so a probe never walks over what was. */
static void test_no_slot_is_lost(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 1000; round++) {
        struct flow *flow = insert(round, round);
        assert_non_null(flow);
        assert_ptr_equal(find(round), flow);
        flow_table_remove(&table, flow);
        assert_null(find(round));
    }
    assert_int_equal(table.flows.touched, 1);
}

/* ---- lists ---- */

static void test_room_for_one_more_than_both_limits(void **state)
{
    (void)state;
    for (unsigned i = 0; i <= LIMIT; i++) {
        assert_non_null(insert(i, i));
    }
    assert_null(insert(LIMIT + 1, 0));
    assert_null(find(LIMIT + 1));
    for (unsigned i = 0; i <= LIMIT; i++) {
        assert_non_null(find(i));
    }
}

static void test_victim_at_the_limit(void **state)
{
    (void)state;
    for (unsigned i = 0; i < EMPTY_LIMIT; i++) {
        assert_null(flow_table_victim(&table, FLOW_LIST_EMPTY));
        insert(i, i);
    }
    assert_ptr_equal(flow_table_victim(&table, FLOW_LIST_EMPTY), find(0));
    assert_null(flow_table_victim(&table, FLOW_LIST_CARRYING));
    flow_table_remove(&table, find(5));
    assert_null(flow_table_victim(&table, FLOW_LIST_EMPTY));

    for (unsigned i = 0; i < CARRYING_LIMIT; i++) {
        assert_null(flow_table_victim(&table, FLOW_LIST_CARRYING));
        flow_table_list(&table, insert(100 + i, 50), FLOW_LIST_CARRYING, 50 + i);
    }
    assert_ptr_equal(flow_table_victim(&table, FLOW_LIST_CARRYING), find(100));
    assert_null(flow_table_victim(&table, FLOW_LIST_EMPTY));
}

/* A list is in order of listing; among the first the one that was quiet longest goes. */
static void test_victim_is_the_quietest_of_the_first(void **state)
{
    (void)state;
    for (unsigned i = 0; i < EMPTY_LIMIT; i++) {
        insert(i, 100 + i);
    }
    find(0)->last_ns = 1000;
    assert_ptr_equal(flow_table_victim(&table, FLOW_LIST_EMPTY), find(1));
    find(3)->last_ns = 50;
    assert_ptr_equal(flow_table_victim(&table, FLOW_LIST_EMPTY), find(3));
}

static void test_listing_again_moves_to_the_end(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        insert(i, i);
    }
    flow_table_list(&table, find(0), FLOW_LIST_EMPTY, 77);
    const struct flow_list *list = &table.lists[FLOW_LIST_EMPTY];
    assert_ptr_equal(list->first, find(1));
    assert_ptr_equal(list->last, find(0));
    assert_int_equal(find(0)->listed_ns, 77);
    assert_int_equal(list->count, 3);

    flow_table_list(&table, find(2), FLOW_LIST_CARRYING, 78);
    assert_int_equal(list->count, 2);
    assert_ptr_equal(table.lists[FLOW_LIST_CARRYING].first, find(2));
    assert_ptr_equal(list->first->next, list->last);
    assert_ptr_equal(list->last->previous, list->first);
    assert_null(list->last->next);
    flow_table_remove(&table, find(1));
    flow_table_remove(&table, find(0));
    assert_null(list->first);
    assert_null(list->last);
    assert_int_equal(list->count, 0);
}

/* ---- sizes ---- */

static void test_the_smallest_tables(void **state)
{
    (void)state;
    for (uint32_t limit = 0; limit < 5; limit++) {
        struct flow_table small;
        assert_int_equal(flow_table_init(&small, limit, 0), 0);
        for (unsigned i = 0; i < 3; i++) {
            struct flow_key key = key_of(i);
            assert_non_null(flow_table_insert(&small, &key, 1));
        }
        flow_table_fini(&small);
        flow_table_fini(&small);
    }
}

static void test_too_large_a_table(void **state)
{
    (void)state;
    struct flow_table large;
    assert_int_equal(flow_table_init(&large, UINT32_MAX, 0), -EINVAL);
    assert_int_equal(flow_table_init(&large, UINT32_C(1) << 31, 0), -EINVAL);
    assert_int_equal(flow_table_init(&large, UINT32_C(1) << 30, SIZE_MAX >> 32), -ENOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_both_directions_have_one_key, begin, end),
        cmocka_unit_test_setup_teardown(test_one_address_talking_to_itself, begin, end),
        cmocka_unit_test_setup_teardown(test_every_part_of_the_key_counts, begin, end),
        cmocka_unit_test_setup_teardown(test_every_part_of_the_key_counts, begin_colliding, end),
        cmocka_unit_test_setup_teardown(test_a_new_flow_is_zeroed, begin, end),
        cmocka_unit_test_setup_teardown(test_random_operations, begin, end),
        cmocka_unit_test_setup_teardown(test_random_operations, begin_colliding, end),
        cmocka_unit_test_setup_teardown(test_no_slot_is_lost, begin, end),
        cmocka_unit_test_setup_teardown(test_room_for_one_more_than_both_limits, begin, end),
        cmocka_unit_test_setup_teardown(test_room_for_one_more_than_both_limits, begin_colliding,
                                        end),
        cmocka_unit_test_setup_teardown(test_victim_at_the_limit, begin, end),
        cmocka_unit_test_setup_teardown(test_victim_is_the_quietest_of_the_first, begin, end),
        cmocka_unit_test_setup_teardown(test_listing_again_moves_to_the_end, begin, end),
        cmocka_unit_test(test_the_smallest_tables),
        cmocka_unit_test(test_too_large_a_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
