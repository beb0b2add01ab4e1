#pragma once

#include "http_parser/head.h"

#include <stdbool.h>

/*
 * The field names that the parser knows, told apart by their length and first letter: nearly every
 * other field is passed over with one look into a table.
 */
#define HTTP_NAMES_LENGTH_MAX 17

/* By length: bit (letter & 31) for each first letter that a known name of this length has. */
extern const uint32_t http_names_letters[HTTP_NAMES_LENGTH_MAX + 1];

/* False: no known name. `name` is a token of `length` characters, at least one. */
static inline bool http_names_may_be_known(const char *name, size_t length)
{
    enum {
        LETTER_MASK = 31
    };
    return length <= HTTP_NAMES_LENGTH_MAX &&
           (http_names_letters[length] >> (name[0] & LETTER_MASK) & 1) != 0;
}

struct http_names_line {
    struct http_slice name;  /* a token; empty: the line names no field */
    struct http_slice value; /* with the white space and the line ends around it */
};

/* Adds those of the lines whose names the parser knows to the head; to be given in their order. */
void http_names_apply(struct http_head *head, const struct http_names_line *lines, size_t count);

/* Fields that must not be read in two ways: they say where the message ends or whom it is for. */
bool http_names_is_critical(struct http_slice name);
