#include "exporters/delivery/compression.h"

#include <setjmp.h>
#include <stdarg.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

static const struct text first = {"first first first first", 23};
static const struct text second = {"and the second", 14};

static void test_zstd_frames_follow_each_other(void **state)
{
    (void)state;
    struct compressor compressor = {.method = COMPRESSION_ZSTD};
    struct byte_writer out = {0};
    assert_int_equal(compressor_append(&compressor, first, &out), 0);
    assert_int_equal(compressor_append(&compressor, second, &out), 0);
    char plain[64];
    size_t length = ZSTD_decompress(plain, sizeof(plain), out.data, out.length);
    assert_int_equal(length, first.length + second.length);
    assert_memory_equal(plain, "first first first firstand the second", length);
    compressor_fini(&compressor);
    byte_writer_fini(&out);
}

static void test_gzip_is_whole(void **state)
{
    (void)state;
    struct compressor compressor = {.method = COMPRESSION_GZIP};
    struct byte_writer out = {0};
    assert_int_equal(compressor_append(&compressor, first, &out), 0);
    byte_writer_reset(&out);
    assert_int_equal(compressor_append(&compressor, second, &out), 0);
    unsigned char plain[64];
    z_stream stream = {.next_in = (unsigned char *)out.data,
                       .avail_in = (unsigned)out.length,
                       .next_out = plain,
                       .avail_out = sizeof(plain)};
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.total_out, second.length);
    assert_memory_equal(plain, second.data, second.length);
    inflateEnd(&stream);
    compressor_fini(&compressor);
    byte_writer_fini(&out);
}

static void test_none_copies(void **state)
{
    (void)state;
    struct compressor compressor = {.method = COMPRESSION_NONE};
    struct byte_writer out = {0};
    assert_int_equal(compressor_append(&compressor, second, &out), 0);
    assert_int_equal(out.length, second.length);
    assert_null(compression_name(COMPRESSION_NONE));
    compressor_fini(&compressor);
    byte_writer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zstd_frames_follow_each_other),
        cmocka_unit_test(test_gzip_is_whole),
        cmocka_unit_test(test_none_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
