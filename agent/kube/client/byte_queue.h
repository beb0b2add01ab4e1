#pragma once

#include "agent/base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* Bytes in the order they came, in one piece; zeroed it is an empty one. */
struct byte_queue {
    char *bytes;
    size_t length;
    size_t capacity;
};

void byte_queue_fini(struct byte_queue *queue);

/* Empties it; room that only a large answer needed is given back. */
void byte_queue_reset(struct byte_queue *queue);

/* False: it would hold more than `most`, or memory is out; then nothing was added. */
bool byte_queue_add(struct byte_queue *queue, struct slice bytes, size_t most);

/* What is in it, until the next call. */
struct slice byte_queue_bytes(const struct byte_queue *queue);

/* Takes the first `length` bytes away. */
void byte_queue_take(struct byte_queue *queue, size_t length);
