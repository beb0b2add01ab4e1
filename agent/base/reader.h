#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A bounds-checked cursor over bytes that a peer controls. A read past the end yields zero and sets
 * `failed`, which stays set: decode a whole header, then ask once whether it was all there.
 */
struct reader {
    const uint8_t *at;
    size_t left;
    bool failed;
};

static inline struct reader reader_over(const void *bytes, size_t length)
{
    return (struct reader){.at = bytes, .left = length};
}

/* The next `length` bytes, or NULL and `failed` when there are fewer. */
static inline const uint8_t *reader_bytes(struct reader *reader, size_t length)
{
    if (length > reader->left) {
        reader->failed = true;
        reader->left = 0;
        return NULL;
    }
    const uint8_t *bytes = reader->at;
    reader->at += length;
    reader->left -= length;
    return bytes;
}

static inline void reader_skip(struct reader *reader, size_t length)
{
    (void)reader_bytes(reader, length);
}

/* A reader of its own for the next `length` bytes; it fails at once when there are fewer. */
static inline struct reader reader_sub(struct reader *reader, size_t length)
{
    const uint8_t *bytes = reader_bytes(reader, length);
    return (struct reader){bytes, bytes == NULL ? 0 : length, bytes == NULL};
}

static inline uint8_t reader_u8(struct reader *reader)
{
    const uint8_t *bytes = reader_bytes(reader, 1);
    return bytes == NULL ? 0 : bytes[0];
}

/* Network order, as every protocol below HTTP uses. */
static inline uint16_t reader_be16(struct reader *reader)
{
    const uint8_t *bytes = reader_bytes(reader, 2);
    return bytes == NULL ? 0 : (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static inline uint32_t reader_be32(struct reader *reader)
{
    const uint8_t *bytes = reader_bytes(reader, 4);
    return bytes == NULL ? 0
                         : (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
                               (uint32_t)bytes[2] << 8 | (uint32_t)bytes[3];
}
