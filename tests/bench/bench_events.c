/*
 * What an exchange costs as an event, step by step: in the worker's hands, encoded, and all the way
 * into a file, to an HTTP receiver, into Kafka.
 *   bench_events                           every step that needs nobody else
 *   bench_events STEP [EVENTS [RECEIVER]]  one of them: a URL for http, brokers for kafka. With so
 *                                          few events that all have room, nothing is waited for:
 *                                          so instructions are counted.
 */
#include "agent/commands/event.h"
#include "exporters/delivery/packed_record.h"
#include "exporters/events/event_protobuf.h"
#include "exporters/events/events_exporter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 4000000
#define DELIVERED_EVENTS 3000000
#define RING_BYTES ((size_t)64 << 20)
#define WORKER_RING_BYTES ((size_t)4 << 20)
/* The delivery thread has looked into the ring by then. */
#define TICK_US 120000
#define QUEUE_BYTES ((uint64_t)256 << 20)
#define HTTP_BATCH_BYTES ((uint64_t)1 << 20)

struct measure {
    int64_t started_ns;
    int64_t started_cpu_ns; /* of the process */
};

static int64_t now_ns(void)
{
    return sender_now_ns();
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static struct measure begin(void)
{
    return (struct measure){.started_ns = now_ns(),
                            .started_cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID)};
}

static void end(const struct measure *measure, const char *what, unsigned events)
{
    int64_t cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - measure->started_cpu_ns;
    double cpu = (double)cpu_ns / (double)events;
    double ns = (double)(now_ns() - measure->started_ns) / (double)events;
    printf("%-28s %7.0f ns of CPU (%5.2f million/s a core), %7.0f ns passed (%5.2f million/s)\n",
           what, cpu, 1e3 / cpu, ns, 1e3 / ns);
}

/* As a service between others sees them: names known, tracing on. */
static struct exchange_record usual_record(unsigned number)
{
    static char targets[16][64];
    char *target = targets[number % 16];
    if (target[0] == '\0') {
        snprintf(target, sizeof(targets[0]), "/api/v1/users/%u/orders?limit=20&page=%u",
                 48210 + number, number);
    }
    return (struct exchange_record){.time_ns = 1769860800000000000 + number,
                                    .side = text_of("server"),
                                    .client = text_of("10.244.3.17:40312"),
                                    .server = text_of("10.244.1.9:8080"),
                                    .client_namespace = text_of("shop"),
                                    .client_service = text_of("checkout"),
                                    .client_kind = text_of("Deployment"),
                                    .client_pod = text_of("checkout-6d4b75cb6d-hx9kt"),
                                    .client_node = text_of("node-3"),
                                    .server_namespace = text_of("shop"),
                                    .server_service = text_of("orders"),
                                    .server_kind = text_of("Deployment"),
                                    .server_pod = text_of("orders-7f9c6b8f5-2lq8z"),
                                    .server_node = text_of("node-1"),
                                    .called_namespace = text_of("shop"),
                                    .called_service = text_of("orders"),
                                    .method = text_of("GET"),
                                    .target = text_of(target),
                                    .route = text_of("/api/v1/users/{id}/orders"),
                                    .host = text_of("orders.shop.svc.cluster.local"),
                                    .user_agent = text_of("Go-http-client/1.1"),
                                    .trace_id = text_of("0af7651916cd43dd8448eb211c80319c"),
                                    .parent_span_id = 0xb7ad6b7169203331U,
                                    .sampling = RECORD_SAMPLED,
                                    .version = text_of("1.1"),
                                    .outcome = text_of("complete"),
                                    .status = 200,
                                    .request_body_bytes = 0,
                                    .response_body_bytes = 2312 + number % 1000,
                                    .request_ns = 1200 + number % 100,
                                    .server_ns = 812345 + number % 10000,
                                    .response_ns = 12000 + number % 1000,
                                    .duration_ns = 825545 + number % 10000,
                                    .connect_ns = RECORD_UNKNOWN};
}

static void bench_encode(unsigned events, const char *receiver)
{
    (void)receiver;
    struct event_protobuf encoder;
    struct byte_writer out;
    struct exchange_record records[16];
    uint64_t bytes = 0;
    event_protobuf_init(&encoder);
    byte_writer_init(&out);
    for (unsigned i = 0; i < 16; i++) {
        records[i] = usual_record(i);
    }
    struct measure measure = begin();
    for (unsigned i = 0; i < events; i++) {
        if (out.length > 65536) {
            bytes += out.length;
            byte_writer_reset(&out);
        }
        event_protobuf_append(&encoder, &records[i % 16], &out);
    }
    bytes += out.length;
    end(&measure, "encoded, one core", events);
    printf("%-28s %7.0f bytes\n", "one event", (double)bytes / (double)events);
    byte_writer_fini(&out);
    event_protobuf_fini(&encoder);
}

/* ---- the worker's part ---- */

static struct slice slice_from(struct text text)
{
    return (struct slice){text.data, text.length};
}

/* Addresses as text, and who is behind them. */
static void bench_record(unsigned events, const char *receiver)
{
    (void)receiver;
    const uint8_t addresses[2][4] = {{10, 244, 3, 17}, {10, 244, 1, 9}};
    struct connection connection = {.client = {address_from_ipv4(addresses[0]), 40312},
                                    .server = {address_from_ipv4(addresses[1]), 8080}};
    struct directory_entry entries[2] = {{connection.client.address, 128, 0, "shop", "checkout"},
                                         {connection.server.address, 128, 0, "shop", "orders"}};
    struct directory *directory = directory_new(entries, 2);
    struct exchange_record usual = usual_record(0);
    struct exchange exchange = {.start_ns = 1,
                                .request_end_ns = 2,
                                .response_start_ns = 3,
                                .response_end_ns = 4,
                                .method = slice_from(usual.method),
                                .target = slice_from(usual.target),
                                .minor_version = 1,
                                .status = 200};
    uint64_t sum = 0;
    struct measure measure = begin();
    for (unsigned i = 0; i < events; i++) {
        struct event_texts texts;
        connection.client.port = (uint16_t)i;
        struct aggregate_ends ends = event_ends(directory, &connection);
        struct exchange_record record = event_record(&connection, &exchange, &ends, &texts);
        sum += record.client.length + record.server_service.length;
    }
    end(&measure, sum > 0 ? "made a record, with names" : "", events);
    directory_free(directory);
}

static void take_nothing(void *context, const struct exchange_record *record)
{
    uint64_t *sum = context;
    *sum += record->target.length;
}

static void tick_nothing(void *context)
{
    (void)context;
}

static void lose_nothing(void *context, enum exporter_loss loss, uint64_t records)
{
    (void)context;
    (void)loss;
    (void)records;
}

static unsigned half_of(size_t ring_bytes)
{
    struct exchange_record record = usual_record(0);
    return (unsigned)(ring_bytes / 2 / packed_record_size(&record));
}

/* A ring of the default size, half filled again and again; emptying it is another thread's. So few
 * that a large one has room go there at once, and nobody empties it. */
static void bench_ring(unsigned events, const char *receiver)
{
    (void)receiver;
    bool few = events <= half_of(RING_BYTES);
    unsigned portion = few ? events : half_of(WORKER_RING_BYTES);
    unsigned rounds = events / portion;
    uint64_t sum = 0;
    struct exchange_record record = usual_record(0);
    struct delivery_outlet outlet = {
        .context = &sum, .lose = lose_nothing, .take = take_nothing, .tick = tick_nothing};
    struct delivery_options options = {.outlets = &outlet,
                                       .outlet_count = 1,
                                       .inlet_count = 1,
                                       .ring_bytes = few ? RING_BYTES : WORKER_RING_BYTES};
    int64_t spent_ns = 0;
    struct delivery *delivery = delivery_new(&options);
    if (!few) {
        delivery_start(delivery);
    }
    for (unsigned round = 0; round < rounds; round++) {
        int64_t started_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        for (unsigned i = 0; i < portion; i++) {
            delivery_offer(delivery_inlet(delivery, 0), &record);
        }
        /* Not its first pages. */
        spent_ns += round > 0 ? clock_ns(CLOCK_THREAD_CPUTIME_ID) - started_ns : 0;
        usleep(few ? 0 : TICK_US);
    }
    if (!few) {
        printf("%-28s %7.0f ns of CPU\n", "put into the worker's ring",
               (double)spent_ns / ((double)portion * (rounds - 1)));
    }
    delivery_free(delivery);
}

/* ---- all the way ---- */

/* Offers as fast as the ring takes; a full ring is waited for here, where nothing else is to do. */
static void offer_all(struct delivery *delivery, const struct exporter_health *health,
                      unsigned events)
{
    struct exchange_record records[16];
    for (unsigned i = 0; i < 16; i++) {
        records[i] = usual_record(i);
    }
    for (unsigned i = 0; i < events; i++) {
        uint64_t queued = exporter_health_get(&health->queue_bytes);
        while ((i % 1024 == 0 && i - exporter_health_get(&health->accepted) > 40000) ||
               queued > QUEUE_BYTES / 2) {
            usleep(100);
            queued = exporter_health_get(&health->queue_bytes);
        }
        delivery_offer(delivery_inlet(delivery, 0), &records[i % 16]);
    }
}

static void bench_delivery(const struct events_options *options, const char *what, unsigned events)
{
    char error[EVENTS_ERROR_SIZE];
    struct events_exporter *exporter = events_exporter_new(options, error);
    if (exporter == NULL) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    struct delivery_outlet outlet = events_exporter_outlet(exporter);
    struct delivery_options delivery_options = {
        .outlets = &outlet, .outlet_count = 1, .inlet_count = 1, .ring_bytes = RING_BYTES};
    struct delivery *delivery = delivery_new(&delivery_options);
    const struct exporter_health *health = NULL;
    events_exporter_healths(exporter, &health);
    struct measure measure = begin();
    events_exporter_start(exporter);
    delivery_start(delivery);
    offer_all(delivery, health, events);
    delivery_stop(delivery);
    events_exporter_order_stop(exporter, now_ns() + INT64_C(60000000000));
    events_exporter_stop(exporter);
    end(&measure, what, events);
    uint64_t sent = exporter_health_get(&health->sent);
    if (sent != events) {
        fprintf(stderr, "%s: only %lu of %u arrived\n", what, (unsigned long)sent, events);
        exit(1);
    }
    delivery_free(delivery);
    events_exporter_free(exporter);
}

static void write_file(enum compression compression, const char *what, unsigned events)
{
    char path[] = "/tmp/vethscope-bench-XXXXXX";
    int fd = mkstemp(path);
    struct events_options options = {.file_path = path,
                                     .file = {.max_bytes = (uint64_t)1 << 40,
                                              .max_age_s = 86400,
                                              .keep = 1,
                                              .compression = compression},
                                     .file_flush_ms = 100,
                                     .queue_bytes = QUEUE_BYTES,
                                     .retry_max_ms = 1000};
    close(fd);
    bench_delivery(&options, what, events);
    unlink(path);
}

static void bench_file(unsigned events, const char *receiver)
{
    (void)receiver;
    write_file(COMPRESSION_NONE, "into a file", events);
}

static void bench_file_zstd(unsigned events, const char *receiver)
{
    (void)receiver;
    write_file(COMPRESSION_ZSTD, "into a file, zstd", events);
}

static void bench_http(unsigned events, const char *receiver)
{
    struct events_options options = {.http_url = receiver,
                                     .http = {.compression = COMPRESSION_ZSTD, .timeout_ms = 60000},
                                     .http_batch_bytes = HTTP_BATCH_BYTES,
                                     .http_batch_ms = 1000,
                                     .queue_bytes = QUEUE_BYTES,
                                     .retry_max_ms = 1000};
    bench_delivery(&options, "to an HTTP receiver, zstd", events);
}

static void bench_kafka(unsigned events, const char *receiver)
{
    struct events_options options = {
        .kafka = {.brokers = receiver, .topic = "bench", .compression = "zstd"},
        .queue_bytes = QUEUE_BYTES,
        .retry_max_ms = 1000};
    bench_delivery(&options, "into Kafka, zstd", events);
}

static const struct step {
    const char *name;
    void (*run)(unsigned events, const char *receiver);
    unsigned events; /* usually */
    bool receiver;   /* it needs one */
} steps[] = {
    {"record", bench_record, EVENTS, false},
    {"ring", bench_ring, EVENTS / 40, false},
    {"encode", bench_encode, EVENTS, false},
    {"file", bench_file, DELIVERED_EVENTS, false},
    {"file-zstd", bench_file_zstd, DELIVERED_EVENTS, false},
    {"http", bench_http, DELIVERED_EVENTS, true},
    {"kafka", bench_kafka, DELIVERED_EVENTS, true},
};

int main(int argc, char **argv)
{
    const char *receiver = argc > 3 ? argv[3] : NULL;
    bool ran = false;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        const struct step *step = &steps[i];
        bool named = argc > 1 && strcmp(argv[1], step->name) == 0;
        if ((argc == 1 && !step->receiver) || (named && step->receiver == (receiver != NULL))) {
            long events = argc > 2 ? atol(argv[2]) : 0;
            step->run(events > 0 ? (unsigned)events : step->events, receiver);
            ran = true;
        }
    }
    if (!ran) {
        fprintf(stderr, "usage: bench_events [STEP [EVENTS [URL|BROKERS]]]\n");
    }
    return ran ? EXIT_SUCCESS : EXIT_FAILURE;
}
