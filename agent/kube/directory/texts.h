#pragma once

#include "agent/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Texts kept once each, with a count of who refers to them. A reference is a place in chunks that
 * never move; 0 is the empty text. One thread makes and releases them; others may read the bytes
 * of those that they were handed. What nobody refers to any more waits aside until it is certain
 * that no such reader is left.
 */
#define TEXT_MAX 255 /* longer ones are cut */
#define TEXTS_CHUNKS 4096
#define TEXTS_SIZES 68 /* in words of four bytes, of the largest and below */

struct text {
    uint32_t next;
    uint32_t references;
    uint8_t length;
    char bytes[];
};

struct texts {
    uint32_t *chunks[TEXTS_CHUNKS];
    uint32_t chunk_count;
    uint32_t used; /* words of the last chunk */
    uint32_t free[TEXTS_SIZES];
    uint32_t *heads; /* chains of texts by hash */
    unsigned bits;
    uint32_t count;
    uint32_t waiting; /* a list of what nobody refers to */
    size_t *room;     /* bytes that chunks may still take, as of a pool */
};

/* Of texts that are all zeros. Returns whether there was memory. */
bool texts_init(struct texts *texts);
void texts_fini(struct texts *texts);

/* The text, with a reference for the caller. Returns whether there was memory. */
bool texts_intern(struct texts *texts, struct slice text, uint32_t *text_out);

/* The text if it is there; no reference is taken. */
bool texts_find(const struct texts *texts, struct slice text, uint32_t *text_out);

void texts_acquire(struct texts *texts, uint32_t text);
void texts_release(struct texts *texts, uint32_t text);

/* Less than, equal to or greater than 0, as memcmp orders their bytes. */
int texts_compare(const struct texts *texts, uint32_t first, uint32_t second);

/* The list of those waiting, which is empty then; and their end when no reader is left. */
uint32_t texts_take_waiting(struct texts *texts);
void texts_reclaim(struct texts *texts, uint32_t list);

static inline struct text *texts_at(const struct texts *texts, uint32_t text)
{
    return (void *)(texts->chunks[text >> 16] + (text & 0xffff));
}

/* For the thread that owns them. */
static inline struct slice texts_slice(const struct texts *texts, uint32_t text)
{
    const struct text *found = texts_at(texts, text);
    return (struct slice){found->bytes, found->length};
}
