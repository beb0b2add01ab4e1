#include "exporters/delivery/byte_ring.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define CAPACITY 4096

static struct byte_ring ring;

static int setup(void **state)
{
    (void)state;
    return byte_ring_init(&ring, CAPACITY);
}

static int teardown(void **state)
{
    (void)state;
    byte_ring_fini(&ring);
    return 0;
}

static bool put(const char *bytes, size_t length)
{
    void *room = byte_ring_reserve(&ring, length);
    if (room == NULL) {
        return false;
    }
    memcpy(room, bytes, length);
    byte_ring_commit(&ring, length);
    return true;
}

static void test_records_come_out_as_they_went_in(void **state)
{
    (void)state;
    uint64_t cursor = 0;
    struct text record;
    assert_false(byte_ring_next(&ring, &cursor, &record));
    assert_true(put("one", 3));
    assert_true(put("", 0));
    assert_true(put("three", 5));
    assert_true(byte_ring_next(&ring, &cursor, &record));
    assert_int_equal(record.length, 3);
    assert_memory_equal(record.data, "one", 3);
    assert_true(byte_ring_next(&ring, &cursor, &record));
    assert_int_equal(record.length, 0);
    assert_true(byte_ring_next(&ring, &cursor, &record));
    assert_memory_equal(record.data, "three", 5);
    assert_false(byte_ring_next(&ring, &cursor, &record));
    assert_true(byte_ring_used(&ring) > 0); /* not given back yet */
    byte_ring_release(&ring, cursor);
    assert_int_equal(byte_ring_used(&ring), 0);
}

static void test_full_refuses_until_something_is_given_back(void **state)
{
    (void)state;
    static const char bytes[504] = "x"; /* with the header, an eighth of the ring */
    for (unsigned i = 0; i < 8; i++) {
        assert_true(put(bytes, sizeof(bytes)));
    }
    assert_false(put("", 0));
    uint64_t cursor = 0;
    struct text record;
    assert_true(byte_ring_next(&ring, &cursor, &record));
    assert_false(put("", 0)); /* read, but not given back */
    byte_ring_release(&ring, cursor);
    assert_true(put(bytes, sizeof(bytes)));
    assert_false(put("", 0));
}

static void test_longest_record_always_fits_an_empty_ring(void **state)
{
    (void)state;
    static char bytes[CAPACITY];
    size_t longest = byte_ring_record_max(&ring);
    uint64_t cursor = 0;
    struct text record;
    for (unsigned i = 0; i < 100; i++) {
        assert_true(put(bytes, i * 40 % 300)); /* wherever the ring stands */
        assert_true(byte_ring_next(&ring, &cursor, &record));
        byte_ring_release(&ring, cursor);
        assert_true(put(bytes, longest));
        assert_true(byte_ring_next(&ring, &cursor, &record));
        assert_int_equal(record.length, longest);
        byte_ring_release(&ring, cursor);
    }
    assert_false(put(bytes, longest + 1));
}

#define RECORDS 50000

static size_t length_of(uint64_t number)
{
    return sizeof(number) + number * 31 % 400;
}

static void *produce(void *context)
{
    (void)context;
    char bytes[512];
    for (uint64_t i = 0; i < RECORDS;) {
        memset(bytes, (int)(i & 0xff), sizeof(bytes));
        memcpy(bytes, &i, sizeof(i));
        bool done = put(bytes, length_of(i));
        i += done;
        if (!done) {
            sched_yield();
        }
    }
    return NULL;
}

static void test_two_threads(void **state)
{
    (void)state;
    pthread_t producer;
    assert_int_equal(pthread_create(&producer, NULL, produce, NULL), 0);
    uint64_t cursor = 0;
    for (uint64_t expected = 0; expected < RECORDS;) {
        struct text record;
        uint64_t number;
        if (!byte_ring_next(&ring, &cursor, &record)) {
            sched_yield();
            continue;
        }
        memcpy(&number, record.data, sizeof(number));
        assert_int_equal(number, expected);
        assert_int_equal(record.length, length_of(expected));
        for (size_t i = sizeof(number); i < record.length; i++) {
            assert_int_equal((unsigned char)record.data[i], expected & 0xff);
        }
        byte_ring_release(&ring, cursor);
        expected++;
    }
    pthread_join(producer, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_records_come_out_as_they_went_in, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_refuses_until_something_is_given_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_longest_record_always_fits_an_empty_ring, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_two_threads, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
