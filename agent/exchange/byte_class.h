#pragma once

#include <stdint.h>

/* What a byte of a path segment may be part of. */
enum {
    BYTE_DIGIT = 1 << 0,
    BYTE_LOWER = 1 << 1,
    BYTE_UPPER = 1 << 2,
    BYTE_HEX = 1 << 3,     /* a hex digit of either case */
    BYTE_ADDRESS = 1 << 4, /* of an IP address */
    BYTE_PLAIN = 1 << 5,   /* stands for itself in a route; any other is percent-encoded */
    BYTE_AT = 1 << 6,
    BYTE_COLON = 1 << 7,
    BYTE_END = 1 << 8, /* ends a segment: its delimiter, parameter, query or fragment */

    BYTE_LETTER = BYTE_LOWER | BYTE_UPPER,
};

/* The classes that any and that every byte of a run belongs to. */
struct byte_classes {
    uint16_t any;
    uint16_t every;
};

/* Plain are RFC 3986 pchar without ';', which begins a parameter, and '*', which a route never
 * holds. */
#define P BYTE_PLAIN
#define D (BYTE_DIGIT | BYTE_HEX | BYTE_ADDRESS | BYTE_PLAIN)
#define L (BYTE_LOWER | BYTE_PLAIN)
#define H (BYTE_LOWER | BYTE_HEX | BYTE_ADDRESS | BYTE_PLAIN)
#define U (BYTE_UPPER | BYTE_PLAIN)
#define X (BYTE_UPPER | BYTE_HEX | BYTE_ADDRESS | BYTE_PLAIN)
#define A (BYTE_AT | BYTE_PLAIN)
#define C (BYTE_COLON | BYTE_ADDRESS | BYTE_PLAIN)
#define T (BYTE_ADDRESS | BYTE_PLAIN)
#define E BYTE_END
/* clang-format off */
static const uint16_t byte_class[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* controls */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, P, 0, E, P, 0, P, P, P, P, 0, P, P, P, T, E,
    D, D, D, D, D, D, D, D, D, D, C, E, 0, P, 0, E,
    A, X, X, X, X, X, X, U, U, U, U, U, U, U, U, U,
    U, U, U, U, U, U, U, U, U, U, U, 0, 0, 0, 0, P,
    0, H, H, H, H, H, H, L, L, L, L, L, L, L, L, L,
    L, L, L, L, L, L, L, L, L, L, L, 0, 0, 0, P, 0,
};
/* clang-format on */
#undef P
#undef D
#undef L
#undef H
#undef U
#undef X
#undef A
#undef C
#undef T
#undef E

static inline uint16_t byte_class_of(char byte)
{
    return byte_class[(unsigned char)byte];
}
