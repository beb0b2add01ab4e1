#include "exporters/prometheus/exposition.h"

#include "exporters/metric_emit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <zlib.h>

#define FAMILIES 40
#define POINTS 400

/* More than what is compressed at once, in families of more than that. */
static void emit(const struct metric_sink *sink)
{
    for (unsigned i = 0; i < FAMILIES; i++) {
        char name[32];
        snprintf(name, sizeof(name), "family_%u_total", i);
        sink->family(sink->context, &(struct metric_family){name, "Help.", "", METRIC_COUNTER});
        for (unsigned j = 0; j < (i % 7 == 0 ? POINTS * 10 : POINTS); j++) {
            char value[32];
            snprintf(value, sizeof(value), "point %u of %u", j, i);
            const struct metric_label label = {"label", text_of(value)};
            sink->point(sink->context,
                        &(struct metric_point){.labels = &label, .label_count = 1, .value = j});
        }
    }
}

static void write_all(enum exposition_format format, bool gzip, struct byte_writer *out)
{
    const struct exposition_options options = {.format = format, .gzip = gzip};
    byte_writer_init(out);
    struct exposition *exposition = exposition_new(&options, out);
    assert_non_null(exposition);
    struct metric_sink sink = exposition_sink(exposition);
    emit(&sink);
    assert_int_equal(exposition_finish(exposition), 0);
}

static void decompress(const struct byte_writer *from, char *to, size_t size)
{
    z_stream zlib = {0};
    assert_int_equal(inflateInit2(&zlib, 15 + 16), Z_OK);
    zlib.next_in = (Bytef *)from->data;
    zlib.avail_in = (uInt)from->length;
    zlib.next_out = (Bytef *)to;
    zlib.avail_out = (uInt)size;
    assert_int_equal(inflate(&zlib, Z_FINISH), Z_STREAM_END);
    assert_int_equal(zlib.total_out, size);
    assert_int_equal(zlib.avail_in, 0);
    inflateEnd(&zlib);
}

static void test_compressed_is_the_same(void **state)
{
    (void)state;
    for (unsigned format = 0; format < EXPOSITION_FORMATS; format++) {
        struct byte_writer plain;
        struct byte_writer compressed;
        write_all((enum exposition_format)format, false, &plain);
        write_all((enum exposition_format)format, true, &compressed);
        assert_true(plain.length > 1000000);
        assert_true(compressed.length * 5 < plain.length);
        char *back = malloc(plain.length);
        assert_non_null(back);
        decompress(&compressed, back, plain.length);
        assert_memory_equal(back, plain.data, plain.length);
        free(back);
        byte_writer_fini(&plain);
        byte_writer_fini(&compressed);
    }
}

static void test_nothing_compressed(void **state)
{
    (void)state;
    const struct exposition_options options = {.format = EXPOSITION_PROTOBUF, .gzip = true};
    struct byte_writer out;
    byte_writer_init(&out);
    struct exposition *exposition = exposition_new(&options, &out);
    assert_non_null(exposition);
    assert_int_equal(exposition_finish(exposition), 0);
    char byte;
    decompress(&out, &byte, 0);
    byte_writer_fini(&out);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(exposition_format_name(EXPOSITION_TEXT), "text");
    assert_string_equal(exposition_format_name(EXPOSITION_OPENMETRICS), "openmetrics");
    assert_string_equal(exposition_format_name(EXPOSITION_PROTOBUF), "protobuf");
    assert_string_equal(exposition_content_type(EXPOSITION_TEXT),
                        "text/plain; version=0.0.4; charset=utf-8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compressed_is_the_same),
        cmocka_unit_test(test_nothing_compressed),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
