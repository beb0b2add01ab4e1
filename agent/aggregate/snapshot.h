#pragma once

#include "agent/aggregate/shard.h"

/*
 * Which records the shards hold at one moment: their keys and label texts, not yet their values. A
 * reader goes through it family by family and reads each value when it needs it, so a scrape takes
 * memory for names only.
 */
struct snapshot_entry {
    struct series_key key; /* its label ids mean something in its shard only */
    uint64_t generation;
    int64_t created_ns;
    size_t text_at; /* of the service's text in snapshot.texts; the others follow */
    uint32_t slot;
    uint16_t shard;
    uint8_t service_length;
    uint8_t peer_length;
    uint8_t label_length;
};

struct snapshot {
    struct aggregate_shard *const *shards;
    size_t shard_count;
    struct snapshot_entry *entries; /* sorted: by kind, side, texts, then the key's numbers */
    size_t count;
    size_t capacity;
    char *texts;
    size_t text_length;
    size_t text_capacity;
};

/* Returns 0 or -ENOMEM; to be given to snapshot_fini either way. */
int snapshot_take(struct snapshot *snapshot, struct aggregate_shard *const *shards, size_t count);
void snapshot_fini(struct snapshot *snapshot);

struct slice snapshot_service(const struct snapshot *snapshot, const struct snapshot_entry *entry);
struct slice snapshot_peer(const struct snapshot *snapshot, const struct snapshot_entry *entry);
struct slice snapshot_label(const struct snapshot *snapshot, const struct snapshot_entry *entry);

/* Whether both stand for the same series: neighbours of different shards may. */
bool snapshot_same(const struct snapshot *snapshot, const struct snapshot_entry *a,
                   const struct snapshot_entry *b);

/* Copies the value a record has now. False: the record is gone. */
bool snapshot_read(const struct snapshot *snapshot, const struct snapshot_entry *entry,
                   uint64_t *value_out);
