#include "agent/aggregate/shard.h"

#include "agent/aggregate/cell.h"

/* Records looked at by one sweep and table: bounds the pause that a tick makes in the worker. */
#define SWEEP_RECORDS 4096

const struct histogram_layout *shard_layout(const struct aggregate_shard *shard,
                                            enum series_kind kind)
{
    bool size = kind == SERIES_REQUEST_BODY || kind == SERIES_RESPONSE_BODY;
    return size ? &shard->sizes : &shard->durations;
}

struct series_table *shard_table(struct aggregate_shard *shard, enum series_kind kind)
{
    return kind < SERIES_HISTOGRAM_KINDS ? &shard->histograms : &shard->numbers;
}

/* Sample lines that a record stands for. */
static uint32_t lines_of(const struct aggregate_shard *shard, const struct series_key *key)
{
    enum series_kind kind = key->kind;
    if (kind < SERIES_HISTOGRAM_KINDS) { /* the buckets, +Inf, _sum and _count */
        return (uint32_t)shard_layout(shard, kind)->bound_count + 3;
    }
    return kind == SERIES_ACTIVE || kind == SERIES_UNMATCHED ? 1 : 2;
}

struct series *shard_look_up(struct aggregate_shard *shard, const struct series_key *key)
{
    struct series *series = series_table_find(shard_table(shard, key->kind), key);
    if (series != NULL) {
        series->used_ns = shard->clock_ns;
    }
    return series;
}

static struct series *add(struct aggregate_shard *shard, const struct series_key *key)
{
    uint32_t lines = lines_of(shard, key);
    if (key->service == LABEL_NONE || shard->lines + lines > shard->max_lines) {
        return NULL;
    }
    struct series *series = series_table_add(shard_table(shard, key->kind), key, shard->now_ns);
    if (series != NULL) {
        series->used_ns = shard->clock_ns;
        label_table_acquire(&shard->labels, key->service);
        label_table_acquire(&shard->labels, key->peer);
        label_table_acquire(&shard->labels, key->label);
        cell_add(&shard->lines, lines);
    }
    return series;
}

struct series *shard_series(struct aggregate_shard *shard, const struct series_key *key)
{
    struct series *series = shard_look_up(shard, key);
    if (series == NULL) {
        series = add(shard, key);
    }
    if (series == NULL) {
        cell_add(&shard->rejected, 1);
    }
    return series;
}

static void remove_series(struct aggregate_shard *shard, struct series_table *table,
                          struct series *series)
{
    struct series_key key = series_key_of(series);
    series_table_remove(table, series);
    shard->removals++;
    label_table_release(&shard->labels, key.label);
    label_table_release(&shard->labels, key.peer);
    label_table_release(&shard->labels, key.service);
    cell_set(&shard->lines, shard->lines - lines_of(shard, &key));
}

static bool is_idle(const struct aggregate_shard *shard, const struct series *series)
{
    if (series->generation == 0 || shard->clock_ns - series->used_ns <= shard->idle_limit_ns) {
        return false;
    }
    struct series_key key = series_key_of(series);
    return key.kind != SERIES_ACTIVE || series->value[0] == 0;
}

static uint32_t sweep(struct aggregate_shard *shard, struct series_table *table, uint32_t next)
{
    uint64_t count = table->touched < SWEEP_RECORDS ? table->touched : SWEEP_RECORDS;
    for (uint64_t i = 0; i < count; i++) {
        next = next < table->touched ? next : 0;
        struct series *series = series_table_slot(table, next++);
        if (is_idle(shard, series)) {
            remove_series(shard, table, series);
        }
    }
    return next;
}

void shard_sweep(struct aggregate_shard *shard)
{
    shard->swept_histograms = sweep(shard, &shard->histograms, shard->swept_histograms);
    shard->swept_numbers = sweep(shard, &shard->numbers, shard->swept_numbers);
}
