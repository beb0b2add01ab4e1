/*
 * A conversation that the fuzzer makes up. The first two bytes choose the bounds; then come steps:
 * segments of two connections on two interfaces, mostly near what was sent before, with any flags,
 * overlaps, cuts and acknowledgments; time, which may jump; interfaces that go. The watch checks
 * every promise of agent/tcp/tcp.h, and at the end every flow must have been closed.
 */
#include "agent/tcp/tcp.h"
#include "tests/support/tcp_watch.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEP_NS INT64_C(1000000)

struct input {
    const uint8_t *at;
    size_t left;
};

/* What was last sent in a direction, so that the next segment can lie near it. */
struct direction {
    uint32_t sequence;
};

struct run {
    struct tcp *tcp;
    struct tcp_watch watch;
    struct direction directions[4][2];
    int64_t now_ns;
    uint8_t unread_one_in;
    uint8_t calls;
};

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static uint8_t take(struct input *input)
{
    if (input->left == 0) {
        return 0;
    }
    input->left--;
    return *input->at++;
}

static uint32_t take32(struct input *input)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < 4; i++) {
        value = value << 8 | take(input);
    }
    return value;
}

/* Now and then the next stage loses its interest. */
static void on_data(void *context, struct flow *flow, unsigned side, const struct stream_data *data)
{
    struct run *run = context;
    (void)side;
    (void)data;
    if (run->unread_one_in != 0 && ++run->calls % run->unread_one_in == 0) {
        tcp_flow_unread(run->tcp, flow);
    }
}

static void on_gap(void *context, struct flow *flow, unsigned side, uint64_t length,
                   int64_t time_ns)
{
    (void)length;
    (void)time_ns;
    on_data(context, flow, side, NULL);
}

/* A distance from what was last sent: none, a little to either side, or anything. */
static uint32_t take_distance(struct input *input)
{
    uint8_t choice = take(input);
    if (choice < 128) {
        return 0;
    }
    if (choice < 250) {
        return (uint32_t)take(input) - 128;
    }
    return take32(input);
}

static uint32_t take_length(struct input *input)
{
    uint8_t choice = take(input);
    if (choice < 64) {
        return 0;
    }
    return choice < 250 ? choice - 63u : (uint32_t)take(input) * 256;
}

static struct endpoint endpoint_of(unsigned connection, unsigned side)
{
    const uint8_t address[4] = {10, 0, 0, (uint8_t)(1 + side)};
    uint16_t port = side == 0 ? (uint16_t)(40000 + connection % 2) : 80;
    return (struct endpoint){address_from_ipv4(address), port};
}

static void send_segment(struct run *run, struct input *input)
{
    static const uint8_t usual[8] = {TCP_ACK,           TCP_ACK, TCP_ACK,
                                     TCP_ACK | TCP_PSH, TCP_SYN, TCP_SYN | TCP_ACK,
                                     TCP_FIN | TCP_ACK, TCP_RST};
    uint8_t choice = take(input);
    unsigned connection = choice >> 1 & 3;
    unsigned side = choice & 1;
    struct direction *own = &run->directions[connection][side];
    const struct direction *peer = &run->directions[connection][1 - side];
    uint8_t flags = (choice & 8) != 0 ? take(input) : usual[choice >> 5];
    uint32_t length = take_length(input);
    uint32_t captured = (choice & 16) != 0 && length > 0 ? take(input) % (length + 1) : length;
    uint8_t *payload = malloc(captured + (captured == 0));
    require(payload != NULL);
    memset(payload, 'a' + (flags & 3), captured);
    struct segment segment = {.time_ns = run->now_ns,
                              .source = endpoint_of(connection, side),
                              .destination = endpoint_of(connection, 1 - side),
                              .interface = connection / 2,
                              .sequence = own->sequence + take_distance(input),
                              .acknowledgment = peer->sequence + take_distance(input),
                              .payload_length = length,
                              .payload_captured = captured,
                              .payload = payload,
                              .flags = flags};
    own->sequence = segment.sequence + length + ((flags & (TCP_SYN | TCP_FIN)) != 0);
    tcp_segment(run->tcp, &segment);
    free(payload);
}

static void step(struct run *run, struct input *input)
{
    uint8_t choice = take(input);
    run->now_ns += STEP_NS;
    if (choice < 240) {
        send_segment(run, input);
    } else if (choice < 248) {
        run->now_ns += (int64_t)take(input) * 100 * STEP_NS;
        tcp_tick(run->tcp, run->now_ns);
    } else if (choice < 252) {
        run->now_ns = (int64_t)take32(input) << 30;
        tcp_tick(run->tcp, run->now_ns);
    } else if (choice < 254) {
        tcp_interface_gone(run->tcp, choice & 1);
    } else {
        tcp_finish(run->tcp);
    }
}

static uint64_t closed_flows(const struct tcp_watch *watch)
{
    uint64_t closed = 0;
    for (unsigned end = 0; end <= FLOW_END_INTERFACE; end++) {
        closed += watch->closed[end];
    }
    return closed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    static const uint32_t patiences[4] = {1, 5, 16, 100};
    uint8_t bounds = take(&input);
    struct run run = {.now_ns = STEP_NS, .unread_one_in = take(&input) / 8};
    run.watch.next = (struct tcp_handler){.context = &run, .data = on_data, .gap = on_gap};
    struct tcp_options options = {.max_flows = 1 + (bounds >> 4),
                                  .max_held_bytes = 0,
                                  .user_size = sizeof(struct tcp_watched),
                                  .idle_ns = 2000 * STEP_NS,
                                  .reorder_packets = patiences[bounds & 3],
                                  .reorder_ns = (bounds & 4) != 0 ? 50 * STEP_NS : 0};
    struct tcp_handler handler = tcp_watch_handler(&run.watch);
    run.tcp = tcp_new(&options, &handler);
    require(run.tcp != NULL);
    while (input.left > 0) {
        step(&run, &input);
    }
    tcp_finish(run.tcp);
    struct tcp_counters counters = tcp_counters(run.tcp);
    require(counters.flows == 0);
    require(counters.evicted == run.watch.closed[FLOW_END_EVICTED]);
    require(closed_flows(&run.watch) <= size);
    tcp_free(run.tcp);
    return 0;
}
