#include "agent/capture/timeline.h"

#include <stdio.h>
#include <stdlib.h>

struct track {
    struct capture_file *file;
    struct frame frame;
    enum capture_file_status status;
};

struct timeline {
    struct track *tracks;
    size_t count;
    size_t current; /* whose frame was returned last; `count`: none yet */
};

struct timeline *timeline_open(char *const *paths, size_t count,
                               char error_out[static CAPTURE_FILE_ERROR_SIZE])
{
    snprintf(error_out, CAPTURE_FILE_ERROR_SIZE, "out of memory");
    struct timeline *timeline = calloc(1, sizeof(*timeline));
    if (timeline == NULL) {
        return NULL;
    }
    timeline->tracks = calloc(count, sizeof(*timeline->tracks));
    for (; timeline->tracks != NULL && timeline->count < count; timeline->count++) {
        struct track *track = &timeline->tracks[timeline->count];
        track->file = capture_file_open(paths[timeline->count], error_out);
        if (track->file == NULL) {
            break;
        }
        track->status = capture_file_next(track->file, &track->frame);
    }
    if (timeline->count < count) {
        timeline_close(timeline);
        return NULL;
    }
    timeline->current = count;
    return timeline;
}

void timeline_close(struct timeline *timeline)
{
    if (timeline == NULL) {
        return;
    }
    for (size_t i = 0; timeline->tracks != NULL && i < timeline->count; i++) {
        capture_file_close(timeline->tracks[i].file);
    }
    free(timeline->tracks);
    free(timeline);
}

bool timeline_next(struct timeline *timeline, struct frame *frame_out)
{
    if (timeline->current < timeline->count) {
        struct track *last = &timeline->tracks[timeline->current];
        last->status = capture_file_next(last->file, &last->frame);
    }
    const struct track *earliest = NULL;
    for (size_t i = 0; i < timeline->count; i++) {
        const struct track *track = &timeline->tracks[i];
        if (track->status == CAPTURE_FILE_FRAME &&
            (earliest == NULL || track->frame.time_ns < earliest->frame.time_ns)) {
            earliest = track;
            timeline->current = i;
        }
    }
    if (earliest == NULL) {
        timeline->current = timeline->count;
        return false;
    }
    *frame_out = earliest->frame;
    return true;
}

size_t timeline_errors(const struct timeline *timeline,
                       void (*report)(void *context, const char *line), void *context)
{
    size_t broken = 0;
    for (size_t i = 0; i < timeline->count; i++) {
        if (timeline->tracks[i].status == CAPTURE_FILE_BROKEN) {
            report(context, capture_file_error(timeline->tracks[i].file));
            broken++;
        }
    }
    return broken;
}

uint64_t timeline_position(const struct timeline *timeline)
{
    uint64_t position = 0;
    for (size_t i = 0; i < timeline->count; i++) {
        position += capture_file_position(timeline->tracks[i].file);
    }
    return position;
}

uint64_t timeline_size(const struct timeline *timeline)
{
    uint64_t size = 0;
    for (size_t i = 0; i < timeline->count; i++) {
        uint64_t one = capture_file_size(timeline->tracks[i].file);
        if (one == 0) {
            return 0;
        }
        size += one;
    }
    return size;
}
