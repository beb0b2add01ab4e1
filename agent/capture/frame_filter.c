#include "agent/capture/frame_filter.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

#define LINKS (FRAME_LINK_LINUX_SLL2 + 1)
/* Larger than any frame: an accepted frame is accepted whole. */
#define SNAP_LENGTH 0x40000

struct frame_filter {
    bool everything;
    bool usable[LINKS];
    struct bpf_program programs[LINKS];
};

/* libpcap's numbers for what frame.h calls the links; -1: there is nothing to compile for. */
static int data_link_of(enum frame_link link)
{
    switch (link) {
    case FRAME_LINK_ETHERNET:
        return DLT_EN10MB;
    case FRAME_LINK_NULL:
        return DLT_NULL;
    case FRAME_LINK_LOOP:
        return DLT_LOOP;
    case FRAME_LINK_RAW:
        return DLT_RAW;
    case FRAME_LINK_LINUX_SLL:
        return DLT_LINUX_SLL;
    case FRAME_LINK_LINUX_SLL2:
        return DLT_LINUX_SLL2;
    case FRAME_LINK_UNKNOWN:
        break;
    }
    return -1;
}

static bool compile(struct frame_filter *filter, enum frame_link link, const char *expression,
                    char *error_out)
{
    int data_link = data_link_of(link);
    if (data_link < 0) {
        return false;
    }
    pcap_t *handle = pcap_open_dead(data_link, SNAP_LENGTH);
    if (handle == NULL) {
        return false;
    }
    filter->usable[link] =
        pcap_compile(handle, &filter->programs[link], expression, 1, PCAP_NETMASK_UNKNOWN) == 0;
    if (!filter->usable[link]) {
        snprintf(error_out, FRAME_FILTER_ERROR_SIZE, "filter \"%s\": %s", expression,
                 pcap_geterr(handle));
    }
    pcap_close(handle);
    return filter->usable[link];
}

struct frame_filter *frame_filter_new(const char *expression,
                                      char error_out[static FRAME_FILTER_ERROR_SIZE])
{
    struct frame_filter *filter = calloc(1, sizeof(*filter));
    if (filter == NULL) {
        snprintf(error_out, FRAME_FILTER_ERROR_SIZE, "out of memory");
        return NULL;
    }
    filter->everything = expression[0] == '\0';
    bool any = filter->everything;
    for (unsigned link = 0; link < LINKS && !filter->everything; link++) {
        any = compile(filter, (enum frame_link)link, expression, error_out) || any;
    }
    if (!any) {
        frame_filter_free(filter);
        return NULL;
    }
    return filter;
}

void frame_filter_free(struct frame_filter *filter)
{
    if (filter == NULL) {
        return;
    }
    for (unsigned link = 0; link < LINKS; link++) {
        if (filter->usable[link]) {
            pcap_freecode(&filter->programs[link]);
        }
    }
    free(filter);
}

bool frame_filter_passes(const struct frame_filter *filter, const struct frame *frame)
{
    if (filter->everything) {
        return true;
    }
    return filter->usable[frame->link] &&
           bpf_filter(filter->programs[frame->link].bf_insns, frame->bytes, frame->wire_length,
                      frame->captured_length) != 0;
}
