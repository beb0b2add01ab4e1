#include "agent/kube/directory/texts.h"

#include <stddef.h>
#include <stdlib.h>

#define CHUNK_WORDS 65536u
#define FIRST_BITS 10
#define MOST_BITS 24
#define CHAIN_LENGTH 2u /* as a table's */

static uint32_t words_of(size_t length)
{
    return (uint32_t)((offsetof(struct text, bytes) + length + 3) / 4);
}

static bool add_chunk(struct texts *texts)
{
    const size_t size = CHUNK_WORDS * sizeof(uint32_t);
    bool room = texts->room == NULL || *texts->room >= size;
    uint32_t *chunk = room && texts->chunk_count < TEXTS_CHUNKS ? calloc(1, size) : NULL;
    if (chunk == NULL) {
        return false;
    }
    if (texts->room != NULL) {
        *texts->room -= size;
    }
    texts->chunks[texts->chunk_count++] = chunk;
    texts->used = 0;
    return true;
}

bool texts_init(struct texts *texts)
{
    texts->heads = calloc(1u << FIRST_BITS, sizeof(*texts->heads));
    texts->bits = FIRST_BITS;
    if (texts->heads == NULL || !add_chunk(texts)) {
        return false;
    }
    texts->used = words_of(sizeof(uint32_t)); /* the empty text */
    return true;
}

void texts_fini(struct texts *texts)
{
    for (uint32_t i = 0; i < texts->chunk_count; i++) {
        free(texts->chunks[i]);
    }
    free(texts->heads);
    *texts = (struct texts){.chunk_count = 0};
}

/* FNV-1a, and its upper bits spread over the lower. */
static uint32_t hash_of(struct slice text)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < text.length; i++) {
        hash = (hash ^ (uint8_t)text.data[i]) * 0x100000001b3u;
    }
    return (uint32_t)((hash ^ hash >> 29) * 0x9e3779b97f4a7c15u >> 32);
}

static uint32_t *chain_of(const struct texts *texts, struct slice text)
{
    return &texts->heads[hash_of(text) >> (32 - texts->bits)];
}

/* Not within a character of UTF-8. */
static struct slice cut(struct slice text)
{
    if (text.length > TEXT_MAX) {
        text.length = TEXT_MAX;
        while (text.length > TEXT_MAX - 3 && ((uint8_t)text.data[text.length] & 0xc0) == 0x80) {
            text.length--;
        }
    }
    return text;
}

static uint32_t find(const struct texts *texts, struct slice text)
{
    uint32_t found = *chain_of(texts, text);
    while (found != 0 && !slice_equal(texts_slice(texts, found), text)) {
        found = texts_at(texts, found)->next;
    }
    return found;
}

bool texts_find(const struct texts *texts, struct slice text, uint32_t *text_out)
{
    text = cut(text);
    uint32_t found = text.length == 0 ? 0 : find(texts, text);
    if (found == 0 && text.length != 0) {
        return false;
    }
    *text_out = found;
    return true;
}

static void link_text(struct texts *texts, uint32_t index)
{
    uint32_t *head = chain_of(texts, texts_slice(texts, index));
    texts_at(texts, index)->next = *head;
    *head = index;
}

/* Every chain becomes two neighbours. Without memory the chains become longer. */
static void grow(struct texts *texts)
{
    uint32_t *heads = texts->bits >= MOST_BITS
                          ? NULL
                          : realloc(texts->heads, sizeof(*heads) << (texts->bits + 1));
    if (heads == NULL) {
        return;
    }
    texts->heads = heads;
    for (uint32_t chain = 1u << texts->bits++; chain-- > 0;) {
        uint32_t index = heads[chain];
        heads[(size_t)chain * 2] = 0;
        heads[(size_t)chain * 2 + 1] = 0;
        while (index != 0) {
            uint32_t next = texts_at(texts, index)->next;
            link_text(texts, index);
            index = next;
        }
    }
}

/* Room of this many words: of a text that is gone, else at the end. 0: out of memory. */
static uint32_t take(struct texts *texts, uint32_t words)
{
    uint32_t index = texts->free[words];
    if (index != 0) {
        texts->free[words] = texts_at(texts, index)->next;
        return index;
    }
    if (texts->used + words > CHUNK_WORDS && !add_chunk(texts)) {
        return 0;
    }
    index = (texts->chunk_count - 1) << 16 | texts->used;
    texts->used += words;
    return index;
}

bool texts_intern(struct texts *texts, struct slice text, uint32_t *text_out)
{
    text = cut(text);
    uint32_t index = text.length == 0 ? 0 : find(texts, text);
    if (index != 0 || text.length == 0) {
        texts_acquire(texts, index);
        *text_out = index;
        return true;
    }
    index = take(texts, words_of(text.length));
    if (index == 0) {
        return false;
    }
    struct text *made = texts_at(texts, index);
    made->references = 1;
    made->length = (uint8_t)text.length;
    memcpy(made->bytes, text.data, text.length);
    link_text(texts, index);
    if (++texts->count > CHAIN_LENGTH << texts->bits) {
        grow(texts);
    }
    *text_out = index;
    return true;
}

void texts_acquire(struct texts *texts, uint32_t text)
{
    if (text != 0) {
        texts_at(texts, text)->references++;
    }
}

void texts_release(struct texts *texts, uint32_t text)
{
    if (text == 0 || --texts_at(texts, text)->references > 0) {
        return;
    }
    uint32_t *at = chain_of(texts, texts_slice(texts, text));
    while (*at != text) {
        at = &texts_at(texts, *at)->next;
    }
    *at = texts_at(texts, text)->next;
    texts->count--;
    texts_at(texts, text)->next = texts->waiting;
    texts->waiting = text;
}

int texts_compare(const struct texts *texts, uint32_t first, uint32_t second)
{
    struct slice a = texts_slice(texts, first);
    struct slice b = texts_slice(texts, second);
    int order = memcmp(a.data, b.data, a.length < b.length ? a.length : b.length);
    return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

uint32_t texts_take_waiting(struct texts *texts)
{
    uint32_t list = texts->waiting;
    texts->waiting = 0;
    return list;
}

void texts_reclaim(struct texts *texts, uint32_t list)
{
    while (list != 0) {
        struct text *text = texts_at(texts, list);
        uint32_t next = text->next;
        uint32_t words = words_of(text->length);
        text->next = texts->free[words];
        texts->free[words] = list;
        list = next;
    }
}
