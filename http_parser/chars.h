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

static inline bool http_chars_is_blank(char byte)
{
    return http_chars_is_space(byte) || byte == '\r' || byte == '\n';
}

/* The first byte that is no SP or TAB, or `end`. */
static inline const char *http_chars_spaces(const char *at, const char *end)
{
    while (at < end && http_chars_is_space(*at))
        at++;
    return at;
}

static inline bool http_chars_is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* What is left of a value without the white space around it: OWS, the line ends inside a folded
 * value, and the bare CR, which counts as a space (RFC 9112 section 2.2). */
static inline struct http_slice http_chars_trim(const char *start, const char *end)
{
    while (start < end && http_chars_is_blank(*start))
        start++;
    while (end > start && http_chars_is_blank(end[-1]))
        end--;
    return (struct http_slice){start, (size_t)(end - start)};
}

static inline bool http_chars_same8(const char *word, const char *lower)
{
    uint64_t a;
    uint64_t b;
    memcpy(&a, word, sizeof(a));
    memcpy(&b, lower, sizeof(b));
    return (a | 0x2020202020202020) == b;
}

/* Whether a word is `lower` but for its letters' case, both of the same length. Exact for words of
 * token characters: where bit 5 is more than a letter's case, the other byte is no such character.
 */
static inline bool http_chars_same(const char *word, const char *lower, size_t length)
{
    enum {
        STEP = 8
    };
    if (length < STEP) {
        for (size_t i = 0; i < length; i++) {
            if ((word[i] | 0x20) != lower[i])
                return false;
        }
        return true;
    }
    for (size_t i = 0; i + STEP < length; i += STEP) {
        if (!http_chars_same8(word + i, lower + i))
            return false;
    }
    return http_chars_same8(word + length - STEP, lower + length - STEP);
}
