/* How fast lists of pods are decoded, as pages of 500 and as the frames of a streamed list: every
 * byte that the API server would send for 150,000 pods is read once. The pages are made of one, as
 * the decoder keeps nothing between two of them. */
#include "agent/kube/wire/object_decoder.h"
#include "agent/kube/wire/wire.h"
#include "tests/support/kube_bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    PODS = 150000,
    PAGE = 500,
    /* Enough different pages that they do not stay in the processor's caches. */
    PAGES_MADE = 20
};

/* Written to, so that no measured work can be left out. */
static volatile size_t sink;

static double now_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void decode(struct object_decoder *decoder, struct slice bytes)
{
    struct decoded_object decoded;
    if (!object_decoder_read(decoder, KUBE_POD, bytes, &decoded) ||
        decoded.object.pod.address_count != 1) {
        abort();
    }
    sink += decoded.object.meta.name.length + decoded.object.pod.port_count;
}

static struct kube_bytes make_page(uint32_t first)
{
    struct kube_bytes list = kube_bytes_list("4815", "");
    for (uint32_t i = 0; i < PAGE; i++) {
        kube_bytes_message(&list, 2, kube_bytes_big_pod(first + i));
    }
    return kube_bytes_envelope("PodList", list);
}

static struct kube_bytes make_frames(uint32_t first)
{
    struct kube_bytes frames = {0};
    for (uint32_t i = 0; i < PAGE; i++) {
        struct kube_bytes frame = kube_bytes_event("ADDED", "Pod", kube_bytes_big_pod(first + i));
        kube_bytes_add(&frames, frame.bytes, frame.length);
        kube_bytes_free(&frame);
    }
    return frames;
}

static size_t read_page(struct object_decoder *decoder, struct slice bytes)
{
    struct wire_envelope envelope;
    struct wire_list list;
    struct slice item;
    size_t count = 0;
    if (!wire_envelope_read(bytes, &envelope) || !wire_list_open(envelope.raw, &list)) {
        abort();
    }
    while (wire_list_next(&list, &item)) {
        decode(decoder, item);
        count++;
    }
    return count;
}

static size_t read_frames(struct object_decoder *decoder, struct slice bytes)
{
    size_t length = 0;
    size_t count = 0;
    while ((length = wire_frame_length(bytes)) != 0) {
        struct wire_event event;
        if (!wire_event_read(
                (struct slice){bytes.data + WIRE_FRAME_PREFIX, length - WIRE_FRAME_PREFIX},
                &event)) {
            abort();
        }
        decode(decoder, event.object.raw);
        bytes = (struct slice){bytes.data + length, bytes.length - length};
        count++;
    }
    return count;
}

static void measure(const char *name, struct kube_bytes make(uint32_t first),
                    size_t read(struct object_decoder *decoder, struct slice bytes))
{
    struct object_decoder *decoder = object_decoder_new();
    struct kube_bytes pages[PAGES_MADE];
    for (uint32_t i = 0; i < PAGES_MADE; i++) {
        pages[i] = make(i * PAGE);
    }
    size_t bytes = 0;
    size_t pods = 0;
    double start = now_s();
    for (size_t i = 0; pods < PODS; i++) {
        const struct kube_bytes *page = &pages[i % PAGES_MADE];
        pods += read(decoder, (struct slice){(const char *)page->bytes, page->length});
        bytes += page->length;
    }
    double seconds = now_s() - start;
    printf("%-8s %zu pods, %zu bytes each: %.0f MB/s, %.2f us a pod, %.2f s in all\n", name, pods,
           bytes / pods, (double)bytes / seconds / 1e6, seconds / (double)pods * 1e6, seconds);
    for (size_t i = 0; i < PAGES_MADE; i++) {
        kube_bytes_free(&pages[i]);
    }
    object_decoder_free(decoder);
}

int main(void)
{
    measure("pages", make_page, read_page);
    measure("frames", make_frames, read_frames);
    return 0;
}
