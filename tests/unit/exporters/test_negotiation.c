#include "exporters/prometheus/negotiation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PROTOBUF                                                                                   \
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
#define OPENMETRICS "application/openmetrics-text"

static const struct {
    const char *accept;
    enum exposition_format format;
} formats[] = {
    {NULL, EXPOSITION_TEXT},
    {"", EXPOSITION_TEXT},
    {"*/*", EXPOSITION_TEXT},
    {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", EXPOSITION_TEXT},
    {"text/plain", EXPOSITION_TEXT},
    {"text/*", EXPOSITION_TEXT},
    {"application/json", EXPOSITION_TEXT},
    {OPENMETRICS, EXPOSITION_OPENMETRICS},
    {OPENMETRICS ";version=1.0.0", EXPOSITION_OPENMETRICS},
    {OPENMETRICS "; charset=utf-8; version=\"1.0.0\"", EXPOSITION_OPENMETRICS},
    {"Application/OpenMetrics-Text ; Version = 1.0.0", EXPOSITION_OPENMETRICS},
    {OPENMETRICS ";version=0.0.1", EXPOSITION_TEXT},
    {OPENMETRICS ";version=2.0.0", EXPOSITION_TEXT},
    {"application/*", EXPOSITION_OPENMETRICS},
    {PROTOBUF, EXPOSITION_PROTOBUF},
    {"application/vnd.google.protobuf", EXPOSITION_TEXT},
    {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily", EXPOSITION_TEXT},
    {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
     EXPOSITION_TEXT},
    {"application/vnd.google.protobuf;proto=other.Message;encoding=delimited", EXPOSITION_TEXT},
    /* Qualities. */
    {OPENMETRICS ";q=0.5,text/plain;q=0.6", EXPOSITION_TEXT},
    {OPENMETRICS ";q=0.61,text/plain;q=0.6", EXPOSITION_OPENMETRICS},
    {OPENMETRICS ";q=0.601,text/plain;q=0.6", EXPOSITION_OPENMETRICS},
    {OPENMETRICS " ; q=0.5 , text/plain ; q=0.4", EXPOSITION_OPENMETRICS},
    {OPENMETRICS ";q=0,text/plain;q=0.1", EXPOSITION_TEXT},
    {OPENMETRICS ";q=0", EXPOSITION_TEXT},
    {"text/plain;q=0,*/*;q=0.1", EXPOSITION_OPENMETRICS},
    {"text/plain;q=0," OPENMETRICS ";q=0,*/*;q=0.1", EXPOSITION_PROTOBUF},
    {OPENMETRICS ";q=nonsense,text/plain;q=0.1", EXPOSITION_TEXT},
    {OPENMETRICS ";q=2,text/plain;q=0.1", EXPOSITION_TEXT},
    {OPENMETRICS ";q=1.5,text/plain;q=0.1", EXPOSITION_TEXT},
    {OPENMETRICS ";q=1.000,text/plain;q=0.999", EXPOSITION_OPENMETRICS},
    {OPENMETRICS ";q=,text/plain;q=0.001", EXPOSITION_TEXT},
    {OPENMETRICS ";q=0.1234567890123456789,text/plain;q=0.001", EXPOSITION_TEXT},
    /* Equals: what is named goes first, then what came first. */
    {"*/*," OPENMETRICS, EXPOSITION_OPENMETRICS},
    {"application/*," PROTOBUF, EXPOSITION_PROTOBUF},
    {OPENMETRICS ",text/plain", EXPOSITION_OPENMETRICS},
    {"text/plain," OPENMETRICS, EXPOSITION_TEXT},
    {PROTOBUF "," OPENMETRICS ",text/plain", EXPOSITION_PROTOBUF},
    /* Commas and semicolons in quotes, and what is no list at all. */
    {"text/plain;x=\"," OPENMETRICS ",\"", EXPOSITION_TEXT},
    {"text/plain;x=\"unclosed," OPENMETRICS, EXPOSITION_TEXT},
    {",,;,=;q,\"", EXPOSITION_TEXT},
    {";;;" OPENMETRICS, EXPOSITION_TEXT},
    /* Prometheus 2.42 without native histograms, 2.42 with them, and 3. */
    {OPENMETRICS ";version=1.0.0," OPENMETRICS ";version=0.0.1;q=0.75,text/plain;version=0.0.4;"
                 "q=0.5,*/*;q=0.1",
     EXPOSITION_OPENMETRICS},
    {PROTOBUF "," OPENMETRICS ";version=1.0.0;q=0.8," OPENMETRICS ";version=0.0.1;q=0.75,"
              "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
     EXPOSITION_PROTOBUF},
    {OPENMETRICS ";version=1.0.0;escaping=allow-utf-8;q=0.5," OPENMETRICS ";version=0.0.1;q=0.4,"
                 "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;"
                 "q=0.2,/;q=0.1",
     EXPOSITION_OPENMETRICS},
};

static void test_formats(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        enum exposition_format format = negotiation_format(formats[i].accept);
        if (format != formats[i].format) {
            fail_msg("%s: format %d", formats[i].accept, (int)format);
        }
    }
}

static void test_codings(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        bool gzip;
    } codings[] = {
        {NULL, false},
        {"", false},
        {"gzip", true},
        {"GZIP", true},
        {"x-gzip", true},
        {"gzip;q=0", false},
        {"gzip;q=0.001", true},
        {"gzip; q=0.0", false},
        {"deflate, gzip;q=1.0, *;q=0.5", true},
        {"deflate, br", false},
        {"*", true},
        {"*;q=0", false},
        {"gzip;q=0, *", false},
        {"*;q=0, gzip", true},
        {"identity", false},
        {"gzipped", false},
    };
    for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++) {
        if (negotiation_gzip(codings[i].accept) != codings[i].gzip) {
            fail_msg("%s", codings[i].accept);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_codings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
