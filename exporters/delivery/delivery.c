#include "exporters/delivery/delivery.h"

#include "exporters/delivery/byte_ring.h"
#include "exporters/delivery/packed_record.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/*
 * The thread looks into the rings by itself every TICK_MS, so a worker's usual exchange makes no
 * system call. Only one that finds its ring half full wakes the thread, and once: `woken` stays set
 * until the thread has looked again.
 */

#define TICK_MS 100
/* Records taken from one ring before the next one has its turn, and the room is given back. */
#define BURST 256

struct delivery_inlet {
    struct delivery *delivery;
    struct byte_ring ring;
    uint64_t cursor; /* the thread's */
};

struct delivery {
    struct delivery_outlet outlets[DELIVERY_OUTLETS_MAX];
    size_t outlet_count;
    struct delivery_inlet *inlets;
    size_t inlet_count;
    int wake_event;
    _Atomic bool woken;
    _Atomic bool stopping;
    pthread_t thread;
    bool started;
};

/* In front of the packed record: which outlets want it. As wide as the record's alignment. */
struct envelope {
    uint64_t outlets;
};

/* ---- the worker's side ---- */

static uint64_t wanted_by(const struct delivery *delivery, const struct exchange_record *record)
{
    uint64_t wanted = 0;
    for (size_t i = 0; i < delivery->outlet_count; i++) {
        const struct delivery_outlet *outlet = &delivery->outlets[i];
        bool wants = outlet->wants == NULL || outlet->wants(outlet->context, record);
        wanted |= (uint64_t)wants << i;
    }
    return wanted;
}

static void lose(const struct delivery *delivery, uint64_t wanted, enum exporter_loss loss)
{
    for (size_t i = 0; i < delivery->outlet_count; i++) {
        if ((wanted >> i & 1) != 0) {
            delivery->outlets[i].lose(delivery->outlets[i].context, loss, 1);
        }
    }
}

static void wake(struct delivery *delivery)
{
    uint64_t one = 1;
    while (write(delivery->wake_event, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
}

void delivery_offer(struct delivery_inlet *inlet, const struct exchange_record *record)
{
    struct delivery *delivery = inlet->delivery;
    uint64_t wanted = wanted_by(delivery, record);
    if (wanted == 0) {
        return;
    }
    size_t size = sizeof(struct envelope) + packed_record_size(record);
    struct envelope *room = byte_ring_reserve(&inlet->ring, size);
    if (room == NULL) {
        bool never = size > byte_ring_record_max(&inlet->ring);
        lose(delivery, wanted, never ? EXPORTER_LOSS_TOO_LARGE : EXPORTER_LOSS_RING_FULL);
        return;
    }
    room->outlets = wanted;
    packed_record_write(record, room + 1);
    byte_ring_commit(&inlet->ring, size);
    bool half_full = inlet->ring.reserved_at - inlet->ring.tail_seen > inlet->ring.capacity / 2;
    if (half_full && byte_ring_used(&inlet->ring) > inlet->ring.capacity / 2 &&
        !atomic_exchange(&delivery->woken, true)) {
        wake(delivery);
    }
}

/* ---- the delivery thread ---- */

static void hand_over(const struct delivery *delivery, struct text packed)
{
    const struct envelope *envelope = (const void *)packed.data;
    struct exchange_record record;
    packed_record_read(envelope + 1, &record);
    for (size_t i = 0; i < delivery->outlet_count; i++) {
        if ((envelope->outlets >> i & 1) != 0) {
            delivery->outlets[i].take(delivery->outlets[i].context, &record);
        }
    }
}

/* True: there may be more. */
static bool empty_some(const struct delivery *delivery, struct delivery_inlet *inlet)
{
    struct text packed;
    unsigned count = 0;
    while (count < BURST && byte_ring_next(&inlet->ring, &inlet->cursor, &packed)) {
        hand_over(delivery, packed);
        count++;
    }
    if (count > 0) {
        byte_ring_release(&inlet->ring, inlet->cursor);
    }
    return count == BURST;
}

static void tick(const struct delivery *delivery)
{
    for (size_t i = 0; i < delivery->outlet_count; i++) {
        delivery->outlets[i].tick(delivery->outlets[i].context);
    }
}

/* Until all rings were found empty. */
static void empty_all(const struct delivery *delivery)
{
    bool more = true;
    while (more) {
        more = false;
        for (size_t i = 0; i < delivery->inlet_count; i++) {
            more = empty_some(delivery, &delivery->inlets[i]) || more;
        }
        tick(delivery);
    }
}

static void wait_for_work(struct delivery *delivery)
{
    struct pollfd event = {.fd = delivery->wake_event, .events = POLLIN};
    uint64_t count;
    if (poll(&event, 1, TICK_MS) > 0) {
        (void)!read(delivery->wake_event, &count, sizeof(count));
    }
    atomic_store(&delivery->woken, false);
}

static void *thread_main(void *context)
{
    struct delivery *delivery = context;
    bool stopping = false;
    while (!stopping) {
        wait_for_work(delivery);
        /* Asked before the rings are looked at: what was offered until then is seen. */
        stopping = atomic_load(&delivery->stopping);
        empty_all(delivery);
    }
    return NULL;
}

/* ---- life ---- */

static bool make_inlets(struct delivery *delivery, const struct delivery_options *options)
{
    size_t size = options->inlet_count * sizeof(struct delivery_inlet);
    delivery->inlets = aligned_alloc(BYTE_RING_LINE, size);
    if (delivery->inlets == NULL) {
        return false;
    }
    memset(delivery->inlets, 0, size);
    for (; delivery->inlet_count < options->inlet_count; delivery->inlet_count++) {
        struct delivery_inlet *inlet = &delivery->inlets[delivery->inlet_count];
        inlet->delivery = delivery;
        if (byte_ring_init(&inlet->ring, options->ring_bytes) != 0) {
            return false;
        }
    }
    return true;
}

struct delivery *delivery_new(const struct delivery_options *options)
{
    struct delivery *delivery = calloc(1, sizeof(*delivery));
    if (delivery == NULL) {
        return NULL;
    }
    delivery->outlet_count = options->outlet_count;
    memcpy(delivery->outlets, options->outlets, options->outlet_count * sizeof(*options->outlets));
    delivery->wake_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (delivery->wake_event < 0 || !make_inlets(delivery, options)) {
        delivery_free(delivery);
        return NULL;
    }
    return delivery;
}

int delivery_start(struct delivery *delivery)
{
    int status = pthread_create(&delivery->thread, NULL, thread_main, delivery);
    delivery->started = status == 0;
    return -status;
}

struct delivery_inlet *delivery_inlet(struct delivery *delivery, size_t index)
{
    return &delivery->inlets[index];
}

void delivery_stop(struct delivery *delivery)
{
    if (delivery->started) {
        atomic_store(&delivery->stopping, true);
        wake(delivery);
        pthread_join(delivery->thread, NULL);
        delivery->started = false;
    }
}

void delivery_free(struct delivery *delivery)
{
    if (delivery == NULL) {
        return;
    }
    delivery_stop(delivery);
    for (size_t i = 0; i < delivery->inlet_count; i++) {
        byte_ring_fini(&delivery->inlets[i].ring);
    }
    free(delivery->inlets);
    if (delivery->wake_event >= 0) {
        close(delivery->wake_event);
    }
    free(delivery);
}
