#pragma once

#include "agent/config/schema.h"

#include <stdbool.h>
#include <stddef.h>

/* Longest description of what is wrong with a value, terminator included. */
#define VALUE_PROBLEM_SIZE 256

/* A scalar as it stood in the file; terminated, may hold NUL before its end. */
struct value_scalar {
    const char *text;
    size_t length;
    bool quoted;
};

/* Whether it stands for "no value": an unquoted nothing, "~" or "null". */
bool value_is_null(const struct value_scalar *scalar);

/* Reads a scalar of any kind but SCHEMA_SECTION into its field, which holds a value or zeroes
 * already. False: `problem` (VALUE_PROBLEM_SIZE bytes) says in plain ASCII why not, and the field
 * is untouched. */
bool value_read(const struct schema_key *key, const struct value_scalar *scalar, void *field,
                char *problem);

/* Frees what a field of this kind owns. */
void value_release(enum schema_kind kind, void *field);

/* Writes what a key takes: "a size such as 32MiB", "auto, node or pod". */
void value_noun(const struct schema_key *key, char *noun_out, size_t size);

/* Room for every noun of the schema. */
#define VALUE_NOUN_SIZE 96

/* Copies text to `out` as plain ASCII: other bytes as \xNN, cut with "..." where it does not fit.
 */
void value_quote(const char *text, size_t length, char *out, size_t size);
