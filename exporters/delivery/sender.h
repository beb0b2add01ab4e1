#pragma once

#include "exporters/delivery/outbox.h"

/*
 * Delivers to one receiver on a thread of its own: takes batches out of an outbox, hands them to
 * whoever knows the receiver, and tries again, later and later, for as long as that says so. What
 * waits meanwhile is the outbox' to bound. A sender never makes its producer wait.
 */
struct sender;

enum sender_verdict {
    SENDER_DELIVERED,
    SENDER_RETRY,    /* the receiver cannot take it now */
    SENDER_REJECTED, /* it never will */
};

struct sender_reply {
    enum sender_verdict verdict;
    int64_t retry_after_ms; /* what the receiver asked for; 0: nothing */
    /* Items that this call alone settled, while others of the batch are to be tried again; for
     * receivers that answer for each item. The lost ones are counted already. */
    uint64_t delivered_items;
    uint64_t lost_items;
    const char *error; /* what went wrong, for the log; valid until the next call */
};

struct sender_options {
    struct outbox_options outbox;
    size_t batch_bytes;   /* a batch is delivered as soon as it has these, */
    int64_t batch_ms;     /* or its first item has waited for so long */
    int64_t retry_max_ms; /* longest wait between two attempts */

    void *context; /* of the two callbacks, which run on the sender's thread */
    struct sender_reply (*deliver)(void *context, const struct outbox_batch *batch);
    /* About once a second while nothing is delivered. NULL: not needed. */
    void (*idle)(void *context);

    /* A delivery failed for the first time (`error`), or the first one succeeded again (NULL). Any
     * thread. NULL: nobody wants to know. */
    void (*note)(const char *exporter, const char *error);
};

/* NULL and one line: out of memory, or the spool cannot be used. Nothing runs before sender_start,
 * which returns 0 or -errno. */
struct sender *sender_new(const struct sender_options *options,
                          char error_out[static OUTBOX_ERROR_SIZE]);
int sender_start(struct sender *sender);

/* The producer's thread: adds an item; lets the sender see what was added. */
void sender_append(struct sender *sender, const struct text *parts, size_t count);
void sender_commit(struct sender *sender);

/* For `deliver` while it waits on: an attempt has failed. */
void sender_report_failure(struct sender *sender, const char *error);

/* How long the receiver may still be waited for: milliseconds, 0 when the sender has to end. For
 * `deliver`, which looks at it while it waits. */
int64_t sender_patience_ms(const struct sender *sender);

/* No more items come: what waits is delivered until `deadline_ns` (CLOCK_MONOTONIC), then given up.
 * Does not wait. */
void sender_order_stop(struct sender *sender, int64_t deadline_ns);

/* Waits for that end. Without an order, gives up at once. */
void sender_stop(struct sender *sender);

/* Stops as well. NULL is fine. */
void sender_free(struct sender *sender);

/* Now on CLOCK_MONOTONIC, as deadlines are. */
int64_t sender_now_ns(void);
