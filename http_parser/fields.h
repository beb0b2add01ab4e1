#pragma once

#include "http_parser/head.h"

#include <stdbool.h>

/*
 * Field lines (RFC 9112 section 5): reads them up to and with the empty line that ends the head,
 * behind which `*at` is moved on HTTP_DONE. `head` holds what the first
 * line said; the fields' part of it is filled, also on HTTP_INCOMPLETE.
 */
enum http_result http_fields_parse(const char **at, const char *end, struct http_head *head);

/* Whether an empty line, the end of a head, follows a line end at or behind `from`. */
bool http_fields_are_complete(const char *from, const char *end);
