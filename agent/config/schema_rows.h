#pragma once

#include "agent/config/schema.h"

/* What the files that hold rows write them with. */

#define KEYS(rows)                                                                                 \
    {                                                                                              \
        rows, sizeof(rows) / sizeof((rows)[0])                                                     \
    }

/* Lists keep their items and their number in two fields of one struct. */
#define LIST(section, items, number, maximum_items)                                                \
    .offset = offsetof(struct section, items),                                                     \
    .element_size = sizeof(*((struct section *)NULL)->items),                                      \
    .count_offset = offsetof(struct section, number), .max_items = (maximum_items)

/* Room for anything that people write; longer is a mistake. */
#define PATH_MAX_LENGTH 4095
#define NAME_MAX_LENGTH 255
/* As HTTP servers bound a request line; and more than any token needs. */
#define URL_MAX_LENGTH 8000
#define VALUE_MAX_LENGTH 8000

/* Sections whose rows are in a file of their own. */
extern const struct schema_section schema_events;
extern const struct schema_section schema_otlp;
/* A name with its value or with a file that holds it: struct config_named_value. */
extern const struct schema_section schema_named_value;
