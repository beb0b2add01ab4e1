#include "http_parser/walk_lines.h"

#ifdef HTTP_WALK_X86
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,bmi,bmi2")))
#define AVX2_INLINE AVX2 HTTP_ALWAYS_INLINE

enum {
    STEP = 32
};

AVX2_INLINE __m256i load(const char *at)
{
    return _mm256_loadu_si256((const __m256i_u *)(const void *)at);
}

/* A table twice: a shuffle looks into each half of a vector on its own. */
AVX2_INLINE __m256i load_table(const uint8_t *table)
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i_u *)(const void *)table));
}

/* A shuffle takes an index from 0x80 for none, and of others the low four bits. */
AVX2_INLINE __m256i classes(__m256i bytes)
{
    __m256i high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(0xf));
    return _mm256_and_si256(_mm256_shuffle_epi8(load_table(http_class_low), bytes),
                            _mm256_shuffle_epi8(load_table(http_class_high), high));
}

/* The highest bits of the bytes. */
AVX2_INLINE uint64_t bits(__m256i first, __m256i second)
{
    return (uint32_t)_mm256_movemask_epi8(first) | (uint64_t)(uint32_t)_mm256_movemask_epi8(second)
                                                       << STEP;
}

AVX2_INLINE uint64_t equal(__m256i first, __m256i second, char byte)
{
    __m256i wanted = _mm256_set1_epi8(byte);
    return bits(_mm256_cmpeq_epi8(first, wanted), _mm256_cmpeq_epi8(second, wanted));
}

AVX2 static inline struct http_marks mark(const char *at)
{
    __m256i first = load(at);
    __m256i second = load(at + STEP);
    __m256i first_class = classes(first);
    __m256i second_class = classes(second);
    /* CR's class is the highest bit */
    return (struct http_marks){
        .feeds = equal(first, second, '\n'),
        .returns = bits(first_class, second_class),
        .breaks = equal(first_class, second_class, 0),
        .has_odd = _mm256_testz_si256(_mm256_or_si256(first_class, second_class),
                                      _mm256_set1_epi8(HTTP_CLASS_ODD)) == 0,
    };
}

AVX2 static inline uint64_t mark_odd(const char *at)
{
    __m256i wanted = _mm256_set1_epi8(HTTP_CLASS_ODD);
    return ~equal(_mm256_and_si256(classes(load(at)), wanted),
                  _mm256_and_si256(classes(load(at + STEP)), wanted), 0);
}

AVX2 enum http_walk http_walk_avx2(const char *bytes, const char *at, const char *end,
                                   struct http_walk_found *found)
{
    return http_walk_lines(bytes, at, end, found, mark, mark_odd);
}
#endif
