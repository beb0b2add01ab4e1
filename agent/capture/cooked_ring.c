#include "agent/capture/cooked_ring.h"

#include <errno.h>
#include <limits.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <sys/socket.h>

/* libpcap's blocks are as large as its largest packet; with fewer of them than this the kernel has
 * none to go on with while one is read. */
#define RING_MIN (8 * (uint64_t)COOKED_RING_SNAP_LENGTH)
#define RING_MAX ((uint64_t)INT_MAX - COOKED_RING_SNAP_LENGTH)

static void configure(pcap_t *ring, uint64_t ring_bytes, unsigned block_timeout_ms)
{
    if (ring_bytes < RING_MIN) {
        ring_bytes = RING_MIN;
    }
    if (ring_bytes > RING_MAX) {
        ring_bytes = RING_MAX;
    }
    /* These fail only on a handle that is active. Immediate mode stays off: it means TPACKET_V2. */
    (void)pcap_set_snaplen(ring, COOKED_RING_SNAP_LENGTH);
    (void)pcap_set_buffer_size(ring, (int)ring_bytes);
    (void)pcap_set_timeout(ring, (int)block_timeout_ms);
    (void)pcap_set_tstamp_precision(ring, PCAP_TSTAMP_PRECISION_NANO);
}

static void explain(pcap_t *ring, int status, char *error_out, size_t error_size)
{
    const char *detail = pcap_geterr(ring);
    if (status == PCAP_ERROR_PERM_DENIED || status == PCAP_ERROR_PROMISC_PERM_DENIED) {
        detail = "needs CAP_NET_RAW (run as root or grant cap_net_raw)";
    } else if (detail[0] == '\0') {
        detail = pcap_statustostr(status);
    }
    snprintf(error_out, error_size, "cannot open the capture: %s", detail);
}

pcap_t *cooked_ring_open(uint64_t ring_bytes, unsigned block_timeout_ms, char *error_out,
                         size_t error_size)
{
    char detail[PCAP_ERRBUF_SIZE] = "";
    pcap_t *ring = pcap_create("any", detail);
    if (ring == NULL) {
        snprintf(error_out, error_size, "cannot open the capture: %s", detail);
        return NULL;
    }
    configure(ring, ring_bytes, block_timeout_ms);
    int status = pcap_activate(ring);
    if (status >= 0) {
        status = pcap_set_datalink(ring, DLT_LINUX_SLL2);
    }
    if (status >= 0 && pcap_setnonblock(ring, 1, detail) < 0) {
        status = PCAP_ERROR;
    }
    if (status < 0) {
        explain(ring, status, error_out, error_size);
        pcap_close(ring);
        return NULL;
    }
    return ring;
}

int cooked_ring_join(pcap_t *ring, unsigned group)
{
    uint32_t argument = (group & 0xffff) | PACKET_FANOUT_HASH << 16;
    return setsockopt(pcap_fileno(ring), SOL_PACKET, PACKET_FANOUT, &argument, sizeof(argument)) < 0
               ? -errno
               : 0;
}
