#pragma once

#include "http_parser/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/*
 * Runs of characters, sixteen bytes a step. The three classes nest, so the end of a run is found
 * with a few vector operations that gcc and clang compile for any machine; what is rare (an odd
 * token character, fewer than sixteen bytes left) is done byte by byte. Nothing
 * is read at or behind `end`.
 */
typedef uint8_t http_scan_block __attribute__((vector_size(16)));
#define HTTP_SCAN_ALL_BITS 0xffffu

/* tchar of RFC 9110 section 5.6.2: a bit for each of the 128 ASCII characters. */
static inline bool http_scan_is_token(char byte)
{
    static const uint64_t tokens[2] = {0x03ff6cfa00000000, 0x57ffffffc7fffffe};
    uint8_t code = (uint8_t)byte;
    return code < 128 && (tokens[code / 64] >> code % 64 & 1) != 0;
}

/* Byte by byte: the first byte that is not of the class, or `end`. */
const char *http_scan_token_slow(const char *at, const char *end);
const char *http_scan_visible_slow(const char *at, const char *end);
const char *http_scan_text_slow(const char *at, const char *end);

static inline bool http_scan_is_space(char byte)
{
    return byte == ' ' || byte == '\t';
}

static inline bool http_scan_is_blank(char byte)
{
    return http_scan_is_space(byte) || byte == '\r' || byte == '\n';
}

/* The first byte that is no SP or TAB, or `end`. */
static inline const char *http_scan_spaces(const char *at, const char *end)
{
    while (at < end && http_scan_is_space(*at))
        at++;
    return at;
}

static inline bool http_scan_is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static inline http_scan_block http_scan_load(const char *at)
{
    http_scan_block block;
    memcpy(&block, at, sizeof(block));
    return block;
}

/* A bit for each marked byte of a block, the first byte's lowest. */
static inline unsigned http_scan_bits(http_scan_block marks)
{
#ifdef __SSE2__
    return (unsigned)_mm_movemask_epi8((__m128i)marks);
#else
    unsigned bits = 0;
    for (unsigned i = 0; i < sizeof(marks); i++)
        bits |= (unsigned)(marks[i] & 1) << i;
    return bits;
#endif
}

/* The first byte that is not a token character, or `end`. */
static inline const char *http_scan_token(const char *at, const char *end)
{
    while ((size_t)(end - at) >= sizeof(http_scan_block)) {
        /* what field names are made of, nearly always */
        http_scan_block block = http_scan_load(at);
        http_scan_block letters = (http_scan_block)(((block | 0x20) - 'a') < 26);
        unsigned bits = ~http_scan_bits(letters | (http_scan_block)(block == '-'));
        if ((bits & HTTP_SCAN_ALL_BITS) == 0) {
            at += sizeof(http_scan_block);
            continue;
        }
        at += __builtin_ctz(bits);
        if (*at == ':' || !http_scan_is_token(*at))
            return at;
        at++;
    }
    return http_scan_token_slow(at, end);
}

/* The first byte that is a control character, space or DEL, or `end`. */
static inline const char *http_scan_visible(const char *at, const char *end)
{
    for (; (size_t)(end - at) >= sizeof(http_scan_block); at += sizeof(http_scan_block)) {
        http_scan_block block = http_scan_load(at);
        unsigned bits = http_scan_bits((http_scan_block)((block <= ' ') | (block == 0x7f)));
        if (bits != 0)
            return at + __builtin_ctz(bits);
    }
    return http_scan_visible_slow(at, end);
}

/* The first byte that is a control character other than TAB, or `end`. */
static inline const char *http_scan_text(const char *at, const char *end)
{
    while ((size_t)(end - at) >= sizeof(http_scan_block)) {
        http_scan_block block = http_scan_load(at);
        unsigned bits = http_scan_bits((http_scan_block)((block < ' ') | (block == 0x7f)));
        if (bits == 0) {
            at += sizeof(http_scan_block);
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

static inline bool http_scan_same8(const char *word, const char *lower)
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
static inline bool http_scan_same(const char *word, const char *lower, size_t length)
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
        if (!http_scan_same8(word + i, lower + i))
            return false;
    }
    return http_scan_same8(word + length - STEP, lower + length - STEP);
}

/* The LF that ends the line, or NULL when it is not there yet (or only its CR is). `odd` is set
 * when a control character, a bare CR among them, stands in the line. */
static inline const char *http_scan_line(const char *at, const char *end, bool *odd)
{
    const char *stop = http_scan_text(at, end);
    if (end - stop >= 2 && stop[0] == '\r' && stop[1] == '\n')
        return stop + 1;
    return http_scan_line_slow(stop, end, odd);
}

/* What is left of a value without the white space around it: OWS, the line ends inside a folded
 * value, and the bare CR, which counts as a space (RFC 9112 section 2.2). */
static inline struct http_slice http_scan_trim(const char *start, const char *end)
{
    while (start < end && http_scan_is_blank(*start))
        start++;
    while (end > start && http_scan_is_blank(end[-1]))
        end--;
    return (struct http_slice){start, (size_t)(end - start)};
}

/* Where the line ends that `lf` terminates: its LF or the CR before it. */
static inline const char *http_scan_line_end(const char *start, const char *lf)
{
    return lf > start && lf[-1] == '\r' ? lf - 1 : lf;
}
