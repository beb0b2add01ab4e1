#include "exporters/delivery/sender.h"

#include "exporters/delivery/backoff.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/*
 * The thread is in one of three places: gathering a batch, inside `deliver`, or waiting before the
 * next attempt. The order to stop ends the first and the last at once; `deliver` asks
 * sender_patience_ms. At the end one more attempt is made for what waits, as the receiver may be
 * back; what is left then is lost, unless a spool keeps it.
 */

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_SECOND INT64_C(1000000000)
/* Without an order nothing ends. */
#define NO_DEADLINE INT64_MAX
/* How long `idle` may have to wait for its turn. */
#define IDLE_MS 1000
/* The first wait after a failure; the bound is the user's. */
#define RETRY_FIRST_MS 250

struct sender {
    struct sender_options options;
    struct outbox *outbox;
    struct outbox_batch batch;
    uint64_t settled_items; /* of the batch */
    struct backoff backoff;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool filled; /* since the thread last looked; under the lock */
    _Atomic int64_t deadline_ns;
    bool appended; /* since the last commit; the producer's */
    bool failing;
    pthread_t thread;
    bool started;
};

int64_t sender_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

static bool is_stopping(const struct sender *sender)
{
    return atomic_load(&sender->deadline_ns) != NO_DEADLINE;
}

int64_t sender_patience_ms(const struct sender *sender)
{
    int64_t deadline = atomic_load(&sender->deadline_ns);
    if (deadline == NO_DEADLINE) {
        return INT64_MAX;
    }
    int64_t left = (deadline - sender_now_ns()) / NS_PER_MS;
    return left > 0 ? left : 0;
}

/* ---- waiting ---- */

/* Until the time, the order to stop, or (when it is waited for) something new in the outbox. */
static void wait_until(struct sender *sender, int64_t until_ns, bool for_items)
{
    struct timespec until = {until_ns / NS_PER_SECOND, until_ns % NS_PER_SECOND};
    pthread_mutex_lock(&sender->lock);
    int status = 0;
    while (status == 0 && !is_stopping(sender) && !(for_items && sender->filled)) {
        status = pthread_cond_timedwait(&sender->wake, &sender->lock, &until);
    }
    sender->filled = false;
    pthread_mutex_unlock(&sender->lock);
}

/* Takes what is there until it is enough or the first of it has waited long enough. */
static void gather(struct sender *sender)
{
    struct outbox_batch *batch = &sender->batch;
    size_t enough = sender->options.batch_bytes;
    outbox_fill(sender->outbox, batch, enough);
    if (batch->items == 0) {
        wait_until(sender, sender_now_ns() + IDLE_MS * NS_PER_MS, true);
        outbox_fill(sender->outbox, batch, enough);
    }
    if (batch->items == 0) {
        return;
    }
    int64_t until = sender_now_ns() + sender->options.batch_ms * NS_PER_MS;
    while (batch->bytes.length < enough && !is_stopping(sender) && sender_now_ns() < until) {
        wait_until(sender, until, true);
        outbox_fill(sender->outbox, batch, enough);
    }
}

/* ---- delivering ---- */

static void note(struct sender *sender, const char *error)
{
    bool failing = error != NULL;
    if (failing != sender->failing && sender->options.note != NULL) {
        sender->options.note(sender->options.outbox.health->exporter, error);
    }
    sender->failing = failing;
}

void sender_report_failure(struct sender *sender, const char *error)
{
    exporter_health_add(&sender->options.outbox.health->failed, 1);
    note(sender, error);
}

/* The items that were not settled one by one. */
static uint64_t items_left(const struct sender *sender)
{
    return sender->batch.items - sender->settled_items;
}

static void finish_batch(struct sender *sender)
{
    outbox_done(sender->outbox, &sender->batch);
    sender->settled_items = 0;
    backoff_reset(&sender->backoff);
}

static void settle_some(struct sender *sender, const struct sender_reply *reply)
{
    sender->settled_items += reply->delivered_items + reply->lost_items;
    if (reply->delivered_items > 0) {
        exporter_health_succeed(sender->options.outbox.health, reply->delivered_items);
    }
}

static void settle_all(struct sender *sender, const struct sender_reply *reply)
{
    struct exporter_health *health = sender->options.outbox.health;
    if (reply->verdict == SENDER_DELIVERED) {
        exporter_health_succeed(health, items_left(sender));
        note(sender, NULL);
    } else {
        exporter_health_add(&health->failed, 1);
        exporter_health_lose(health, EXPORTER_LOSS_REJECTED, items_left(sender));
        note(sender, reply->error);
    }
    finish_batch(sender);
}

/* Until the batch is settled, or the time is over; then it stays in the batch. */
static void deliver(struct sender *sender)
{
    struct exporter_health *health = sender->options.outbox.health;
    bool last_attempt = false;
    for (unsigned attempt = 0;; attempt++) {
        exporter_health_add(&health->retried, attempt > 0);
        last_attempt = is_stopping(sender);
        struct sender_reply reply =
            sender->options.deliver(sender->options.context, &sender->batch);
        settle_some(sender, &reply);
        if (reply.verdict != SENDER_RETRY) {
            settle_all(sender, &reply);
            return;
        }
        exporter_health_add(&health->failed, 1);
        note(sender, reply.error);
        if (last_attempt) {
            return;
        }
        int64_t wait = backoff_next(&sender->backoff, reply.retry_after_ms);
        wait_until(sender, sender_now_ns() + wait * NS_PER_MS, false);
    }
}

/* What is left when the sender ends. */
static void give_up(struct sender *sender)
{
    if (outbox_survives(sender->outbox)) {
        return;
    }
    do {
        exporter_health_lose(sender->options.outbox.health, EXPORTER_LOSS_SHUTDOWN,
                             items_left(sender));
        finish_batch(sender);
    } while (outbox_fill(sender->outbox, &sender->batch, sender->options.batch_bytes));
}

static void *thread_main(void *context)
{
    struct sender *sender = context;
    bool goes_on = true;
    while (goes_on) {
        /* Asked first: what was added before the order is seen. */
        bool stopping = is_stopping(sender);
        gather(sender);
        if (sender->batch.items > 0) {
            deliver(sender);
            goes_on = sender->batch.items == 0 && sender_patience_ms(sender) > 0;
        } else {
            goes_on = !stopping;
        }
        if (goes_on && sender->options.idle != NULL) {
            sender->options.idle(sender->options.context);
        }
    }
    give_up(sender);
    return NULL;
}

/* ---- the producer ---- */

void sender_append(struct sender *sender, const struct text *parts, size_t count)
{
    outbox_append(sender->outbox, parts, count);
    sender->appended = true;
}

static void wake(struct sender *sender)
{
    pthread_mutex_lock(&sender->lock);
    sender->filled = true;
    pthread_cond_signal(&sender->wake);
    pthread_mutex_unlock(&sender->lock);
}

void sender_commit(struct sender *sender)
{
    if (sender->appended) {
        sender->appended = false;
        outbox_commit(sender->outbox);
        wake(sender);
    }
}

/* ---- life ---- */

struct sender *sender_new(const struct sender_options *options,
                          char error_out[static OUTBOX_ERROR_SIZE])
{
    struct sender *sender = calloc(1, sizeof(*sender));
    if (sender == NULL) {
        snprintf(error_out, OUTBOX_ERROR_SIZE, "out of memory");
        return NULL;
    }
    sender->options = *options;
    sender->backoff = (struct backoff){.first_ms = RETRY_FIRST_MS, .max_ms = options->retry_max_ms};
    atomic_store(&sender->deadline_ns, NO_DEADLINE);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&sender->lock, NULL);
    pthread_cond_init(&sender->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    sender->outbox = outbox_new(&options->outbox, error_out);
    if (sender->outbox == NULL) {
        sender_free(sender);
        return NULL;
    }
    return sender;
}

int sender_start(struct sender *sender)
{
    int status = pthread_create(&sender->thread, NULL, thread_main, sender);
    sender->started = status == 0;
    return -status;
}

void sender_order_stop(struct sender *sender, int64_t deadline_ns)
{
    pthread_mutex_lock(&sender->lock);
    int64_t none = NO_DEADLINE;
    atomic_compare_exchange_strong(&sender->deadline_ns, &none, deadline_ns);
    pthread_cond_signal(&sender->wake);
    pthread_mutex_unlock(&sender->lock);
}

void sender_stop(struct sender *sender)
{
    if (sender->started) {
        sender_order_stop(sender, 0);
        pthread_join(sender->thread, NULL);
        sender->started = false;
    }
}

void sender_free(struct sender *sender)
{
    if (sender == NULL) {
        return;
    }
    sender_stop(sender);
    outbox_free(sender->outbox);
    byte_writer_fini(&sender->batch.bytes);
    pthread_cond_destroy(&sender->wake);
    pthread_mutex_destroy(&sender->lock);
    free(sender);
}
