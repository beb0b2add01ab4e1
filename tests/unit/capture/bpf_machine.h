#pragma once

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

/* A packet as a classic BPF program on a packet socket sees it. */
struct bpf_packet {
    const uint8_t *bytes; /* from the network header on */
    uint32_t length;
    uint32_t protocol; /* what the kernel knows besides */
    uint32_t packet_type;
    uint32_t ifindex;
};

/* Runs a program as the kernel does, auxiliary data included, which libpcap's bpf_filter() does not
 * know. Fails the test when the program is not well-formed. Returns the length it accepts. */
uint32_t bpf_machine_run(const struct sock_fprog *program, const struct bpf_packet *packet);
