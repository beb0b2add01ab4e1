#include "agent/aggregate/snapshot.h"

#include "agent/aggregate/cell.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Labels of a record: service, peer and route or protocol. */
#define TEXTS 3
#define LABEL_CELLS (LABEL_MAX / sizeof(uint64_t))
/* Shards are counted in 16 bits. */
#define SHARDS_MAX UINT16_MAX

/* What one record looked like at one moment. */
struct sighting {
    struct series_key key;
    uint64_t generation;
    uint64_t created_ns;
    size_t lengths[TEXTS];
    uint64_t texts[TEXTS][LABEL_CELLS];
};

static void look_once(const struct aggregate_shard *shard, const struct series *series,
                      struct sighting *sighting_out)
{
    uint64_t key[SERIES_KEY_CELLS];
    sighting_out->generation = cell_get(&series->generation);
    sighting_out->created_ns = cell_get(&series->created_ns);
    cell_get_all(series->key, key, SERIES_KEY_CELLS);
    memcpy(&sighting_out->key, key, sizeof(key));
    const uint32_t ids[TEXTS] = {sighting_out->key.service, sighting_out->key.peer,
                                 sighting_out->key.label};
    for (size_t i = 0; i < TEXTS; i++) {
        sighting_out->lengths[i] = label_table_copy(&shard->labels, ids[i], sighting_out->texts[i]);
    }
}

static void look(const struct aggregate_shard *shard, const struct series *series,
                 struct sighting *sighting_out)
{
    uint64_t sequence;
    do {
        sequence = series_read_begin(series);
        look_once(shard, series, sighting_out);
    } while (!series_read_end(series, sequence));
}

/* Makes room for one more entry and `length` more bytes of text. */
static int make_room(struct snapshot *snapshot, size_t length)
{
    if (snapshot->count == snapshot->capacity) {
        size_t capacity = snapshot->capacity == 0 ? 256 : snapshot->capacity * 2;
        void *entries = reallocarray(snapshot->entries, capacity, sizeof(*snapshot->entries));
        if (entries == NULL) {
            return -ENOMEM;
        }
        snapshot->entries = entries;
        snapshot->capacity = capacity;
    }
    if (snapshot->text_capacity - snapshot->text_length < length) {
        size_t capacity = snapshot->text_capacity * 2 + (size_t)TEXTS * LABEL_MAX;
        char *texts = realloc(snapshot->texts, capacity);
        if (texts == NULL) {
            return -ENOMEM;
        }
        snapshot->texts = texts;
        snapshot->text_capacity = capacity;
    }
    return 0;
}

static int append(struct snapshot *snapshot, const struct sighting *sighting, size_t shard,
                  uint32_t slot)
{
    const size_t *lengths = sighting->lengths;
    int result = make_room(snapshot, lengths[0] + lengths[1] + lengths[2]);
    if (result != 0) {
        return result;
    }
    snapshot->entries[snapshot->count++] =
        (struct snapshot_entry){.key = sighting->key,
                                .generation = sighting->generation,
                                .created_ns = (int64_t)sighting->created_ns,
                                .text_at = snapshot->text_length,
                                .slot = slot,
                                .shard = (uint16_t)shard,
                                .service_length = (uint8_t)lengths[0],
                                .peer_length = (uint8_t)lengths[1],
                                .label_length = (uint8_t)lengths[2]};
    for (size_t i = 0; i < TEXTS; i++) {
        memcpy(snapshot->texts + snapshot->text_length, sighting->texts[i], lengths[i]);
        snapshot->text_length += lengths[i];
    }
    return 0;
}

static int take_table(struct snapshot *snapshot, size_t shard, const struct series_table *table)
{
    uint32_t touched = (uint32_t)cell_get(&table->touched);
    for (uint32_t slot = 0; slot < touched; slot++) {
        struct sighting sighting;
        look(snapshot->shards[shard], series_table_slot(table, slot), &sighting);
        int result = sighting.generation == 0 ? 0 : append(snapshot, &sighting, shard, slot);
        if (result != 0) {
            return result;
        }
    }
    return 0;
}

struct slice snapshot_service(const struct snapshot *snapshot, const struct snapshot_entry *entry)
{
    return (struct slice){snapshot->texts + entry->text_at, entry->service_length};
}

struct slice snapshot_peer(const struct snapshot *snapshot, const struct snapshot_entry *entry)
{
    return (struct slice){snapshot->texts + entry->text_at + entry->service_length,
                          entry->peer_length};
}

struct slice snapshot_label(const struct snapshot *snapshot, const struct snapshot_entry *entry)
{
    return (struct slice){snapshot->texts + entry->text_at + entry->service_length +
                              entry->peer_length,
                          entry->label_length};
}

static int compare_slices(struct slice a, struct slice b)
{
    size_t length = a.length < b.length ? a.length : b.length;
    int order = length == 0 ? 0 : memcmp(a.data, b.data, length);
    return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

/* The key's numbers as one: those behind the texts in the order of the entries. */
static uint64_t number_of(const struct series_key *key)
{
    return (uint64_t)key->port << 40 | (uint64_t)key->method << 32 | (uint64_t)key->status << 16 |
           (uint64_t)key->outcome << 8 | key->part;
}

static int compare(const struct snapshot *snapshot, const struct snapshot_entry *a,
                   const struct snapshot_entry *b)
{
    int order = a->key.kind - b->key.kind;
    if (order == 0) {
        order = a->key.side - b->key.side;
    }
    if (order == 0) {
        order = compare_slices(snapshot_service(snapshot, a), snapshot_service(snapshot, b));
    }
    if (order == 0) {
        order = compare_slices(snapshot_peer(snapshot, a), snapshot_peer(snapshot, b));
    }
    if (order == 0) {
        order = compare_slices(snapshot_label(snapshot, a), snapshot_label(snapshot, b));
    }
    if (order == 0) {
        uint64_t number = number_of(&a->key);
        uint64_t other = number_of(&b->key);
        order = (number > other) - (number < other);
    }
    return order;
}

bool snapshot_same(const struct snapshot *snapshot, const struct snapshot_entry *a,
                   const struct snapshot_entry *b)
{
    return compare(snapshot, a, b) == 0;
}

static int compare_entries(const void *left, const void *right, void *context)
{
    return compare(context, left, right);
}

static struct series_table *table_of(const struct snapshot *snapshot,
                                     const struct snapshot_entry *entry)
{
    return shard_table(snapshot->shards[entry->shard], entry->key.kind);
}

bool snapshot_read(const struct snapshot *snapshot, const struct snapshot_entry *entry,
                   uint64_t *value_out)
{
    return series_table_read(table_of(snapshot, entry), entry->slot, entry->generation, value_out);
}

int snapshot_take(struct snapshot *snapshot, struct aggregate_shard *const *shards, size_t count)
{
    *snapshot = (struct snapshot){.shards = shards, .shard_count = count};
    if (count > SHARDS_MAX) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        int result = take_table(snapshot, i, &shards[i]->histograms);
        if (result == 0) {
            result = take_table(snapshot, i, &shards[i]->numbers);
        }
        if (result != 0) {
            return result;
        }
    }
    if (snapshot->count > 0) {
        qsort_r(snapshot->entries, snapshot->count, sizeof(*snapshot->entries), compare_entries,
                snapshot);
    }
    return 0;
}

void snapshot_fini(struct snapshot *snapshot)
{
    free(snapshot->entries);
    free(snapshot->texts);
    *snapshot = (struct snapshot){0};
}
