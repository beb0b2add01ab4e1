#include "exporters/delivery/packed_record.h"

#include <assert.h>

/*
 * What is in front of the texts, what is behind them, the texts' lengths, the interim statuses, and
 * then the texts themselves: without their pointers half of the struct need not be copied.
 */

#define FIRST_TEXT offsetof(struct exchange_record, side)
#define BEHIND_TEXTS offsetof(struct exchange_record, status)
#define TEXTS ((BEHIND_TEXTS - FIRST_TEXT) / sizeof(struct text))
#define TAIL_SIZE (sizeof(struct exchange_record) - BEHIND_TEXTS)
/* Of an absent text. */
#define ABSENT UINT32_MAX

static_assert((BEHIND_TEXTS - FIRST_TEXT) % sizeof(struct text) == 0,
              "nothing but texts lies between side and status");

struct lengths {
    uint32_t of[TEXTS];
};

#define FIXED_SIZE (FIRST_TEXT + TAIL_SIZE + sizeof(struct lengths))

static const struct text *texts_of(const struct exchange_record *record)
{
    return (const struct text *)(const void *)((const char *)record + FIRST_TEXT);
}

size_t packed_record_size(const struct exchange_record *record)
{
    const struct text *texts = texts_of(record);
    size_t size = FIXED_SIZE + record->interim_count * sizeof(record->interim[0]);
    for (size_t i = 0; i < TEXTS; i++) {
        size += texts[i].length;
    }
    return size;
}

void packed_record_write(const struct exchange_record *record, void *room)
{
    char *at = room;
    const struct text *texts = texts_of(record);
    struct lengths lengths;
    memcpy(at, record, FIRST_TEXT);
    memcpy(at + FIRST_TEXT, (const char *)record + BEHIND_TEXTS, TAIL_SIZE);
    char *lengths_at = at + FIRST_TEXT + TAIL_SIZE;
    at += FIXED_SIZE;
    size_t interim = record->interim_count * sizeof(record->interim[0]);
    if (interim > 0) {
        memcpy(at, record->interim, interim);
        at += interim;
    }
    for (size_t i = 0; i < TEXTS; i++) {
        lengths.of[i] = texts[i].data == NULL ? ABSENT : (uint32_t)texts[i].length;
        if (texts[i].data != NULL && texts[i].length > 0) {
            memcpy(at, texts[i].data, texts[i].length);
            at += texts[i].length;
        }
    }
    memcpy(lengths_at, &lengths, sizeof(lengths));
}

void packed_record_read(const void *packed, struct exchange_record *record_out)
{
    const char *at = packed;
    struct lengths lengths;
    struct text *texts = (struct text *)(void *)((char *)record_out + FIRST_TEXT);
    memcpy(record_out, at, FIRST_TEXT);
    memcpy((char *)record_out + BEHIND_TEXTS, at + FIRST_TEXT, TAIL_SIZE);
    memcpy(&lengths, at + FIRST_TEXT + TAIL_SIZE, sizeof(lengths));
    at += FIXED_SIZE;
    record_out->interim = (const uint16_t *)(const void *)at;
    at += record_out->interim_count * sizeof(record_out->interim[0]);
    for (size_t i = 0; i < TEXTS; i++) {
        bool absent = lengths.of[i] == ABSENT;
        texts[i] = absent ? (struct text){0} : (struct text){at, lengths.of[i]};
        at += texts[i].length;
    }
}
