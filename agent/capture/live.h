#pragma once

#include "agent/base/plain_bytes.h"
#include "agent/capture/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The live ring of one worker: one libpcap handle on the "any" device (cooked SLL2, TPACKET_V3,
 * nanoseconds) and one rtnetlink socket. See interface_table.h for which interfaces count and from
 * which side they are seen, live.c for why no first packet of a new one is lost.
 */
struct live;

enum live_vantage {
    LIVE_VANTAGE_AUTO,
    LIVE_VANTAGE_NODE,
    LIVE_VANTAGE_POD
};

struct live_options {
    const char *const *interfaces; /* names and globs; none: every pod link */
    size_t interface_count;
    enum live_vantage vantage;
    const char *filter; /* pcap-filter(7) expression, "" for none */
    uint64_t ring_bytes;
    unsigned block_timeout_ms;
    int fanout_group; /* -1: alone; else the number that the workers of one agent share */
};

struct live_callbacks {
    void *context;
    frame_callback *frame;
    /* The interface is gone and every packet of it that was captured has been delivered. */
    void (*interface_gone)(void *context, uint32_t interface);
};

struct live_counters {
    uint64_t packets; /* seen by the kernel filter's socket, dropped ones included */
    uint64_t dropped;
};

#define LIVE_ERROR_SIZE 512

/* Opens ring and socket. Returns NULL and one line that names what is missing (the capability, the
 * interface, what is wrong in the filter). Needs CAP_NET_RAW; nothing after it does. */
struct live *live_open(const struct live_options *options, const struct live_callbacks *callbacks,
                       char error_out[static LIVE_ERROR_SIZE]);
void live_close(struct live *live);

/* Two descriptors for the worker's epoll (level-triggered, EPOLLIN): the ring's, and one for
 * everything else that live needs to be woken for. */
int live_ring_fd(const struct live *live);
int live_control_fd(const struct live *live);

/* After either is readable: delivers what is there, at most one ring's worth, without blocking.
 * Returns 0, or -errno when the ring can no longer be read. */
int live_dispatch(struct live *live);

/* The time that the packets delivered have reached, since the epoch: the wall clock when the ring
 * was read empty, else the last packet's. A packet captured before it may still be in the ring for
 * live_latency_ns. The dispatching thread. */
int64_t live_reached_ns(const struct live *live);

/* After so long a packet is readable, though its block is not full. */
int64_t live_latency_ns(unsigned block_timeout_ms);

/* Closes the filter, waits out the block timeout and delivers the rest of the ring. */
int live_drain(struct live *live);

/* Tells the kernel of what it need not copy, or no longer. From the frame callback, or between two
 * dispatches on their thread. */
void live_tell_plain(struct live *live, const struct plain_bytes *plain);

/* When an interface appeared, CLOCK_MONOTONIC and rather too early than too late; 0: it was there
 * at the opening, or is not known. The dispatching thread. */
int64_t live_interface_since(struct live *live, uint32_t index);

/* Cumulative; any thread. */
struct live_counters live_counters(const struct live *live);

/* Number of interfaces that count at the moment; any thread. */
unsigned live_interface_count(const struct live *live);
