#pragma once

#include "agent/base/reader.h"
#include "agent/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What is around the objects in application/vnd.kubernetes.protobuf: the envelope, lists, the
 * frames of a watch, and the server's Status. Nothing is copied: slices point into the bytes given.
 */

/* Larger frames are no objects: etcd refuses objects of more than 1.5 MiB by default. */
#define WIRE_FRAME_MAX ((size_t)8 << 20)

/* The bytes of the object and of which kind it is ("PodList"). False: not such an envelope. */
struct wire_envelope {
    struct slice kind;
    struct slice raw;
};
bool wire_envelope_read(struct slice bytes, struct wire_envelope *envelope_out);

/* One page of a list, as in `raw` of its envelope. */
struct wire_list {
    struct slice resource_version;
    struct slice next_page; /* the continue token; empty: it was the last */
    struct reader items;
};

/* Looks over the whole page. False: it breaks off or is no list. */
bool wire_list_open(struct slice raw, struct wire_list *list_out);
/* The next object's bytes; false at the end. */
bool wire_list_next(struct wire_list *list, struct slice *item_out);

/* A frame starts with its length. */
#define WIRE_FRAME_PREFIX ((size_t)4)

/* The length of the frame that starts the bytes, its four bytes of length included; 0: not all of
 * it is there yet; more than WIRE_FRAME_MAX: it cannot be a frame. */
size_t wire_frame_length(struct slice bytes);

enum wire_event_type {
    WIRE_ADDED,
    WIRE_MODIFIED,
    WIRE_DELETED,
    WIRE_BOOKMARK,
    WIRE_ERROR /* the object is a Status */
};

struct wire_event {
    enum wire_event_type type;
    struct wire_envelope object;
};

/* `frame` without its length. False: it is no event. */
bool wire_event_read(struct slice frame, struct wire_event *event_out);

/* metav1.Status: what the server says instead of an answer. */
struct wire_status {
    unsigned code; /* an HTTP status; 0: not said */
    unsigned retry_after_s;
    struct slice message;
};

/* `raw` of its envelope. */
bool wire_status_read(struct slice raw, struct wire_status *status_out);
