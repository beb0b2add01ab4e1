#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A field of every request. */
struct http_header {
    const char *name;
    const char *value;
    const char
        *value_file; /* holds the value instead, and is read again when it changes; or NULL */
};

/*
 * The lines of such fields, "Name: value", kept up to date with the files that hold secrets (tokens
 * are renewed while the agent runs).
 */
struct header_list;

/* The headers outlive the list. NULL: out of memory. */
struct header_list *header_list_new(const struct http_header *headers, size_t count);
void header_list_free(struct header_list *list);

/* Looks at the files. Returns 1 when a line has changed, 0 when none has, or -errno when a file
 * cannot be read; its path is in `*path_out` then. The first call reads them all. */
int header_list_refresh(struct header_list *list, const char **path_out);

/* Line `index`, valid until the next refresh. */
const char *header_list_line(const struct header_list *list, size_t index);
