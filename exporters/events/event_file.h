#pragma once

#include "exporters/delivery/compression.h"
#include "exporters/delivery/sender.h"

/*
 * Events in a file that is rotated by size and age: "NAME" is being written,
 * "NAME.20260131T120000Z" and the like (with ".1", ".2", ... where several end within a second) are
 * done. Each batch is written as a whole, with zstd as a frame of its own, so a file is readable at
 * any time. The disk is waited for only at a rotation (fdatasync): the death of the process loses
 * nothing written, that of the machine a part of the last file.
 */
struct event_file;

struct event_file_options {
    const char *path; /* outlives it */
    uint64_t max_bytes;
    unsigned max_age_s;
    unsigned keep; /* rotated files; older ones are removed */
    enum compression compression;
};

/* Rotates what a process before has left under that name. Returns 0 or -errno: the file cannot be
 * written. */
int event_file_open(const struct event_file_options *options, struct event_file **file_out);
void event_file_close(struct event_file *file);

/* A sender's callbacks. */
struct sender_reply event_file_deliver(void *file, const struct outbox_batch *batch);
void event_file_idle(void *file);
