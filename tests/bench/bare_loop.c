/* bare_loop FILE: reads a capture and does nothing with it, as the measure for whoever does. */
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

struct seen {
    uint64_t packets;
    uint64_t bytes;
};

static void see(u_char *user, const struct pcap_pkthdr *header, const u_char *bytes)
{
    struct seen *seen = (void *)user;
    seen->packets++;
    seen->bytes += header->caplen > 0 ? header->caplen + bytes[0] : 0;
}

int main(int argc, char **argv)
{
    char error[PCAP_ERRBUF_SIZE] = "";
    struct seen seen = {0};
    pcap_t *pcap = argc == 2 ? pcap_open_offline(argv[1], error) : NULL;
    if (pcap == NULL) {
        fprintf(stderr, "bare_loop: %s\n", argc == 2 ? error : "usage: bare_loop FILE");
        return EXIT_FAILURE;
    }
    int result = pcap_dispatch(pcap, -1, see, (u_char *)&seen);
    printf("%" PRIu64 " packets, %" PRIu64 "\n", seen.packets, seen.bytes);
    pcap_close(pcap);
    return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
