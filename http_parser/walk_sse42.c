#include "http_parser/walk_lines.h"

#ifdef HTTP_WALK_X86
#include <immintrin.h>

#define SSE42 __attribute__((target("sse4.2")))
#define SSE42_INLINE SSE42 HTTP_ALWAYS_INLINE

enum {
    STEP = 16,
    THIRD = 32,
    FOURTH = 48
};

/* A block, or what was made of one; written out below, as gcc's -O2 unrolls no loops. */
struct vectors {
    __m128i a;
    __m128i b;
    __m128i c;
    __m128i d;
};

SSE42_INLINE __m128i load_vector(const void *at)
{
    return _mm_loadu_si128((const __m128i_u *)at);
}

SSE42_INLINE struct vectors load(const char *at)
{
    return (struct vectors){load_vector(at), load_vector(at + STEP), load_vector(at + THIRD),
                            load_vector(at + FOURTH)};
}

/* A shuffle takes an index from 0x80 for none, and of others the low four bits. */
SSE42_INLINE __m128i classes_of(__m128i bytes)
{
    __m128i high = _mm_and_si128(_mm_srli_epi16(bytes, 4), _mm_set1_epi8(0xf));
    return _mm_and_si128(_mm_shuffle_epi8(load_vector(http_class_low), bytes),
                         _mm_shuffle_epi8(load_vector(http_class_high), high));
}

SSE42_INLINE struct vectors classes(struct vectors block)
{
    return (struct vectors){classes_of(block.a), classes_of(block.b), classes_of(block.c),
                            classes_of(block.d)};
}

/* The highest bits of the bytes. */
SSE42_INLINE uint64_t bits(struct vectors block)
{
    uint64_t a = (uint32_t)_mm_movemask_epi8(block.a);
    uint64_t b = (uint32_t)_mm_movemask_epi8(block.b);
    uint64_t c = (uint32_t)_mm_movemask_epi8(block.c);
    uint64_t d = (uint32_t)_mm_movemask_epi8(block.d);
    return a | b << STEP | (c | d << STEP) << THIRD;
}

SSE42_INLINE uint64_t equal(struct vectors block, char byte)
{
    __m128i wanted = _mm_set1_epi8(byte);
    return bits((struct vectors){_mm_cmpeq_epi8(block.a, wanted), _mm_cmpeq_epi8(block.b, wanted),
                                 _mm_cmpeq_epi8(block.c, wanted), _mm_cmpeq_epi8(block.d, wanted)});
}

SSE42 static inline struct http_marks mark(const char *at)
{
    struct vectors block = load(at);
    struct vectors class = classes(block);
    __m128i any = _mm_or_si128(_mm_or_si128(class.a, class.b), _mm_or_si128(class.c, class.d));
    /* CR's class is the highest bit */
    return (struct http_marks){
        .feeds = equal(block, '\n'),
        .returns = bits(class),
        .breaks = equal(class, 0),
        .has_odd = _mm_testz_si128(any, _mm_set1_epi8(HTTP_CLASS_ODD)) == 0,
    };
}

SSE42 static inline uint64_t mark_odd(const char *at)
{
    struct vectors class = classes(load(at));
    __m128i wanted = _mm_set1_epi8(HTTP_CLASS_ODD);
    return ~equal((struct vectors){_mm_and_si128(class.a, wanted), _mm_and_si128(class.b, wanted),
                                   _mm_and_si128(class.c, wanted), _mm_and_si128(class.d, wanted)},
                  0);
}

SSE42 enum http_walk http_walk_sse42(const char *bytes, const char *at, const char *end,
                                     struct http_walk_found *found)
{
    return http_walk_lines(bytes, at, end, found, mark, mark_odd);
}
#endif
