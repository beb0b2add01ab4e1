#include "agent/aggregate/series_table.h"

#include "agent/aggregate/region.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

/*
 * Each slot carries a sequence number that is odd while its worker changes it (a seqlock): readers
 * never stop the worker, and read again what changed under them. All words that readers touch are
 * cells, written with release and read with acquire, so whoever saw a new word also sees the new
 * sequence number. A removed record's slot is used again under another generation; a reader that
 * remembers slot and generation can come back later and tell.
 */

/* Reads in vain before the reader gives the processor away: the worker may be waiting for it. */
#define READ_SPINS 64

int series_table_init(struct series_table *table, size_t value_cells, uint32_t capacity,
                      uint64_t seed)
{
    *table = (struct series_table){.value_cells = value_cells,
                                   .slot_size = sizeof(struct series) + value_cells * 8,
                                   .index_size = region_index_size(capacity),
                                   .capacity = capacity,
                                   .seed = seed};
    table->slots = region_reserve(capacity, table->slot_size);
    table->index = region_reserve(table->index_size, sizeof(*table->index));
    if (table->slots == NULL || table->index == NULL) {
        series_table_fini(table);
        return -ENOMEM;
    }
    return 0;
}

void series_table_fini(struct series_table *table)
{
    region_free(table->slots, table->capacity, table->slot_size);
    region_free(table->index, table->index_size, sizeof(*table->index));
    *table = (struct series_table){0};
}

struct series_key series_key_of(const struct series *series)
{
    struct series_key key;
    memcpy(&key, series->key, sizeof(key));
    return key;
}

static uint32_t hash_of(const struct series_table *table, const struct series_key *key)
{
    uint64_t words[SERIES_KEY_CELLS];
    memcpy(words, key, sizeof(words));
    uint64_t hash = table->seed;
    for (size_t i = 0; i < SERIES_KEY_CELLS; i++) {
        hash = region_fold(hash ^ words[i]);
    }
    return (uint32_t)(hash >> 32);
}

/* The index position of the record, or the empty one where it would be. */
static uint32_t position_of(const struct series_table *table, const struct series_key *key,
                            uint32_t hash)
{
    uint32_t mask = table->index_size - 1;
    uint32_t position = hash & mask;
    while (table->index[position] != 0) {
        const struct series *series = series_table_slot(table, table->index[position] - 1);
        if (series->hash == hash && series_has_key(series, key)) {
            break;
        }
        position = (position + 1) & mask;
    }
    return position;
}

struct series *series_table_find(const struct series_table *table, const struct series_key *key)
{
    uint32_t entry = table->index[position_of(table, key, hash_of(table, key))];
    return entry == 0 ? NULL : series_table_slot(table, entry - 1);
}

uint32_t series_table_number(const struct series_table *table, const struct series *series)
{
    size_t offset = (size_t)((const char *)series - (const char *)table->slots);
    return (uint32_t)(offset / table->slot_size) + 1;
}

/* Returns the slot's number + 1, or 0. */
static uint32_t take_slot(struct series_table *table)
{
    uint32_t entry = table->free_slot;
    if (entry != 0) {
        table->free_slot = series_table_slot(table, entry - 1)->next_free;
        return entry;
    }
    if (table->touched == table->capacity) {
        return 0;
    }
    cell_set(&table->touched, table->touched + 1);
    return (uint32_t)table->touched;
}

struct series *series_table_add(struct series_table *table, const struct series_key *key,
                                int64_t now_ns)
{
    uint32_t hash = hash_of(table, key);
    uint32_t position = position_of(table, key, hash);
    uint32_t entry = take_slot(table);
    if (entry == 0) {
        return NULL;
    }
    struct series *series = series_table_slot(table, entry - 1);
    uint64_t words[SERIES_KEY_CELLS];
    memcpy(words, key, sizeof(words));
    series_write_begin(series);
    cell_set(&series->generation, ++table->generation);
    cell_set(&series->created_ns, (uint64_t)now_ns);
    cell_set_all(series->key, words, SERIES_KEY_CELLS);
    for (size_t i = 0; i < table->value_cells; i++) {
        cell_set(&series->value[i], 0);
    }
    series_write_end(series);
    series->used_ns = now_ns;
    series->hash = hash;
    table->index[position] = entry;
    return series;
}

static uint32_t hash_at(const void *context, uint32_t entry)
{
    return series_table_slot(context, entry - 1)->hash;
}

void series_table_remove(struct series_table *table, struct series *series)
{
    struct series_key key = series_key_of(series);
    uint32_t position = position_of(table, &key, series->hash);
    uint32_t entry = table->index[position];
    region_index_remove(table->index, table->index_size, position, hash_at, table);
    series_write_begin(series);
    cell_set(&series->generation, 0);
    series_write_end(series);
    series->next_free = table->free_slot;
    table->free_slot = entry;
}

uint64_t series_read_begin(const struct series *series)
{
    uint64_t sequence = cell_get(&series->sequence);
    for (unsigned spins = 0; sequence % 2 != 0; spins++) {
        if (spins >= READ_SPINS) {
            sched_yield();
        }
        sequence = cell_get(&series->sequence);
    }
    return sequence;
}

bool series_read_end(const struct series *series, uint64_t sequence)
{
    return cell_get(&series->sequence) == sequence;
}

bool series_table_read(const struct series_table *table, uint32_t slot, uint64_t generation,
                       uint64_t *value_out)
{
    const struct series *series = series_table_slot(table, slot);
    uint64_t sequence;
    bool same;
    do {
        sequence = series_read_begin(series);
        same = cell_get(&series->generation) == generation;
        if (same) {
            cell_get_all(series->value, value_out, table->value_cells);
        }
    } while (!series_read_end(series, sequence));
    return same;
}
