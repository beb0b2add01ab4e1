#pragma once

#include <stddef.h>

/* Checks of single values for the rows of the schema: NULL, or what is wrong. */

/* The name of an interface, or a glob over names. */
const char *check_interface(const char *text);

/* A pcap-filter(7) expression that compiles for what a live capture filters: IP packets without a
 * link header; or "". */
const char *check_filter(const char *text);

/* "ADDR:PORT", "[V6]:PORT" or ":PORT". */
const char *check_listen(const char *text);

/* "/api/users/{id}": segments that are words or one whole placeholder. */
const char *check_route_pattern(const char *text);

/* Names and globs: any text that is not empty. */
const char *check_not_empty(const char *text);

/* "" or an http or https URL. */
const char *check_url(const char *text);

/* The name of a header field (RFC 9110 section 5.1); a property's fits as well. */
const char *check_token(const char *text);

/* Whether it has either a value or a file that holds it (struct config_named_value). */
const char *check_named_value(const void *items, size_t index);

/* Whether bucket `index` is above the one in front of it (double). */
const char *check_ascending(const void *items, size_t index);

/* Whether an entry in front names the same range and port (struct directory_entry). */
const char *check_new_range(const void *items, size_t index);
