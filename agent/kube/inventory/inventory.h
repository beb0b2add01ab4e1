#pragma once

#include "agent/kube/directory.h"
#include "agent/kube/object.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Everything known of the cluster, kept compactly, and the directory that is made from it. One
 * thread, the watch's, calls all of this; directories are read by others.
 */
struct inventory;

/* Many times what the largest clusters take: an API server that makes objects up without end must
 * not take the agent along. */
#define INVENTORY_BYTES ((size_t)256 << 20)

struct inventory_options {
    const struct directory_entry *names; /* configured; at equal length they go first. Copied */
    size_t name_count;
    const struct kube_range *ranges; /* more ranges of the cluster's than the nodes tell. Copied */
    size_t range_count;
    bool name_by_app_label; /* app.kubernetes.io/name before the owning workload */
    size_t memory_bytes;    /* most that records take, and texts; 0: INVENTORY_BYTES */
};

/* NULL: out of memory. */
struct inventory *inventory_new(const struct inventory_options *options);
void inventory_free(struct inventory *inventory);

/* A new list of this kind begins: what is not set again until its end is removed then. */
void inventory_list_begin(struct inventory *inventory, enum kube_kind kind);
void inventory_list_end(struct inventory *inventory, enum kube_kind kind);

/* The object is new or changed; it is gone. `now_ns` is CLOCK_MONOTONIC. Returns 0 or -ENOMEM, also
 * where the bound is reached: what was known stays, and room comes with what goes. */
int inventory_set(struct inventory *inventory, const struct kube_object *object, int64_t now_ns);
int inventory_remove(struct inventory *inventory, const struct kube_object *object);

/* Whether a directory made now would differ from the last one. */
bool inventory_changed(const struct inventory *inventory);

/* The directory as of now; parts that did not change are shared with the last one. NULL: out of
 * memory, nothing is lost. The caller frees it with directory_free. */
struct directory *inventory_directory(struct inventory *inventory);
