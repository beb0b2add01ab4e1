#include "exporters/delivery/outbox.h"
#include "tests/unit/delivery/folder.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define QUEUE_BYTES 131072
#define ITEM_BYTES 1000

static struct exporter_health health;
static struct outbox *outbox;
static struct outbox_batch batch;
static char *folder;

static int setup(void **state)
{
    (void)state;
    char error[OUTBOX_ERROR_SIZE];
    health = (struct exporter_health){.exporter = "test"};
    batch = (struct outbox_batch){0};
    struct outbox_options options = {.queue_bytes = QUEUE_BYTES, .health = &health};
    outbox = outbox_new(&options, error);
    return outbox == NULL;
}

static int teardown(void **state)
{
    (void)state;
    outbox_free(outbox);
    byte_writer_fini(&batch.bytes);
    return 0;
}

static void open_spooled(void)
{
    char error[OUTBOX_ERROR_SIZE];
    health = (struct exporter_health){.exporter = "test"};
    struct outbox_options options = {
        .spool_path = folder, .spool_bytes = 1 << 20, .health = &health};
    outbox = outbox_new(&options, error);
    assert_non_null(outbox);
}

static int setup_spooled(void **state)
{
    (void)state;
    folder = folder_make();
    batch = (struct outbox_batch){0};
    open_spooled();
    return 0;
}

static int teardown_spooled(void **state)
{
    teardown(state);
    folder_remove(folder);
    return 0;
}

static void add(uint64_t number)
{
    char bytes[ITEM_BYTES] = {0};
    memcpy(bytes, &number, sizeof(number));
    struct text parts[] = {{bytes, 4}, {bytes + 4, sizeof(bytes) - 4}};
    outbox_append(outbox, parts, 2);
}

static uint64_t number_at(size_t index)
{
    uint64_t number;
    memcpy(&number, batch.bytes.data + index * ITEM_BYTES, sizeof(number));
    return number;
}

static uint64_t lost(enum exporter_loss loss)
{
    return exporter_health_get(&health.lost[loss]);
}

static void check_account(void)
{
    assert_int_equal(exporter_health_get(&health.accepted) + exporter_health_get(&health.replayed),
                     exporter_health_get(&health.sent) + exporter_health_lost(&health) +
                         exporter_health_get(&health.queued));
}

static void test_nothing_before_the_commit(void **state)
{
    (void)state;
    add(1);
    assert_false(outbox_fill(outbox, &batch, SIZE_MAX));
    outbox_commit(outbox);
    assert_int_equal(exporter_health_get(&health.queued), 1);
    assert_int_equal(exporter_health_get(&health.queue_bytes), ITEM_BYTES);
    assert_true(outbox_fill(outbox, &batch, SIZE_MAX));
    assert_int_equal(batch.items, 1);
    assert_int_equal(batch.bytes.length, ITEM_BYTES);
    assert_int_equal(number_at(0), 1);
    outbox_done(outbox, &batch);
    assert_int_equal(exporter_health_get(&health.queued), 0);
    assert_int_equal(exporter_health_get(&health.queue_bytes), 0);
    assert_false(outbox_fill(outbox, &batch, SIZE_MAX));
}

static void test_batches_stop_at_their_size(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 10; i++) {
        add(i);
        outbox_commit(outbox); /* a frame each */
    }
    assert_true(outbox_fill(outbox, &batch, 2 * ITEM_BYTES + 1));
    assert_int_equal(batch.items, 3); /* the last frame reaches over */
    outbox_done(outbox, &batch);
    assert_true(outbox_fill(outbox, &batch, SIZE_MAX));
    assert_int_equal(batch.items, 7);
    assert_int_equal(number_at(0), 3);
}

static void test_full_loses_the_newest_and_counts(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 500; i++) {
        add(i);
        outbox_commit(outbox);
        check_account();
    }
    uint64_t kept = 500 - lost(EXPORTER_LOSS_QUEUE_FULL);
    assert_in_range(kept, 100, 131); /* 128 KiB of 1000 bytes and their headers */
    /* What is under way keeps its place. */
    assert_true(outbox_fill(outbox, &batch, SIZE_MAX));
    assert_int_equal(batch.items, kept);
    add(500);
    outbox_commit(outbox);
    assert_int_equal(lost(EXPORTER_LOSS_QUEUE_FULL), 500 - kept + 1);
    for (size_t i = 0; i < kept; i++) {
        assert_int_equal(number_at(i), i);
    }
    outbox_done(outbox, &batch);
    add(501);
    outbox_commit(outbox);
    assert_true(outbox_fill(outbox, &batch, SIZE_MAX));
    assert_int_equal(number_at(0), 501);
}

static void test_one_item_that_never_fits(void **state)
{
    (void)state;
    static char large[5 << 20];
    struct text item = {large, sizeof(large)};
    outbox_append(outbox, &item, 1);
    outbox_commit(outbox);
    item.length = QUEUE_BYTES;
    outbox_append(outbox, &item, 1);
    outbox_commit(outbox);
    assert_int_equal(lost(EXPORTER_LOSS_TOO_LARGE), 2);
    check_account();
}

static void test_spooled_items_survive(void **state)
{
    (void)state;
    assert_true(outbox_survives(outbox));
    for (uint64_t i = 0; i < 20; i++) {
        add(i);
        outbox_commit(outbox);
    }
    assert_true(outbox_fill(outbox, &batch, 5 * ITEM_BYTES));
    outbox_done(outbox, &batch);
    assert_true(outbox_fill(outbox, &batch, 5 * ITEM_BYTES)); /* taken, not done */
    outbox_free(outbox);
    byte_writer_fini(&batch.bytes);
    batch = (struct outbox_batch){0};
    open_spooled();
    assert_int_equal(exporter_health_get(&health.replayed), 15);
    assert_int_equal(exporter_health_get(&health.queued), 15);
    check_account();
    assert_true(outbox_fill(outbox, &batch, SIZE_MAX));
    assert_int_equal(batch.items, 15);
    assert_int_equal(number_at(0), 5);
    outbox_done(outbox, &batch);
    assert_int_equal(exporter_health_get(&health.queued), 0);
    assert_int_equal(exporter_health_get(&health.queue_bytes), 0);
}

static void test_full_spool_loses_the_oldest_and_counts(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 3000; i++) {
        add(i);
        outbox_commit(outbox);
        check_account();
    }
    uint64_t gone = lost(EXPORTER_LOSS_SPOOL_FULL);
    assert_in_range(gone, 3000 - 1048, 3000 - 900);
    uint64_t next = gone;
    while (outbox_fill(outbox, &batch, 50000)) {
        assert_int_equal(number_at(0), next);
        next += batch.items;
        exporter_health_succeed(&health, batch.items);
        outbox_done(outbox, &batch);
        check_account();
    }
    assert_int_equal(next, 3000);
    assert_int_equal(exporter_health_get(&health.queue_bytes), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_before_the_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_batches_stop_at_their_size, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_loses_the_newest_and_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_item_that_never_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_spooled_items_survive, setup_spooled,
                                        teardown_spooled),
        cmocka_unit_test_setup_teardown(test_full_spool_loses_the_oldest_and_counts, setup_spooled,
                                        teardown_spooled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
