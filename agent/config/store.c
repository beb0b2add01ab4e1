#include "agent/config/store.h"

#include "agent/config/value.h"

#include <stdlib.h>
#include <string.h>

/*
 * Fields are copied to and from their struct with memcpy: the rows know their offsets and sizes,
 * not their types.
 */

/* Longest default, one element of a list at a time. */
#define FALLBACK_SIZE 64

static size_t count_of(const struct schema_key *key, void *base)
{
    size_t count = 0;
    memcpy(&count, store_field(base, key->count_offset), sizeof(count));
    return count;
}

void *store_items(const struct schema_key *key, void *base)
{
    void *items = NULL;
    memcpy(&items, store_field(base, key->offset), sizeof(items));
    return items;
}

void store_clear_list(const struct schema_key *key, void *base)
{
    char *items = store_items(key, base);
    size_t count = count_of(key, base);
    for (size_t i = 0; i < count; i++) {
        void *item = items + i * key->element_size;
        if (key->section != NULL) {
            store_release(key->section, item);
        } else {
            value_release(key->kind, item);
        }
    }
    free(items);
    memset(store_field(base, key->offset), 0, sizeof(items));
    memset(store_field(base, key->count_offset), 0, sizeof(count));
}

/* There is room up to the next power of two. */
void *store_grow_list(const struct schema_key *key, void *base)
{
    char *items = store_items(key, base);
    size_t count = count_of(key, base);
    if ((count & (count - 1)) == 0) {
        size_t room = count == 0 ? 1 : count * 2;
        items = realloc(items, room * key->element_size);
        if (items == NULL) {
            return NULL;
        }
        memcpy(store_field(base, key->offset), &items, sizeof(items));
    }
    char *item = items + count * key->element_size;
    memset(item, 0, key->element_size);
    count++;
    memcpy(store_field(base, key->count_offset), &count, sizeof(count));
    return item;
}

static bool apply_text(const struct schema_key *key, const char *text, size_t length, void *field)
{
    char problem[VALUE_PROBLEM_SIZE];
    char terminated[FALLBACK_SIZE];
    if (length >= sizeof(terminated)) {
        return false;
    }
    memcpy(terminated, text, length);
    terminated[length] = '\0';
    bool empty = length == 0; /* a text, not a missing value */
    struct value_scalar scalar = {.text = terminated, .length = length, .quoted = empty};
    return value_read(key, &scalar, field, problem);
}

/* "[1, 2.5]". */
static bool apply_list(const struct schema_key *key, void *base)
{
    const char *at = key->fallback + 1;
    while (*at != ']') {
        size_t length = strcspn(at, ",]");
        void *item = store_grow_list(key, base);
        if (item == NULL || !apply_text(key, at, length, item)) {
            return false;
        }
        at += length;
        at += strspn(at, ", ");
    }
    return true;
}

static bool apply_default(const struct schema_key *key, void *base)
{
    if (key->section != NULL && key->element_size == 0) {
        return store_apply_defaults(key->section, store_field(base, key->offset));
    }
    if (key->fallback == NULL) {
        return true;
    }
    if (key->element_size > 0) {
        return apply_list(key, base);
    }
    return apply_text(key, key->fallback, strlen(key->fallback), store_field(base, key->offset));
}

bool store_apply_defaults(const struct schema_section *section, void *base)
{
    for (size_t i = 0; i < section->count; i++) {
        if (!apply_default(&section->keys[i], base)) {
            return false;
        }
    }
    return true;
}

void store_release(const struct schema_section *section, void *base)
{
    for (size_t i = 0; i < section->count; i++) {
        const struct schema_key *key = &section->keys[i];
        void *field = store_field(base, key->offset);
        if (key->element_size > 0) {
            store_clear_list(key, base);
        } else if (key->section != NULL) {
            store_release(key->section, field);
        } else if (key->kind == SCHEMA_TEXT || key->kind == SCHEMA_CHOICE_TEXT) {
            value_release(key->kind, field);
            memset(field, 0, sizeof(char *));
        }
    }
}
