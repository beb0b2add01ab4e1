#pragma once

#include <stdint.h>
#include <string.h>
#if defined(__SSE2__) && !defined(HTTP_BLOCK_PORTABLE)
#define HTTP_BLOCK_SSE2
#include <emmintrin.h>
#endif

/*
 * Sixteen bytes at once, as vectors that gcc and clang compile for any machine. A comparison marks
 * the bytes for which it holds with 255; SSE2 only makes the marks into bits faster.
 */
typedef uint8_t http_block __attribute__((vector_size(16)));
#define HTTP_BLOCK_ALL_BITS 0xffffu

static inline http_block http_block_load(const char *at)
{
    http_block block;
    memcpy(&block, at, sizeof(block));
    return block;
}

/* Of eight bytes that are 0 or 255 each, a bit each, the first byte's lowest. */
static inline unsigned http_block_pack(uint64_t marks)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    marks = __builtin_bswap64(marks);
#endif
    /* byte i keeps its lowest bit, 8i, which the multiplication also moves to 56 + i */
    return (unsigned)((marks & 0x0101010101010101) * 0x0102040810204080 >> 56);
}

/* A bit for each marked byte of a block, the first byte's lowest. */
static inline unsigned http_block_bits(http_block marks)
{
#ifdef HTTP_BLOCK_SSE2
    return (unsigned)_mm_movemask_epi8((__m128i)marks);
#else
    uint64_t half[2];
    memcpy(half, &marks, sizeof(half));
    return http_block_pack(half[0]) | http_block_pack(half[1]) << 8;
#endif
}
