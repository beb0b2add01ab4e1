#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * What a configuration file may hold: one row a key. The reader, the defaults, the destructor and
 * the documentation all walk this table; a new key is a new row.
 */

/* How a scalar is written in the file and kept in its struct. */
enum schema_kind {
    SCHEMA_TEXT,        /* char * */
    SCHEMA_BYTES,       /* uint64_t; "32MiB", "128Mi" or plain bytes */
    SCHEMA_SECONDS,     /* unsigned; "5m", "30s" */
    SCHEMA_MILLIS,      /* unsigned; "100ms", "1s" */
    SCHEMA_COUNT,       /* unsigned */
    SCHEMA_PORT,        /* uint16_t */
    SCHEMA_REAL,        /* double */
    SCHEMA_CHOICE,      /* int-sized enum: the index within `choices` */
    SCHEMA_BOOL,        /* bool: the index within `choices`, "false|true" as a rule */
    SCHEMA_CHOICE_TEXT, /* char *, one of `choices` */
    SCHEMA_CIDR,        /* struct directory_entry: address and prefix_bits */
    SCHEMA_SECTION,     /* a mapping of its own */
    SCHEMA_KIND_COUNT,
};

struct schema_section;

struct schema_key {
    const char *name;
    enum schema_kind kind; /* of the elements where it is a list */
    bool required;
    size_t offset;       /* within the struct of the section */
    size_t element_size; /* of a list; 0: no list */
    size_t count_offset; /* of a list: where its size_t count is */
    size_t min_items;    /* of a list */
    size_t max_items;
    const char *fallback; /* the default as one writes it; NULL: absent */
    const char *minimum;  /* of numbers, in the same notation */
    const char *maximum;
    const char *choices; /* "auto|node|pod" */
    size_t max_length;   /* of texts, in bytes */
    const struct schema_section *section;

    /* NULL, or what is wrong with a text. */
    const char *(*check)(const char *text);
    /* NULL, or what is wrong with element `index` beside those in front of it. */
    const char *(*check_item)(const void *items, size_t index);

    const char *help; /* one line: what it does, and why the default is what it is */
};

struct schema_section {
    const struct schema_key *keys;
    size_t count;
};

/* The top level; its keys are offsets into struct config. */
const struct schema_section *schema_root(void);

/* NULL: no such key. */
const struct schema_key *schema_find(const struct schema_section *section, const char *name);

/* Writes the key that was probably meant, "ring_size" or "metrics.listen". False: none is near. */
bool schema_suggest(const struct schema_section *section, const char *name, char *suggestion_out,
                    size_t size);

/* Longest key, terminator included; and most keys of one section. */
#define SCHEMA_NAME_SIZE 32
#define SCHEMA_SECTION_MAX 16
