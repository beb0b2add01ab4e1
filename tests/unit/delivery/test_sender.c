#include "exporters/delivery/sender.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)

/* A receiver that answers as it is told, and can be made to wait. */
struct receiver {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct sender *sender;
    unsigned failures; /* answers RETRY before it takes anything */
    enum sender_verdict verdict;
    unsigned calls;
    uint64_t items;
    bool waits; /* until it loses patience */
    unsigned notes;
};

static struct receiver receiver;
static struct exporter_health health;

static struct sender_reply on_deliver(void *context, const struct outbox_batch *batch)
{
    struct receiver *self = context;
    pthread_mutex_lock(&self->lock);
    self->calls++;
    pthread_cond_broadcast(&self->changed);
    while (self->waits && sender_patience_ms(self->sender) > 0) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 1000000;
        until.tv_sec += until.tv_nsec / SECOND;
        until.tv_nsec %= SECOND;
        pthread_cond_timedwait(&self->changed, &self->lock, &until);
    }
    bool fails = self->failures > 0 || self->waits;
    struct sender_reply reply = {.verdict = fails ? SENDER_RETRY : self->verdict,
                                 .error = "as it was told"};
    self->failures -= self->failures > 0;
    self->items += fails ? 0 : batch->items;
    pthread_mutex_unlock(&self->lock);
    return reply;
}

static void on_note(const char *exporter, const char *error)
{
    (void)exporter;
    (void)error;
    receiver.notes++;
}

static int setup(void **state)
{
    (void)state;
    char error[OUTBOX_ERROR_SIZE];
    health = (struct exporter_health){.exporter = "test"};
    receiver =
        (struct receiver){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct sender_options options = {.outbox = {.queue_bytes = 1 << 20, .health = &health},
                                     .batch_bytes = 1000,
                                     .batch_ms = 1,
                                     .retry_max_ms = 1,
                                     .context = &receiver,
                                     .deliver = on_deliver,
                                     .note = on_note};
    receiver.sender = sender_new(&options, error);
    return receiver.sender == NULL;
}

static int teardown(void **state)
{
    (void)state;
    sender_free(receiver.sender);
    return 0;
}

static void add(unsigned items)
{
    struct text item = {"0123456789", 10};
    for (unsigned i = 0; i < items; i++) {
        sender_append(receiver.sender, &item, 1);
    }
    sender_commit(receiver.sender);
}

static void wait_for_calls(unsigned calls)
{
    pthread_mutex_lock(&receiver.lock);
    while (receiver.calls < calls) {
        pthread_cond_wait(&receiver.changed, &receiver.lock);
    }
    pthread_mutex_unlock(&receiver.lock);
}

static void end(int64_t within_ns)
{
    sender_order_stop(receiver.sender, sender_now_ns() + within_ns);
    sender_stop(receiver.sender);
}

static void check(uint64_t sent, uint64_t lost)
{
    assert_int_equal(exporter_health_get(&health.sent), sent);
    assert_int_equal(exporter_health_lost(&health), lost);
    assert_int_equal(exporter_health_get(&health.queued), 0);
    assert_int_equal(receiver.items,
                     sent + exporter_health_get(&health.lost[EXPORTER_LOSS_REJECTED]));
}

static void test_failures_are_tried_again(void **state)
{
    (void)state;
    receiver.failures = 3;
    assert_int_equal(sender_start(receiver.sender), 0);
    add(7);
    wait_for_calls(4);
    end(60 * SECOND);
    check(7, 0);
    assert_int_equal(exporter_health_get(&health.failed), 3);
    assert_int_equal(exporter_health_get(&health.retried), 3);
    assert_int_equal(receiver.notes, 2); /* fails, works again */
    assert_true(atomic_load(&health.last_success_ns) > 0);
}

static void test_what_is_refused_is_lost_and_the_rest_goes_on(void **state)
{
    (void)state;
    receiver.verdict = SENDER_REJECTED;
    assert_int_equal(sender_start(receiver.sender), 0);
    add(5);
    wait_for_calls(1);
    pthread_mutex_lock(&receiver.lock);
    receiver.verdict = SENDER_DELIVERED;
    pthread_mutex_unlock(&receiver.lock);
    add(4);
    wait_for_calls(2);
    end(60 * SECOND);
    check(4, 5);
    assert_int_equal(exporter_health_get(&health.lost[EXPORTER_LOSS_REJECTED]), 5);
}

static void test_the_end_delivers_what_waits(void **state)
{
    (void)state;
    add(1000);
    assert_int_equal(sender_start(receiver.sender), 0);
    end(60 * SECOND);
    check(1000, 0);
}

static void test_the_end_does_not_wait_for_the_dead(void **state)
{
    (void)state;
    receiver.waits = true;
    add(1000);
    assert_int_equal(sender_start(receiver.sender), 0);
    wait_for_calls(1);
    int64_t start = sender_now_ns();
    end(SECOND / 20);
    assert_true(sender_now_ns() - start < 10 * SECOND);
    check(0, 1000);
    assert_int_equal(exporter_health_get(&health.lost[EXPORTER_LOSS_SHUTDOWN]), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_failures_are_tried_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_refused_is_lost_and_the_rest_goes_on, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_the_end_delivers_what_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_end_does_not_wait_for_the_dead, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
