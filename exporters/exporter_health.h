#pragma once

#include "exporters/metric_set.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How delivery to one receiver goes, for the agent's own metrics. An item is an event, a span, or a
 * data point. At any moment: accepted + replayed = sent + dropped (all reasons) + queued, up to
 * what is on its way between two of these counters.
 */
enum exporter_loss {
    EXPORTER_LOSS_RING_FULL,   /* the delivery thread was too slow */
    EXPORTER_LOSS_QUEUE_FULL,  /* the receiver was too slow, or away for too long */
    EXPORTER_LOSS_SPOOL_FULL,  /* the same, with a spool */
    EXPORTER_LOSS_SPOOL_ERROR, /* the spool could not be written or read */
    EXPORTER_LOSS_TOO_LARGE,   /* one item larger than what can be sent */
    EXPORTER_LOSS_REJECTED,    /* the receiver refused it for good */
    EXPORTER_LOSS_MEMORY,      /* no memory left to write it */
    EXPORTER_LOSS_SHUTDOWN,    /* not delivered when the agent ended */
    EXPORTER_LOSS_COUNT,
};

struct exporter_health {
    const char *exporter; /* the label: "events_http", "otlp_traces", ... */
    _Atomic uint64_t accepted;
    _Atomic uint64_t replayed;
    _Atomic uint64_t sent;
    _Atomic uint64_t failed;  /* attempts */
    _Atomic uint64_t retried; /* attempts that follow a failed one */
    _Atomic uint64_t queued;
    _Atomic uint64_t queue_bytes;
    _Atomic int64_t last_success_ns; /* since the epoch; 0: none yet */
    _Atomic uint64_t lost[EXPORTER_LOSS_COUNT];
};

/* The label `reason`: "ring_full", ... */
const char *exporter_loss_name(enum exporter_loss loss);

static inline void exporter_health_add(_Atomic uint64_t *counter, uint64_t amount)
{
    atomic_fetch_add_explicit(counter, amount, memory_order_relaxed);
}

static inline void exporter_health_lose(struct exporter_health *health, enum exporter_loss loss,
                                        uint64_t items)
{
    exporter_health_add(&health->lost[loss], items);
}

static inline uint64_t exporter_health_get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* Items lost, whatever the reason. */
uint64_t exporter_health_lost(const struct exporter_health *health);

/* Items were delivered just now. */
void exporter_health_succeed(struct exporter_health *health, uint64_t items);

/* All families of these exporters, each family once; nothing for none. Any thread. */
void exporter_health_write(const struct exporter_health *const *healths, size_t count,
                           const struct metric_sink *sink);
