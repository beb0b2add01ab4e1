#pragma once

#include "exporters/delivery/named_value.h"

#include <stddef.h>

/*
 * The lines of a request's header, "Name: value", kept up to date with the files that hold secrets
 * (tokens are renewed while the agent runs).
 */
struct header_list;

/* The headers outlive the list. NULL: out of memory. */
struct header_list *header_list_new(const struct named_value *headers, size_t count);
void header_list_free(struct header_list *list);

/* Looks at the files. Returns 1 when a line has changed, 0 when none has, or -errno when a file
 * cannot be read; its path is in `*path_out` then. The first call reads them all. */
int header_list_refresh(struct header_list *list, const char **path_out);

/* Line `index`, valid until the next refresh. */
const char *header_list_line(const struct header_list *list, size_t index);
