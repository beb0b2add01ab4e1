#include "exporters/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* One in each byte of a word, and each byte's highest bit. */
#define ONES UINT64_C(0x0101010101010101)
#define HIGH_BITS UINT64_C(0x8080808080808080)

/* What may follow a lead byte: how many bytes, and the range of the first of them. */
struct lead {
    uint8_t length;
    uint8_t second_low;
    uint8_t second_high;
};

static struct lead lead_of(uint8_t byte)
{
    if (byte < 0x80) {
        return (struct lead){1, 0, 0};
    }
    if (byte < 0xc2 || byte > 0xf4) {
        return (struct lead){0, 0, 0};
    }
    if (byte < 0xe0) {
        return (struct lead){2, 0x80, 0xbf};
    }
    /* The narrowed ranges keep out overlong forms, surrogates and what is above U+10FFFF. */
    if (byte < 0xf0) {
        return (struct lead){3, byte == 0xe0 ? 0xa0 : 0x80, byte == 0xed ? 0x9f : 0xbf};
    }
    return (struct lead){4, byte == 0xf0 ? 0x90 : 0x80, byte == 0xf4 ? 0x8f : 0xbf};
}

size_t utf8_sequence(const char *bytes, size_t length)
{
    if (length == 0) {
        return 0;
    }
    struct lead lead = lead_of((uint8_t)bytes[0]);
    if (lead.length <= 1) {
        return lead.length;
    }
    if (length < lead.length) {
        return 0;
    }
    uint8_t second = (uint8_t)bytes[1];
    if (second < lead.second_low || second > lead.second_high) {
        return 0;
    }
    for (size_t i = 2; i < lead.length; i++) {
        if (((uint8_t)bytes[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return lead.length;
}

/* Whether all eight bytes are ASCII without NUL: the high bits are clear, and stay so where one is
 * taken off each byte. */
static bool is_plain_word(const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return ((word | (word - ONES)) & HIGH_BITS) == 0;
}

size_t utf8_plain_run(const char *bytes, size_t length)
{
    size_t run = 0;
    while (run < length && bytes[run] != '\0') {
        if (length - run >= sizeof(uint64_t) && is_plain_word(bytes + run)) {
            run += sizeof(uint64_t);
            continue;
        }
        size_t sequence = utf8_sequence(bytes + run, length - run);
        if (sequence == 0) {
            break;
        }
        run += sequence;
    }
    return run;
}
