#include "agent/kube/client/hearing.h"

#include "agent/kube/client/refusal.h"
#include "agent/kube/wire/wire.h"

#include <stdio.h>
#include <string.h>

/*
 * A stream's bytes queue until a frame is whole; a page's until the page is. The version to resume
 * from is that of the last whole event, bookmark or list, so what was cut is asked for again. While
 * a list streams in, the versions of its objects are in no order and are not kept.
 */

/* Pages are a few MB; larger ones are refused. */
#define PAGE_BYTES_MAX ((size_t)64 << 20)
/* What an ERROR event without a code stands for. */
#define INTERNAL_ERROR 500

void hearing_fini(struct hearing *hearing)
{
    byte_queue_fini(&hearing->queue);
}

void hearing_start(struct hearing *hearing)
{
    byte_queue_reset(&hearing->queue);
    hearing->refused = 0;
    hearing->refused_for = 0;
    hearing->problem[0] = '\0';
}

void hearing_begin_list(struct hearing *hearing)
{
    hearing->list_open = true;
    hearing->objects = 0;
    hearing->sink.list_begin(hearing->sink.context);
}

static void end_list(struct hearing *hearing)
{
    hearing->list_open = false;
    hearing->listing = false;
    hearing->lists++;
    hearing->sink.list_end(hearing->sink.context);
}

static bool give_up(struct hearing *hearing, const char *problem)
{
    snprintf(hearing->problem, sizeof(hearing->problem), "%s", problem);
    return false;
}

static bool keep_text(struct slice text, char *kept, size_t size)
{
    if (text.length >= size || memchr(text.data, '\0', text.length) != NULL) {
        return false;
    }
    memcpy(kept, text.data, text.length);
    kept[text.length] = '\0';
    return true;
}

static bool keep_version(struct hearing *hearing, struct slice version)
{
    return (version.length > 0 && keep_text(version, hearing->version, sizeof(hearing->version))) ||
           give_up(hearing, "an event without a version");
}

/* ---- streams ---- */

static bool hear_error(struct hearing *hearing, const struct wire_event *event)
{
    struct wire_status status;
    if (!wire_status_read(event->object.raw, &status)) {
        return give_up(hearing, "an error that cannot be read");
    }
    hearing->refused = status.code == 0 ? INTERNAL_ERROR : status.code;
    hearing->refused_for = status.retry_after_s;
    refusal_line(hearing->problem, sizeof(hearing->problem), hearing->refused, status.message);
    return false;
}

static bool hear_bookmark(struct hearing *hearing, const struct decoded_object *decoded)
{
    if (hearing->listing && !decoded->initial_events_end) {
        return true;
    }
    if (!keep_version(hearing, decoded->resource_version)) {
        return false;
    }
    if (hearing->listing) {
        end_list(hearing);
    }
    return true;
}

static bool hear_change(struct hearing *hearing, enum wire_event_type type,
                        const struct decoded_object *decoded)
{
    hearing->events++;
    if (type == WIRE_DELETED) {
        hearing->objects -= hearing->objects > 0;
        hearing->sink.remove(hearing->sink.context, &decoded->object);
    } else {
        hearing->objects += type == WIRE_ADDED;
        hearing->sink.set(hearing->sink.context, &decoded->object);
    }
    return hearing->listing || keep_version(hearing, decoded->resource_version);
}

static bool hear_frame(struct hearing *hearing, struct slice frame)
{
    struct wire_event event;
    if (!wire_event_read(frame, &event)) {
        return give_up(hearing, "a frame that is no event");
    }
    if (event.type == WIRE_ERROR) {
        return hear_error(hearing, &event);
    }
    struct decoded_object decoded;
    if (!object_decoder_read(hearing->decoder, hearing->kind, event.object.raw, &decoded)) {
        return give_up(hearing, "an event with an object that cannot be read");
    }
    return event.type == WIRE_BOOKMARK ? hear_bookmark(hearing, &decoded)
                                       : hear_change(hearing, event.type, &decoded);
}

bool hearing_stream(struct hearing *hearing, struct slice bytes)
{
    /* The frame's own bound is looked at below. */
    if (!byte_queue_add(&hearing->queue, bytes, SIZE_MAX)) {
        return give_up(hearing, "out of memory");
    }
    struct slice left = byte_queue_bytes(&hearing->queue);
    size_t used = 0;
    size_t length = 0;
    while ((length = wire_frame_length(left)) != 0) {
        if (length > WIRE_FRAME_MAX) {
            return give_up(hearing, "a frame larger than any object");
        }
        if (!hear_frame(hearing, (struct slice){left.data + WIRE_FRAME_PREFIX,
                                                length - WIRE_FRAME_PREFIX})) {
            return false;
        }
        left = (struct slice){left.data + length, left.length - length};
        used += length;
    }
    byte_queue_take(&hearing->queue, used);
    return true;
}

/* ---- pages ---- */

bool hearing_keep(struct hearing *hearing, struct slice bytes)
{
    return byte_queue_add(&hearing->queue, bytes, PAGE_BYTES_MAX) ||
           give_up(hearing, "an answer larger than can be held");
}

/* An object that cannot be read is left out: the others are worth having. */
static void hear_items(struct hearing *hearing, struct wire_list *list, bool aside)
{
    struct slice item;
    struct decoded_object decoded;
    while (wire_list_next(list, &item)) {
        if (object_decoder_read(hearing->decoder, hearing->kind, item, &decoded)) {
            hearing->objects += !aside;
            hearing->sink.set(hearing->sink.context, &decoded.object);
        } else {
            hearing->unreadable++;
        }
    }
}

bool hearing_page(struct hearing *hearing, bool aside)
{
    struct wire_envelope envelope;
    struct wire_list list;
    if (!wire_envelope_read(byte_queue_bytes(&hearing->queue), &envelope) ||
        !wire_list_open(envelope.raw, &list) ||
        list.resource_version.length >= sizeof(hearing->version) ||
        !keep_text(list.next_page, hearing->page, sizeof(hearing->page))) {
        return give_up(hearing, "a list that cannot be read");
    }
    if (!aside && !hearing->list_open) {
        hearing_begin_list(hearing);
    }
    hear_items(hearing, &list, aside);
    if (!aside && hearing->page[0] == '\0') {
        if (!keep_version(hearing, list.resource_version)) {
            return false;
        }
        end_list(hearing);
    }
    return true;
}
