#include "agent/capture/timeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A merge by the time of each file's next frame. A file of which nothing but its first frame's time
 * is needed yet is closed again, so thousands of captures that follow each other, as a rotating
 * tcpdump writes them, are open one at a time. What cannot be opened twice (standard input, a pipe)
 * stays open. The tracks with a frame are a heap whose first is the earliest.
 */

struct track {
    const char *path;
    struct capture_file *file; /* NULL: not opened again yet, or done with */
    struct frame frame;        /* the next one; of a closed file only its time */
    uint64_t size;
    size_t rank;                         /* among the files: equal times go by it */
    char error[CAPTURE_FILE_ERROR_SIZE]; /* why it is broken; "": it is not */
};

struct timeline {
    struct track *tracks;
    struct track **heap;
    size_t count;
    size_t waiting;        /* tracks in the heap */
    uint64_t done;         /* bytes of the files that were read to their end */
    bool size_unknown;     /* of one of them */
    bool first_is_current; /* its frame was returned last */
};

/* ---- the heap ---- */

static bool is_earlier(const struct track *a, const struct track *b)
{
    return a->frame.time_ns != b->frame.time_ns ? a->frame.time_ns < b->frame.time_ns
                                                : a->rank < b->rank;
}

static void sink(struct timeline *timeline, size_t at)
{
    struct track **heap = timeline->heap;
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++) {
            if (child < timeline->waiting && is_earlier(heap[child], heap[least])) {
                least = child;
            }
        }
        if (least == at) {
            return;
        }
        struct track *moved = heap[at];
        heap[at] = heap[least];
        heap[least] = moved;
        at = least;
    }
}

static void make_heap(struct timeline *timeline)
{
    for (size_t at = timeline->waiting / 2; at-- > 0;) {
        sink(timeline, at);
    }
}

static void drop_first(struct timeline *timeline)
{
    timeline->heap[0] = timeline->heap[--timeline->waiting];
    sink(timeline, 0);
}

/* ---- the files ---- */

static void close_file(struct track *track)
{
    capture_file_close(track->file);
    track->file = NULL;
}

/* Reads the track's next frame. False: there is none, the file is closed. */
static bool advance(struct timeline *timeline, struct track *track)
{
    switch (capture_file_next(track->file, &track->frame)) {
    case CAPTURE_FILE_FRAME:
        return true;
    case CAPTURE_FILE_BROKEN:
        snprintf(track->error, sizeof(track->error), "%s", capture_file_error(track->file));
        break;
    case CAPTURE_FILE_END:
        break;
    }
    timeline->done += track->size;
    close_file(track);
    return false;
}

static bool can_open_again(const struct track *track)
{
    return strcmp(track->path, "-") != 0 && track->size > 0;
}

static bool open_track(struct timeline *timeline, const char *path, char *error_out)
{
    struct track *track = &timeline->tracks[timeline->count];
    *track = (struct track){.path = path, .rank = timeline->count};
    track->file = capture_file_open(path, error_out);
    if (track->file == NULL) {
        return false;
    }
    timeline->count++;
    track->size = capture_file_size(track->file);
    timeline->size_unknown |= track->size == 0;
    if (advance(timeline, track)) {
        timeline->heap[timeline->waiting++] = track;
        if (can_open_again(track)) {
            close_file(track);
        }
    }
    return true;
}

/* The first track's file once more. False: it no longer has its first frame. */
static bool open_again(struct timeline *timeline, struct track *track)
{
    track->file = capture_file_open(track->path, track->error);
    if (track->file == NULL) {
        timeline->done += track->size;
        return false;
    }
    return advance(timeline, track);
}

struct timeline *timeline_open(char *const *paths, size_t count,
                               char error_out[static CAPTURE_FILE_ERROR_SIZE])
{
    snprintf(error_out, CAPTURE_FILE_ERROR_SIZE, "out of memory");
    struct timeline *timeline = calloc(1, sizeof(*timeline));
    if (timeline == NULL) {
        return NULL;
    }
    timeline->tracks = calloc(count, sizeof(*timeline->tracks));
    timeline->heap = calloc(count, sizeof(struct track *));
    bool opened = timeline->tracks != NULL && timeline->heap != NULL;
    for (size_t i = 0; opened && i < count; i++) {
        opened = open_track(timeline, paths[i], error_out);
    }
    if (!opened) {
        timeline_close(timeline);
        return NULL;
    }
    make_heap(timeline);
    return timeline;
}

void timeline_close(struct timeline *timeline)
{
    if (timeline == NULL) {
        return;
    }
    for (size_t i = 0; i < timeline->count; i++) {
        close_file(&timeline->tracks[i]);
    }
    free(timeline->tracks);
    free(timeline->heap);
    free(timeline);
}

const struct frame *timeline_next(struct timeline *timeline)
{
    if (timeline->first_is_current) {
        timeline->first_is_current = false;
        if (advance(timeline, timeline->heap[0])) {
            sink(timeline, 0);
        } else {
            drop_first(timeline);
        }
    }
    while (timeline->waiting > 0) {
        struct track *first = timeline->heap[0];
        if (first->file != NULL || open_again(timeline, first)) {
            timeline->first_is_current = true;
            return &first->frame;
        }
        drop_first(timeline);
    }
    return NULL;
}

size_t timeline_errors(const struct timeline *timeline,
                       void (*report)(void *context, const char *line), void *context)
{
    size_t broken = 0;
    for (size_t i = 0; i < timeline->count; i++) {
        if (timeline->tracks[i].error[0] != '\0') {
            report(context, timeline->tracks[i].error);
            broken++;
        }
    }
    return broken;
}

uint64_t timeline_position(const struct timeline *timeline)
{
    uint64_t position = timeline->done;
    for (size_t i = 0; i < timeline->waiting; i++) {
        const struct track *track = timeline->heap[i];
        position += track->file != NULL ? capture_file_position(track->file) : 0;
    }
    return position;
}

uint64_t timeline_size(const struct timeline *timeline)
{
    uint64_t size = 0;
    for (size_t i = 0; !timeline->size_unknown && i < timeline->count; i++) {
        size += timeline->tracks[i].size;
    }
    return size;
}
