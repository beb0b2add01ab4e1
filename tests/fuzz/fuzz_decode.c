/*
 * One frame. The first byte chooses the link, the next four say how long it was on the wire; the
 * rest is the frame, in a buffer of exactly its size. A segment must lie within it.
 */
#include "agent/decode/decode.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_segment(const struct frame *frame, const struct segment *segment)
{
    require(segment->payload >= frame->bytes);
    size_t at = (size_t)(segment->payload - frame->bytes);
    require(at <= frame->captured_length);
    require(segment->payload_captured <= frame->captured_length - at);
    require(segment->payload_captured <= segment->payload_length);
    require(segment->payload_length <= UINT32_C(1) << 20);
    require(segment->time_ns == frame->time_ns && segment->direction == frame->direction);
    volatile uint8_t sum = 0;
    for (uint32_t i = 0; i < segment->payload_captured; i++) {
        sum = (uint8_t)(sum + segment->payload[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum {
        OPTIONS = 5,
        LINKS = FRAME_LINK_LINUX_SLL2 + 1
    };
    if (size < OPTIONS) {
        return 0;
    }
    uint32_t more_on_wire;
    memcpy(&more_on_wire, data + 1, sizeof(more_on_wire));
    uint32_t captured = (uint32_t)(size - OPTIONS);
    uint8_t *copy = malloc(captured);
    require(copy != NULL);
    memcpy(copy, data + OPTIONS, captured);
    struct frame frame = {.bytes = copy,
                          .captured_length = captured,
                          .wire_length = captured + more_on_wire,
                          .time_ns = 1,
                          .link = (enum frame_link)(data[0] % LINKS),
                          .direction = FRAME_FROM_POD};
    struct segment segment;
    if (decode_frame(&frame, &segment) == DECODE_SEGMENT) {
        check_segment(&frame, &segment);
    }
    free(copy);
    return 0;
}
