#pragma once

#include "http_parser/head.h"

#include <stdbool.h>

/*
 * First lines (RFC 9112 sections 3 and 4). The readers move `*at` behind the line on HTTP_DONE and
 * fill what the line says into `head`, which they may also do on other results. They ask for more
 * bytes only as long as what is there can begin such a line.
 */
enum http_result http_start_line_request(const char **at, const char *end, struct http_head *head);
enum http_result http_start_line_response(const char **at, const char *end, struct http_head *head);

/* The beginning of a status line up to the byte behind its code, to which `*at` is moved. */
enum http_result http_start_line_status(const char **at, const char *end, struct http_head *head);

/* What stands between the code and the LF at `feed`; absent when nothing does. */
struct http_slice http_start_line_reason(const char *code_end, const char *feed);

/* "HTTP/1." and a digit, any minor version of 1. */
#define HTTP_VERSION_LENGTH 8
#define HTTP_CODE_LENGTH 3
bool http_start_line_is_version(const char *at);

/* Behind the empty lines (section 2.2) that may come before a first line. A CR whose LF is not
 * there yet is left. */
const char *http_start_line_skip_empty(const char *at, const char *end);
