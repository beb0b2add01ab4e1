#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* What the readers of pcap and pcapng records have in common. */

enum record_status {
    RECORD_FRAME,
    RECORD_END,       /* no byte follows */
    RECORD_TRUNCATED, /* the content ends inside a record */
    RECORD_DAMAGED,   /* the reader's `damage` says how */
};

/* More is not a packet but damage: a BIG TCP packet is 512 KiB at most. */
#define RECORD_CAPTURED_MAX ((uint32_t)1 << 20)

/* Times are kept within this, so that the difference of two never overflows. */
#define RECORD_TIME_MAX (INT64_MAX / 2)

/* Fields of the writer's byte order; `swapped` says it is not this machine's. */
static inline uint16_t record_u16(const uint8_t *bytes, bool swapped)
{
    uint16_t value;
    memcpy(&value, bytes, sizeof(value));
    return swapped ? __builtin_bswap16(value) : value;
}

static inline uint32_t record_u32(const uint8_t *bytes, bool swapped)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof(value));
    return swapped ? __builtin_bswap32(value) : value;
}
