#pragma once

#include "agent/base/slice.h"
#include "agent/kube/object.h"

#include <stdbool.h>

/*
 * One object of the API, from its protobuf bytes to struct kube_object. All memory of a decoded
 * object is the decoder's and lasts until the next one.
 */
struct object_decoder;

/* An object, and what a watch must know of it besides. */
struct decoded_object {
    struct kube_object object;
    struct slice resource_version;
    bool initial_events_end; /* a bookmark: the streamed list ends here */
};

/* NULL: out of memory. */
struct object_decoder *object_decoder_new(void);
void object_decoder_free(struct object_decoder *decoder);

/* False: the bytes are no such object, or it is too large to be one. The kind decides what is read;
 * of a bookmark that is the metadata alone. */
bool object_decoder_read(struct object_decoder *decoder, enum kube_kind kind, struct slice bytes,
                         struct decoded_object *decoded_out);
