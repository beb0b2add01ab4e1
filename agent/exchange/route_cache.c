#include "agent/exchange/route_cache.h"

#include "agent/exchange/byte_class.h"
#include "agent/exchange/identifier.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

/*
 * Two tables, each with one place for a text: paths lead to their routes, and routes have ids. Many
 * paths ("/users/1", "/users/2") have one route, so its id is found by its text when a path is new.
 * What is found is compared as a whole, so chosen paths can throw others out, and no more. Ids are
 * not given twice: who remembers one need not hear of it when the route is thrown out here.
 *
 * A path is what stands in front of the query; texts are read and compared as words, the last one
 * filled up with zeros. Where no pattern could ask for a number, a segment of digits alone is kept
 * as a single one: they all become the same placeholder, and most paths differ in nothing else.
 */

#define WORD sizeof(uint64_t)
#define EACH_BYTE UINT64_C(0x0101010101010101)
#define HIGH_BITS UINT64_C(0x8080808080808080)
/* 2^64 divided by the golden ratio, odd. */
#define SPREAD UINT64_C(0x9e3779b97f4a7c15)

#define MASKED_SIZE (ROUTE_CACHE_PATH_WORDS * WORD)
#define NOT_A_NUMBER SIZE_MAX
/* A number of so many may be a date, which is another placeholder. */
#define DATE_DIGITS 8

struct words {
    uint64_t words[ROUTE_CACHE_ROUTE_WORDS];
    size_t count;
    size_t length; /* in bytes */
    uint64_t hash;
};

static uint64_t word_at(const char *data)
{
    uint64_t word;
    memcpy(&word, data, sizeof(word));
    return le64toh(word);
}

/* `length` (1 to 3, or 4 to 7) bytes, without a look at those behind. */
static inline uint64_t short_word_at(const char *data, size_t length)
{
    if (length >= 4) {
        uint32_t low;
        uint32_t high;
        memcpy(&low, data, sizeof(low));
        memcpy(&high, data + length - 4, sizeof(high));
        return le32toh(low) | (uint64_t)le32toh(high) << (8 * (length - 4));
    }
    const unsigned char *bytes = (const unsigned char *)data;
    size_t middle = length / 2;
    return bytes[0] | (uint64_t)bytes[middle] << (8 * middle) |
           (uint64_t)bytes[length - 1] << (8 * (length - 1));
}

/* The high bit of the first byte that is equal to this one, and perhaps of some behind it. */
static uint64_t find_byte(uint64_t word, char byte)
{
    uint64_t differ = word ^ (EACH_BYTE * (unsigned char)byte);
    return (differ - EACH_BYTE) & ~differ & HIGH_BITS;
}

static void add_word(struct words *words, uint64_t word)
{
    words->words[words->count++] = word;
    uint64_t hash = (words->hash ^ word) * SPREAD;
    words->hash = hash ^ hash >> 32;
}

/* Where the query begins in a word, as a bit in its first byte there; 0: not here. */
static uint64_t find_query(uint64_t word)
{
    return find_byte(word, '?') | find_byte(word, '#');
}

/* The last `left` bytes of a text as a word. */
static inline uint64_t last_word(struct slice text, size_t left)
{
    const char *end = text.data + text.length;
    return text.length >= WORD ? word_at(end - WORD) >> (8 * (WORD - left))
                               : short_word_at(end - left, left);
}

/* Adds what stands in front of the query in a word. */
static void add_cut_word(struct words *words, uint64_t word, uint64_t query)
{
    unsigned bits = (unsigned)__builtin_ctzll(query) & ~7U;
    if (bits > 0) {
        add_word(words, word & ((UINT64_C(1) << bits) - 1));
        words->length += bits / 8;
    }
}

/* Takes a target apart up to its query. False: the path is too long. */
static inline bool read_path(struct words *words, struct slice target)
{
    const size_t most = ROUTE_CACHE_PATH_WORDS * WORD;
    size_t length = target.length < most ? target.length : most;
    words->count = 0;
    words->hash = SPREAD;
    for (words->length = 0; words->length + WORD <= length; words->length += WORD) {
        uint64_t word = word_at(target.data + words->length);
        uint64_t query = find_query(word);
        if (query != 0) {
            add_cut_word(words, word, query);
            return true;
        }
        add_word(words, word);
    }
    size_t left = target.length - words->length;
    if (left == 0 || left >= WORD || length == most) {
        return left == 0;
    }
    uint64_t word = last_word(target, left);
    uint64_t query = find_query(word);
    if (query != 0) {
        add_cut_word(words, word, query);
    } else {
        add_word(words, word);
        words->length += left;
    }
    return true;
}

/* A number at the end of the text becomes a single digit. Returns the text's new length. */
static size_t shorten_number(char *text, size_t length, size_t digits)
{
    if (digits == 0 || digits == DATE_DIGITS || digits > IDENTIFIER_WORD_MAX) {
        return length;
    }
    text[length - digits] = '0';
    return length - digits + 1;
}

/* The path of a target with its numbers shortened; the target as it is when that is too long. */
static struct slice mask_numbers(struct slice target, char masked[static MASKED_SIZE])
{
    size_t length = 0;
    size_t digits = 0; /* behind the latest slash */
    for (size_t at = 0; at < target.length; at++) {
        char byte = target.data[at];
        uint16_t class = byte_class_of(byte);
        if ((class & BYTE_END) != 0) {
            length = shorten_number(masked, length, digits);
        }
        if (byte == '?' || byte == '#') {
            return (struct slice){masked, length};
        }
        if (length == MASKED_SIZE) {
            return target;
        }
        masked[length++] = byte;
        if (byte == '/') {
            digits = 0;
        } else {
            digits =
                (class & BYTE_DIGIT) != 0 && digits != NOT_A_NUMBER ? digits + 1 : NOT_A_NUMBER;
        }
    }
    return (struct slice){masked, shorten_number(masked, length, digits)};
}

/* The same for a route, which has no query. */
static bool read_route(struct words *words, struct slice route)
{
    words->count = 0;
    words->hash = SPREAD;
    words->length = route.length;
    if (route.length > ROUTE_CACHE_ROUTE_WORDS * WORD) {
        return false;
    }
    size_t left = route.length % WORD;
    for (size_t at = 0; at < route.length - left; at += WORD) {
        add_word(words, word_at(route.data + at));
    }
    if (left > 0) {
        add_word(words, last_word(route, left));
    }
    return true;
}

static uint32_t place_of(const struct words *words)
{
    return (uint32_t)(words->hash * SPREAD >> 32) % ROUTE_CACHE_SIZE;
}

static bool same(const uint64_t *kept, const struct words *words)
{
    uint64_t differ = 0;
    for (size_t i = 0; i < words->count; i++) {
        differ |= le64toh(kept[i]) ^ words->words[i];
    }
    return differ == 0;
}

static void keep(uint64_t *kept, const struct words *words)
{
    for (size_t i = 0; i < words->count; i++) {
        kept[i] = htole64(words->words[i]);
    }
}

/* The place of a route, which has it afterwards. */
static uint32_t place_route(struct route_cache *cache, const struct words *words)
{
    uint32_t place = place_of(words);
    struct cached_route *route = &cache->routes[place];
    if (route->length != words->length || !same(route->words, words) || route->id == 0) {
        route->id = ++cache->latest_id;
        route->length = words->length;
        keep(route->words, words);
    }
    return place;
}

static struct route route_at(const struct route_cache *cache, uint32_t place)
{
    const struct cached_route *route = &cache->routes[place];
    return (struct route){{(const char *)route->words, route->length}, route->id};
}

/* Makes the route anew; `path` (NULL: none) leads to it afterwards. */
static struct route make_route(struct route_cache *cache, struct cached_path *path,
                               struct slice target, char buffer[static ROUTE_TEXT_SIZE])
{
    struct words words;
    struct slice text = route_template(cache->patterns, target, buffer, ROUTE_TEXT_SIZE);
    if (text.data == NULL || !read_route(&words, text)) {
        return (struct route){text, 0};
    }
    uint32_t place = place_route(cache, &words);
    if (path != NULL) {
        path->route = place;
        path->id = cache->routes[place].id;
    }
    return route_at(cache, place);
}

/* Whether that is the path, and its route is still where it was. */
static bool leads(const struct route_cache *cache, const struct cached_path *path,
                  const struct words *words)
{
    return path->length == words->length && same(path->words, words) &&
           cache->routes[path->route].id == path->id && path->id != 0;
}

struct route route_cache_find(struct route_cache *cache, struct slice target,
                              char buffer[static ROUTE_TEXT_SIZE])
{
    struct words words;
    char masked[MASKED_SIZE];
    struct slice key =
        route_patterns_is_empty(cache->patterns) ? mask_numbers(target, masked) : target;
    if (target.length == 0 || target.data[0] != '/' || !read_path(&words, key)) {
        return make_route(cache, NULL, target, buffer);
    }
    struct cached_path *path = &cache->paths[place_of(&words)];
    if (leads(cache, path, &words)) {
        return route_at(cache, path->route);
    }
    path->id = 0;
    path->length = (uint32_t)words.length;
    keep(path->words, &words);
    return make_route(cache, path, target, buffer);
}
