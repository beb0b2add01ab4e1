#pragma once

#include "agent/aggregate/cell.h"
#include "agent/aggregate/series_key.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* One record. The cells up to `key` and the value are read by other threads. */
struct series {
    uint64_t sequence;   /* odd while the worker writes */
    uint64_t generation; /* tells the users of a slot apart; 0: free */
    uint64_t created_ns;
    uint64_t key[SERIES_KEY_CELLS];
    int64_t used_ns;
    uint32_t hash;
    uint32_t next_free;
    uint64_t value[]; /* a struct histogram, or two numbers */
};

/*
 * Records of one size and one worker. The worker finds them by key; readers go through the slots.
 * Room is reserved at the start; a full table refuses.
 */
struct series_table {
    void *slots;
    uint32_t *index;
    size_t slot_size;
    size_t value_cells;
    uint32_t index_size; /* a power of two */
    uint32_t capacity;
    uint32_t free_slot;  /* the slot's number + 1 */
    uint64_t touched;    /* a cell: slots ever used */
    uint64_t generation; /* the last one given */
    uint64_t seed;
};

/* Returns 0 or -ENOMEM. The seed keeps peers from choosing keys that collide. */
int series_table_init(struct series_table *table, size_t value_cells, uint32_t capacity,
                      uint64_t seed);
void series_table_fini(struct series_table *table);

/* The worker's thread. NULL: there is none; no room. A new record has a zeroed value. */
struct series *series_table_find(const struct series_table *table, const struct series_key *key);
struct series *series_table_add(struct series_table *table, const struct series_key *key,
                                int64_t now_ns);
void series_table_remove(struct series_table *table, struct series *series);

/* The worker's thread: a record's slot as a number to remember, never 0. */
uint32_t series_table_number(const struct series_table *table, const struct series *series);

/* The key of a record; the worker's thread. */
struct series_key series_key_of(const struct series *series);

/* Around every change of a value, by the worker: readers see all of it or read again. */
static inline void series_write_begin(struct series *series)
{
    cell_set(&series->sequence, series->sequence + 1);
}

static inline void series_write_end(struct series *series)
{
    cell_set(&series->sequence, series->sequence + 1);
}

static inline struct series *series_table_slot(const struct series_table *table, uint32_t slot)
{
    void *series = (char *)table->slots + table->slot_size * slot;
    return series;
}

static inline bool series_has_key(const struct series *series, const struct series_key *key)
{
    uint64_t words[SERIES_KEY_CELLS];
    memcpy(words, key, sizeof(words));
    uint64_t differ = 0;
    for (size_t i = 0; i < SERIES_KEY_CELLS; i++) {
        differ |= words[i] ^ series->key[i];
    }
    return differ == 0;
}

/* The worker's thread: the record that is at a remembered number now, if it has this key. */
static inline struct series *series_table_check(const struct series_table *table, uint32_t number,
                                                const struct series_key *key)
{
    if (number == 0 || number > table->touched) {
        return NULL;
    }
    struct series *series = series_table_slot(table, number - 1);
    return series->generation != 0 && series_has_key(series, key) ? series : NULL;
}

/* Any thread. Readers copy between the two calls and keep the copy only if the second says that
 * nothing changed; then they start over. */
uint64_t series_read_begin(const struct series *series);
bool series_read_end(const struct series *series, uint64_t sequence);

/* Any thread: copies the value of a slot. False: it has another generation, its record is gone. */
bool series_table_read(const struct series_table *table, uint32_t slot, uint64_t generation,
                       uint64_t *value_out);
