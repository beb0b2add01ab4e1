#include "agent/base/address.h"
#include "agent/base/reader.h"
#include "agent/capture/live.h"

#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

/*
 * The live ring alone, for tests: prints what it delivers, one line each, until SIGTERM or SIGINT,
 * then drains. With --count only the sums are printed.
 *
 *   ready INTERFACES
 *   frame IFINDEX to|from CAPTURED/WIRE SOURCE>DESTINATION FLAGS PAYLOAD TIME
 *   gone IFINDEX
 *   sum IFINDEX to|from FRAMES PAYLOAD
 *   end packets=N dropped=N delivered=N wakeups=N interfaces=N
 */

#define INTERFACES_MAX 16
#define SUMS_MAX 4096

struct sum {
    uint64_t frames;
    uint64_t payload;
};

struct dump {
    bool count_only;
    uint64_t delivered;
    uint64_t wakeups;
    struct sum sums[SUMS_MAX][2];
};

/* What a frame says that a test wants to know. */
struct summary {
    struct endpoint source;
    struct endpoint destination;
    uint8_t flags;
    uint32_t payload;
};

static void read_tcp(struct reader *reader, uint32_t length, struct summary *summary)
{
    summary->source.port = reader_be16(reader);
    summary->destination.port = reader_be16(reader);
    reader_skip(reader, 8);
    uint32_t header = (uint32_t)(reader_u8(reader) >> 4) * 4;
    summary->flags = reader_u8(reader);
    summary->payload = length - header;
}

static void read_ip(const struct frame *frame, struct summary *summary)
{
    struct reader reader = reader_over(frame->bytes, frame->captured_length);
    uint8_t first = reader_u8(&reader);
    if (first >> 4 == 4) {
        uint32_t header = (uint32_t)(first & 0x0f) * 4;
        reader_skip(&reader, 1);
        uint32_t total = reader_be16(&reader);
        reader_skip(&reader, 8);
        const uint8_t *addresses = reader_bytes(&reader, 8);
        reader_skip(&reader, header - 20);
        if (addresses != NULL) {
            summary->source.address = address_from_ipv4(addresses);
            summary->destination.address = address_from_ipv4(addresses + 4);
        }
        read_tcp(&reader, total - header, summary);
    } else {
        reader_skip(&reader, 3);
        uint32_t length = reader_be16(&reader);
        reader_skip(&reader, 2);
        const uint8_t *addresses = reader_bytes(&reader, 32);
        if (addresses != NULL) {
            summary->source.address = address_from_ipv6(addresses);
            summary->destination.address = address_from_ipv6(addresses + 16);
        }
        read_tcp(&reader, length, summary);
    }
}

static const char *const direction_names[] = {
    [FRAME_DIRECTION_UNKNOWN] = "unknown", [FRAME_TO_POD] = "to", [FRAME_FROM_POD] = "from"};

static void print_frame(const struct frame *frame, const struct summary *summary)
{
    char source[ENDPOINT_TEXT_SIZE];
    char destination[ENDPOINT_TEXT_SIZE];
    endpoint_format(&summary->source, source);
    endpoint_format(&summary->destination, destination);
    printf("frame %u %s %u/%u %s>%s 0x%02x %u %lld\n", frame->interface,
           direction_names[frame->direction], frame->captured_length, frame->wire_length, source,
           destination, summary->flags, summary->payload, (long long)frame->time_ns);
}

static void on_frame(void *context, const struct frame *frame)
{
    struct dump *dump = context;
    struct summary summary = {0};
    read_ip(frame, &summary);
    dump->delivered++;
    if (!dump->count_only) {
        print_frame(frame, &summary);
    } else if (frame->interface < SUMS_MAX) {
        struct sum *sum = &dump->sums[frame->interface][frame->direction == FRAME_TO_POD];
        sum->frames++;
        sum->payload += summary.payload;
    }
}

static void on_gone(void *context, uint32_t interface)
{
    (void)context;
    printf("gone %u\n", interface);
}

static void print_end(const struct dump *dump, const struct live *live)
{
    for (unsigned i = 0; i < SUMS_MAX; i++) {
        for (unsigned to = 0; to < 2; to++) {
            const struct sum *sum = &dump->sums[i][to];
            if (sum->frames > 0) {
                printf("sum %u %s %llu %llu\n", i, to != 0 ? "to" : "from",
                       (unsigned long long)sum->frames, (unsigned long long)sum->payload);
            }
        }
    }
    struct live_counters counters = live_counters(live);
    printf("end packets=%llu dropped=%llu delivered=%llu wakeups=%llu interfaces=%u\n",
           (unsigned long long)counters.packets, (unsigned long long)counters.dropped,
           (unsigned long long)dump->delivered, (unsigned long long)dump->wakeups,
           live_interface_count(live));
}

static int open_epoll(int signals, const struct live *live)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    const int fds[] = {signals, live_ring_fd(live), live_control_fd(live)};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fds[i]};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event) < 0) {
            perror("epoll_ctl");
            exit(1);
        }
    }
    return epoll;
}

/* Until a signal comes. */
static int run(struct dump *dump, struct live *live, int signals)
{
    int epoll = open_epoll(signals, live);
    for (;;) {
        struct epoll_event events[3];
        int ready = epoll_wait(epoll, events, 3, -1);
        dump->wakeups++;
        for (int i = 0; i < ready; i++) {
            if (events[i].data.fd == signals) {
                close(epoll);
                return live_drain(live);
            }
        }
        int status = ready < 0 ? -errno : live_dispatch(live);
        if (status < 0 && status != -EINTR) {
            close(epoll);
            return status;
        }
        fflush(stdout);
    }
}

static void read_options(int argc, char **argv, struct live_options *options, struct dump *dump,
                         const char **names)
{
    static const struct option known[] = {
        {"interface", required_argument, NULL, 'i'}, {"vantage", required_argument, NULL, 'v'},
        {"filter", required_argument, NULL, 'f'},    {"ring", required_argument, NULL, 'r'},
        {"block", required_argument, NULL, 'b'},     {"fanout", required_argument, NULL, 'g'},
        {"count", no_argument, NULL, 'c'},           {0}};
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'i':
            if (options->interface_count < INTERFACES_MAX) {
                names[options->interface_count++] = optarg;
            }
            break;
        case 'v':
            options->vantage = strcmp(optarg, "pod") == 0 ? LIVE_VANTAGE_POD : LIVE_VANTAGE_NODE;
            break;
        case 'f':
            options->filter = optarg;
            break;
        case 'r':
            options->ring_bytes = strtoull(optarg, NULL, 10);
            break;
        case 'b':
            options->block_timeout_ms = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'g':
            options->fanout_group = (int)strtol(optarg, NULL, 10);
            break;
        case 'c':
            dump->count_only = true;
            break;
        default:
            exit(2);
        }
    }
    options->interfaces = names;
}

int main(int argc, char **argv)
{
    static struct dump dump;
    const char *names[INTERFACES_MAX];
    struct live_options options = {
        .filter = "", .ring_bytes = 32 << 20, .block_timeout_ms = 100, .fanout_group = -1};
    read_options(argc, argv, &options, &dump, names);
    sigset_t stopping;
    sigemptyset(&stopping);
    sigaddset(&stopping, SIGTERM);
    sigaddset(&stopping, SIGINT);
    sigprocmask(SIG_BLOCK, &stopping, NULL);
    int signals = signalfd(-1, &stopping, SFD_CLOEXEC);
    const struct live_callbacks callbacks = {
        .context = &dump, .frame = on_frame, .interface_gone = on_gone};
    char error[LIVE_ERROR_SIZE];
    struct live *live = live_open(&options, &callbacks, error);
    if (live == NULL) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    printf("ready %u\n", live_interface_count(live));
    fflush(stdout);
    int status = run(&dump, live, signals);
    if (status < 0) {
        fprintf(stderr, "%s\n", strerrordesc_np(-status));
    }
    print_end(&dump, live);
    live_close(live);
    close(signals);
    return status < 0 ? 1 : 0;
}
