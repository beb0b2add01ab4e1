#include "agent/capture/capture_file.h"

#include "capture_bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SECONDS 1700000000U
#define SECOND_NS INT64_C(1000000000)

static void assert_next(struct capture_file *file, struct frame *frame)
{
    assert_int_equal(capture_file_next(file, frame), CAPTURE_FILE_FRAME);
}

static void assert_end(struct capture_file *file)
{
    struct frame frame;
    assert_int_equal(capture_file_next(file, &frame), CAPTURE_FILE_END);
    capture_file_close(file);
}

/* Every magic in both byte orders: time and lengths come out the same. */
static void test_pcap_variants(void **state)
{
    (void)state;
    static const struct {
        uint32_t magic;
        bool big_endian;
        uint32_t unit_ns;
        bool modified;
    } variants[] = {
        {0xa1b2c3d4, false, 1000, false}, {0xa1b2c3d4, true, 1000, false},
        {0xa1b23c4d, false, 1, false},    {0xa1b23c4d, true, 1, false},
        {0xa1b2cd34, false, 1000, true},  {0xa1b2cd34, true, 1000, true},
    };
    for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
        struct capture_bytes bytes = {.big_endian = variants[i].big_endian};
        put_pcap_header(&bytes, variants[i].magic, 1);
        for (uint32_t k = 0; k < 2; k++) {
            put_u32(&bytes, SECONDS + k);
            put_u32(&bytes, 123456);
            put_u32(&bytes, 61);
            put_u32(&bytes, 1500);
            put_pattern(&bytes, 0, variants[i].modified ? 8 : 0);
            put_pattern(&bytes, SECONDS + k, 61);
        }
        struct capture_file *file = open_bytes(bytes.data, bytes.length);
        for (uint32_t k = 0; k < 2; k++) {
            struct frame frame;
            assert_next(file, &frame);
            assert_int_equal(frame.time_ns,
                             (SECONDS + k) * SECOND_NS + 123456 * (int64_t)variants[i].unit_ns);
            assert_int_equal(frame.captured_length, 61);
            assert_int_equal(frame.wire_length, 1500);
            assert_int_equal(frame.interface, 0);
            assert_int_equal(frame.link, FRAME_LINK_ETHERNET);
            assert_int_equal(frame.direction, FRAME_DIRECTION_UNKNOWN);
            assert_true(is_pattern(frame.bytes, SECONDS + k, 61));
        }
        assert_end(file);
        capture_bytes_free(&bytes);
    }
}

static void test_link_types(void **state)
{
    (void)state;
    static const struct {
        uint32_t linktype;
        enum frame_link link;
    } types[] = {
        {0, FRAME_LINK_NULL},
        {1, FRAME_LINK_ETHERNET},
        {12, FRAME_LINK_RAW},
        {14, FRAME_LINK_RAW},
        {101, FRAME_LINK_RAW},
        {108, FRAME_LINK_LOOP},
        {113, FRAME_LINK_LINUX_SLL},
        {228, FRAME_LINK_RAW},
        {229, FRAME_LINK_RAW},
        {276, FRAME_LINK_LINUX_SLL2},
        {105, FRAME_LINK_UNKNOWN},
        {147, FRAME_LINK_UNKNOWN},
        {0x24000001, FRAME_LINK_ETHERNET}, /* four bytes of frame check sequence */
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct capture_bytes bytes = {0};
        put_pcap_header(&bytes, 0xa1b2c3d4, types[i].linktype);
        put_pcap_record(&bytes, SECONDS, 0, 60, 60);
        struct capture_file *file = open_bytes(bytes.data, bytes.length);
        struct frame frame;
        assert_next(file, &frame);
        assert_int_equal(frame.link, types[i].link);
        assert_end(file);
        capture_bytes_free(&bytes);
    }
}

/* Packets of all sizes up to the bound, so that many lie across refills of the buffer. */
static void test_packets_across_refills(void **state)
{
    (void)state;
    struct capture_bytes bytes = {0};
    put_pcap_header(&bytes, 0xa1b23c4d, 101);
    uint32_t count = 0;
    for (uint32_t size = 0; size <= 1 << 20; size = size * 3 / 2 + 17) {
        put_pcap_record(&bytes, ++count, 0, size, size);
    }
    put_pcap_record(&bytes, ++count, 0, 1 << 20, 1 << 20);
    put_pcap_record(&bytes, ++count, 0, 60, 60);
    struct capture_bytes gzip = {0};
    put_gzip(&gzip, bytes.data, bytes.length);
    for (int compressed = 0; compressed < 2; compressed++) {
        struct capture_file *file = compressed != 0 ? open_bytes(gzip.data, gzip.length)
                                                    : open_bytes(bytes.data, bytes.length);
        for (uint32_t k = 1; k <= count; k++) {
            struct frame frame;
            assert_next(file, &frame);
            assert_int_equal(frame.time_ns, k * SECOND_NS);
            assert_true(is_pattern(frame.bytes, k, frame.captured_length));
        }
        assert_int_equal(capture_file_position(file), capture_file_size(file));
        assert_end(file);
    }
    capture_bytes_free(&gzip);
    capture_bytes_free(&bytes);
}

static void test_hostile_lengths(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {(1 << 20) + 1, INT32_MAX, 0x80000000, UINT32_MAX - 15,
                                       UINT32_MAX};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct capture_bytes bytes = {0};
        put_pcap_header(&bytes, 0xa1b2c3d4, 1);
        put_pcap_record(&bytes, SECONDS, 0, 60, 60);
        put_u64(&bytes, 0);
        put_u32(&bytes, lengths[i]);
        put_u32(&bytes, 60);
        put_pattern(&bytes, 0, 3 << 20);
        struct reading reading = read_bytes(bytes.data, bytes.length);
        assert_int_equal(reading.frames, 1);
        assert_int_equal(reading.status, CAPTURE_FILE_BROKEN);
        assert_non_null(strstr(reading.error, ": damaged in packet 2 at byte 100: "));
        capture_bytes_free(&bytes);
    }
}

/* A writer that puts less on the wire than it captured is not believed. */
static void test_wire_is_never_less_than_captured(void **state)
{
    (void)state;
    struct capture_bytes bytes = {0};
    put_pcap_header(&bytes, 0xa1b2c3d4, 1);
    put_pcap_record(&bytes, UINT32_MAX, UINT32_MAX, 60, 10);
    struct capture_file *file = open_bytes(bytes.data, bytes.length);
    struct frame frame;
    assert_next(file, &frame);
    assert_int_equal(frame.wire_length, 60);
    assert_int_equal(frame.time_ns, UINT32_MAX * SECOND_NS + UINT32_MAX * INT64_C(1000));
    assert_end(file);
    capture_bytes_free(&bytes);
}

/* The file is cut at every byte: what is whole is delivered, and a cut in a record is told. */
static void test_every_truncation(void **state)
{
    (void)state;
    struct capture_bytes bytes = {0};
    put_pcap_header(&bytes, 0xa1b2c3d4, 1);
    size_t ends[4] = {bytes.length};
    for (uint32_t k = 1; k < 4; k++) {
        put_pcap_record(&bytes, SECONDS + k, 0, 10 * k, 10 * k);
        ends[k] = bytes.length;
    }
    for (size_t cut = 0; cut <= bytes.length; cut++) {
        struct reading reading = read_bytes(bytes.data, cut);
        assert_int_equal(reading.opened, cut >= ends[0]);
        if (!reading.opened) {
            const char *why = cut == 0  ? ": is empty"
                              : cut < 4 ? ": is no pcap or pcapng capture: looks like "
                                        : ": truncated in the file header";
            assert_non_null(strstr(reading.error, why));
            continue;
        }
        size_t whole = 0;
        while (whole < 3 && ends[whole + 1] <= cut) {
            whole++;
        }
        assert_int_equal(reading.frames, whole);
        bool clean = cut == ends[whole];
        assert_int_equal(reading.status, clean ? CAPTURE_FILE_END : CAPTURE_FILE_BROKEN);
        char where[64];
        snprintf(where, sizeof(where), ": truncated in packet %zu at byte %zu", whole + 1, cut);
        assert_true(clean ? reading.error[0] == '\0' : strstr(reading.error, where) != NULL);
    }
    capture_bytes_free(&bytes);
}

static void make_capture(struct capture_bytes *bytes, uint32_t packets)
{
    put_pcap_header(bytes, 0xa1b2c3d4, 1);
    for (uint32_t k = 1; k <= packets; k++) {
        put_pcap_record(bytes, k, 0, 100 + k, 100 + k);
    }
}

/* Also cut between two records of the content, a gzip file that ends early is broken. */
static void test_every_gzip_truncation(void **state)
{
    (void)state;
    struct capture_bytes bytes = {0};
    make_capture(&bytes, 4);
    struct capture_bytes gzip = {0};
    put_gzip(&gzip, bytes.data, bytes.length);
    for (size_t cut = 2; cut < gzip.length; cut++) {
        struct reading reading = read_bytes(gzip.data, cut);
        if (reading.opened) {
            assert_int_equal(reading.status, CAPTURE_FILE_BROKEN);
            assert_non_null(strstr(reading.error, ": the gzip data ends early"));
            assert_non_null(strstr(reading.error, " of the decompressed data"));
        } else {
            assert_string_not_equal(reading.error, "");
        }
    }
    struct reading whole = read_bytes(gzip.data, gzip.length);
    assert_int_equal(whole.status, CAPTURE_FILE_END);
    assert_int_equal(whole.frames, 4);
    capture_bytes_free(&gzip);
    capture_bytes_free(&bytes);
}

/* A file in several members, cut anywhere between them, and padded with zeros. */
static void test_gzip_members(void **state)
{
    (void)state;
    struct capture_bytes bytes = {0};
    make_capture(&bytes, 4);
    for (size_t cut = 0; cut <= bytes.length; cut += 7) {
        struct capture_bytes gzip = {0};
        put_gzip(&gzip, bytes.data, cut);
        put_gzip(&gzip, NULL, 0);
        put_gzip(&gzip, bytes.data + cut, bytes.length - cut);
        put_u64(&gzip, 0);
        struct reading reading = read_bytes(gzip.data, gzip.length);
        assert_string_equal(reading.error, "");
        assert_int_equal(reading.status, CAPTURE_FILE_END);
        assert_int_equal(reading.frames, 4);
        capture_bytes_free(&gzip);
    }
    capture_bytes_free(&bytes);
}

static void test_gzip_damage(void **state)
{
    (void)state;
    struct capture_bytes bytes = {0};
    make_capture(&bytes, 4);
    struct capture_bytes gzip = {0};
    put_gzip(&gzip, bytes.data, bytes.length);
    gzip.data[gzip.length - 6] ^= 1; /* its checksum */
    struct reading reading = read_bytes(gzip.data, gzip.length);
    assert_int_equal(reading.status, CAPTURE_FILE_BROKEN);
    assert_int_equal(reading.frames, 4);
    assert_non_null(strstr(reading.error, ": the gzip data is damaged"));
    gzip.data[gzip.length - 6] ^= 1;
    put_pattern(&gzip, 1, 100); /* something else behind it */
    reading = read_bytes(gzip.data, gzip.length);
    assert_int_equal(reading.status, CAPTURE_FILE_BROKEN);
    assert_int_equal(reading.frames, 4);
    capture_bytes_free(&gzip);
    capture_bytes_free(&bytes);
}

static void test_not_captures(void **state)
{
    (void)state;
    static const struct {
        const char *content;
        size_t length;
        const char *looks_like;
    } files[] = {
        {"hello, world\n", 13, "looks like text"},
        {"hi", 2, "looks like text"},
        {"\x7f"
         "ELF\2\1\1\0\0\0\0\0\0",
         13, "looks like a program"},
        {"\x28\xb5\x2f\xfd\4\0\1\2\3\4\5\6\7", 13, "looks like zstd-compressed data"},
        {"\xfd\x37zXZ\0\0\0\0\0\0\0\0", 13, "looks like xz-compressed data"},
        {"BZh91AY&SY\1\2\3", 13, "looks like bzip2-compressed data"},
        {"snoop\0\0\0\0\0\0\2\0", 13, "looks like a snoop capture"},
        {"\0\1\2\3\4\5\6\7\10\11\12\13\14", 13, "looks like unknown data"},
    };
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct reading reading = read_bytes(files[i].content, files[i].length);
        assert_false(reading.opened);
        assert_non_null(strstr(reading.error, ": is no pcap or pcapng capture: "));
        assert_non_null(strstr(reading.error, files[i].looks_like));
    }
    struct capture_bytes gzip = {0};
    put_gzip(&gzip, "hello, world\n", 13);
    struct reading reading = read_bytes(gzip.data, gzip.length);
    assert_false(reading.opened);
    assert_non_null(strstr(reading.error, "looks like text"));
    capture_bytes_free(&gzip);
}

static void test_wrong_version(void **state)
{
    (void)state;
    struct capture_bytes bytes = {0};
    put_pcap_header(&bytes, 0xa1b2c3d4, 1);
    bytes.data[4] = 3;
    struct reading reading = read_bytes(bytes.data, bytes.length);
    assert_false(reading.opened);
    assert_non_null(strstr(reading.error, ": is a capture that cannot be read: "));
    capture_bytes_free(&bytes);
}

/* Each line begins with the path, whatever its length. */
static void test_unreadable_paths(void **state)
{
    (void)state;
    char error[CAPTURE_FILE_ERROR_SIZE];
    assert_null(capture_file_open("/nowhere/x.pcap", error));
    assert_string_equal(error, "/nowhere/x.pcap: No such file or directory");
    assert_null(capture_file_open("/", error));
    assert_string_equal(error, "/: Is a directory");
    assert_null(capture_file_open("/proc/self/mem", error));
    assert_string_equal(error, "/proc/self/mem: Input/output error");
    char path[4000];
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_null(capture_file_open(path, error));
    assert_non_null(strstr(error, "xxx: File name too long"));
}

static void test_standard_input(void **state)
{
    (void)state;
    struct capture_bytes bytes = {0};
    make_capture(&bytes, 4);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], bytes.data, bytes.length - 1), (ssize_t)bytes.length - 1);
    close(ends[1]);
    int saved = dup(STDIN_FILENO);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    char error[CAPTURE_FILE_ERROR_SIZE];
    struct capture_file *file = capture_file_open("-", error);
    assert_non_null(file);
    assert_int_equal(capture_file_size(file), 0);
    struct frame frame;
    for (int i = 0; i < 3; i++) {
        assert_next(file, &frame);
    }
    assert_int_equal(capture_file_next(file, &frame), CAPTURE_FILE_BROKEN);
    assert_int_equal(strncmp(capture_file_error(file), "standard input: truncated", 25), 0);
    assert_int_equal(capture_file_position(file), bytes.length - 1);
    capture_file_close(file);
    if (saved >= 0) {
        dup2(saved, STDIN_FILENO);
        close(saved);
    }
    capture_bytes_free(&bytes);
}

/* What a pipe has is delivered before it has more. */
static void test_pipe_is_not_held_back(void **state)
{
    (void)state;
    struct capture_bytes bytes = {0};
    make_capture(&bytes, 1);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], bytes.data, bytes.length), (ssize_t)bytes.length);
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
    char error[CAPTURE_FILE_ERROR_SIZE];
    struct capture_file *file = capture_file_open(path, error);
    assert_non_null(file);
    struct frame frame;
    assert_next(file, &frame); /* would block for ever */
    close(ends[1]);
    assert_end(file);
    close(ends[0]);
    capture_bytes_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pcap_variants),
        cmocka_unit_test(test_link_types),
        cmocka_unit_test(test_packets_across_refills),
        cmocka_unit_test(test_hostile_lengths),
        cmocka_unit_test(test_wire_is_never_less_than_captured),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_every_gzip_truncation),
        cmocka_unit_test(test_gzip_members),
        cmocka_unit_test(test_gzip_damage),
        cmocka_unit_test(test_not_captures),
        cmocka_unit_test(test_wrong_version),
        cmocka_unit_test(test_unreadable_paths),
        cmocka_unit_test(test_standard_input),
        cmocka_unit_test(test_pipe_is_not_held_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
