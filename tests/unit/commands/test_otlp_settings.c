#include "agent/commands/otlp_settings.h"

#include "agent/config/config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct variable {
    const char *name;
    const char *value;
};

static const struct variable *variables;
static struct config *config;
static struct otlp_settings settings;
static char error[OTLP_SETTINGS_ERROR_SIZE];

static char *environment(const char *name)
{
    static char value[512];
    for (const struct variable *at = variables; at != NULL && at->name != NULL; at++) {
        if (strcmp(at->name, name) == 0) {
            snprintf(value, sizeof(value), "%s", at->value);
            return value;
        }
    }
    return NULL;
}

/* The settings that follow from this file and these variables; an empty name ends them. */
static int read_settings(const char *yaml, const struct variable *given)
{
    char problem[CONFIG_ERROR_SIZE] = "";
    variables = given;
    otlp_settings_fini(&settings);
    config_free(config);
    config = config_read_memory("test.yaml", yaml, strlen(yaml), problem);
    assert_string_equal(problem, "");
    return otlp_settings_init(&settings, &config->otlp, environment, error);
}

static int teardown(void **state)
{
    (void)state;
    otlp_settings_fini(&settings);
    config_free(config);
    config = NULL;
    return 0;
}

static void test_nothing_is_sent_by_itself(void **state)
{
    (void)state;
    /* Variables that are wrong do not matter then. */
    static const struct variable given[] = {{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}, {NULL, NULL}};
    assert_int_equal(read_settings("", given), 0);
    assert_null(settings.metrics_url);
    assert_null(settings.traces_url);
}

static void test_defaults(void **state)
{
    (void)state;
    assert_int_equal(read_settings("otlp: {endpoint: 'http://collector:4318'}", NULL), 0);
    assert_string_equal(settings.metrics_url, "http://collector:4318/v1/metrics");
    assert_string_equal(settings.traces_url, "http://collector:4318/v1/traces");
    assert_int_equal(settings.interval_ms, 60000);
    assert_int_equal(settings.traces.timeout_ms, 10000);
    assert_int_equal(settings.traces.compression, COMPRESSION_GZIP);
    assert_int_equal(settings.traces.header_count, 0);
    assert_int_equal(settings.traces.extras.count, 0);
    assert_null(settings.traces.ca_file);
    assert_string_equal(settings.traces.agent.name.data, "vethscope");
    assert_true(settings.traces.agent.host.length > 0);
}

static void test_endpoints(void **state)
{
    (void)state;
    static const struct variable both[] = {
        {"OTEL_EXPORTER_OTLP_ENDPOINT", "https://all:1/base//"},
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:2/exactly/"},
        {NULL, NULL}};
    assert_int_equal(read_settings("", both), 0);
    assert_string_equal(settings.metrics_url, "https://all:1/base/v1/metrics");
    assert_string_equal(settings.traces_url, "http://traces:2/exactly/");
    /* The file goes before the variables, whichever it names. */
    assert_int_equal(read_settings("otlp: {endpoint: 'http://file:3'}", both), 0);
    assert_string_equal(settings.traces_url, "http://file:3/v1/traces");
    assert_int_equal(read_settings("otlp: {metrics: {endpoint: 'http://own:4/m'}}", both), 0);
    assert_string_equal(settings.metrics_url, "http://own:4/m");
    assert_string_equal(settings.traces_url, "http://traces:2/exactly/");
    assert_int_equal(read_settings("otlp: {traces: {enabled: false}}", both), 0);
    assert_non_null(settings.metrics_url);
    assert_null(settings.traces_url);
    static const struct variable metrics[] = {
        {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://metrics:2"}, {NULL, NULL}};
    assert_int_equal(read_settings("", metrics), 0);
    assert_string_equal(settings.metrics_url, "http://metrics:2");
    assert_null(settings.traces_url);
    /* An empty variable is none. */
    static const struct variable empty[] = {{"OTEL_EXPORTER_OTLP_ENDPOINT", ""}, {NULL, NULL}};
    assert_int_equal(read_settings("", empty), 0);
    assert_null(settings.metrics_url);
}

static const struct variable everything[] = {
    {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1"},
    {"OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"},
    {"OTEL_EXPORTER_OTLP_TIMEOUT", "2500"},
    {"OTEL_EXPORTER_OTLP_COMPRESSION", "none"},
    {"OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"},
    {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/cert.pem"},
    {"OTEL_EXPORTER_OTLP_CLIENT_KEY", "/key.pem"},
    {"OTEL_EXPORTER_OTLP_HEADERS", "X-Token = a%2Cb%3D , , X-Two=2"},
    {"OTEL_RESOURCE_ATTRIBUTES", "k8s.cluster.name=blue%20one,service.name=cart"},
    {"OTEL_METRIC_EXPORT_INTERVAL", "5000"},
    {NULL, NULL}};

static void test_variables(void **state)
{
    (void)state;
    assert_int_equal(read_settings("", everything), 0);
    const struct otlp_options *options = &settings.traces;
    assert_int_equal(options->timeout_ms, 2500);
    assert_int_equal(settings.interval_ms, 5000);
    assert_int_equal(options->compression, COMPRESSION_NONE);
    assert_string_equal(options->ca_file, "/ca.pem");
    assert_string_equal(options->cert_file, "/cert.pem");
    assert_string_equal(options->key_file, "/key.pem");
    assert_int_equal(options->header_count, 2);
    assert_string_equal(options->headers[0].name, "X-Token");
    assert_string_equal(options->headers[0].value, "a,b=");
    assert_string_equal(options->headers[1].value, "2");
    assert_int_equal(options->extras.count, 2);
    assert_string_equal(options->extras.items[0].value.data, "blue one");
    assert_string_equal(options->agent.name.data, "cart");
}

/* A signal's own variable goes before the one for both, and is the other's no concern. */
static void test_variables_of_one_signal(void **state)
{
    (void)state;
    static const struct variable given[] = {
        {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1"},
        {"OTEL_EXPORTER_OTLP_HEADERS", "X-Token=both"},
        {"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "X-Token=traces,X-More=1"},
        {"OTEL_EXPORTER_OTLP_TIMEOUT", "2000"},
        {"OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "3000"},
        {"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "none"},
        {"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf"},
        {"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"},
        {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"},
        {"OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", "/metrics.pem"},
        {"OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "/cert.pem"},
        {"OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "/key.pem"},
        {NULL, NULL}};
    assert_int_equal(read_settings("", given), 0);
    const struct otlp_options *metrics = &settings.metrics;
    const struct otlp_options *traces = &settings.traces;
    assert_int_equal(metrics->header_count, 1);
    assert_string_equal(metrics->headers[0].value, "both");
    assert_int_equal(traces->header_count, 2);
    assert_string_equal(traces->headers[0].value, "traces");
    assert_int_equal(metrics->timeout_ms, 3000);
    assert_int_equal(traces->timeout_ms, 2000);
    assert_int_equal(metrics->compression, COMPRESSION_GZIP);
    assert_int_equal(traces->compression, COMPRESSION_NONE);
    assert_string_equal(metrics->ca_file, "/metrics.pem");
    assert_null(traces->ca_file);
    assert_null(metrics->cert_file);
    assert_string_equal(traces->cert_file, "/cert.pem");
    assert_string_equal(traces->key_file, "/key.pem");
    assert_int_equal(metrics->queue_bytes, traces->queue_bytes);
}

static void test_the_file_goes_before_the_variables(void **state)
{
    (void)state;
    static const char yaml[] = "otlp:\n"
                               "  compression: gzip\n"
                               "  timeout: 1s\n"
                               "  ca_file: /mine.pem\n"
                               "  headers: [{name: A, value: b}]\n"
                               "  resource_attributes: [{name: k8s.cluster.name, value: green}]\n"
                               "  metrics: {interval: 1ms}\n";
    assert_int_equal(read_settings(yaml, everything), 0);
    const struct otlp_options *options = &settings.traces;
    assert_int_equal(options->compression, COMPRESSION_GZIP);
    assert_int_equal(options->timeout_ms, 1000);
    assert_int_equal(settings.interval_ms, 100); /* no less than that */
    assert_string_equal(options->ca_file, "/mine.pem");
    assert_string_equal(options->cert_file, "/cert.pem");
    assert_int_equal(options->header_count, 1);
    assert_string_equal(options->headers[0].name, "A");
    assert_int_equal(options->extras.count, 2);
    assert_string_equal(options->extras.items[0].value.data, "green");
}

static void test_the_agents_name(void **state)
{
    (void)state;
    static const struct variable named[] = {{"OTEL_SERVICE_NAME", "watcher"},
                                            {"OTEL_RESOURCE_ATTRIBUTES", "service.name=cart"},
                                            {NULL, NULL}};
    assert_int_equal(read_settings("otlp: {endpoint: 'http://c:1'}", named), 0);
    assert_string_equal(settings.traces.agent.name.data, "watcher");
}

static void test_wrong_variables(void **state)
{
    (void)state;
    static const struct variable wrong[] = {
        {"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"},
        {"OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"},
        {"OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"},
        {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"},
        {"OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "10s"},
        {"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=b%0aInjected: c"},
        {"OTEL_EXPORTER_OTLP_TIMEOUT", "10s"},
        {"OTEL_EXPORTER_OTLP_TIMEOUT", "0"},
        {"OTEL_EXPORTER_OTLP_TIMEOUT", "-5"},
        {"OTEL_EXPORTER_OTLP_TIMEOUT", "99999999999999999999"},
        {"OTEL_METRIC_EXPORT_INTERVAL", "5"},
        {"OTEL_EXPORTER_OTLP_HEADERS", "token"},
        {"OTEL_EXPORTER_OTLP_HEADERS", "=value"},
        {"OTEL_EXPORTER_OTLP_HEADERS", "a=%2"},
        {"OTEL_EXPORTER_OTLP_HEADERS", "a=%zz"},
        {"OTEL_EXPORTER_OTLP_HEADERS", "a=%00"},
        {"OTEL_EXPORTER_OTLP_HEADERS", "a=b%0d%0aInjected: c"},
        {"OTEL_EXPORTER_OTLP_HEADERS", "a b=c"},
        {"OTEL_RESOURCE_ATTRIBUTES", "a,b=c"},
        {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "collector:4317"},
        {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://"},
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "ftp://a/b"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const struct variable given[] = {
            wrong[i], {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1"}, {NULL, NULL}};
        assert_int_equal(read_settings("", given), -EINVAL);
        if (strstr(error, wrong[i].name) == NULL || strchr(error, '\n') != NULL) {
            fail_msg("%s=%s: %s", wrong[i].name, wrong[i].value, error);
        }
    }
}

static void test_too_many_entries(void **state)
{
    (void)state;
    char list[256] = "";
    for (unsigned i = 0; i < 33; i++) {
        snprintf(list + strlen(list), sizeof(list) - strlen(list), "h%u=1,", i);
    }
    const struct variable given[] = {{"OTEL_EXPORTER_OTLP_HEADERS", list},
                                     {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1"},
                                     {NULL, NULL}};
    assert_int_equal(read_settings("", given), -EINVAL);
    /* Attributes beyond those that a resource has room for are left out. */
    const struct variable attributes[] = {{"OTEL_RESOURCE_ATTRIBUTES", "a=1,b=2"},
                                          {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1"},
                                          {NULL, NULL}};
    assert_int_equal(read_settings("", attributes), 0);
    assert_int_equal(settings.traces.extras.count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_nothing_is_sent_by_itself, teardown),
        cmocka_unit_test_teardown(test_defaults, teardown),
        cmocka_unit_test_teardown(test_endpoints, teardown),
        cmocka_unit_test_teardown(test_variables, teardown),
        cmocka_unit_test_teardown(test_variables_of_one_signal, teardown),
        cmocka_unit_test_teardown(test_the_file_goes_before_the_variables, teardown),
        cmocka_unit_test_teardown(test_the_agents_name, teardown),
        cmocka_unit_test_teardown(test_wrong_variables, teardown),
        cmocka_unit_test_teardown(test_too_many_entries, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
