#pragma once

#include "http_parser/block.h"
#include "http_parser/chars.h"

/*
 * Runs of characters, a block a step. What is rare (an odd token character, less than a block left)
 * is done byte by byte. Nothing is read at or behind `end`.
 */

/* Byte by byte: the first byte that is not of the class, or `end`. */
const char *http_scan_token_slow(const char *at, const char *end);
const char *http_scan_visible_slow(const char *at, const char *end);
const char *http_scan_text_slow(const char *at, const char *end);

/* The first byte that is not a token character, or `end`. */
static inline const char *http_scan_token(const char *at, const char *end)
{
    while ((size_t)(end - at) >= sizeof(http_block)) {
        /* what field names are made of, nearly always */
        http_block block = http_block_load(at);
        http_block letters = (http_block)(((block | 0x20) - 'a') < 26);
        unsigned bits = ~http_block_bits(letters | (http_block)(block == '-'));
        if ((bits & HTTP_BLOCK_ALL_BITS) == 0) {
            at += sizeof(http_block);
            continue;
        }
        at += __builtin_ctz(bits);
        if (*at == ':' || !http_chars_is_token(*at))
            return at;
        at++;
    }
    return http_scan_token_slow(at, end);
}

/* The first byte that is a control character, space or DEL, or `end`. */
static inline const char *http_scan_visible(const char *at, const char *end)
{
    for (; (size_t)(end - at) >= sizeof(http_block); at += sizeof(http_block)) {
        http_block block = http_block_load(at);
        unsigned bits = http_block_bits((http_block)((block <= ' ') | (block == 0x7f)));
        if (bits != 0)
            return at + __builtin_ctz(bits);
    }
    return http_scan_visible_slow(at, end);
}

/* The first byte that is a control character other than TAB, or `end`. */
static inline const char *http_scan_text(const char *at, const char *end)
{
    while ((size_t)(end - at) >= sizeof(http_block)) {
        http_block block = http_block_load(at);
        unsigned bits = http_block_bits((http_block)((block < ' ') | (block == 0x7f)));
        if (bits == 0) {
            at += sizeof(http_block);
            continue;
        }
        at += __builtin_ctz(bits);
        if (*at != '\t')
            return at;
        at++;
    }
    return http_scan_text_slow(at, end);
}

/* As http_scan_line, from `at` on, which is where text stopped. */
const char *http_scan_line_slow(const char *at, const char *end, bool *odd);

/* The LF that ends the line, or NULL when it is not there yet (or only its CR is). `odd` is set
 * when a control character, a bare CR among them, stands in the line. */
static inline const char *http_scan_line(const char *at, const char *end, bool *odd)
{
    const char *stop = http_scan_text(at, end);
    if (end - stop >= 2 && stop[0] == '\r' && stop[1] == '\n')
        return stop + 1;
    return http_scan_line_slow(stop, end, odd);
}

/* Where the line ends that `lf` terminates: its LF or the CR before it. */
static inline const char *http_scan_line_end(const char *start, const char *lf)
{
    return lf > start && lf[-1] == '\r' ? lf - 1 : lf;
}
