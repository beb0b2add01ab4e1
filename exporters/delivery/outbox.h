#pragma once

#include "exporters/byte_writer.h"
#include "exporters/exporter_health.h"

#include <stdbool.h>

/*
 * What waits for one receiver: a bounded queue in memory, or in a spool. Items are appended one by
 * one and travel in frames. One thread appends, another takes; neither waits for the other. What
 * finds no room is counted in the health.
 */
struct outbox;

/* Longest error text, terminator included. */
#define OUTBOX_ERROR_SIZE 256

struct outbox_options {
    uint64_t queue_bytes;
    const char *spool_path; /* the directory of a spool, used instead of memory; NULL: none */
    uint64_t spool_bytes;
    struct exporter_health *health; /* outlives the outbox */
};

/* What was taken and is under way. Zeroed: nothing. */
struct outbox_batch {
    struct byte_writer bytes; /* the items behind each other, as they were appended */
    uint64_t items;
    uint64_t queue_bytes; /* what it takes in the queue; the outbox' own, as the next */
    uint64_t cursor;
};

/* NULL and one line: out of memory, or the spool cannot be used. */
struct outbox *outbox_new(const struct outbox_options *options,
                          char error_out[static OUTBOX_ERROR_SIZE]);
void outbox_free(struct outbox *outbox);

/* Appends one item, made of these parts. It can be taken after the next outbox_commit. */
void outbox_append(struct outbox *outbox, const struct text *parts, size_t count);
void outbox_commit(struct outbox *outbox);

/* Adds frames to a batch while it is shorter than `max_bytes`. True: something was added. */
bool outbox_fill(struct outbox *outbox, struct outbox_batch *batch, size_t max_bytes);

/* The batch is done with, delivered or not, and is empty again; its memory is kept. */
void outbox_done(struct outbox *outbox, struct outbox_batch *batch);

/* The end: whether what still waits will be there after a restart. */
bool outbox_survives(const struct outbox *outbox);
