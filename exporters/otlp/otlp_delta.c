#include "exporters/otlp/otlp_delta.h"

#include "exporters/otlp/otlp_random.h"

#include <stdlib.h>
#include <string.h>

/*
 * An open hash table of memories, each as long as its histogram. A series that began anew (another
 * creation time) or shrank is reported whole, from its own beginning: a reader sees the gap in the
 * times. What the receiver did not take is not reported again; that too shows as a gap.
 */

/* The table is at most half full. */
#define TABLE_MIN 256

struct memory {
    uint64_t key;
    int64_t created_ns;
    int64_t reported_ns;
    uint64_t report; /* the last one that had it */
    uint64_t count;
    double sum; /* of a number: its value */
    int64_t first_index;
    uint64_t zero_count;
    size_t buckets;
    size_t capacity;
    int schema;
    uint64_t counts[];
};

struct otlp_delta {
    struct memory **table;
    size_t slots; /* a power of two */
    size_t series;
    size_t max_series;
    int64_t now_ns;
    uint64_t report;
    uint64_t seed;
    uint64_t *scratch;
    size_t scratch_size;
};

struct otlp_delta *otlp_delta_new(size_t max_series)
{
    struct otlp_delta *delta = calloc(1, sizeof(*delta));
    if (delta == NULL) {
        return NULL;
    }
    struct otlp_random random;
    otlp_random_init(&random);
    delta->seed = otlp_random_id(&random);
    delta->max_series = max_series;
    delta->slots = TABLE_MIN;
    delta->table = calloc(delta->slots, sizeof(*delta->table));
    if (delta->table == NULL) {
        otlp_delta_free(delta);
        return NULL;
    }
    return delta;
}

void otlp_delta_free(struct otlp_delta *delta)
{
    if (delta == NULL) {
        return;
    }
    for (size_t i = 0; delta->table != NULL && i < delta->slots; i++) {
        free(delta->table[i]);
    }
    free(delta->table);
    free(delta->scratch);
    free(delta);
}

size_t otlp_delta_series(const struct otlp_delta *delta)
{
    return delta->series;
}

uint64_t otlp_delta_key(const struct otlp_delta *delta, const void *bytes, size_t length,
                        uint64_t more)
{
    const unsigned char *at = bytes;
    uint64_t hash = delta->seed ^ more * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
        hash ^= hash >> 29;
    }
    return hash ^ hash >> 32;
}

/* ---- the table ---- */

/* Where the key is, or would be. */
static struct memory **slot_of(struct memory **table, size_t slots, uint64_t key)
{
    size_t at = key & (slots - 1);
    while (table[at] != NULL && table[at]->key != key) {
        at = (at + 1) & (slots - 1);
    }
    return &table[at];
}

/* Moves what is to be kept into a table of this size. False: no memory, everything is as before. */
static bool rebuild(struct otlp_delta *delta, size_t slots, bool forget)
{
    struct memory **table = calloc(slots, sizeof(*table));
    if (table == NULL) {
        return false;
    }
    for (size_t i = 0; i < delta->slots; i++) {
        struct memory *memory = delta->table[i];
        if (memory != NULL && forget && memory->report != delta->report) {
            free(memory);
            delta->series--;
        } else if (memory != NULL) {
            *slot_of(table, slots, memory->key) = memory;
        }
    }
    free(delta->table);
    delta->table = table;
    delta->slots = slots;
    return true;
}

/* A place for this key with room for so many buckets; NULL: none. */
static struct memory *find(struct otlp_delta *delta, uint64_t key, size_t buckets)
{
    if ((delta->series + 1) * 2 > delta->slots && !rebuild(delta, delta->slots * 2, false)) {
        return NULL;
    }
    struct memory **slot = slot_of(delta->table, delta->slots, key);
    struct memory *memory = *slot;
    if (memory != NULL && memory->capacity >= buckets) {
        return memory;
    }
    if (memory == NULL && delta->series == delta->max_series) {
        return NULL;
    }
    struct memory *longer = realloc(memory, sizeof(*memory) + buckets * sizeof(uint64_t));
    if (longer == NULL) {
        return NULL;
    }
    if (memory == NULL) {
        *longer = (struct memory){.key = key, .reported_ns = INT64_MIN};
        delta->series++;
    }
    longer->capacity = buckets;
    *slot = longer;
    return longer;
}

static bool make_scratch(struct otlp_delta *delta, size_t buckets)
{
    if (delta->scratch_size >= buckets) {
        return true;
    }
    uint64_t *scratch = reallocarray(delta->scratch, buckets, sizeof(*scratch));
    if (scratch == NULL) {
        return false;
    }
    delta->scratch = scratch;
    delta->scratch_size = buckets;
    return true;
}

/* ---- reports ---- */

void otlp_delta_begin(struct otlp_delta *delta, int64_t now_ns)
{
    delta->now_ns = now_ns;
    delta->report++;
}

void otlp_delta_end(struct otlp_delta *delta)
{
    size_t slots = delta->slots;
    while (slots > TABLE_MIN && delta->series * 8 < slots) {
        slots /= 2;
    }
    rebuild(delta, slots, true);
}

/* When this report's interval of the series began, or INT64_MIN: at the series' own beginning. */
static int64_t begin_of(const struct memory *memory, int64_t created_ns)
{
    return memory->created_ns == created_ns ? memory->reported_ns : INT64_MIN;
}

/* An interval in which nothing happened is not reported: the next one covers it. */
static enum otlp_delta_result remember(struct otlp_delta *delta, struct memory *memory,
                                       int64_t created_ns, bool changed)
{
    memory->report = delta->report;
    if (!changed) {
        return OTLP_DELTA_SAME;
    }
    memory->created_ns = created_ns;
    memory->reported_ns = delta->now_ns;
    return OTLP_DELTA_CHANGED;
}

enum otlp_delta_result otlp_delta_number(struct otlp_delta *delta, uint64_t key, double *value,
                                         int64_t *created_ns)
{
    struct memory *memory = find(delta, key, 0);
    if (memory == NULL) {
        return OTLP_DELTA_FULL;
    }
    int64_t begin = begin_of(memory, *created_ns);
    int64_t created = *created_ns;
    double now = *value;
    if (begin != INT64_MIN && now >= memory->sum) {
        *value = now - memory->sum;
        *created_ns = begin;
    }
    memory->sum = now;
    return remember(delta, memory, created, *value > 0);
}

/* Takes what was there before off the scratch's counts. Buckets of a finer schema fall into those
 * of the present one. False: it is no continuation. */
static bool subtract(uint64_t *counts, const struct otlp_distribution *now,
                     const struct memory *before)
{
    if (before->count > now->count || before->zero_count > now->zero_count ||
        before->schema < now->schema) {
        return false;
    }
    unsigned coarser = (unsigned)(before->schema - now->schema);
    for (size_t i = 0; i < before->buckets; i++) {
        int64_t index = (before->first_index + (int64_t)i) >> coarser;
        int64_t at = index - now->first_index;
        if (before->counts[i] == 0) {
            continue;
        }
        if (at < 0 || at >= (int64_t)now->buckets || counts[at] < before->counts[i]) {
            return false;
        }
        counts[at] -= before->counts[i];
    }
    return true;
}

static void keep(struct memory *memory, const struct otlp_distribution *now)
{
    memory->count = now->count;
    memory->sum = now->sum;
    memory->schema = now->schema;
    memory->zero_count = now->zero_count;
    memory->first_index = now->first_index;
    memory->buckets = now->buckets;
    if (now->buckets > 0) {
        memcpy(memory->counts, now->counts, now->buckets * sizeof(*now->counts));
    }
}

enum otlp_delta_result otlp_delta_distribution(struct otlp_delta *delta, uint64_t key,
                                               struct otlp_distribution *distribution,
                                               int64_t *created_ns)
{
    const struct otlp_distribution now = *distribution;
    struct memory *memory = find(delta, key, now.buckets);
    if (memory == NULL || !make_scratch(delta, now.buckets + 1)) {
        return OTLP_DELTA_FULL;
    }
    int64_t begin = begin_of(memory, *created_ns);
    int64_t created = *created_ns;
    if (now.buckets > 0) {
        memcpy(delta->scratch, now.counts, now.buckets * sizeof(*now.counts));
    }
    if (begin != INT64_MIN && subtract(delta->scratch, &now, memory)) {
        distribution->count -= memory->count;
        distribution->zero_count -= memory->zero_count;
        distribution->sum -= memory->sum;
        distribution->counts = delta->scratch;
        *created_ns = begin;
    }
    keep(memory, &now);
    return remember(delta, memory, created, distribution->count > 0);
}
