#pragma once

#include "agent/base/plain_bytes.h"

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The classic BPF program of a live ring, for the cooked mode of a packet socket: offset 0 is the
 * network header. It lets pass TCP over IPv4 (every fragment of it), over IPv6, and IPv6 with
 * extension headers, which only user space can follow; nothing of the excluded interfaces, no
 * outgoing copies on loopback; and of that what the user's expression accepts. Whole, but for what
 * is told to be plain (plain_filter.h).
 *
 * It is exchanged with SO_ATTACH_FILTER, never pcap_setfilter, which would drop what arrives
 * meanwhile.
 */
struct kernel_filter;

/* Excluded interfaces beyond this are left to user space. A program of so many is 6 KiB, so the old
 * and the new one together stay within older kernels' 20 KiB (net.core.optmem_max). */
#define KERNEL_FILTER_EXCLUDED_MAX 512

/* Compiles a pcap-filter(7) expression ("": accept all). `snap_length` is how much of a packet is
 * captured. Returns NULL and one line. */
struct kernel_filter *kernel_filter_new(const char *expression, uint32_t snap_length,
                                        char *error_out, size_t error_size);
void kernel_filter_free(struct kernel_filter *filter);

/* What the program depends on besides the expression. */
struct kernel_filter_interfaces {
    const uint32_t *excluded; /* ascending; those beyond KERNEL_FILTER_EXCLUDED_MAX are ignored */
    size_t excluded_count;
    uint32_t loopback;               /* its outgoing packets are rejected; 0: none */
    const struct plain_bytes *plain; /* in the order of plain_filter_compare */
    size_t plain_count;
    bool starved; /* the ring overflows: of large packets what the habit of all wants */
};

/* The program; the filter's, until the next call. */
struct sock_fprog kernel_filter_build(struct kernel_filter *filter,
                                      const struct kernel_filter_interfaces *interfaces);

/* Builds and attaches; takes effect for the next packet. Returns 0 or -errno. */
int kernel_filter_attach(struct kernel_filter *filter, int socket,
                         const struct kernel_filter_interfaces *interfaces);

/* Rejects every packet from now on. Returns 0 or -errno. */
int kernel_filter_close(int socket);
