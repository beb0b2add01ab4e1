#include "agent/kube/client/byte_queue.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY ((size_t)16 << 10)
/* Room beyond this is given back when it is empty. */
#define KEPT_CAPACITY ((size_t)128 << 10)

void byte_queue_fini(struct byte_queue *queue)
{
    free(queue->bytes);
    *queue = (struct byte_queue){0};
}

void byte_queue_reset(struct byte_queue *queue)
{
    if (queue->capacity > KEPT_CAPACITY) {
        byte_queue_fini(queue);
    }
    queue->length = 0;
}

static bool make_room(struct byte_queue *queue, size_t needed)
{
    size_t capacity = queue->capacity == 0 ? FIRST_CAPACITY : queue->capacity;
    while (capacity < needed) {
        capacity *= 2;
    }
    if (capacity == queue->capacity) {
        return true;
    }
    char *bytes = realloc(queue->bytes, capacity);
    if (bytes == NULL) {
        return false;
    }
    queue->bytes = bytes;
    queue->capacity = capacity;
    return true;
}

bool byte_queue_add(struct byte_queue *queue, struct slice bytes, size_t most)
{
    if (bytes.length > most || queue->length > most - bytes.length ||
        !make_room(queue, queue->length + bytes.length)) {
        return false;
    }
    if (bytes.length > 0) {
        memcpy(queue->bytes + queue->length, bytes.data, bytes.length);
    }
    queue->length += bytes.length;
    return true;
}

struct slice byte_queue_bytes(const struct byte_queue *queue)
{
    return (struct slice){queue->bytes == NULL ? "" : queue->bytes, queue->length};
}

void byte_queue_take(struct byte_queue *queue, size_t length)
{
    if (length == queue->length) {
        byte_queue_reset(queue);
    } else if (length > 0) {
        queue->length -= length;
        memmove(queue->bytes, queue->bytes + length, queue->length);
    }
}
