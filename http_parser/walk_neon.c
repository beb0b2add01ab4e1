#include "http_parser/walk_lines.h"

#ifdef HTTP_WALK_NEON
#include <arm_neon.h>

enum {
    STEP = 16
};

HTTP_ALWAYS_INLINE uint8x16x4_t load(const char *at)
{
    const uint8_t *bytes = (const uint8_t *)at;
    uint8x16x4_t block;
    for (size_t i = 0; i < HTTP_BLOCK_LENGTH / STEP; i++)
        block.val[i] = vld1q_u8(bytes + i * STEP);
    return block;
}

/* A bit for each byte that is 255: each keeps its place's bit, and neighbours are added up. */
HTTP_ALWAYS_INLINE uint64_t bits(uint8x16x4_t marks)
{
    const uint8x16_t places = vreinterpretq_u8_u64(vdupq_n_u64(UINT64_C(0x8040201008040201)));
    uint8x16_t low = vpaddq_u8(vandq_u8(marks.val[0], places), vandq_u8(marks.val[1], places));
    uint8x16_t high = vpaddq_u8(vandq_u8(marks.val[2], places), vandq_u8(marks.val[3], places));
    uint8x16_t sum = vpaddq_u8(low, high);
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(sum, sum)), 0);
}

HTTP_ALWAYS_INLINE uint64_t equal(uint8x16x4_t block, uint8_t byte)
{
    for (size_t i = 0; i < HTTP_BLOCK_LENGTH / STEP; i++)
        block.val[i] = vceqq_u8(block.val[i], vdupq_n_u8(byte));
    return bits(block);
}

HTTP_ALWAYS_INLINE uint8x16x4_t classes(uint8x16x4_t block)
{
    for (size_t i = 0; i < HTTP_BLOCK_LENGTH / STEP; i++) {
        uint8x16_t bytes = block.val[i];
        uint8x16_t low = vqtbl1q_u8(vld1q_u8(http_class_low), vandq_u8(bytes, vdupq_n_u8(0xf)));
        uint8x16_t high = vqtbl1q_u8(vld1q_u8(http_class_high), vshrq_n_u8(bytes, 4));
        block.val[i] = vandq_u8(low, high);
    }
    return block;
}

/* The bytes that have one of the bits `wanted`. */
HTTP_ALWAYS_INLINE uint64_t having(uint8x16x4_t block, uint8_t wanted)
{
    for (size_t i = 0; i < HTTP_BLOCK_LENGTH / STEP; i++)
        block.val[i] = vtstq_u8(block.val[i], vdupq_n_u8(wanted));
    return bits(block);
}

HTTP_ALWAYS_INLINE struct http_marks mark(const char *at)
{
    uint8x16x4_t block = load(at);
    uint8x16x4_t class = classes(block);
    uint8x16_t any =
        vorrq_u8(vorrq_u8(class.val[0], class.val[1]), vorrq_u8(class.val[2], class.val[3]));
    return (struct http_marks){
        .feeds = equal(block, '\n'),
        .returns = equal(block, '\r'),
        .breaks = equal(class, 0),
        .has_odd = vmaxvq_u8(vandq_u8(any, vdupq_n_u8(HTTP_CLASS_ODD))) != 0,
    };
}

HTTP_ALWAYS_INLINE uint64_t mark_odd(const char *at)
{
    return having(classes(load(at)), HTTP_CLASS_ODD);
}

HTTP_ALWAYS_INLINE uint64_t mark_spaces(const char *at)
{
    uint8x16x4_t block = load(at);
    return equal(block, ' ') | equal(block, '\t');
}

enum http_walk http_walk_neon(const char *bytes, const char *at, const char *end,
                              struct http_walk_found *found)
{
    return http_walk_lines(bytes, at, end, found,
                           (struct http_markers){mark, mark_spaces, mark_odd});
}
#endif
