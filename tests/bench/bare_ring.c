/* bare_ring INTERFACE SNAP RING_BYTES: reads a live ring in blocks and does nothing with it, as the
 * measure for whoever does; ends with SIGTERM or SIGINT and prints what it got. */
#include <pcap/pcap.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_TIMEOUT_MS 100

static pcap_t *ring;
static unsigned long long packets;

static void stop(int number)
{
    (void)number;
    pcap_breakloop(ring);
}

static void see(u_char *user, const struct pcap_pkthdr *header, const u_char *bytes)
{
    (void)user;
    packets += header->caplen > 0 && bytes != NULL;
}

int main(int argc, char **argv)
{
    char error[PCAP_ERRBUF_SIZE] = "";
    struct pcap_stat statistics = {0};
    ring = argc == 4 ? pcap_create(argv[1], error) : NULL;
    if (ring == NULL) {
        fprintf(stderr, "bare_ring: %s\n", argc == 4 ? error : "INTERFACE SNAP RING_BYTES");
        return EXIT_FAILURE;
    }
    pcap_set_snaplen(ring, atoi(argv[2]));
    pcap_set_buffer_size(ring, atoi(argv[3]));
    pcap_set_timeout(ring, BLOCK_TIMEOUT_MS);
    /* libpcap leaves it to the filter how much is copied. */
    struct bpf_program filter;
    if (pcap_activate(ring) < 0 || pcap_compile(ring, &filter, "tcp", 1, 0) < 0 ||
        pcap_setfilter(ring, &filter) < 0) {
        fprintf(stderr, "bare_ring: %s\n", pcap_geterr(ring));
        return EXIT_FAILURE;
    }
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    fprintf(stderr, "listening on %s\n", argv[1]);
    pcap_loop(ring, -1, see, NULL);
    pcap_stats(ring, &statistics);
    fprintf(stderr, "%llu packets, %u packets dropped by kernel\n", packets, statistics.ps_drop);
    pcap_close(ring);
    return EXIT_SUCCESS;
}
