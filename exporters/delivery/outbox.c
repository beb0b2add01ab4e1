#include "exporters/delivery/outbox.h"

#include "exporters/delivery/byte_ring.h"
#include "exporters/delivery/spool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * Items gather in `pending` until they make a frame or the producer commits. A frame goes into the
 * ring or into the spool as a whole, or is lost as a whole. What was taken keeps its place until
 * outbox_done: the bound holds for what is under way too.
 */

/* A frame of this size is passed on without waiting for the commit. */
#define FRAME_BYTES 65536
/* An item larger than this is no event: the receivers' own limits are near 1 MiB. */
#define ITEM_BYTES_MAX ((size_t)4 << 20)
/* A ring holds a record of half its size. */
#define QUEUE_BYTES_MIN ((uint64_t)1 << 17)

/* In front of a frame in the ring. As wide as the ring's alignment. */
struct frame {
    uint64_t items;
};

struct outbox {
    struct exporter_health *health;
    struct spool *spool; /* NULL: the ring is used */
    struct byte_ring ring;
    struct byte_writer pending;
    uint32_t pending_items;
};

/* ---- the producer ---- */

static void waits(struct outbox *outbox, uint64_t items, uint64_t bytes)
{
    exporter_health_add(&outbox->health->queued, items);
    exporter_health_add(&outbox->health->queue_bytes, bytes);
}

static void waits_no_more(struct outbox *outbox, uint64_t items, uint64_t bytes)
{
    atomic_fetch_sub_explicit(&outbox->health->queued, items, memory_order_relaxed);
    atomic_fetch_sub_explicit(&outbox->health->queue_bytes, bytes, memory_order_relaxed);
}

static void put_in_ring(struct outbox *outbox)
{
    size_t length = outbox->pending.length;
    struct frame *room = byte_ring_reserve(&outbox->ring, sizeof(*room) + length);
    if (room == NULL) {
        bool never = sizeof(*room) + length > byte_ring_record_max(&outbox->ring);
        exporter_health_lose(outbox->health,
                             never ? EXPORTER_LOSS_TOO_LARGE : EXPORTER_LOSS_QUEUE_FULL,
                             outbox->pending_items);
        return;
    }
    /* Counted first: the other thread may take it at once. */
    waits(outbox, outbox->pending_items, length);
    room->items = outbox->pending_items;
    memcpy(room + 1, outbox->pending.data, length);
    byte_ring_commit(&outbox->ring, sizeof(*room) + length);
}

static void put_in_spool(struct outbox *outbox)
{
    uint64_t items = outbox->pending_items;
    uint64_t bytes = outbox->pending.length + SPOOL_FRAME_HEADER_SIZE;
    waits(outbox, items, bytes);
    struct spool_result result =
        spool_append(outbox->spool, &outbox->pending, outbox->pending_items);
    waits_no_more(outbox, result.dropped.items, result.dropped.bytes);
    exporter_health_lose(outbox->health, EXPORTER_LOSS_SPOOL_FULL, result.dropped.items);
    if (result.status != 0) {
        waits_no_more(outbox, items, bytes);
        exporter_health_lose(
            outbox->health,
            result.status == -ENOSPC ? EXPORTER_LOSS_SPOOL_FULL : EXPORTER_LOSS_SPOOL_ERROR, items);
    }
}

void outbox_commit(struct outbox *outbox)
{
    if (outbox->pending_items > 0) {
        exporter_health_add(&outbox->health->accepted, outbox->pending_items);
        if (outbox->pending.failed) {
            exporter_health_lose(outbox->health, EXPORTER_LOSS_MEMORY, outbox->pending_items);
        } else if (outbox->spool != NULL) {
            put_in_spool(outbox);
        } else {
            put_in_ring(outbox);
        }
    }
    byte_writer_reset(&outbox->pending);
    outbox->pending_items = 0;
}

void outbox_append(struct outbox *outbox, const struct text *parts, size_t count)
{
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        length += parts[i].length;
    }
    if (outbox->pending.length + length > FRAME_BYTES) {
        outbox_commit(outbox);
    }
    if (length > ITEM_BYTES_MAX) {
        exporter_health_add(&outbox->health->accepted, 1);
        exporter_health_lose(outbox->health, EXPORTER_LOSS_TOO_LARGE, 1);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        byte_writer_text(&outbox->pending, parts[i]);
    }
    outbox->pending_items++;
}

/* ---- the consumer ---- */

static uint64_t take_from_ring(struct outbox *outbox, struct outbox_batch *batch)
{
    struct text record;
    uint64_t cursor = batch->cursor;
    if (!byte_ring_next(&outbox->ring, &cursor, &record)) {
        return 0;
    }
    const struct frame *frame = (const void *)record.data;
    byte_writer_append(&batch->bytes, frame + 1, record.length - sizeof(*frame));
    if (batch->bytes.failed) {
        return 0;
    }
    batch->cursor = cursor;
    batch->queue_bytes += record.length - sizeof(*frame);
    return frame->items;
}

static uint64_t take_from_spool(struct outbox *outbox, struct outbox_batch *batch)
{
    struct spool_loss damaged = {0};
    size_t before = batch->bytes.length;
    uint64_t items = spool_read(outbox->spool, &batch->bytes, &damaged);
    waits_no_more(outbox, damaged.items, damaged.bytes);
    exporter_health_lose(outbox->health, EXPORTER_LOSS_SPOOL_ERROR, damaged.items);
    if (items > 0) {
        batch->queue_bytes += batch->bytes.length - before + SPOOL_FRAME_HEADER_SIZE;
    }
    return items;
}

bool outbox_fill(struct outbox *outbox, struct outbox_batch *batch, size_t max_bytes)
{
    uint64_t before = batch->items;
    while (batch->bytes.length < max_bytes) {
        uint64_t items =
            outbox->spool != NULL ? take_from_spool(outbox, batch) : take_from_ring(outbox, batch);
        if (items == 0) {
            break;
        }
        batch->items += items;
    }
    /* What is there is whole; the rest is taken the next time. */
    batch->bytes.failed = false;
    return batch->items > before;
}

void outbox_done(struct outbox *outbox, struct outbox_batch *batch)
{
    if (outbox->spool != NULL) {
        spool_done(outbox->spool);
    } else {
        byte_ring_release(&outbox->ring, batch->cursor);
    }
    waits_no_more(outbox, batch->items, batch->queue_bytes);
    byte_writer_reset(&batch->bytes);
    batch->items = 0;
    batch->queue_bytes = 0;
}

bool outbox_survives(const struct outbox *outbox)
{
    return outbox->spool != NULL;
}

/* ---- life ---- */

static bool open_spool(struct outbox *outbox, const struct outbox_options *options,
                       char error_out[static OUTBOX_ERROR_SIZE])
{
    struct spool_found found;
    outbox->spool = spool_open(options->spool_path, options->spool_bytes, &found, error_out);
    if (outbox->spool == NULL) {
        return false;
    }
    waits(outbox, found.items, found.bytes);
    exporter_health_add(&outbox->health->replayed, found.items + found.damaged);
    exporter_health_lose(outbox->health, EXPORTER_LOSS_SPOOL_ERROR, found.damaged);
    return true;
}

struct outbox *outbox_new(const struct outbox_options *options,
                          char error_out[static OUTBOX_ERROR_SIZE])
{
    struct outbox *outbox = aligned_alloc(BYTE_RING_LINE, sizeof(*outbox));
    if (outbox == NULL) {
        snprintf(error_out, OUTBOX_ERROR_SIZE, "out of memory");
        return NULL;
    }
    memset(outbox, 0, sizeof(*outbox));
    outbox->health = options->health;
    byte_writer_init(&outbox->pending);
    if (options->spool_path != NULL) {
        if (!open_spool(outbox, options, error_out)) {
            outbox_free(outbox);
            return NULL;
        }
        return outbox;
    }
    uint64_t bytes =
        options->queue_bytes > QUEUE_BYTES_MIN ? options->queue_bytes : QUEUE_BYTES_MIN;
    if (byte_ring_init(&outbox->ring, (size_t)bytes) != 0) {
        snprintf(error_out, OUTBOX_ERROR_SIZE, "out of memory");
        outbox_free(outbox);
        return NULL;
    }
    return outbox;
}

void outbox_free(struct outbox *outbox)
{
    if (outbox != NULL) {
        spool_close(outbox->spool);
        byte_ring_fini(&outbox->ring);
        byte_writer_fini(&outbox->pending);
        free(outbox);
    }
}
