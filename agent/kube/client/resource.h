#pragma once

#include "agent/kube/object.h"

#include <stddef.h>

/* What of the API a kind is, and the requests that ask for it. */

/* Longest path with its query, terminator included; texts of the server's in it are bounded. */
#define RESOURCE_PATH_SIZE 8192

/* As in URLs and permissions: "pods". */
const char *resource_name(enum kube_kind kind);

/* The media type to ask for; of replica sets and jobs only the metadata. */
const char *resource_list_type(enum kube_kind kind);
const char *resource_watch_type(enum kube_kind kind);

/* One page of a list: `selector` (a field selector, NULL: none) and `page` (the continue token, "":
 * the first) are escaped here. */
void resource_list_path(enum kube_kind kind, const char *selector, const char *page,
                        char path_out[static RESOURCE_PATH_SIZE]);

/* A watch of `seconds` from a resource version on; with "" a streamed list before it. */
void resource_watch_path(enum kube_kind kind, const char *selector, const char *version,
                         unsigned seconds, char path_out[static RESOURCE_PATH_SIZE]);
