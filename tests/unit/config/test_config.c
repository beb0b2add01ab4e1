#include "agent/config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct config *read_text(const char *text)
{
    char error[CONFIG_ERROR_SIZE] = "";
    struct config *config = config_read_memory("f.yaml", text, strlen(text), error);
    if (config == NULL) {
        fail_msg("%s", error);
    }
    return config;
}

static void check_defaults(const struct config *config)
{
    static const double buckets[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,
                                     0.5,   0.75,   1,     2.5,  5,     7.5,  10,    30};
    assert_int_equal(config->capture.interfaces.count, 0);
    assert_int_equal(config->capture.vantage, CONFIG_VANTAGE_AUTO);
    assert_string_equal(config->capture.filter, "");
    assert_int_equal(config->capture.ring_bytes, 32u << 20);
    assert_int_equal(config->capture.block_timeout_ms, 100);
    assert_int_equal(config->capture.workers, 1);
    assert_int_equal(config->tcp.flow_idle_timeout_s, 300);
    assert_int_equal(config->tcp.reorder_packets, 128);
    assert_int_equal(config->http.max_head_bytes, 64u << 10);
    assert_int_equal(config->http.max_target_bytes, 4u << 10);
    assert_int_equal(config->http.server_port_count, 0);
    assert_int_equal(config->routes.patterns.count, 0);
    assert_int_equal(config->routes.max_per_service, 200);
    assert_string_equal(config->metrics.listen, ":9990");
    assert_int_equal(config->metrics.duration_bucket_count, COUNT(buckets));
    assert_memory_equal(config->metrics.duration_buckets, buckets, sizeof(buckets));
    assert_int_equal(config->metrics.max_series, 100000);
    assert_int_equal(config->metrics.series_idle_timeout_s, 3600);
    assert_false(config->metrics.body_sizes);
    assert_true(config->metrics.native_histograms);
    assert_int_equal(config->metrics.native_schema, 5);
    assert_int_equal(config->metrics.native_max_buckets, 160);
    assert_false(config->metrics.created_lines);
    assert_int_equal(config->memory.limit, 128u << 20);
    assert_int_equal(config->name_count, 0);
    assert_int_equal(config->rule_count, 0);
    assert_string_equal(config->log_level, "info");
}

static void test_defaults(void **state)
{
    (void)state;
    struct config *config = config_new();
    assert_non_null(config);
    check_defaults(config);
    config_free(config);
    config_free(NULL);
}

static void test_files_that_say_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "\n\n",
        "# a comment\n",
        "---\n",
        "---\n...\n",
        "{}",
        "null",
        "\xef\xbb\xbf",
        "capture:\n# workers: 2\ntcp:\nhttp:\nroutes:\nmetrics:\nmemory:\nlog:\n",
        "names:\nrules: []\nroutes: {patterns: }\nmetrics: {duration_buckets: ~}\n",
        "%YAML 1.1\n---\ncapture: &anchored {}\n",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct config *config = read_text(texts[i]);
        check_defaults(config);
        config_free(config);
    }
}

static const char every_key[] = "capture:\n"
                                "  interfaces: [eth0, 'cali*', lo]\n"
                                "  vantage: pod\n"
                                "  filter: not port 22\n"
                                "  ring_size: 8Mi\n"
                                "  block_timeout: 1s\n"
                                "  workers: 4\n"
                                "tcp: {flow_idle_timeout: 90s, reorder_packets: 1}\n"
                                "http:\n"
                                "  max_head_size: 8192\n"
                                "  max_target_size: \"1KiB\"\n"
                                "  server_ports: [80, 65535]\n"
                                "routes:\n"
                                "  max_per_service: 10\n"
                                "  patterns:\n"
                                "    - /api/users/{id}\n"
                                "    - /caf\xc3\xa9/\n"
                                "metrics:\n"
                                "  listen: '[::1]:9991'\n"
                                "  duration_buckets: [1e-3, 5, 10.5]\n"
                                "  max_series: 100\n"
                                "  series_idle_timeout: 2h\n"
                                "  body_sizes: true\n"
                                "  native_histograms: false\n"
                                "  native_schema: 8\n"
                                "  native_max_buckets: 10\n"
                                "  created_lines: true\n"
                                "memory: {limit: 1GiB}\n"
                                "log: {level: debug}\n";

static void test_every_key(void **state)
{
    (void)state;
    struct config *config = read_text(every_key);
    assert_int_equal(config->capture.interfaces.count, 3);
    assert_string_equal(config->capture.interfaces.items[0], "eth0");
    assert_string_equal(config->capture.interfaces.items[1], "cali*");
    assert_string_equal(config->capture.interfaces.items[2], "lo");
    assert_int_equal(config->capture.vantage, CONFIG_VANTAGE_POD);
    assert_string_equal(config->capture.filter, "not port 22");
    assert_int_equal(config->capture.ring_bytes, 8u << 20);
    assert_int_equal(config->capture.block_timeout_ms, 1000);
    assert_int_equal(config->capture.workers, 4);
    assert_int_equal(config->tcp.flow_idle_timeout_s, 90);
    assert_int_equal(config->tcp.reorder_packets, 1);
    assert_int_equal(config->http.max_head_bytes, 8192);
    assert_int_equal(config->http.max_target_bytes, 1024);
    assert_int_equal(config->http.server_port_count, 2);
    assert_int_equal(config->http.server_ports[0], 80);
    assert_int_equal(config->http.server_ports[1], 65535);
    assert_int_equal(config->routes.max_per_service, 10);
    assert_int_equal(config->routes.patterns.count, 2);
    assert_string_equal(config->routes.patterns.items[0], "/api/users/{id}");
    assert_string_equal(config->routes.patterns.items[1], "/caf\xc3\xa9/");
    assert_string_equal(config->metrics.listen, "[::1]:9991");
    assert_int_equal(config->metrics.duration_bucket_count, 3);
    assert_true(config->metrics.duration_buckets[0] == 0.001);
    assert_true(config->metrics.duration_buckets[2] == 10.5);
    assert_int_equal(config->metrics.max_series, 100);
    assert_int_equal(config->metrics.series_idle_timeout_s, 7200);
    assert_true(config->metrics.body_sizes);
    assert_false(config->metrics.native_histograms);
    assert_int_equal(config->metrics.native_schema, 8);
    assert_int_equal(config->metrics.native_max_buckets, 10);
    assert_true(config->metrics.created_lines);
    assert_int_equal(config->memory.limit, 1u << 30);
    assert_string_equal(config->log_level, "debug");
    config_free(config);
}

static void check_name(const struct directory_entry *entry, const char *address, unsigned bits,
                       uint16_t port, const char *names)
{
    char text[ADDRESS_TEXT_SIZE];
    char both[64];
    address_format(&entry->address, text);
    assert_string_equal(text, address);
    assert_int_equal(entry->prefix_bits, bits);
    assert_int_equal(entry->port, port);
    snprintf(both, sizeof(both), "%s/%s", entry->namespace, entry->service);
    assert_string_equal(both, names);
}

static void test_names(void **state)
{
    (void)state;
    struct config *config =
        read_text("names:\n"
                  "  - {address: 10.0.0.0/24, namespace: shop, service: orders}\n"
                  "  - {address: 10.0.0.7, port: 8080, service: 123}\n"
                  "  - {address: 0.0.0.0/0, service: any}\n"
                  "  - {address: '2001:db8::/32', service: six}\n"
                  "  - {address: '2001:db8::1', service: host}\n"
                  "  - {address: '::/0', service: \"any six\"}\n"
                  "  - {address: 10.0.0.7, service: without port}\n");
    assert_int_equal(config->name_count, 7);
    check_name(&config->names[0], "10.0.0.0", 96 + 24, 0, "shop/orders");
    check_name(&config->names[1], "10.0.0.7", 128, 8080, "/123");
    check_name(&config->names[2], "0.0.0.0", 96, 0, "/any");
    check_name(&config->names[3], "2001:db8::", 32, 0, "/six");
    check_name(&config->names[4], "2001:db8::1", 128, 0, "/host");
    check_name(&config->names[5], "::", 0, 0, "/any six");
    check_name(&config->names[6], "10.0.0.7", 128, 0, "/without port");
    config_free(config);
}

static void test_rules(void **state)
{
    (void)state;
    struct config *config = read_text("rules:\n"
                                      "  - {action: include, namespace: shop, route: '/api/*'}\n"
                                      "  - {action: exclude, user_agent: 'kube-probe/*'}\n"
                                      "  - {action: exclude, service: x, namespace: ''}\n"
                                      "  - action: exclude\n");
    assert_int_equal(config->rule_count, 4);
    assert_false(config->rules[0].exclude);
    assert_string_equal(config->rules[0].namespace, "shop");
    assert_string_equal(config->rules[0].route, "/api/*");
    assert_null(config->rules[0].service);
    assert_null(config->rules[0].user_agent);
    assert_true(config->rules[1].exclude);
    assert_string_equal(config->rules[1].user_agent, "kube-probe/*");
    assert_string_equal(config->rules[2].namespace, ""); /* those without a namespace */
    assert_null(config->rules[3].namespace);
    config_free(config);
}

static void test_as_many_as_allowed(void **state)
{
    (void)state;
    static char text[64 * 1024] = "metrics: {duration_buckets: [1";
    for (int i = 2; i <= 64; i++) {
        snprintf(text + strlen(text), 8, ", %d", i);
    }
    strcat(text, "]}\nroutes: {patterns: [");
    for (int i = 0; i < 1000; i++) {
        snprintf(text + strlen(text), 24, "'/p%d/{id}', ", i);
    }
    strcat(text, "]}\n");
    struct config *config = read_text(text);
    assert_int_equal(config->metrics.duration_bucket_count, 64);
    assert_true(config->metrics.duration_buckets[63] == 64);
    assert_int_equal(config->routes.patterns.count, 1000);
    assert_string_equal(config->routes.patterns.items[999], "/p999/{id}");
    config_free(config);
}

static void test_files(void **state)
{
    (void)state;
    char error[CONFIG_ERROR_SIZE];
    char path[] = "/tmp/vethscope_config_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, every_key, sizeof(every_key) - 1), sizeof(every_key) - 1);
    struct config *config = config_read(path, error);
    assert_non_null(config);
    assert_int_equal(config->capture.workers, 4);
    config_free(config);

    assert_int_equal(ftruncate(fd, (4 << 20) + 1), 0);
    assert_null(config_read(path, error));
    char expected[128];
    snprintf(expected, sizeof(expected), "%s:1:1: file: is larger than 4 MiB", path);
    assert_string_equal(error, expected);

    close(fd);
    unlink(path);
    assert_null(config_read(path, error));
    snprintf(expected, sizeof(expected), "%s:1:1: file: cannot be read: No such file or directory",
             path);
    assert_string_equal(error, expected);
    assert_null(config_read("/", error));
    assert_string_equal(error, "/:1:1: file: cannot be read: Is a directory");
}

static void test_standard_input(void **state)
{
    (void)state;
    char error[CONFIG_ERROR_SIZE];
    int ends[2];
    int saved = dup(STDIN_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "log: {level: warn}", 18), 18);
    close(ends[1]);
    dup2(ends[0], STDIN_FILENO);
    struct config *config = config_read("-", error);
    assert_non_null(config);
    assert_string_equal(config->log_level, "warn");
    assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0); /* left open */
    config_free(config);
    dup2(saved, STDIN_FILENO);
    close(saved);
    close(ends[0]);
}

static void test_listen_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *endpoint; /* NULL: refused */
    } cases[] = {
        {":9990", "[::]:9990"},
        {"127.0.0.1:1", "127.0.0.1:1"},
        {"0.0.0.0:65535", "0.0.0.0:65535"},
        {"[::1]:80", "[::1]:80"},
        {"[2001:db8::1]:9990", "[2001:db8::1]:9990"},
        {"[1111:2222:3333:4444:5555:6666:7777:8888]:1",
         "[1111:2222:3333:4444:5555:6666:7777:8888]:1"},
        {"", NULL},
        {":", NULL},
        {"9990", NULL},
        {":0", NULL},
        {":65536", NULL},
        {":99999", NULL},
        {":123456", NULL},
        {":80x", NULL},
        {":-1", NULL},
        {": 80", NULL},
        {"127.0.0.1", NULL},
        {"127.0.0.1:", NULL},
        {"localhost:80", NULL},
        {"[::1]", NULL},
        {"::1:80", NULL},
        {"[::1:80", NULL},
        {"[]:80", NULL},
        {"[127.0.0.1]:80", NULL},
        {"[::1]x:80", NULL},
        {"[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa]:1", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct endpoint endpoint = {.port = 7};
        char text[ENDPOINT_TEXT_SIZE];
        int result = config_listen_parse(cases[i].text, &endpoint);
        if (cases[i].endpoint == NULL) {
            assert_int_equal(result, -EINVAL);
            assert_int_equal(endpoint.port, 7);
            continue;
        }
        assert_int_equal(result, 0);
        endpoint_format(&endpoint, text);
        assert_string_equal(text, cases[i].endpoint);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_files_that_say_nothing),
        cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_as_many_as_allowed),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_standard_input),
        cmocka_unit_test(test_listen_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
