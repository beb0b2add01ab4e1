#include "capture_bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND_NS INT64_C(1000000000)
#define TIME_MAX (INT64_MAX / 2)
#define TICKS UINT64_C(1700000000123456) /* microseconds */
#define TICKS_NS INT64_C(1700000000123456000)

static struct frame next_frame(struct capture_file *file)
{
    struct frame frame;
    assert_int_equal(capture_file_next(file, &frame), CAPTURE_FILE_FRAME);
    return frame;
}

static void assert_end(struct capture_file *file)
{
    struct frame frame;
    enum capture_file_status status = capture_file_next(file, &frame);
    assert_string_equal(capture_file_error(file), "");
    assert_int_equal(status, CAPTURE_FILE_END);
    capture_file_close(file);
}

static void assert_damaged(const struct capture_bytes *bytes, size_t frames, const char *how)
{
    struct reading reading = read_bytes(bytes->data, bytes->length);
    assert_true(reading.opened);
    assert_int_equal(reading.frames, frames);
    assert_int_equal(reading.status, CAPTURE_FILE_BROKEN);
    assert_non_null(strstr(reading.error, how));
}

/* All three kinds of packet, in either byte order, with blocks nobody knows between them. */
static void put_all_kinds(struct capture_bytes *bytes)
{
    put_section(bytes);
    size_t block = begin_block(bytes, 0x0bad);
    put_pattern(bytes, 7, 100);
    end_block(bytes, block);
    put_interface(bytes, 1, "eth0");
    put_interface(bytes, 101, NULL);
    put_packet(bytes, 0, TICKS, 61);
    block = begin_block(bytes, 2); /* obsolete packet */
    put_u16(bytes, 1);
    put_u16(bytes, 0);
    put_u32(bytes, (uint32_t)(TICKS >> 32));
    put_u32(bytes, (uint32_t)TICKS);
    put_u32(bytes, 40);
    put_u32(bytes, 40);
    put_pattern(bytes, 2, 40);
    put_option(bytes, 1, "comment", 7);
    end_block(bytes, block);
    block = begin_block(bytes, 3); /* simple packet */
    put_u32(bytes, 35);
    put_pattern(bytes, 3, 35);
    end_block(bytes, block);
    block = begin_block(bytes, 5); /* interface statistics */
    put_pattern(bytes, 7, 12);
    end_block(bytes, block);
}

static void assert_all_kinds(struct capture_file *file)
{
    struct frame frame = next_frame(file);
    assert_int_equal(frame.time_ns, TICKS_NS);
    assert_int_equal(frame.captured_length, 61);
    assert_int_equal(frame.wire_length, 161);
    assert_int_equal(frame.link, FRAME_LINK_ETHERNET);
    assert_true(frame.interface >= 0x80000000);
    assert_true(is_pattern(frame.bytes, (uint32_t)TICKS, 61));
    frame = next_frame(file);
    assert_int_equal(frame.time_ns, TICKS_NS);
    assert_int_equal(frame.captured_length, 40);
    assert_int_equal(frame.link, FRAME_LINK_RAW);
    assert_int_equal(frame.interface, 1);
    assert_true(is_pattern(frame.bytes, 2, 40));
    frame = next_frame(file);
    assert_true(frame.untimed);
    assert_int_equal(frame.time_ns, TICKS_NS);
    assert_int_equal(frame.captured_length, 35);
    assert_int_equal(frame.wire_length, 35);
    assert_int_equal(frame.link, FRAME_LINK_ETHERNET);
    assert_true(is_pattern(frame.bytes, 3, 35));
}

/* One file of four sections whose byte order alternates. */
static void test_sections(void **state)
{
    (void)state;
    struct capture_bytes bytes = {0};
    for (int i = 0; i < 4; i++) {
        bytes.big_endian = i % 2 == 1;
        put_all_kinds(&bytes);
    }
    struct capture_file *file = open_bytes(bytes.data, bytes.length);
    for (int i = 0; i < 4; i++) {
        assert_all_kinds(file);
    }
    assert_end(file);
    capture_bytes_free(&bytes);
}

static void test_interfaces_do_not_outlive_their_section(void **state)
{
    (void)state;
    struct capture_bytes bytes = {0};
    put_section(&bytes);
    put_interface(&bytes, 1, NULL);
    put_packet(&bytes, 0, TICKS, 60);
    put_section(&bytes);
    put_packet(&bytes, 0, TICKS, 60);
    assert_damaged(&bytes, 1, "a packet of an interface that is not described");
    capture_bytes_free(&bytes);
}

static uint32_t interface_of(const char *const *names, size_t count, uint32_t index)
{
    struct capture_bytes bytes = {0};
    put_section(&bytes);
    for (size_t i = 0; i < count; i++) {
        put_interface(&bytes, 1, names[i]);
    }
    put_packet(&bytes, index, TICKS, 60);
    struct capture_file *file = open_bytes(bytes.data, bytes.length);
    uint32_t interface = next_frame(file).interface;
    assert_end(file);
    capture_bytes_free(&bytes);
    return interface;
}

/* The number follows the name from file to file, not the position. */
static void test_interface_numbers(void **state)
{
    (void)state;
    const char *const first[] = {"eth0", "eth1", NULL};
    const char *const second[] = {NULL, "veth9", "eth1", "eth0"};
    assert_int_equal(interface_of(first, 3, 0), interface_of(second, 4, 3));
    assert_int_equal(interface_of(first, 3, 1), interface_of(second, 4, 2));
    assert_int_not_equal(interface_of(first, 3, 0), interface_of(first, 3, 1));
    assert_int_equal(interface_of(first, 3, 2), 2);
    assert_int_equal(interface_of(second, 4, 0), 0);
}

static int64_t time_with(uint8_t resolution, bool has_resolution, int64_t offset, uint64_t ticks)
{
    struct capture_bytes bytes = {.big_endian = (ticks & 1) != 0};
    put_section(&bytes);
    size_t block = begin_block(&bytes, 1);
    put_u16(&bytes, 1);
    put_u16(&bytes, 0);
    put_u32(&bytes, 0);
    if (has_resolution) {
        put_option(&bytes, 9, &resolution, 1);
    }
    if (offset != 0) {
        put_u16(&bytes, 14);
        put_u16(&bytes, 8);
        put_u64(&bytes, (uint64_t)offset);
    }
    put_option(&bytes, 0, NULL, 0);
    end_block(&bytes, block);
    put_packet(&bytes, 0, ticks, 60);
    struct capture_file *file = open_bytes(bytes.data, bytes.length);
    int64_t time_ns = next_frame(file).time_ns;
    assert_end(file);
    capture_bytes_free(&bytes);
    return time_ns;
}

static void test_resolutions(void **state)
{
    (void)state;
    assert_int_equal(time_with(0, false, 0, 1700000000000001), INT64_C(1700000000000001000));
    assert_int_equal(time_with(0, true, 0, 1700000000), INT64_C(1700000000000000000));
    assert_int_equal(time_with(3, true, 0, 1700000000001), INT64_C(1700000000001000000));
    assert_int_equal(time_with(6, true, 0, 1700000000000002), INT64_C(1700000000000002000));
    assert_int_equal(time_with(9, true, 0, 1700000000000000003), INT64_C(1700000000000000003));
    assert_int_equal(time_with(10, true, 0, 17000000000000000039U), INT64_C(1700000000000000003));
    assert_int_equal(time_with(12, true, 0, 5000000000999), 5 * SECOND_NS);
    assert_int_equal(time_with(19, true, 0, 15000000000000000000U), 3 * SECOND_NS / 2);
    assert_int_equal(time_with(0x80, true, 0, 1700000000), INT64_C(1700000000000000000));
    assert_int_equal(time_with(0x81, true, 0, 3), 3 * SECOND_NS / 2);
    assert_int_equal(time_with(0xa0, true, 0, 0x180000000), 3 * SECOND_NS / 2);
    assert_int_equal(time_with(0x80 | 33, true, 0, 0x300000000), 3 * SECOND_NS / 2);
    assert_int_equal(time_with(0x80 | 63, true, 0, 0xc000000000000000), 3 * SECOND_NS / 2);
}

static void test_offsets(void **state)
{
    (void)state;
    assert_int_equal(time_with(6, true, 1700000000, 5), INT64_C(1700000000000005000));
    assert_int_equal(time_with(6, true, -1, 1500000), SECOND_NS / 2);
    assert_int_equal(time_with(6, true, -2, 1500000), 0);
}

/* Whatever a file claims, the time stays within its bounds. */
static void test_hostile_times(void **state)
{
    (void)state;
    static const int64_t offsets[] = {0, 1, -1, INT64_MAX, INT64_MIN, INT64_MAX / SECOND_NS};
    static const uint64_t ticks[] = {0, 1, INT64_MAX, UINT64_MAX, UINT64_MAX / 2 + 1};
    for (unsigned resolution = 0; resolution < 256; resolution++) {
        for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
            for (size_t k = 0; k < sizeof(ticks) / sizeof(ticks[0]); k++) {
                int64_t time_ns = time_with((uint8_t)resolution, true, offsets[i], ticks[k]);
                assert_true(time_ns >= 0 && time_ns <= TIME_MAX);
            }
        }
    }
    assert_int_equal(time_with(0, true, 0, UINT64_MAX), TIME_MAX);
}

static void test_every_truncation(void **state)
{
    (void)state;
    struct capture_bytes bytes = {0};
    put_all_kinds(&bytes);
    for (size_t cut = 0; cut < bytes.length; cut++) {
        struct reading reading = read_bytes(bytes.data, cut);
        assert_int_equal(reading.opened, cut >= 12);
        if (reading.opened && reading.status == CAPTURE_FILE_BROKEN) {
            char where[64];
            snprintf(where, sizeof(where), ": truncated in packet %zu at byte %zu",
                     reading.frames + 1, cut);
            assert_non_null(strstr(reading.error, where));
        }
    }
    /* A cut is clean only between two blocks: there are eight. */
    size_t clean = 0;
    for (size_t cut = 12; cut <= bytes.length; cut++) {
        clean += read_bytes(bytes.data, cut).status == CAPTURE_FILE_END ? 1 : 0;
    }
    assert_int_equal(clean, 8);
    capture_bytes_free(&bytes);
}

/* A section and one interface, then a block whose bytes the test spoils. */
static struct capture_bytes file_with_packet(size_t *packet_out)
{
    struct capture_bytes bytes = {0};
    put_section(&bytes);
    put_interface(&bytes, 1, "eth0");
    put_packet(&bytes, 0, TICKS, 60);
    *packet_out = bytes.length;
    put_packet(&bytes, 0, TICKS, 60);
    return bytes;
}

static void test_damaged_packets(void **state)
{
    (void)state;
    static const struct {
        size_t offset; /* in the block */
        uint8_t value;
        const char *how;
    } damages[] = {
        {4, 1, "a block of an impossible length"},
        {4, 8, "a block of an impossible length"},
        {4, 93, "a block of an impossible length"},
        {7, 0x80, "a block longer than any packet"},
        {88, 96, "a block whose two lengths differ"},
        {8, 1, "a packet of an interface that is not described"},
        {11, 0xff, "a packet of an interface that is not described"},
        {20, 61, "a packet longer than its block"},
        {23, 0xff, "a packet longer than its block"},
    };
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        size_t packet;
        struct capture_bytes bytes = file_with_packet(&packet);
        bytes.data[packet + damages[i].offset] = damages[i].value;
        assert_damaged(&bytes, 1, damages[i].how);
        capture_bytes_free(&bytes);
    }
}

static void test_short_blocks(void **state)
{
    (void)state;
    static const struct {
        uint32_t type;
        uint32_t body;
        const char *how;
    } blocks[] = {
        {1, 4, "an interface description that is too short"},
        {2, 16, "a packet block that is too short"},
        {3, 0, "a packet block that is too short"},
        {6, 16, "a packet block that is too short"},
    };
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        size_t packet;
        struct capture_bytes bytes = file_with_packet(&packet);
        size_t block = begin_block(&bytes, blocks[i].type);
        put_pattern(&bytes, 0, blocks[i].body);
        end_block(&bytes, block);
        assert_damaged(&bytes, 2, blocks[i].how);
        capture_bytes_free(&bytes);
    }
}

static void test_damaged_descriptions(void **state)
{
    (void)state;
    struct capture_bytes bytes = {0};
    put_section(&bytes);
    size_t block = begin_block(&bytes, 1);
    put_u64(&bytes, 1);
    put_u16(&bytes, 2);
    put_u16(&bytes, 400); /* a name longer than the block */
    put_u32(&bytes, 0);
    end_block(&bytes, block);
    assert_damaged(&bytes, 0, "an option of an interface longer than its block");
    bytes.length = 0;
    put_section(&bytes);
    bytes.data[12] = 2;
    assert_damaged(&bytes, 0, "pcapng of a version other than 1");
    bytes.length = 0;
    put_section(&bytes);
    put_section(&bytes);
    bytes.data[bytes.length / 2 + 8] = 0;
    assert_damaged(&bytes, 0, "a section of no known byte order");
    bytes.length = 0;
    put_section(&bytes);
    block = begin_block(&bytes, 3);
    put_u32(&bytes, 0);
    end_block(&bytes, block);
    assert_damaged(&bytes, 0, "a packet of an interface that is not described");
    capture_bytes_free(&bytes);
}

/* The bound on interfaces: as many are kept, one more is refused. */
static void test_interface_bound(void **state)
{
    (void)state;
    struct capture_bytes bytes = {0};
    put_section(&bytes);
    for (uint32_t i = 0; i < 65536; i++) {
        put_interface(&bytes, 1, NULL);
    }
    put_packet(&bytes, 65535, TICKS, 60);
    struct capture_file *file = open_bytes(bytes.data, bytes.length);
    assert_int_equal(next_frame(file).interface, 65535);
    assert_end(file);
    put_interface(&bytes, 1, NULL);
    assert_damaged(&bytes, 1, "more interfaces than can be kept");
    capture_bytes_free(&bytes);
}

/* Blocks of no interest may be longer than the buffer; packets may not. */
static void test_long_blocks(void **state)
{
    (void)state;
    struct capture_bytes bytes = {0};
    put_section(&bytes);
    put_interface(&bytes, 1, "eth0");
    size_t block = begin_block(&bytes, 0x0bad);
    put_pattern(&bytes, 1, 5 << 20);
    end_block(&bytes, block);
    size_t after = bytes.length;
    put_packet(&bytes, 0, TICKS, 1 << 20);
    struct capture_file *file = open_bytes(bytes.data, bytes.length);
    struct frame frame = next_frame(file);
    assert_int_equal(frame.captured_length, 1 << 20);
    assert_true(is_pattern(frame.bytes, (uint32_t)TICKS, 1 << 20));
    assert_end(file);
    struct reading reading = read_bytes(bytes.data, after - 100);
    assert_non_null(strstr(reading.error, "truncated in packet 1 at byte "));
    bytes.data[after - 4] ^= 4;
    assert_damaged(&bytes, 0, "a block whose two lengths differ");
    bytes.data[after - 4] ^= 4;
    bytes.length = after;
    put_packet(&bytes, 0, TICKS, (1 << 20) + 1);
    assert_damaged(&bytes, 0, "a packet longer than its block");
    capture_bytes_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sections),
        cmocka_unit_test(test_interfaces_do_not_outlive_their_section),
        cmocka_unit_test(test_interface_numbers),
        cmocka_unit_test(test_resolutions),
        cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_hostile_times),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_damaged_packets),
        cmocka_unit_test(test_short_blocks),
        cmocka_unit_test(test_damaged_descriptions),
        cmocka_unit_test(test_interface_bound),
        cmocka_unit_test(test_long_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
