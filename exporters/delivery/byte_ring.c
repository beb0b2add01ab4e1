#include "exporters/delivery/byte_ring.h"

#include <assert.h>
#include <errno.h>
#include <sys/mman.h>

/*
 * Positions only grow; a record's place is its position modulo the capacity. A record is never
 * split: where it would cross the end, a header marked PADDING fills the rest. `head` is published
 * behind the record's bytes (release), `tail` behind the consumer's last look at them.
 */

/* In front of each record; keeps the alignment. */
struct header {
    uint32_t length;
    uint32_t unused;
};

#define ALIGNMENT sizeof(struct header)
#define PADDING UINT32_MAX
#define CAPACITY_MIN 4096

static_assert(ALIGNMENT == 8, "records are aligned to 8");

static size_t space_of(size_t length)
{
    return sizeof(struct header) + (length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static struct header *header_at(const struct byte_ring *ring, uint64_t position)
{
    void *place = ring->data + (position & (ring->capacity - 1));
    return place;
}

int byte_ring_init(struct byte_ring *ring, size_t capacity)
{
    size_t size = CAPACITY_MIN;
    while (size < capacity && size <= SIZE_MAX / 4) {
        size *= 2;
    }
    *ring = (struct byte_ring){.capacity = size};
    void *data = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED) {
        return -ENOMEM;
    }
    ring->data = data;
    return 0;
}

void byte_ring_fini(struct byte_ring *ring)
{
    if (ring->data != NULL) {
        munmap(ring->data, ring->capacity);
        ring->data = NULL;
    }
}

size_t byte_ring_record_max(const struct byte_ring *ring)
{
    /* Padding is shorter than the record behind it, so half of the ring always suffices. */
    return ring->capacity / 2 - sizeof(struct header);
}

/* Whether this many bytes are free; looks at the consumer's position only when it must. */
static bool has_room(struct byte_ring *ring, uint64_t head, size_t need)
{
    if (head + need - ring->tail_seen <= ring->capacity) {
        return true;
    }
    ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
    return head + need - ring->tail_seen <= ring->capacity;
}

void *byte_ring_reserve(struct byte_ring *ring, size_t length)
{
    if (length > byte_ring_record_max(ring)) {
        return NULL;
    }
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    size_t space = space_of(length);
    size_t to_end = ring->capacity - (size_t)(head & (ring->capacity - 1));
    size_t padding = space > to_end ? to_end : 0;
    if (!has_room(ring, head, padding + space)) {
        return NULL;
    }
    if (padding > 0) {
        header_at(ring, head)->length = PADDING;
    }
    ring->reserved_at = head + padding;
    return header_at(ring, ring->reserved_at) + 1;
}

void byte_ring_commit(struct byte_ring *ring, size_t length)
{
    header_at(ring, ring->reserved_at)->length = (uint32_t)length;
    atomic_store_explicit(&ring->head, ring->reserved_at + space_of(length), memory_order_release);
}

bool byte_ring_next(const struct byte_ring *ring, uint64_t *cursor, struct text *record_out)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    if (*cursor == head) {
        return false;
    }
    const struct header *header = header_at(ring, *cursor);
    if (header->length == PADDING) {
        *cursor += ring->capacity - (*cursor & (ring->capacity - 1));
        header = header_at(ring, *cursor);
    }
    *record_out = (struct text){(const char *)(header + 1), header->length};
    *cursor += space_of(header->length);
    return true;
}

void byte_ring_release(struct byte_ring *ring, uint64_t cursor)
{
    atomic_store_explicit(&ring->tail, cursor, memory_order_release);
}

size_t byte_ring_used(const struct byte_ring *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    return (size_t)(head - tail);
}
