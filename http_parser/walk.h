#pragma once

#include "http_parser/names.h"

#include <stddef.h>

/*
 * One pass of vectors over a head, which finds where its parts are and that all of it is plain:
 * every field line a name, its colon and a value, no control character but TAB, a CR before an LF
 * only, no folding. What is not plain is for the careful reader (head.c), from the first byte on:
 * so every faulty head has one reading, written down once.
 */
enum http_walk {
    HTTP_WALK_DONE,
    HTTP_WALK_INCOMPLETE, /* plain, without an end */
    HTTP_WALK_ODD,        /* not plain, or of too many known fields */
};

/* Lines whose names the parser may know. A head with more of them repeats some, which is odd. */
#define HTTP_WALK_LINES_MAX 16

struct http_walk_found {
    const char *word_end; /* first character that is in no name */
    const char *feed;     /* the first line's LF */
    const char *behind;   /* the empty line */
    size_t count;
    struct http_names_line lines[HTTP_WALK_LINES_MAX]; /* `count` of them, in their order */
};

/* Looks at the bytes from `at`, which is inside the first line, to `end`. Bytes from `bytes` on may
 * be loaded, none at or behind `end`. `found` is filled on HTTP_WALK_DONE. */
typedef enum http_walk http_walker(const char *bytes, const char *at, const char *end,
                                   struct http_walk_found *found);

#if defined(__x86_64__)
#define HTTP_WALK_X86
http_walker http_walk_sse42;
http_walker http_walk_avx2;
#elif defined(__aarch64__) && !defined(__AARCH64EB__)
#define HTTP_WALK_NEON
http_walker http_walk_neon;
#endif
