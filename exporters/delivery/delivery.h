#pragma once

#include "exporters/exchange_record.h"
#include "exporters/exporter_health.h"

/*
 * The way of exchanges from the capture workers to what delivers them: a ring for each worker, one
 * thread that empties them all. A worker never waits: what finds its ring full is counted.
 */
struct delivery;

/* A worker's end of its ring. */
struct delivery_inlet;

#define DELIVERY_OUTLETS_MAX 8

/* Who takes records. */
struct delivery_outlet {
    void *context;
    /* The worker's thread, several at a time: whether this record is to be delivered. NULL: yes. */
    bool (*wants)(void *context, const struct exchange_record *record);
    /* The worker's thread: records that it wanted were lost on the way. */
    void (*lose)(void *context, enum exporter_loss loss, uint64_t records);
    /* The delivery thread: one record, whose texts are valid until it returns. Must not wait. */
    void (*take)(void *context, const struct exchange_record *record);
    /* The delivery thread: after some records, and at least every 100 ms. Must not wait. */
    void (*tick)(void *context);
};

struct delivery_options {
    const struct delivery_outlet *outlets; /* copied */
    size_t outlet_count;
    size_t inlet_count; /* one for each worker */
    size_t ring_bytes;  /* of each */
};

/* NULL: out of memory or descriptors. Nothing runs before delivery_start. */
struct delivery *delivery_new(const struct delivery_options *options);

/* Returns 0 or -errno. */
int delivery_start(struct delivery *delivery);

struct delivery_inlet *delivery_inlet(struct delivery *delivery, size_t index);

/* The worker's thread: copies the record into the ring for the outlets that want it. */
void delivery_offer(struct delivery_inlet *inlet, const struct exchange_record *record);

/* Hands over what is still in the rings and ends the thread; the workers have ended before. */
void delivery_stop(struct delivery *delivery);

/* Stops as well. NULL is fine. */
void delivery_free(struct delivery *delivery);
