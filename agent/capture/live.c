#include "agent/capture/live.h"

#include "agent/capture/cooked_ring.h"
#include "agent/capture/interfaces.h"
#include "agent/capture/kernel_filter.h"
#include "agent/capture/plain_table.h"
#include "agent/capture/sll2.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/*
 * The kernel filter keeps out only interfaces that are known not to count, so packets of a new one
 * are in the ring before anybody here has heard of it. Whether they count is decided when they are
 * read: a packet can only pass once its interface is up, and by then the notification that tells
 * what the interface is has been queued. So for a packet of an interface that is unknown or
 * undecided, captured after the notifications were last read, they are read first. That is one
 * system call for a batch of packets, not for each.
 *
 * Which of the frames that a socket saw before its filter was attached are let in is decided by
 * time: none from before live_open returned. That ends once the ring has been read empty, lest a
 * clock that is set back close the ring.
 *
 * Workers join a fanout group by flow hash, which is the same for both directions. The kernel's
 * defragmentation of the group (PACKET_FANOUT_FLAG_DEFRAG) stays off: it would replace fragments by
 * a packet that was never on the wire, with the time of the last one, for IPv4 alone; all fragments
 * of a packet go to one worker anyway.
 *
 * Nothing ticks: the timer is armed only while something is due.
 */

/* Packets between two looks at notifications and timers. */
#define BATCH 8192

/* The kernel closes a block that is not full at the second tick of its timer at the latest. */
#define TICKS_OF_A_BLOCK 2
#define TICK_MARGIN_MS 50

/* From attaching the filter to the first packet let in: one that was under way through the old
 * filter is stamped by then. */
#define START_GUARD_NS INT64_C(2000000)

#define STATISTICS_NS INT64_C(1000000000)
#define ATTACH_AGAIN_NS INT64_C(1000000000)
/* Filters with more plain flows are attached at most this often. */
#define PLAIN_NS INT64_C(1000000)
/* While packets come it is looked this often whether the ring overflows. */
#define OVERFLOW_LOOK_NS INT64_C(1000000)
/* So long after the last packet dropped large packets are whole again. */
#define STARVED_NS INT64_C(10000000000)

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

struct live {
    struct live_callbacks callbacks;
    pcap_t *ring;
    struct kernel_filter *filter;
    struct interfaces *interfaces;
    struct interface_table *table; /* of the interfaces */
    int control;                   /* epoll of the two below */
    int timer;
    int64_t block_ns;      /* live_latency_ns */
    int64_t opened_ns;     /* monotonic */
    int64_t let_in_ns;     /* since the epoch; packets before it are not ours */
    int64_t heard_ns;      /* since the epoch: notifications were read up to then */
    int64_t now_ns;        /* monotonic, of the dispatch under way */
    int64_t packet_ns;     /* since the epoch: of the last packet read */
    int64_t armed_ns;      /* what the timer is set to; 0: nothing */
    int64_t attach_due_ns; /* a filter that could not be attached is tried again; 0: none */
    int64_t statistics_due_ns;
    int64_t counted_ns;
    bool read_empty; /* by the last dispatch */
    bool closing;    /* the filter rejects everything and stays so */
    int64_t plain_attached_ns;
    int64_t starved_until_ns; /* 0: the ring does not overflow */
    int64_t plain_due_ns;     /* what became plain is told to the kernel then; 0: nothing did */
    struct pcap_stat last;    /* 32 bits that wrap */
    atomic_uint_least64_t packets;
    atomic_uint_least64_t dropped;
    atomic_uint counting;
    uint32_t excluded[KERNEL_FILTER_EXCLUDED_MAX];
    struct plain_table plain;
};

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void hear(struct live *live)
{
    live->heard_ns = clock_ns(CLOCK_REALTIME);
    interfaces_update(live->interfaces, live->now_ns);
}

/* The interface if its packets count, else NULL. */
static const struct interface *admit(struct live *live, uint32_t index, int64_t time_ns)
{
    const struct interface *interface = interface_table_find(live->table, index);
    bool undecided = interface == NULL || interface->standing == INTERFACE_SETTLING;
    if (undecided && time_ns >= live->heard_ns) {
        hear(live);
        interface = interface_table_find(live->table, index);
    }
    bool counts = interface != NULL && (interface->standing == INTERFACE_COUNTS ||
                                        interface->standing == INTERFACE_LEAVING);
    return counts ? interface : NULL;
}

static void take(u_char *context, const struct pcap_pkthdr *header, const u_char *bytes)
{
    struct live *live = (struct live *)(void *)context;
    struct reader reader = reader_over(bytes, header->caplen);
    struct sll2_header sll2;
    /* With nanosecond precision tv_usec holds nanoseconds. */
    int64_t time_ns = header->ts.tv_sec * NS_PER_S + header->ts.tv_usec;
    live->packet_ns = time_ns;
    if (!sll2_parse(&reader, &sll2) || time_ns < live->let_in_ns ||
        (sll2.protocol != ETH_P_IP && sll2.protocol != ETH_P_IPV6)) {
        return;
    }
    const struct interface *interface = admit(live, sll2.ifindex, time_ns);
    bool outgoing = sll2.packet_type == PACKET_OUTGOING;
    if (interface == NULL || (interface->link.loopback && outgoing)) {
        return;
    }
    const struct frame frame = {
        .bytes = reader.at,
        .captured_length = (uint32_t)reader.left,
        .wire_length = header->len - SLL2_HEADER_LENGTH,
        .time_ns = time_ns,
        .interface = sll2.ifindex,
        .link = FRAME_LINK_RAW,
        .direction = outgoing == interface->from_pod_side ? FRAME_FROM_POD : FRAME_TO_POD,
    };
    live->callbacks.frame(live->callbacks.context, &frame);
}

static int attach_filter(struct live *live)
{
    const struct kernel_filter_interfaces interfaces = {
        .excluded = live->excluded,
        .excluded_count =
            interface_table_excluded(live->table, live->excluded, KERNEL_FILTER_EXCLUDED_MAX),
        .loopback = interface_table_loopback(live->table),
        .plain = live->plain.flows,
        .plain_count = live->plain.count,
        .starved = live->starved_until_ns != 0,
    };
    return kernel_filter_attach(live->filter, pcap_fileno(live->ring), &interfaces);
}

/* What is needed again is told at once, what is not needed within a while. */
void live_tell_plain(struct live *live, const struct plain_bytes *plain)
{
    plain_table_tell(&live->plain, plain);
    if (!live->plain.changed) {
        return;
    }
    int64_t due = plain->kind == PLAIN_NONE ? live->now_ns : live->plain_attached_ns + PLAIN_NS;
    if (live->plain_due_ns == 0 || due < live->plain_due_ns) {
        live->plain_due_ns = due;
    }
}

/* Brings filter and count in line with the table. */
static void follow_table(struct live *live)
{
    atomic_store_explicit(&live->counting, live->table->counting, memory_order_relaxed);
    bool again = live->attach_due_ns != 0 && live->now_ns >= live->attach_due_ns;
    bool plain = live->plain_due_ns != 0 && live->now_ns >= live->plain_due_ns;
    if (live->closing || (!live->table->exclusions_changed && !again && !plain)) {
        return;
    }
    live->table->exclusions_changed = false;
    live->plain.changed = false;
    live->plain_due_ns = 0;
    live->plain_attached_ns = live->now_ns;
    live->attach_due_ns = attach_filter(live) < 0 ? live->now_ns + ATTACH_AGAIN_NS : 0;
}

static void count(struct live *live)
{
    struct pcap_stat now;
    if (pcap_stats(live->ring, &now) < 0) {
        return;
    }
    uint32_t packets = (uint32_t)now.ps_recv - (uint32_t)live->last.ps_recv;
    uint32_t dropped = (uint32_t)now.ps_drop - (uint32_t)live->last.ps_drop;
    live->last = now;
    if (dropped > 0) {
        live->plain_due_ns = live->starved_until_ns == 0 ? live->now_ns : live->plain_due_ns;
        live->starved_until_ns = live->now_ns + STARVED_NS;
    }
    atomic_fetch_add_explicit(&live->packets, packets, memory_order_relaxed);
    atomic_fetch_add_explicit(&live->dropped, dropped, memory_order_relaxed);
}

/* The counters are brought up to date a second after packets came, so an idle ring has right ones
 * and needs no further wakeup. */
static void count_when_due(struct live *live, bool packets_came)
{
    bool filling = packets_came && live->now_ns >= live->counted_ns + OVERFLOW_LOOK_NS;
    bool due = live->statistics_due_ns != 0 && live->now_ns >= live->statistics_due_ns;
    if (live->starved_until_ns != 0 && live->now_ns >= live->starved_until_ns) {
        live->starved_until_ns = 0;
        live->plain_due_ns = live->now_ns;
    }
    if (filling || due) {
        live->counted_ns = live->now_ns;
        count(live);
    }
    if (due) {
        live->statistics_due_ns = 0;
    }
    if (packets_came && live->statistics_due_ns == 0) {
        live->statistics_due_ns = live->now_ns + STATISTICS_NS;
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    if (a == 0 || b == 0) {
        return a == 0 ? b : a;
    }
    return a < b ? a : b;
}

/* A time that is over stays armed: the timer is readable until the due thing was done. */
static void arm(struct live *live)
{
    int64_t due = earlier(interfaces_due(live->interfaces),
                          earlier(live->attach_due_ns, live->statistics_due_ns));
    due = earlier(due, live->plain_due_ns);
    if (due == live->armed_ns) {
        return;
    }
    const struct itimerspec when = {
        .it_value = {.tv_sec = due / NS_PER_S, .tv_nsec = due % NS_PER_S}};
    if (timerfd_settime(live->timer, TFD_TIMER_ABSTIME, &when, NULL) == 0) {
        live->armed_ns = due;
    }
}

/* Reads at most one batch. Returns how many packets it had or -errno. */
static int read_ring(struct live *live)
{
    int got = pcap_dispatch(live->ring, BATCH, take, (u_char *)live);
    return got < 0 ? -EIO : got;
}

int live_dispatch(struct live *live)
{
    live->now_ns = clock_ns(CLOCK_MONOTONIC);
    hear(live);
    follow_table(live);
    int got = read_ring(live);
    if (got < 0) {
        return got;
    }
    live->read_empty = got < BATCH;
    interfaces_expire(live->interfaces, live->now_ns, live->read_empty);
    follow_table(live);
    if (live->read_empty && live->now_ns > live->opened_ns + live->block_ns) {
        live->let_in_ns = INT64_MIN;
    }
    count_when_due(live, got > 0);
    arm(live);
    return 0;
}

int64_t live_reached_ns(const struct live *live)
{
    return live->read_empty ? clock_ns(CLOCK_REALTIME) : live->packet_ns;
}

int64_t live_latency_ns(unsigned block_timeout_ms)
{
    return ((int64_t)TICKS_OF_A_BLOCK * block_timeout_ms + TICK_MARGIN_MS) * NS_PER_MS;
}

/* Delivers what comes until nothing can come any more. */
static int deliver_rest(struct live *live)
{
    int64_t end = clock_ns(CLOCK_MONOTONIC) + live->block_ns;
    int64_t left = live->block_ns;
    while (left > 0) {
        struct pollfd readable = {.fd = pcap_fileno(live->ring), .events = POLLIN};
        (void)poll(&readable, 1, (int)(left / NS_PER_MS) + 1);
        int status = live_dispatch(live);
        if (status < 0) {
            return status;
        }
        left = end - clock_ns(CLOCK_MONOTONIC);
    }
    int got;
    do {
        got = read_ring(live);
    } while (got == BATCH);
    return got < 0 ? got : 0;
}

int live_drain(struct live *live)
{
    int status = kernel_filter_close(pcap_fileno(live->ring));
    if (status < 0) {
        return status;
    }
    live->closing = true;
    status = deliver_rest(live);
    interfaces_expire(live->interfaces, INT64_MAX, true);
    follow_table(live);
    count(live);
    return status;
}

int64_t live_interface_since(struct live *live, uint32_t index)
{
    const struct interface *interface = interface_table_find(live->table, index);
    return interface == NULL ? 0 : interface->since_ns;
}

struct live_counters live_counters(const struct live *live)
{
    return (struct live_counters){
        .packets = atomic_load_explicit(&live->packets, memory_order_relaxed),
        .dropped = atomic_load_explicit(&live->dropped, memory_order_relaxed)};
}

unsigned live_interface_count(const struct live *live)
{
    return atomic_load_explicit(&live->counting, memory_order_relaxed);
}

int live_ring_fd(const struct live *live)
{
    return pcap_fileno(live->ring);
}

int live_control_fd(const struct live *live)
{
    return live->control;
}

static bool open_control(struct live *live)
{
    live->control = epoll_create1(EPOLL_CLOEXEC);
    live->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN};
    return live->control >= 0 && live->timer >= 0 &&
           epoll_ctl(live->control, EPOLL_CTL_ADD, live->timer, &event) == 0 &&
           epoll_ctl(live->control, EPOLL_CTL_ADD, interfaces_fd(live->interfaces), &event) == 0;
}

/* From the return on, every packet that counts is delivered, and no packet from before. */
static int begin(struct live *live, int fanout_group)
{
    int status = fanout_group < 0 ? 0 : cooked_ring_join(live->ring, (unsigned)fanout_group);
    if (status == 0) {
        status = attach_filter(live);
    }
    live->table->exclusions_changed = false;
    live->let_in_ns = clock_ns(CLOCK_REALTIME) + START_GUARD_NS;
    const struct timespec guard = {.tv_nsec = START_GUARD_NS};
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &guard, NULL);
    (void)pcap_stats(live->ring, &live->last);
    live->opened_ns = clock_ns(CLOCK_MONOTONIC);
    live->now_ns = live->opened_ns;
    follow_table(live);
    arm(live);
    return status;
}

static bool open_parts(struct live *live, const struct live_options *options, char *error_out)
{
    live->interfaces = interfaces_open(options, live->block_ns, &live->callbacks, error_out);
    if (live->interfaces == NULL) {
        return false;
    }
    live->table = interfaces_table(live->interfaces);
    live->filter =
        kernel_filter_new(options->filter, COOKED_RING_SNAP_LENGTH, error_out, LIVE_ERROR_SIZE);
    if (live->filter == NULL) {
        return false;
    }
    live->ring = cooked_ring_open(options->ring_bytes, options->block_timeout_ms, error_out,
                                  LIVE_ERROR_SIZE);
    if (live->ring == NULL) {
        return false;
    }
    int status = open_control(live) ? begin(live, options->fanout_group) : -errno;
    if (status < 0) {
        snprintf(error_out, LIVE_ERROR_SIZE, "cannot set up the capture: %s",
                 strerrordesc_np(-status));
    }
    return status == 0;
}

struct live *live_open(const struct live_options *options, const struct live_callbacks *callbacks,
                       char error_out[static LIVE_ERROR_SIZE])
{
    struct live *live = calloc(1, sizeof(*live));
    if (live == NULL) {
        snprintf(error_out, LIVE_ERROR_SIZE, "out of memory");
        return NULL;
    }
    live->callbacks = *callbacks;
    live->control = -1;
    live->timer = -1;
    live->block_ns = live_latency_ns(options->block_timeout_ms);
    if (!open_parts(live, options, error_out)) {
        live_close(live);
        return NULL;
    }
    return live;
}

void live_close(struct live *live)
{
    if (live == NULL) {
        return;
    }
    if (live->ring != NULL) {
        pcap_close(live->ring);
    }
    if (live->timer >= 0) {
        close(live->timer);
    }
    if (live->control >= 0) {
        close(live->control);
    }
    kernel_filter_free(live->filter);
    interfaces_close(live->interfaces);
    free(live);
}
