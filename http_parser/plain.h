#pragma once

#include "http_parser/head.h"
#include "http_parser/walk.h"

/*
 * Heads as nearly everybody sends them, read from what a walker finds. HTTP_WALK_DONE: `head_out`
 * is filled but for its length, and `*at`, the start of the first line, moved behind the head.
 * Otherwise both are untouched; after HTTP_WALK_INCOMPLETE the first line is still to be judged,
 * but no end is among the bytes behind it. Bytes from `bytes` on may be loaded.
 */
typedef enum http_walk http_plain_reader(const char *bytes, const char **at, const char *end,
                                         struct http_head *head_out);

http_plain_reader http_plain_request;
http_plain_reader http_plain_response;
