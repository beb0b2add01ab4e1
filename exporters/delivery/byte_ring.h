#pragma once

#include "exporters/text.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The producer's and the consumer's positions lie this far apart, in cache lines of their own. */
#define BYTE_RING_LINE 64

/*
 * A bounded queue of records between one producer and one consumer, without a lock, an allocation
 * or a system call. A record is one run of bytes, aligned to 8. The consumer reads ahead with a
 * cursor of its own and gives the room back when it is done.
 */
struct byte_ring {
    char *data;
    size_t capacity; /* a power of two */
    _Alignas(BYTE_RING_LINE) _Atomic uint64_t head;
    uint64_t tail_seen;   /* the producer's copy of `tail` */
    uint64_t reserved_at; /* where the record under way begins, behind padding */
    _Alignas(BYTE_RING_LINE) _Atomic uint64_t tail;
};

/* Memory for at least `capacity` bytes of records and their headers, which costs nothing before it
 * is used. Returns 0 or -ENOMEM. */
int byte_ring_init(struct byte_ring *ring, size_t capacity);
void byte_ring_fini(struct byte_ring *ring);

/* Longest record that the ring can ever take. */
size_t byte_ring_record_max(const struct byte_ring *ring);

/* The producer: room for a record, NULL when there is none now; and what was put there counts. */
void *byte_ring_reserve(struct byte_ring *ring, size_t length);
void byte_ring_commit(struct byte_ring *ring, size_t length);

/* The consumer: the record at the cursor (0 at the start), moving it on; false: none yet. */
bool byte_ring_next(const struct byte_ring *ring, uint64_t *cursor, struct text *record_out);

/* The consumer: everything in front of the cursor is done with. */
void byte_ring_release(struct byte_ring *ring, uint64_t cursor);

/* Any thread: bytes that are taken, headers included. */
size_t byte_ring_used(const struct byte_ring *ring);
