#pragma once

#include "agent/kube/directory.h"

#include <stdint.h>

/*
 * The one pointer through which directories are published. Readers are few (workers, a scrape) and
 * hold a directory for long; a look at `version` tells whether there is a newer one, and only then
 * a lock is taken.
 */
struct directory_source;

/* Takes the first directory over. NULL: out of memory. Freed when all readers are done. */
struct directory_source *directory_source_new(struct directory *first);
void directory_source_free(struct directory_source *source);

/* The publisher's thread: takes the directory over; the one before is freed with its last reader.
 */
void directory_source_publish(struct directory_source *source, struct directory *directory);

/* Any thread: one relaxed load. Grows with every publication; the first is 1. */
uint64_t directory_source_version(const struct directory_source *source);

/* Any thread: the newest directory, held until it is released. */
const struct directory *directory_source_acquire(struct directory_source *source);
void directory_source_release(struct directory_source *source, const struct directory *directory);
