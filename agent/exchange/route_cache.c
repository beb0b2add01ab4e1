#include "agent/exchange/route_cache.h"

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
 * filled up with zeros.
 */

#define WORD sizeof(uint64_t)
#define EACH_BYTE UINT64_C(0x0101010101010101)
#define HIGH_BITS UINT64_C(0x8080808080808080)
/* 2^64 divided by the golden ratio, odd. */
#define SPREAD UINT64_C(0x9e3779b97f4a7c15)

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
static uint64_t short_word_at(const char *data, size_t length)
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

/* Adds the rest of a text, less than a word, up to its query. */
static void add_rest(struct words *words, struct slice text, bool query)
{
    size_t left = text.length - words->length;
    const char *end = text.data + text.length;
    if (left == 0) {
        return;
    }
    uint64_t word = text.length >= WORD ? word_at(end - WORD) >> (8 * (WORD - left))
                                        : short_word_at(end - left, left);
    uint64_t marks = query ? find_byte(word, '?') | find_byte(word, '#') : 0;
    if (marks != 0) {
        left = (size_t)__builtin_ctzll(marks) / 8;
        word &= (UINT64_C(1) << (8 * left)) - 1;
    }
    if (left > 0) {
        add_word(words, word);
        words->length += left;
    }
}

/* Takes the text apart; with a query, up to that. False: it has more than `limit` words. */
static bool read_words(struct words *words, struct slice text, bool query, size_t limit)
{
    words->count = 0;
    words->length = 0;
    words->hash = SPREAD;
    while (text.length - words->length >= WORD && words->count < limit) {
        uint64_t word = word_at(text.data + words->length);
        uint64_t marks = query ? find_byte(word, '?') | find_byte(word, '#') : 0;
        if (marks != 0) {
            text.length = words->length + (size_t)__builtin_ctzll(marks) / 8;
            query = false;
            break;
        }
        add_word(words, word);
        words->length += WORD;
    }
    if (text.length - words->length > WORD * (limit - words->count)) {
        return false;
    }
    add_rest(words, text, query);
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

struct route route_cache_find(struct route_cache *cache, struct slice target,
                              char buffer[static ROUTE_TEXT_SIZE])
{
    struct words words;
    struct cached_path *path = NULL;
    if (target.length > 0 && target.data[0] == '/' &&
        read_words(&words, target, true, ROUTE_CACHE_PATH_WORDS)) {
        path = &cache->paths[place_of(&words)];
        if (path->length == words.length && same(path->words, &words) &&
            cache->routes[path->route].id == path->id && path->id != 0) {
            return route_at(cache, path->route);
        }
        path->id = 0;
        path->length = (uint32_t)words.length;
        keep(path->words, &words);
    }
    struct slice text = route_template(cache->patterns, target, buffer, ROUTE_TEXT_SIZE);
    if (text.data == NULL || !read_words(&words, text, false, ROUTE_CACHE_ROUTE_WORDS)) {
        return (struct route){text, 0};
    }
    uint32_t place = place_route(cache, &words);
    if (path != NULL) {
        path->route = place;
        path->id = cache->routes[place].id;
    }
    return route_at(cache, place);
}
