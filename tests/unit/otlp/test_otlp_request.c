#include "exporters/otlp/otlp_request.h"

#include "tests/unit/otlp/messages.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct byte_writer items;
static struct byte_writer body;

static int setup(void **state)
{
    (void)state;
    byte_writer_init(&items);
    byte_writer_init(&body);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    byte_writer_fini(&items);
    byte_writer_fini(&body);
    return 0;
}

/* A span with this name, about a resource whose only attribute has this key. */
static void add(const char *key, const char *name)
{
    struct byte_writer about = {0};
    struct byte_writer span = {0};
    otlp_wire_attribute(&about, 1, key, text_of("x"));
    otlp_wire_text(&span, 5, text_of(name));
    struct otlp_item item = {(uint32_t)about.length, (uint32_t)span.length, 0};
    byte_writer_append(&items, &item, sizeof(item));
    byte_writer_append(&items, about.data, about.length);
    byte_writer_append(&items, span.data, span.length);
    byte_writer_fini(&about);
    byte_writer_fini(&span);
}

static struct text text_of_items(void)
{
    return (struct text){items.data, items.length};
}

/* "resource: span span; resource: ..." of the request. */
static const char *told(void)
{
    static char text[512];
    static const struct otlp_request_options options = {.scope = {"\n\1v", 3}};
    byte_writer_reset(&body);
    assert_int_equal(otlp_request_write(&options, text_of_items(), &body), 0);
    trace_request *request =
        opentelemetry__proto__collector__trace__v1__export_trace_service_request__unpack(
            NULL, body.length, (const uint8_t *)body.data);
    assert_non_null(request);
    int length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < request->n_resource_spans; i++) {
        const Opentelemetry__Proto__Trace__V1__ResourceSpans *about = request->resource_spans[i];
        assert_int_equal(about->n_scope_spans, 1);
        assert_string_equal(about->scope_spans[0]->scope->name, "v");
        length += snprintf(text + length, sizeof(text) - (size_t)length, "%s%s:", i > 0 ? "; " : "",
                           about->resource->attributes[0]->key);
        for (size_t k = 0; k < about->scope_spans[0]->n_spans; k++) {
            length += snprintf(text + length, sizeof(text) - (size_t)length, " %s",
                               about->scope_spans[0]->spans[k]->name);
        }
    }
    opentelemetry__proto__collector__trace__v1__export_trace_service_request__free_unpacked(request,
                                                                                            NULL);
    return text;
}

static void test_spans_of_a_resource_stand_together(void **state)
{
    (void)state;
    assert_string_equal(told(), "");
    static const char *const keys[] = {"b", "a", "b", "aa", "a"};
    static const char *const names[] = {"1", "2", "3", "4", "5"};
    for (size_t i = 0; i < 5; i++) {
        add(keys[i], names[i]);
    }
    assert_string_equal(told(), "a: 2 5; b: 1 3; aa: 4");
}

static void test_many(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        add("k", "n");
    }
    static const struct otlp_request_options options = {.scope = {"", 0}};
    byte_writer_reset(&body);
    assert_int_equal(otlp_request_write(&options, text_of_items(), &body), 0);
    trace_request *request =
        opentelemetry__proto__collector__trace__v1__export_trace_service_request__unpack(
            NULL, body.length, (const uint8_t *)body.data);
    assert_int_equal(request->n_resource_spans, 1);
    assert_int_equal(request->resource_spans[0]->scope_spans[0]->n_spans, 1000);
    opentelemetry__proto__collector__trace__v1__export_trace_service_request__free_unpacked(request,
                                                                                            NULL);
}

/* A queue that was cut anywhere is no request. */
static void test_damaged(void **state)
{
    (void)state;
    static const struct otlp_request_options options = {.scope = {"", 0}};
    add("key", "name");
    for (size_t length = 1; length < items.length; length++) {
        byte_writer_reset(&body);
        struct text cut = {items.data, length};
        assert_int_equal(otlp_request_write(&options, cut, &body), -EBADMSG);
    }
}

static void test_rejected(void **state)
{
    (void)state;
    assert_int_equal(otlp_request_rejected((struct text){NULL, 0}), 0);
    /* partial_success { rejected_spans: 300 error_message: "x" } */
    assert_int_equal(otlp_request_rejected((struct text){"\x0a\x06\x08\xac\x02\x12\x01x", 8}), 300);
    assert_int_equal(otlp_request_rejected((struct text){"\x0a\x00", 2}), 0);
    /* A negative number, a cut message, something else. */
    assert_int_equal(otlp_request_rejected(
                         (struct text){"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 13}),
                     0);
    assert_int_equal(otlp_request_rejected((struct text){"\x0a\x06\x08", 3}), 0);
    assert_int_equal(otlp_request_rejected(text_of("<html>OK</html>")), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_spans_of_a_resource_stand_together),
        TEST(test_many),
        TEST(test_damaged),
        TEST(test_rejected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
