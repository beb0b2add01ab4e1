#pragma once

#include "http_parser/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Characters one at a time, and the few things done with short words made of them. */

/* tchar of RFC 9110 section 5.6.2: a bit for each of the 128 ASCII characters. */
static inline bool http_chars_is_token(char byte)
{
    static const uint64_t tokens[2] = {0x03ff6cfa00000000, 0x57ffffffc7fffffe};
    uint8_t code = (uint8_t)byte;
    return code < 128 && (tokens[code / 64] >> code % 64 & 1) != 0;
}

static inline bool http_chars_is_space(char byte)
{
    return byte == ' ' || byte == '\t';
}

/* SP, TAB, CR and LF */
static inline bool http_chars_is_blank(char byte)
{
    static const uint64_t blanks = 0x100002600;
    return (uint8_t)byte <= ' ' && (blanks >> byte & 1) != 0;
}

/* The first byte that is no SP or TAB, or `end`. */
static inline const char *http_chars_spaces(const char *at, const char *end)
{
    while (at < end && http_chars_is_space(*at))
        at++;
    return at;
}

/* Behind the empty line at `at`; `at` itself when another line is there; NULL: too few bytes. */
static inline const char *http_chars_empty_line(const char *at, const char *end)
{
    if (at == end)
        return NULL;
    if (*at == '\n')
        return at + 1;
    if (*at != '\r')
        return at;
    if (at + 1 == end)
        return NULL;
    return at[1] == '\n' ? at + 2 : at;
}

static inline bool http_chars_is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* What is left of a value without the white space around it: OWS, the line ends inside a folded
 * value, and the bare CR, which counts as a space (RFC 9112 section 2.2). */
static inline struct http_slice http_chars_trim(const char *start, const char *end)
{
    /* one SP and the CR are what nearly every value has around it */
    if (start < end && *start == ' ')
        start++;
    while (start < end && http_chars_is_blank(*start))
        start++;
    if (end > start && end[-1] == '\r')
        end--;
    while (end > start && http_chars_is_blank(end[-1]))
        end--;
    return (struct http_slice){start, (size_t)(end - start)};
}

/* Eight bytes, or fewer, with the letters among them in lower case. */
static inline uint64_t http_chars_lower8(const char *word)
{
    uint64_t bytes;
    memcpy(&bytes, word, sizeof(bytes));
    return bytes | 0x2020202020202020;
}

static inline uint32_t http_chars_lower4(const char *word)
{
    uint32_t bytes;
    memcpy(&bytes, word, sizeof(bytes));
    return bytes | 0x20202020;
}

/* Whether a word is `lower` but for its letters' case, both of the same length. Exact for words of
 * token characters: where bit 5 is more than a letter's case, the other byte is no such character.
 * Inline, as the length is a constant nearly everywhere. */
static inline __attribute__((always_inline)) bool http_chars_same(const char *word,
                                                                  const char *lower, size_t length)
{
    enum {
        LONG = 8,
        SHORT = 4
    };
    if (length >= LONG) {
        for (size_t i = 0; i + LONG < length; i += LONG) {
            if (http_chars_lower8(word + i) != http_chars_lower8(lower + i))
                return false;
        }
        size_t last = length - LONG;
        return http_chars_lower8(word + last) == http_chars_lower8(lower + last);
    }
    if (length >= SHORT) {
        size_t last = length - SHORT;
        return http_chars_lower4(word) == http_chars_lower4(lower) &&
               http_chars_lower4(word + last) == http_chars_lower4(lower + last);
    }
    for (size_t i = 0; i < length; i++) {
        if ((word[i] | 0x20) != (lower[i] | 0x20))
            return false;
    }
    return true;
}
