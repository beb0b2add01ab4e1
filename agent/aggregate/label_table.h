#pragma once

#include "agent/base/slice.h"

#include <stddef.h>
#include <stdint.h>

/* Longest label value in bytes; a longer one is cut, at a UTF-8 boundary. */
#define LABEL_MAX 232
/* The id of no label. */
#define LABEL_NONE 0

/*
 * Label values of one worker, each kept once and counted by its users. A label may belong to
 * another one (a route to its service): equal texts of different owners are different labels, and
 * an owner knows how many it has. Room is reserved at the start; a full table refuses.
 */
struct label;
struct label_table {
    struct label *labels;
    uint32_t *index;
    uint32_t index_size; /* a power of two */
    uint32_t capacity;
    uint32_t touched;
    uint32_t free_id;
    uint32_t used;
    uint64_t seed;
};

/* Returns 0 or -ENOMEM. The seed keeps peers from choosing texts that collide. */
int label_table_init(struct label_table *table, uint32_t capacity, uint64_t seed);
void label_table_fini(struct label_table *table);

/* The label, made where there is none yet, with one reference for the caller. LABEL_NONE when the
 * table is full. The worker's thread, like all but the last function. */
uint32_t label_table_intern(struct label_table *table, uint32_t owner, struct slice text);

/* The same without making one: LABEL_NONE when there is none. */
uint32_t label_table_find(struct label_table *table, uint32_t owner, struct slice text);

/* One more reference; LABEL_NONE is fine here and below. */
void label_table_acquire(struct label_table *table, uint32_t id);
void label_table_release(struct label_table *table, uint32_t id);

/* How many labels belong to this one. */
uint32_t label_table_owned(const struct label_table *table, uint32_t id);

/* The text, valid while somebody refers to the label; empty for LABEL_NONE. */
struct slice label_table_text(const struct label_table *table, uint32_t id);

/* Copies the text to `text_out` (LABEL_MAX bytes, aligned for uint64_t) and returns its length. Any
 * thread; the bytes mean something only if a record that refers to the label did not change
 * meanwhile. */
size_t label_table_copy(const struct label_table *table, uint32_t id, uint64_t *text_out);
