#include "exporters/prometheus/prometheus_server.h"

#include "exporters/metric_emit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define ANSWER_SIZE 65536
/* How many expositions the server has under way at most. */
#define SCRAPES 4
/* With it an exposition is larger than what two sockets can buffer. */
#define LARGE_REPEATED 250000

/* What the callbacks do; `gate` lets a test hold a scrape. */
struct agent {
    const char *not_ready;
    const char *not_healthy;
    int render_result;
    unsigned repeated; /* how often the family is written */
    bool held;
    pthread_barrier_t entered;
    pthread_barrier_t released;
};

static int render(void *context, const struct metric_sink *sink)
{
    struct agent *agent = context;
    if (agent->held) {
        pthread_barrier_wait(&agent->entered);
        pthread_barrier_wait(&agent->released);
    }
    for (unsigned i = 0; i <= agent->repeated; i++) {
        metric_emit_counter(sink, "things_total", "Things.", 42);
    }
    return agent->render_result;
}

static const char *not_ready(void *context)
{
    return ((struct agent *)context)->not_ready;
}

static const char *not_healthy(void *context)
{
    return ((struct agent *)context)->not_healthy;
}

static const struct listen_address loopback = {.bytes = {[10] = 0xff, 0xff, 127, 0, 0, 1}};
static const struct listen_address everywhere = {.port = 0};

static int start(struct agent *agent, struct listen_address address,
                 struct prometheus_server **server, char *error)
{
    const struct prometheus_server_options options = {.address = address,
                                                      .listen = "there",
                                                      .native = true,
                                                      .context = agent,
                                                      .render = render,
                                                      .not_ready = not_ready,
                                                      .not_healthy = not_healthy};
    return prometheus_server_start(&options, server, error);
}

static struct prometheus_server *start_or_fail(struct agent *agent, struct listen_address address)
{
    struct prometheus_server *server = NULL;
    char error[PROMETHEUS_SERVER_ERROR_SIZE] = "";
    assert_int_equal(start(agent, address, &server, error), 0);
    assert_string_equal(error, "");
    assert_int_not_equal(prometheus_server_port(server), 0);
    return server;
}

static int connect_to(const struct prometheus_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(prometheus_server_port(server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(descriptor >= 0);
    assert_int_equal(
        connect(descriptor, (const struct sockaddr *)(const void *)&address, sizeof(address)), 0);
    return descriptor;
}

static void send_text(int descriptor, const char *text)
{
    assert_int_equal(send(descriptor, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Everything until the server closes. */
static void receive_all(int descriptor, char *answer)
{
    size_t length = 0;
    ssize_t got;
    while ((got = recv(descriptor, answer + length, ANSWER_SIZE - 1 - length, 0)) > 0) {
        length += (size_t)got;
    }
    answer[length] = '\0';
    close(descriptor);
}

/* `fields`: further lines of the head. */
static void ask_with(const struct prometheus_server *server, const char *method, const char *target,
                     const char *fields, char *answer)
{
    char request[512];
    snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: x\r\n%sConnection: close\r\n\r\n",
             method, target, fields);
    int descriptor = connect_to(server);
    send_text(descriptor, request);
    receive_all(descriptor, answer);
}

static void ask(const struct prometheus_server *server, const char *method, const char *target,
                char *answer)
{
    ask_with(server, method, target, "", answer);
}

static const char *body_of(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");
    assert_non_null(end);
    return end + 4;
}

static void expect(const char *answer, const char *first_line, const char *body)
{
    assert_memory_equal(answer, first_line, strlen(first_line));
    assert_string_equal(body_of(answer), body);
}

/* An exposition of the callback's family, with those of the server itself behind it. */
static void expect_exposition(const char *answer)
{
    static const char first[] = "# HELP things_total Things.\n# TYPE things_total counter\n"
                                "things_total 42\n# HELP vethscope_scrapes_total ";
    assert_memory_equal(answer, "HTTP/1.1 200 ", 13);
    assert_memory_equal(body_of(answer), first, sizeof(first) - 1);
}

static void test_paths(void **state)
{
    (void)state;
    struct agent agent = {0};
    struct prometheus_server *server = start_or_fail(&agent, loopback);
    char answer[ANSWER_SIZE];
    ask(server, "GET", "/metrics", answer);
    expect_exposition(answer);
    assert_non_null(strstr(answer, "text/plain; version=0.0.4; charset=utf-8"));
    ask(server, "GET", "/metrics?name[]=x", answer);
    expect_exposition(answer);
    ask(server, "HEAD", "/metrics", answer);
    expect(answer, "HTTP/1.1 200 ", "");
    ask(server, "GET", "/healthz", answer);
    expect(answer, "HTTP/1.1 200 ", "healthy\n");
    ask(server, "GET", "/readyz", answer);
    expect(answer, "HTTP/1.1 200 ", "ready\n");
    ask(server, "GET", "/metricsx", answer);
    assert_memory_equal(answer, "HTTP/1.1 404 ", 13);
    ask(server, "DELETE", "/metrics", answer);
    assert_memory_equal(answer, "HTTP/1.1 405 ", 13);
    assert_non_null(strstr(answer, "Allow: GET, HEAD\r\n"));
    prometheus_server_stop(server);
}

static void test_formats(void **state)
{
    (void)state;
    struct agent agent = {0};
    struct prometheus_server *server = start_or_fail(&agent, loopback);
    char answer[ANSWER_SIZE];
    ask_with(server, "GET", "/metrics", "Accept: application/openmetrics-text\r\n", answer);
    assert_non_null(strstr(answer, "Content-Type: application/openmetrics-text; version=1.0.0; "
                                   "charset=utf-8\r\n"));
    assert_non_null(strstr(answer, "Vary: Accept, Accept-Encoding\r\n"));
    assert_null(strstr(answer, "Content-Encoding"));
    assert_string_equal(answer + strlen(answer) - 6, "# EOF\n");
    ask_with(server, "GET", "/metrics",
             "Accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
             "encoding=delimited\r\n",
             answer);
    assert_non_null(strstr(answer, "Content-Type: application/vnd.google.protobuf; "
                                   "proto=io.prometheus.client.MetricFamily; "
                                   "encoding=delimited\r\n"));
    /* A length, the name (field 1) and the help (2). */
    assert_memory_equal(body_of(answer), "\x24\x0a\x0cthings_total\x12\x07Things.", 24);
    ask_with(server, "HEAD", "/metrics", "Accept: application/openmetrics-text\r\n", answer);
    assert_non_null(strstr(answer, "openmetrics-text"));
    assert_string_equal(body_of(answer), "");
    prometheus_server_stop(server);
}

static void test_gzip(void **state)
{
    (void)state;
    struct agent agent = {.repeated = 10000};
    struct prometheus_server *server = start_or_fail(&agent, loopback);
    static char answer[ANSWER_SIZE];
    ask_with(server, "GET", "/metrics", "Accept-Encoding: gzip\r\n", answer);
    assert_non_null(strstr(answer, "Content-Encoding: gzip\r\n"));
    assert_non_null(strstr(answer, "text/plain; version=0.0.4; charset=utf-8"));
    assert_memory_equal(body_of(answer), "\x1f\x8b\x08", 3);
    ask_with(server, "GET", "/metrics", "Accept-Encoding: gzip;q=0\r\n", answer);
    assert_null(strstr(answer, "Content-Encoding"));
    prometheus_server_stop(server);
}

/* Polls until the server says so of itself; the end of a request comes after its answer. */
static void expect_health(const struct prometheus_server *server, const char *line)
{
    static char answer[ANSWER_SIZE];
    for (unsigned tries = 0; tries < 2000; tries++) {
        ask(server, "GET", "/metrics", answer);
        if (strstr(body_of(answer), line) != NULL) {
            return;
        }
        usleep(1000);
    }
    fail_msg("never %s, last:\n%s", line, answer);
}

static void test_health(void **state)
{
    (void)state;
    struct agent agent = {0};
    struct prometheus_server *server = start_or_fail(&agent, loopback);
    char answer[ANSWER_SIZE];
    ask_with(server, "GET", "/metrics", "Accept: application/openmetrics-text\r\n", answer);
    expect_health(server, "\nvethscope_scrapes_total{format=\"openmetrics\"} 1\n");
    agent.render_result = -ENOMEM;
    ask(server, "GET", "/metrics", answer);
    assert_memory_equal(answer, "HTTP/1.1 500 ", 13);
    agent.render_result = 0;
    expect_health(server, "\nvethscope_scrape_failures_total{reason=\"memory\"} 1\n");
    agent.repeated = LARGE_REPEATED;
    int reader = connect_to(server);
    send_text(reader, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    char first = '\0';
    assert_int_equal(recv(reader, &first, 1, 0), 1);
    agent.repeated = 0;
    close(reader); /* in the middle of the body */
    expect_health(server, "\nvethscope_scrape_failures_total{reason=\"aborted\"} 1\n");
    ask(server, "GET", "/metrics", answer);
    assert_null(strstr(answer, "vethscope_scrapes_total{format=\"text\"} 0\n"));
    assert_null(strstr(answer, "vethscope_scrape_sent_bytes_total{format=\"text\"} 0\n"));
    assert_null(strstr(answer, "vethscope_scrape_busy_seconds_total{format=\"text\"} 0\n"));
    prometheus_server_stop(server);
}

static void test_trouble(void **state)
{
    (void)state;
    struct agent agent = {.not_ready = "the capture is not open yet",
                          .not_healthy = "worker 1 stands still",
                          .render_result = -ENOMEM};
    struct prometheus_server *server = start_or_fail(&agent, loopback);
    char answer[ANSWER_SIZE];
    ask(server, "GET", "/readyz", answer);
    expect(answer, "HTTP/1.1 503 ", "the capture is not open yet\n");
    ask(server, "GET", "/healthz", answer);
    expect(answer, "HTTP/1.1 503 ", "worker 1 stands still\n");
    ask(server, "GET", "/metrics", answer);
    assert_memory_equal(answer, "HTTP/1.1 500 ", 13);
    assert_null(strstr(answer, "things_total"));
    prometheus_server_stop(server);
}

static void test_keep_alive(void **state)
{
    (void)state;
    struct agent agent = {0};
    struct prometheus_server *server = start_or_fail(&agent, loopback);
    int descriptor = connect_to(server);
    send_text(descriptor, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    char answer[ANSWER_SIZE];
    size_t length = 0;
    while (length < 8 || memcmp(answer + length - 8, "healthy\n", 8) != 0) {
        ssize_t got = recv(descriptor, answer + length, sizeof(answer) - length, 0);
        assert_true(got > 0);
        length += (size_t)got;
    }
    send_text(descriptor, "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    receive_all(descriptor, answer);
    expect(answer, "HTTP/1.1 200 ", "ready\n");
    prometheus_server_stop(server);
}

/* A request body is answered without being read to its end. */
static void test_upload(void **state)
{
    (void)state;
    struct agent agent = {0};
    struct prometheus_server *server = start_or_fail(&agent, loopback);
    int descriptor = connect_to(server);
    send_text(descriptor, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc");
    char answer[ANSWER_SIZE];
    receive_all(descriptor, answer);
    assert_memory_equal(answer, "HTTP/1.1 405 ", 13);
    prometheus_server_stop(server);
}

struct scrape {
    struct prometheus_server *server;
    char answer[ANSWER_SIZE];
};

static void *scrape_in_thread(void *context)
{
    struct scrape *scrape = context;
    ask(scrape->server, "GET", "/metrics", scrape->answer);
    return NULL;
}

static void test_slow_scrape_blocks_nobody(void **state)
{
    (void)state;
    static struct scrape scrape;
    struct agent agent = {.held = true};
    pthread_barrier_init(&agent.entered, NULL, 2);
    pthread_barrier_init(&agent.released, NULL, 2);
    struct prometheus_server *server = start_or_fail(&agent, loopback);
    scrape.server = server;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, scrape_in_thread, &scrape), 0);
    pthread_barrier_wait(&agent.entered); /* the scrape is inside the callback and stays there */
    char answer[ANSWER_SIZE];
    ask(server, "GET", "/healthz", answer);
    expect(answer, "HTTP/1.1 200 ", "healthy\n");
    pthread_barrier_wait(&agent.released);
    pthread_join(thread, NULL);
    expect_exposition(scrape.answer);
    prometheus_server_stop(server);
    pthread_barrier_destroy(&agent.entered);
    pthread_barrier_destroy(&agent.released);
}

/* Connections beyond the bound of one address are closed, not served; the others go on. */
static void test_connections_per_address(void **state)
{
    (void)state;
    struct agent agent = {0};
    struct prometheus_server *server = start_or_fail(&agent, loopback);
    int idle[16];
    char byte;
    for (int i = 0; i < 16; i++) {
        idle[i] = connect_to(server);
    }
    int beyond = connect_to(server);
    assert_int_equal(recv(beyond, &byte, 1, 0), 0);
    close(beyond);
    send_text(idle[15], "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    char answer[ANSWER_SIZE];
    receive_all(idle[15], answer);
    expect(answer, "HTTP/1.1 200 ", "healthy\n");
    for (int i = 0; i < 15; i++) {
        close(idle[i]);
    }
    prometheus_server_stop(server);
}

/* Polls until /metrics answers with this first line; the readers' ends take a moment to be seen. */
static void expect_soon(const struct prometheus_server *server, const char *first_line)
{
    char answer[ANSWER_SIZE];
    for (unsigned tries = 0; tries < 2000; tries++) {
        ask(server, "GET", "/metrics", answer);
        if (strncmp(answer, first_line, strlen(first_line)) == 0) {
            return;
        }
        usleep(1000);
    }
    fail_msg("never answered %s", first_line);
}

/* Whoever does not read keeps a whole exposition in memory: only so many at a time. */
static void test_slow_readers_hold_little(void **state)
{
    (void)state;
    struct agent agent = {.repeated = LARGE_REPEATED};
    struct prometheus_server *server = start_or_fail(&agent, loopback);
    int readers[SCRAPES];
    for (unsigned i = 0; i < SCRAPES; i++) {
        readers[i] = connect_to(server);
        send_text(readers[i], "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        char first = '\0';
        assert_int_equal(recv(readers[i], &first, 1, 0), 1);
    }
    expect_soon(server, "HTTP/1.1 503 ");
    char answer[ANSWER_SIZE];
    ask(server, "GET", "/healthz", answer);
    expect(answer, "HTTP/1.1 200 ", "healthy\n");
    for (unsigned i = 0; i < SCRAPES; i++) {
        close(readers[i]);
    }
    expect_soon(server, "HTTP/1.1 200 ");
    prometheus_server_stop(server);
}

static void test_all_addresses(void **state)
{
    (void)state;
    struct agent agent = {0};
    struct prometheus_server *server = start_or_fail(&agent, everywhere);
    char answer[ANSWER_SIZE];
    ask(server, "GET", "/healthz", answer);
    expect(answer, "HTTP/1.1 200 ", "healthy\n");
    prometheus_server_stop(server);
}

static void test_address_in_use(void **state)
{
    (void)state;
    struct agent agent = {0};
    struct prometheus_server *first = start_or_fail(&agent, loopback);
    struct prometheus_server *second = NULL;
    char error[PROMETHEUS_SERVER_ERROR_SIZE];
    struct listen_address same = loopback;
    same.port = prometheus_server_port(first);
    assert_int_equal(start(&agent, same, &second, error), -EADDRINUSE);
    assert_string_equal(error, "cannot listen on there: address in use");
    assert_null(second);
    prometheus_server_stop(first);
}

static void test_address_of_somebody_else(void **state)
{
    (void)state;
    /* TEST-NET-1 is nobody's (RFC 5737). */
    const struct listen_address other = {.bytes = {[10] = 0xff, 0xff, 192, 0, 2, 1}};
    struct agent agent = {0};
    struct prometheus_server *server = NULL;
    char error[PROMETHEUS_SERVER_ERROR_SIZE];
    assert_int_equal(start(&agent, other, &server, error), -EADDRNOTAVAIL);
    assert_string_equal(error, "cannot listen on there: this machine has no such address");
    assert_null(server);
    prometheus_server_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_gzip),
        cmocka_unit_test(test_health),
        cmocka_unit_test(test_trouble),
        cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_upload),
        cmocka_unit_test(test_slow_scrape_blocks_nobody),
        cmocka_unit_test(test_connections_per_address),
        cmocka_unit_test(test_slow_readers_hold_little),
        cmocka_unit_test(test_all_addresses),
        cmocka_unit_test(test_address_in_use),
        cmocka_unit_test(test_address_of_somebody_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
