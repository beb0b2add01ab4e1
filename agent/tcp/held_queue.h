#pragma once

#include "agent/base/slab.h"
#include "agent/tcp/patience.h"

#include <stdbool.h>
#include <stdint.h>

/* Payload of one segment at its place in the stream. */
struct piece {
    const char *bytes;
    uint32_t captured;
    uint32_t length; /* on the wire */
    uint64_t offset;
    uint64_t ack; /* offset in the other stream that the sender had received; 0: no ACK */
    int64_t time_ns;
};

/* Cuts the first `count` bytes off, at most all; or everything behind the first `length`. */
void piece_drop_front(struct piece *piece, uint32_t count);
void piece_keep_front(struct piece *piece, uint32_t length);

/* Payload bytes of one node: with its header two kilobytes, about one Ethernet segment. */
#define HELD_BYTES 1948
#define HELD_LEVELS 6

struct held {
    struct held *next[HELD_LEVELS];
    uint64_t offset;
    uint64_t ack;
    int64_t time_ns;
    struct moment arrival;
    uint32_t length;
    uint32_t captured;
    uint32_t levels;
    char bytes[HELD_BYTES];
};

/* The out-of-order bytes of one stream, by offset, without overlaps; see held_queue.c. */
struct held_queue {
    struct held *first[HELD_LEVELS];
    struct held *last[HELD_LEVELS];
    uint32_t count;
};

/* The nodes of all streams of a worker. */
struct held_store {
    struct slab nodes;
    uint64_t random;
};

/* Bytes of a piece that were held before, and how many of them were others. */
struct held_overlap {
    uint32_t repeated;
    uint32_t conflicting;
};

/* Room for as many nodes as fit the bytes, with `beside` more bytes for each. Returns 0 or -errno.
 */
int held_store_init(struct held_store *store, uint64_t bytes, size_t beside);
void held_store_fini(struct held_store *store);

/* Whether the queue may grow: each is entitled to a share, and to more while more is free. */
bool held_queue_has_share(const struct held_store *store, const struct held_queue *queue);
bool held_queue_has_room(const struct held_store *store, const struct held_queue *queue);

/* Keeps what of the piece is not held yet; first copies win. False: no room for the rest, which is
 * left in the piece. */
bool held_queue_insert(struct held_store *store, struct held_queue *queue, struct piece *piece,
                       struct moment now, struct held_overlap *overlap_out);

/* Gives back the first node. */
void held_queue_pop(struct held_store *store, struct held_queue *queue);

static inline uint64_t held_end(const struct held *held)
{
    return held->offset + held->length;
}
