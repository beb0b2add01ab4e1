#pragma once

#include "agent/base/plain_bytes.h"

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of a packet that is plain so much is kept: the longest IPv4 and TCP headers fit, and IPv6 without
 * extension headers. */
#define PLAIN_FILTER_KEPT 128
/* Of one that begins a message, where the connection is told PLAIN_HABIT. */
#define PLAIN_FILTER_MESSAGE_KEPT 16384
/* At most so many instructions: flows that need more are left whole. */
#define PLAIN_FILTER_MAX 1536

/* The order in which plain_filter_emit needs the flows: negative, 0, positive. */
int plain_filter_compare(const struct plain_bytes *a, const struct plain_bytes *b);

/* What becomes of packets of which nothing is told. */
struct plain_filter_rest {
    uint32_t whole; /* the length that keeps everything */
    bool by_habit;  /* as if PLAIN_HABIT were told of every flow */
};

/*
 * The last part of a kernel filter, for a packet of TCP that is accepted: returns how many bytes
 * of it are kept. `room` instructions fit `program`, at least one. Returns how many were written.
 */
unsigned plain_filter_emit(struct sock_filter *program, unsigned room,
                           const struct plain_bytes *flows, size_t count,
                           const struct plain_filter_rest *rest);
