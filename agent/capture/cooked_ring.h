#pragma once

#include <pcap/pcap.h>
#include <stddef.h>
#include <stdint.h>

/* Whole packets; what a block of the ring can hold of one. */
#define COOKED_RING_SNAP_LENGTH 262144

/*
 * Opens the "any" device for reading without blocking: cooked SLL2, TPACKET_V3, nanoseconds; no
 * filter yet. The ring is what memory allows up to `ring_bytes`, but asks for 2 MiB at least; the
 * kernel hands over a block when it is full or `block_timeout_ms` old. Returns NULL and one line.
 * Needs CAP_NET_RAW.
 */
pcap_t *cooked_ring_open(uint64_t ring_bytes, unsigned block_timeout_ms, char *error_out,
                         size_t error_size);

/* Shares the packets of all rings of a group between them by flow, both directions of one going to
 * the same ring. Returns 0 or -errno. */
int cooked_ring_join(pcap_t *ring, unsigned group);
