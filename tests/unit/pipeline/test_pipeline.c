#include "agent/pipeline.h"

#include "agent/decode/segment.h"
#include "exporters/prometheus/prometheus_text.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

/* Exchanges that the worker of the threaded test sees while others read. */
#define THREADED_EXCHANGES 20000
#define PACKET_MAX 512
#define IP_TCP_HEADERS 40
#define MILLISECOND INT64_C(1000000)

/* One connection of a client that sends raw IPv4 packets into a pipeline. */
struct wire {
    struct pipeline *pipeline;
    uint32_t sequence[2]; /* of the client, of the server */
    int64_t now_ns;
    uint16_t client_port;
};

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value);
}

/* Sends one packet; `from` is 0 for the client. */
static void send_packet(struct wire *wire, unsigned from, uint8_t flags, const char *payload)
{
    uint8_t packet[PACKET_MAX] = {0x45};
    size_t length = strlen(payload);
    put16(packet + 2, (uint32_t)(IP_TCP_HEADERS + length));
    packet[9] = 6;
    memcpy(packet + 12, from == 0 ? "\x0a\x00\x00\x01" : "\x0a\x00\x00\x02", 4);
    memcpy(packet + 16, from == 0 ? "\x0a\x00\x00\x02" : "\x0a\x00\x00\x01", 4);
    put16(packet + 20, from == 0 ? wire->client_port : 80);
    put16(packet + 22, from == 0 ? 80 : wire->client_port);
    put32(packet + 24, wire->sequence[from]);
    put32(packet + 28, wire->sequence[1 - from]);
    packet[32] = 0x50;
    packet[33] = flags;
    memcpy(packet + IP_TCP_HEADERS, payload, length);
    struct frame frame = {.bytes = packet,
                          .captured_length = (uint32_t)(IP_TCP_HEADERS + length),
                          .wire_length = (uint32_t)(IP_TCP_HEADERS + length),
                          .time_ns = wire->now_ns,
                          .interface = 7,
                          .link = FRAME_LINK_RAW,
                          .direction = from == 0 ? FRAME_TO_POD : FRAME_FROM_POD};
    wire->sequence[from] += (uint32_t)length + ((flags & (TCP_SYN | TCP_FIN)) != 0 ? 1 : 0);
    wire->now_ns += MILLISECOND;
    pipeline_frame(wire->pipeline, &frame);
}

static void open_connection(struct wire *wire)
{
    send_packet(wire, 0, TCP_SYN, "");
    send_packet(wire, 1, TCP_SYN | TCP_ACK, "");
    send_packet(wire, 0, TCP_ACK, "");
}

static void exchange_once(struct wire *wire)
{
    send_packet(wire, 0, TCP_ACK | TCP_PSH, "GET /users/42 HTTP/1.1\r\nHost: shop\r\n\r\n");
    send_packet(wire, 1, TCP_ACK | TCP_PSH, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

static void close_connection(struct wire *wire)
{
    send_packet(wire, 0, TCP_ACK | TCP_FIN, "");
    send_packet(wire, 1, TCP_ACK | TCP_FIN, "");
    send_packet(wire, 0, TCP_ACK, "");
}

/* The exposition as a string; the caller frees it with byte_writer_fini. */
static struct byte_writer exposition(struct pipeline *const *pipelines, size_t count)
{
    struct byte_writer out;
    byte_writer_init(&out);
    struct prometheus_text text;
    prometheus_text_init(&text, &out);
    struct metric_sink sink = prometheus_text_sink(&text);
    assert_int_equal(pipeline_write_metrics(pipelines, count, &sink), 0);
    assert_int_equal(prometheus_text_fini(&text), 0);
    byte_writer_byte(&out, '\0');
    assert_false(out.failed);
    return out;
}

struct scene {
    struct config *config;
    struct directory *directory;
    struct pipeline_options options;
};

static struct scene scene_make(void)
{
    struct scene scene = {.config = config_new(), .directory = directory_new(NULL, 0)};
    assert_non_null(scene.config);
    assert_non_null(scene.directory);
    scene.options = (struct pipeline_options){
        .config = scene.config, .directory = scene.directory, .memory_bytes = 16 << 20};
    return scene;
}

static void scene_free(struct scene *scene)
{
    directory_free(scene->directory);
    config_free(scene->config);
}

static void frames_become_metrics(void **state)
{
    (void)state;
    struct scene scene = scene_make();
    struct pipeline *pipeline = pipeline_new(&scene.options);
    assert_non_null(pipeline);
    struct wire wire = {.pipeline = pipeline, .client_port = 40000, .now_ns = 1};
    open_connection(&wire);
    exchange_once(&wire);
    exchange_once(&wire);
    close_connection(&wire);
    pipeline_tick(pipeline, wire.now_ns);
    struct pipeline_counters counters = pipeline_counters(pipeline);
    assert_int_equal(counters.frames, 10);
    assert_int_equal(counters.segments, 10);
    assert_int_equal(counters.exchanges, 2);
    struct byte_writer text = exposition(&pipeline, 1);
    assert_non_null(strstr(text.data,
                           "http_server_request_duration_seconds_count{"
                           "service_name=\"10.0.0.2:80\",http_request_method=\"GET\","
                           "http_route=\"/users/{id}\",http_response_status_code=\"200\","
                           "url_scheme=\"http\"} 2\n"));
    assert_non_null(strstr(text.data, "vethscope_memory_bytes 16777216\n"));
    byte_writer_fini(&text);
    pipeline_free(pipeline);
    scene_free(&scene);
}

static void two_workers_add_up(void **state)
{
    (void)state;
    struct scene scene = scene_make();
    struct pipeline *pipelines[2] = {pipeline_new(&scene.options), pipeline_new(&scene.options)};
    for (unsigned i = 0; i < 2; i++) {
        assert_non_null(pipelines[i]);
        struct wire wire = {
            .pipeline = pipelines[i], .client_port = (uint16_t)(40000 + i), .now_ns = 1};
        open_connection(&wire);
        exchange_once(&wire);
        pipeline_tick(pipelines[i], wire.now_ns);
    }
    struct byte_writer text = exposition(pipelines, 2);
    assert_non_null(strstr(text.data, "url_scheme=\"http\"} 2\n"));
    assert_non_null(strstr(text.data, "vethscope_flows 2\n"));
    byte_writer_fini(&text);
    pipeline_free(pipelines[0]);
    pipeline_free(pipelines[1]);
    scene_free(&scene);
}

static void gone_interface_and_finish_close_everything(void **state)
{
    (void)state;
    struct scene scene = scene_make();
    struct pipeline *pipeline = pipeline_new(&scene.options);
    assert_non_null(pipeline);
    struct wire wire = {.pipeline = pipeline, .client_port = 40000, .now_ns = 1};
    open_connection(&wire);
    send_packet(&wire, 0, TCP_ACK, "GET / HTTP/1.1\r\n\r\n");
    pipeline_interface_gone(pipeline, 8);
    pipeline_tick(pipeline, wire.now_ns);
    assert_int_equal(pipeline_counters(pipeline).flows, 1);
    pipeline_interface_gone(pipeline, 7);
    pipeline_tick(pipeline, wire.now_ns);
    assert_int_equal(pipeline_counters(pipeline).flows, 0);
    struct byte_writer text = exposition(&pipeline, 1);
    assert_non_null(strstr(text.data, "reason=\"interface_gone\"} 1\n"));
    byte_writer_fini(&text);
    struct wire second = {.pipeline = pipeline, .client_port = 40001, .now_ns = 1};
    open_connection(&second);
    pipeline_finish(pipeline);
    assert_int_equal(pipeline_counters(pipeline).flows, 0);
    pipeline_free(pipeline);
    scene_free(&scene);
}

static atomic_bool worker_done;

static void *work(void *context)
{
    struct wire *wire = context;
    open_connection(wire);
    for (unsigned i = 0; i < THREADED_EXCHANGES; i++) {
        exchange_once(wire);
        if (i % 64 == 0) {
            pipeline_tick(wire->pipeline, wire->now_ns);
        }
    }
    close_connection(wire);
    pipeline_finish(wire->pipeline);
    atomic_store(&worker_done, true);
    return NULL;
}

/* A scrape while the worker works sees some moment of it, and the end exactly. */
static void scrapes_do_not_stop_the_worker(void **state)
{
    (void)state;
    struct scene scene = scene_make();
    struct pipeline *pipeline = pipeline_new(&scene.options);
    assert_non_null(pipeline);
    struct wire wire = {.pipeline = pipeline, .client_port = 40000, .now_ns = 1};
    pthread_t thread;
    atomic_store(&worker_done, false);
    assert_int_equal(pthread_create(&thread, NULL, work, &wire), 0);
    uint64_t seen = 0;
    while (!atomic_load(&worker_done)) {
        struct byte_writer text = exposition(&pipeline, 1);
        byte_writer_fini(&text);
        uint64_t exchanges = pipeline_counters(pipeline).exchanges;
        assert_true(exchanges >= seen);
        seen = exchanges;
    }
    pthread_join(thread, NULL);
    assert_int_equal(pipeline_counters(pipeline).exchanges, THREADED_EXCHANGES);
    struct byte_writer text = exposition(&pipeline, 1);
    assert_non_null(strstr(text.data, "url_scheme=\"http\"} 20000\n"));
    byte_writer_fini(&text);
    pipeline_free(pipeline);
    scene_free(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_become_metrics),
        cmocka_unit_test(two_workers_add_up),
        cmocka_unit_test(gone_interface_and_finish_close_everything),
        cmocka_unit_test(scrapes_do_not_stop_the_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
