#include "exporters/delivery/delivery.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define WORKERS 3
#define RECORDS 50000

/* Sees each worker's records in order: their time is their number, the status their worker. */
struct outlet {
    uint64_t next[WORKERS];
    uint64_t taken;
    _Atomic uint64_t lost[EXPORTER_LOSS_COUNT];
    bool out_of_order;
    bool even_only;
};

static struct outlet outlets[2];
static struct delivery *delivery;

static bool on_wants(void *context, const struct exchange_record *record)
{
    const struct outlet *outlet = context;
    return !outlet->even_only || record->time_ns % 2 == 0;
}

static void on_lose(void *context, enum exporter_loss loss, uint64_t records)
{
    struct outlet *outlet = context;
    atomic_fetch_add(&outlet->lost[loss], records);
}

static void on_take(void *context, const struct exchange_record *record)
{
    struct outlet *outlet = context;
    uint64_t *next = &outlet->next[record->status];
    outlet->out_of_order = outlet->out_of_order || (uint64_t)record->time_ns < *next ||
                           record->method.length != 3 || memcmp(record->method.data, "GET", 3) != 0;
    *next = (uint64_t)record->time_ns + 1;
    outlet->taken++;
}

static void on_tick(void *context)
{
    (void)context;
}

static int setup(void **state)
{
    (void)state;
    memset(outlets, 0, sizeof(outlets));
    outlets[1].even_only = true;
    struct delivery_outlet options[2];
    for (size_t i = 0; i < 2; i++) {
        options[i] = (struct delivery_outlet){.context = &outlets[i],
                                              .wants = on_wants,
                                              .lose = on_lose,
                                              .take = on_take,
                                              .tick = on_tick};
    }
    delivery = delivery_new(&(struct delivery_options){
        .outlets = options, .outlet_count = 2, .inlet_count = WORKERS, .ring_bytes = 65536});
    return delivery == NULL;
}

static int teardown(void **state)
{
    (void)state;
    delivery_free(delivery);
    return 0;
}

static void *work(void *context)
{
    size_t worker = (size_t)(uintptr_t)context;
    for (int64_t i = 0; i < RECORDS; i++) {
        struct exchange_record record = {
            .time_ns = i, .status = (uint16_t)worker, .method = text_of("GET")};
        delivery_offer(delivery_inlet(delivery, worker), &record);
    }
    return NULL;
}

static void test_every_record_is_taken_or_counted(void **state)
{
    (void)state;
    pthread_t workers[WORKERS];
    assert_int_equal(delivery_start(delivery), 0);
    for (size_t i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_create(&workers[i], NULL, work, (void *)(uintptr_t)i), 0);
    }
    for (size_t i = 0; i < WORKERS; i++) {
        pthread_join(workers[i], NULL);
    }
    delivery_stop(delivery);
    uint64_t offered[] = {WORKERS * RECORDS, WORKERS * RECORDS / 2};
    for (size_t i = 0; i < 2; i++) {
        assert_false(outlets[i].out_of_order);
        assert_int_equal(outlets[i].taken + outlets[i].lost[EXPORTER_LOSS_RING_FULL], offered[i]);
        assert_true(outlets[i].taken > 0);
    }
}

static void test_full_ring_counts_and_does_not_wait(void **state)
{
    (void)state;
    work((void *)0); /* nobody takes them yet */
    uint64_t lost = outlets[0].lost[EXPORTER_LOSS_RING_FULL];
    assert_in_range(lost, RECORDS - 65536 / 100, RECORDS - 65536 / 1000);
    assert_int_equal(delivery_start(delivery), 0);
    delivery_stop(delivery);
    assert_int_equal(outlets[0].taken + lost, RECORDS);
    /* The wake of the second outlet was for its own records only. */
    assert_int_equal(outlets[1].taken + outlets[1].lost[EXPORTER_LOSS_RING_FULL], RECORDS / 2);
}

static void test_record_larger_than_the_ring(void **state)
{
    (void)state;
    static char large[65536];
    struct exchange_record record = {.target = {large, sizeof(large)}, .method = text_of("GET")};
    delivery_offer(delivery_inlet(delivery, 0), &record);
    assert_int_equal(outlets[0].lost[EXPORTER_LOSS_TOO_LARGE], 1);
    assert_int_equal(outlets[1].lost[EXPORTER_LOSS_TOO_LARGE], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_record_is_taken_or_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_ring_counts_and_does_not_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(test_record_larger_than_the_ring, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
