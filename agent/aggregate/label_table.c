#include "agent/aggregate/label_table.h"

#include "agent/aggregate/cell.h"
#include "agent/aggregate/region.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/*
 * An open-addressed index (linear probing, deletion by shifting back) over fixed slots. Only the
 * worker uses the index; readers come with an id from a series and read nothing but the cells of
 * `length` and `text`. A slot is overwritten only after the last series that refers to it was
 * taken out, so a reader whose series did not change saw the right text.
 */

#define LABEL_WORDS (LABEL_MAX / sizeof(uint64_t))

struct label {
    uint64_t length;
    uint64_t text[LABEL_WORDS];
    uint32_t hash;
    uint32_t owner;
    uint32_t references; /* 0: free, `owned` is the id of the next free one */
    uint32_t owned;
};

int label_table_init(struct label_table *table, uint32_t capacity, uint64_t seed)
{
    uint32_t index_size = region_index_size(capacity);
    *table = (struct label_table){.capacity = capacity, .index_size = index_size, .seed = seed};
    table->labels = region_reserve(capacity, sizeof(*table->labels));
    table->index = region_reserve(index_size, sizeof(*table->index));
    if (table->labels == NULL || table->index == NULL) {
        label_table_fini(table);
        return -ENOMEM;
    }
    return 0;
}

void label_table_fini(struct label_table *table)
{
    region_free(table->labels, table->capacity, sizeof(*table->labels));
    region_free(table->index, table->index_size, sizeof(*table->index));
    *table = (struct label_table){0};
}

static struct slice cut(struct slice text)
{
    if (text.length > LABEL_MAX) {
        text.length = LABEL_MAX;
        while (text.length > 0 && ((uint8_t)text.data[text.length] & 0xc0) == 0x80) {
            text.length--;
        }
    }
    return text;
}

static uint32_t hash_of(const struct label_table *table, uint32_t owner, struct slice text)
{
    uint64_t hash = table->seed ^ owner;
    while (text.length > 0) {
        uint64_t word = text.length;
        size_t taken = text.length < sizeof(word) ? text.length : sizeof(word);
        memcpy(&word, text.data, taken);
        hash = region_fold(hash ^ word);
        text.data += taken;
        text.length -= taken;
    }
    return (uint32_t)(hash >> 32);
}

static struct label *label_at(const struct label_table *table, uint32_t id)
{
    return &table->labels[id - 1];
}

static bool label_is(const struct label *label, uint32_t owner, struct slice text)
{
    return label->owner == owner && label->length == text.length &&
           (text.length == 0 || memcmp(label->text, text.data, text.length) == 0);
}

/* The index position of the label, or the empty one where it would be. */
static uint32_t position_of(const struct label_table *table, uint32_t hash, uint32_t owner,
                            struct slice text)
{
    uint32_t mask = table->index_size - 1;
    uint32_t position = hash & mask;
    while (table->index[position] != LABEL_NONE) {
        const struct label *label = label_at(table, table->index[position]);
        if (label->hash == hash && label_is(label, owner, text)) {
            break;
        }
        position = (position + 1) & mask;
    }
    return position;
}

uint32_t label_table_find(struct label_table *table, uint32_t owner, struct slice text)
{
    text = cut(text);
    uint32_t id = table->index[position_of(table, hash_of(table, owner, text), owner, text)];
    label_table_acquire(table, id);
    return id;
}

static uint32_t take_slot(struct label_table *table)
{
    uint32_t id = table->free_id;
    if (id != LABEL_NONE) {
        table->free_id = label_at(table, id)->owned;
    } else if (table->touched < table->capacity) {
        id = ++table->touched;
    } else {
        return LABEL_NONE;
    }
    table->used++;
    return id;
}

static void fill(struct label *label, struct slice text)
{
    cell_set(&label->length, text.length);
    for (size_t i = 0; i * sizeof(uint64_t) < text.length; i++) {
        size_t left = text.length - i * sizeof(uint64_t);
        uint64_t word = 0;
        memcpy(&word, text.data + i * sizeof(word), left < sizeof(word) ? left : sizeof(word));
        cell_set(&label->text[i], word);
    }
}

uint32_t label_table_intern(struct label_table *table, uint32_t owner, struct slice text)
{
    text = cut(text);
    uint32_t hash = hash_of(table, owner, text);
    uint32_t position = position_of(table, hash, owner, text);
    uint32_t id = table->index[position];
    if (id == LABEL_NONE) {
        id = take_slot(table);
        if (id == LABEL_NONE) {
            return LABEL_NONE;
        }
        struct label *label = label_at(table, id);
        fill(label, text);
        label->hash = hash;
        label->owner = owner;
        label->references = 0;
        label->owned = 0;
        table->index[position] = id;
        if (owner != LABEL_NONE) {
            label_at(table, owner)->owned++;
            label_table_acquire(table, owner);
        }
    }
    label_table_acquire(table, id);
    return id;
}

void label_table_acquire(struct label_table *table, uint32_t id)
{
    if (id != LABEL_NONE) {
        label_at(table, id)->references++;
    }
}

static uint32_t hash_at(const void *context, uint32_t entry)
{
    return label_at(context, entry)->hash;
}

static void remove_label(struct label_table *table, uint32_t id)
{
    struct label *label = label_at(table, id);
    struct slice text = {(const char *)label->text, label->length};
    uint32_t position = position_of(table, label->hash, label->owner, text);
    region_index_remove(table->index, table->index_size, position, hash_at, table);
    label->owned = table->free_id;
    table->free_id = id;
    table->used--;
}

void label_table_release(struct label_table *table, uint32_t id)
{
    if (id == LABEL_NONE || --label_at(table, id)->references > 0) {
        return;
    }
    uint32_t owner = label_at(table, id)->owner;
    remove_label(table, id);
    if (owner != LABEL_NONE) {
        label_at(table, owner)->owned--;
        label_table_release(table, owner);
    }
}

uint32_t label_table_owned(const struct label_table *table, uint32_t id)
{
    return id == LABEL_NONE ? 0 : label_at(table, id)->owned;
}

struct slice label_table_text(const struct label_table *table, uint32_t id)
{
    if (id == LABEL_NONE) {
        return slice_of("");
    }
    const struct label *label = label_at(table, id);
    return (struct slice){(const char *)label->text, label->length};
}

size_t label_table_copy(const struct label_table *table, uint32_t id, uint64_t *text_out)
{
    if (id == LABEL_NONE || id > table->capacity) {
        return 0;
    }
    const struct label *label = label_at(table, id);
    uint64_t length = cell_get(&label->length);
    length = length > LABEL_MAX ? LABEL_MAX : length;
    cell_get_all(label->text, text_out, (length + sizeof(uint64_t) - 1) / sizeof(uint64_t));
    return length;
}
