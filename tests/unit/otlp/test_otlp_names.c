#include "exporters/otlp/otlp_names.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct metric_family families[] = {
    {"http_server_request_duration_seconds", "", "seconds", METRIC_HISTOGRAM},
    {"http_client_request_duration_seconds", "", "seconds", METRIC_HISTOGRAM},
    {"http_server_request_body_size_bytes", "", "bytes", METRIC_HISTOGRAM},
    {"http_client_response_body_size_bytes", "", "bytes", METRIC_HISTOGRAM},
    {"http_server_active_requests", "", "", METRIC_GAUGE},
    {"vethscope_http_phase_duration_seconds", "", "seconds", METRIC_HISTOGRAM},
    {"traces_service_graph_request_total", "", "", METRIC_COUNTER},
    {"traces_service_graph_request_server_seconds", "", "seconds", METRIC_HISTOGRAM},
    {"vethscope_tcp_retransmitted_bytes_total", "", "bytes", METRIC_COUNTER},
    {"vethscope_memory_bytes", "", "bytes", METRIC_GAUGE},
    {"vethscope_sampling_ratio", "", "", METRIC_GAUGE},
    {"process_cpu_seconds_total", "", "seconds", METRIC_COUNTER},
};
#define FAMILY_COUNT (sizeof(families) / sizeof(families[0]))

static const char *name_of(const struct metric_family *family)
{
    static char name[OTLP_NAME_SIZE];
    otlp_names_metric(family, name);
    return name;
}

static void test_names_of_the_conventions(void **state)
{
    (void)state;
    assert_string_equal(name_of(&families[0]), "http.server.request.duration");
    assert_string_equal(name_of(&families[2]), "http.server.request.body.size");
    assert_string_equal(name_of(&families[4]), "http.server.active_requests");
    assert_string_equal(name_of(&families[5]), "vethscope.http_phase_duration");
    assert_string_equal(name_of(&families[8]), "vethscope.tcp_retransmitted");
    assert_string_equal(name_of(&families[10]), "vethscope.sampling_ratio");
    assert_string_equal(otlp_names_unit(&families[0]), "s");
    assert_string_equal(otlp_names_unit(&families[2]), "By");
    assert_string_equal(otlp_names_unit(&families[4]), "{request}");
    assert_string_equal(otlp_names_unit(&families[6]), "");
    assert_true(otlp_names_is_sum(&families[4]));
    assert_false(otlp_names_is_sum(&families[9]));
}

/* What OpenTelemetry's rules for Prometheus make of a name: dots to underscores, unit, "_total". */
static void to_prometheus(const struct metric_family *family, char *out, size_t size)
{
    const char *unit = otlp_names_unit(family);
    const char *word = unit[0] == 's' ? "_seconds" : unit[0] == 'B' ? "_bytes" : "";
    snprintf(out, size, "%s%s%s", name_of(family), word,
             family->type == METRIC_COUNTER ? "_total" : "");
    for (char *at = out; *at != '\0'; at++) {
        *at = isalnum((unsigned char)*at) ? *at : '_';
    }
}

static void test_names_come_back_to_prometheus(void **state)
{
    (void)state;
    for (size_t i = 0; i < FAMILY_COUNT; i++) {
        char name[2 * OTLP_NAME_SIZE];
        to_prometheus(&families[i], name, sizeof(name));
        assert_string_equal(name, families[i].name);
    }
}

static void test_labels(void **state)
{
    (void)state;
    assert_string_equal(otlp_names_label("http_route").attribute, "http.route");
    assert_int_equal(otlp_names_label("http_route").kind, OTLP_LABEL_TEXT);
    assert_string_equal(otlp_names_label("http_response_status_code").attribute,
                        "http.response.status_code");
    assert_int_equal(otlp_names_label("http_response_status_code").kind, OTLP_LABEL_NUMBER);
    assert_int_equal(otlp_names_label("service_name").kind, OTLP_LABEL_RESOURCE);
    assert_string_equal(otlp_names_label("k8s_pod_name").attribute, "k8s.pod.name");
    assert_string_equal(otlp_names_label("phase").attribute, "phase");
}

static void test_methods(void **state)
{
    (void)state;
    assert_true(otlp_names_is_method(text_of("GET")));
    assert_true(otlp_names_is_method(text_of("QUERY")));
    assert_false(otlp_names_is_method(text_of("get")));
    assert_false(otlp_names_is_method(text_of("BREW")));
    assert_false(otlp_names_is_method((struct text){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_of_the_conventions),
        cmocka_unit_test(test_names_come_back_to_prometheus),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_methods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
