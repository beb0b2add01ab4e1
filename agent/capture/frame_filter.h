#pragma once

#include "agent/capture/frame.h"

#include <stdbool.h>

/* A pcap-filter(7) expression for frames of capture files, whatever their link type. */
struct frame_filter;

#define FRAME_FILTER_ERROR_SIZE 512

/* NULL and one line when the expression is wrong for every link type. "" lets everything pass. */
struct frame_filter *frame_filter_new(const char *expression,
                                      char error_out[static FRAME_FILTER_ERROR_SIZE]);
void frame_filter_free(struct frame_filter *filter);

/* False: the expression leaves the frame out, or cannot be asked of its link type. */
bool frame_filter_passes(const struct frame_filter *filter, const struct frame *frame);
