#include "agent/config/schema.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Further away is another word, not a slip. */
#define DISTANCE_MAX 2

const struct schema_key *schema_find(const struct schema_section *section, const char *name)
{
    for (size_t i = 0; i < section->count; i++) {
        if (strcmp(section->keys[i].name, name) == 0) {
            return &section->keys[i];
        }
    }
    return NULL;
}

/* "ringSize", "ring-size" and "ring_size" are one name. Returns the length. */
static size_t fold(const char *name, char folded[static SCHEMA_NAME_SIZE])
{
    size_t length = 0;
    for (; *name != '\0' && length < SCHEMA_NAME_SIZE - 1; name++) {
        if (*name != '_' && *name != '-') {
            folded[length++] = (char)tolower((unsigned char)*name);
        }
    }
    folded[length] = '\0';
    return length;
}

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Insertions, removals and replacements that lead from one name to the other (Levenshtein). */
static unsigned distance(const char *a, const char *b)
{
    char from[SCHEMA_NAME_SIZE];
    char to[SCHEMA_NAME_SIZE];
    unsigned row[SCHEMA_NAME_SIZE];
    size_t from_length = fold(a, from);
    size_t to_length = fold(b, to);
    for (unsigned j = 0; j <= to_length; j++) {
        row[j] = j;
    }
    for (unsigned i = 0; i < from_length; i++) {
        unsigned diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < to_length; j++) {
            unsigned above = row[j + 1];
            row[j + 1] = least(above + 1, row[j] + 1, diagonal + (from[i] != to[j]));
            diagonal = above;
        }
    }
    return row[to_length];
}

static const struct schema_key *find_near(const struct schema_section *section, const char *name)
{
    const struct schema_key *nearest = NULL;
    unsigned best = DISTANCE_MAX + 1;
    for (size_t i = 0; i < section->count; i++) {
        unsigned far = distance(name, section->keys[i].name);
        /* Half of a short name replaced is no slip either. */
        if (far < best && (size_t)far * 2 < strlen(section->keys[i].name)) {
            best = far;
            nearest = &section->keys[i];
        }
    }
    return nearest;
}

bool schema_suggest(const struct schema_section *section, const char *name, char *suggestion_out,
                    size_t size)
{
    const struct schema_key *key = find_near(section, name);
    if (key != NULL) {
        snprintf(suggestion_out, size, "%s", key->name);
        return true;
    }
    /* Right, but in the wrong section. */
    const struct schema_section *root = schema_root();
    for (size_t i = 0; i < root->count; i++) {
        const struct schema_key *outer = &root->keys[i];
        if (outer->section != NULL && outer->element_size == 0 && outer->section != section &&
            schema_find(outer->section, name) != NULL) {
            snprintf(suggestion_out, size, "%s.%s", outer->name, name);
            return true;
        }
    }
    if (section != root && schema_find(root, name) != NULL) {
        snprintf(suggestion_out, size, "%s at the top level", name);
        return true;
    }
    return false;
}
