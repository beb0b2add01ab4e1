#include "http_parser/walk_lines.h"

#ifdef HTTP_WALK_NEON
#include <arm_neon.h>

enum {
    STEP = 16,
    THIRD = 32,
    FOURTH = 48
};

/* A block, or what was made of one; written out below, as gcc's -O2 unrolls no loops. */
struct vectors {
    uint8x16_t a;
    uint8x16_t b;
    uint8x16_t c;
    uint8x16_t d;
};

HTTP_ALWAYS_INLINE struct vectors load(const char *at)
{
    const uint8_t *bytes = (const uint8_t *)at;
    return (struct vectors){vld1q_u8(bytes), vld1q_u8(bytes + STEP), vld1q_u8(bytes + THIRD),
                            vld1q_u8(bytes + FOURTH)};
}

/* A look-up of an index from 16 gives 0. */
HTTP_ALWAYS_INLINE uint8x16_t classes_of(uint8x16_t bytes)
{
    uint8x16_t low = vqtbl1q_u8(vld1q_u8(http_class_low), vandq_u8(bytes, vdupq_n_u8(0xf)));
    return vandq_u8(low, vqtbl1q_u8(vld1q_u8(http_class_high), vshrq_n_u8(bytes, 4)));
}

HTTP_ALWAYS_INLINE struct vectors classes(struct vectors block)
{
    return (struct vectors){classes_of(block.a), classes_of(block.b), classes_of(block.c),
                            classes_of(block.d)};
}

/* A bit for each byte that is 255: each keeps its place's bit, and neighbours are added up. */
HTTP_ALWAYS_INLINE uint64_t bits(struct vectors marks)
{
    uint8x16_t places = vreinterpretq_u8_u64(vdupq_n_u64(UINT64_C(0x8040201008040201)));
    uint8x16_t low = vpaddq_u8(vandq_u8(marks.a, places), vandq_u8(marks.b, places));
    uint8x16_t high = vpaddq_u8(vandq_u8(marks.c, places), vandq_u8(marks.d, places));
    uint8x16_t sum = vpaddq_u8(low, high);
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(sum, sum)), 0);
}

HTTP_ALWAYS_INLINE uint64_t equal(struct vectors block, uint8_t byte)
{
    uint8x16_t wanted = vdupq_n_u8(byte);
    return bits((struct vectors){vceqq_u8(block.a, wanted), vceqq_u8(block.b, wanted),
                                 vceqq_u8(block.c, wanted), vceqq_u8(block.d, wanted)});
}

static inline struct http_marks mark(const char *at)
{
    struct vectors block = load(at);
    struct vectors class = classes(block);
    uint8x16_t any = vorrq_u8(vorrq_u8(class.a, class.b), vorrq_u8(class.c, class.d));
    return (struct http_marks){
        .feeds = equal(block, '\n'),
        .returns = equal(block, '\r'),
        .breaks = equal(class, 0),
        .has_odd = vmaxvq_u8(vandq_u8(any, vdupq_n_u8(HTTP_CLASS_ODD))) != 0,
    };
}

static inline uint64_t mark_odd(const char *at)
{
    struct vectors class = classes(load(at));
    uint8x16_t wanted = vdupq_n_u8(HTTP_CLASS_ODD);
    return bits((struct vectors){vtstq_u8(class.a, wanted), vtstq_u8(class.b, wanted),
                                 vtstq_u8(class.c, wanted), vtstq_u8(class.d, wanted)});
}

enum http_walk http_walk_neon(const char *bytes, const char *at, const char *end,
                              struct http_walk_found *found)
{
    return http_walk_lines(bytes, at, end, found, mark, mark_odd);
}
#endif
