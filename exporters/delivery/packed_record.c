#include "exporters/delivery/packed_record.h"

/*
 * The struct itself, its pointers meaningless, then the interim statuses, then the texts in the
 * order of this table. A text of the struct that is not in the table would arrive as a wild
 * pointer: packed_record_read clears nothing that it does not know.
 */
static const size_t texts[] = {
    offsetof(struct exchange_record, side),
    offsetof(struct exchange_record, client),
    offsetof(struct exchange_record, server),
    offsetof(struct exchange_record, client_namespace),
    offsetof(struct exchange_record, client_service),
    offsetof(struct exchange_record, client_kind),
    offsetof(struct exchange_record, client_pod),
    offsetof(struct exchange_record, client_node),
    offsetof(struct exchange_record, server_namespace),
    offsetof(struct exchange_record, server_service),
    offsetof(struct exchange_record, server_kind),
    offsetof(struct exchange_record, server_pod),
    offsetof(struct exchange_record, server_node),
    offsetof(struct exchange_record, called_namespace),
    offsetof(struct exchange_record, called_service),
    offsetof(struct exchange_record, method),
    offsetof(struct exchange_record, target),
    offsetof(struct exchange_record, route),
    offsetof(struct exchange_record, host),
    offsetof(struct exchange_record, user_agent),
    offsetof(struct exchange_record, trace_id),
    offsetof(struct exchange_record, version),
    offsetof(struct exchange_record, outcome),
    offsetof(struct exchange_record, reason),
};
#define TEXTS (sizeof(texts) / sizeof(texts[0]))

static const struct text *text_at(const struct exchange_record *record, size_t i)
{
    return (const struct text *)(const void *)((const char *)record + texts[i]);
}

size_t packed_record_size(const struct exchange_record *record)
{
    size_t size = sizeof(*record) + record->interim_count * sizeof(record->interim[0]);
    for (size_t i = 0; i < TEXTS; i++) {
        size += text_at(record, i)->length;
    }
    return size;
}

void packed_record_write(const struct exchange_record *record, void *room)
{
    char *at = room;
    memcpy(at, record, sizeof(*record));
    at += sizeof(*record);
    size_t interim = record->interim_count * sizeof(record->interim[0]);
    if (interim > 0) {
        memcpy(at, record->interim, interim);
        at += interim;
    }
    for (size_t i = 0; i < TEXTS; i++) {
        const struct text *text = text_at(record, i);
        if (text->length > 0) {
            memcpy(at, text->data, text->length);
            at += text->length;
        }
    }
}

void packed_record_read(const void *packed, struct exchange_record *record_out)
{
    const char *at = packed;
    memcpy(record_out, at, sizeof(*record_out));
    at += sizeof(*record_out);
    record_out->interim = (const uint16_t *)(const void *)at;
    at += record_out->interim_count * sizeof(record_out->interim[0]);
    for (size_t i = 0; i < TEXTS; i++) {
        struct text *text = (struct text *)(void *)((char *)record_out + texts[i]);
        /* Absent stays absent, empty stays empty. */
        text->data = text->data == NULL ? NULL : at;
        at += text->length;
    }
}
