#pragma once

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* What the tests with random input share: seeds that are printed, and how much there is to do. */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PROPERTY_SLOWDOWN 10
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PROPERTY_SLOWDOWN 10
#endif
#endif
#ifndef PROPERTY_SLOWDOWN
#define PROPERTY_SLOWDOWN 1
#endif

/* VETHSCOPE_SEED, or one that is always the same. */
static inline uint64_t property_seed(void)
{
    const char *text = getenv("VETHSCOPE_SEED");
    return text == NULL ? 1 : strtoull(text, NULL, 10);
}

/* VETHSCOPE_CASES, or `usual`. */
static inline uint64_t property_cases(uint64_t usual)
{
    const char *text = getenv("VETHSCOPE_CASES");
    return text == NULL ? usual : strtoull(text, NULL, 10);
}

/* The same, with fewer under sanitizers. */
static inline uint64_t property_fewer_cases(uint64_t usual)
{
    return property_cases(usual / PROPERTY_SLOWDOWN);
}
