#include "agent/capture/sll2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const uint8_t cooked[SLL2_HEADER_LENGTH + 1] = {
    0x86, 0xdd, 0, 0, 0, 1, 0x02, 0x03, 0x03, 0x04, 4, 6, 1, 2, 3, 4, 5, 6, 0, 0, 0x60};

static void test_fields(void **state)
{
    (void)state;
    struct reader reader = reader_over(cooked, sizeof(cooked));
    struct sll2_header header;
    assert_true(sll2_parse(&reader, &header));
    assert_int_equal(header.protocol, 0x86dd);
    assert_int_equal(header.ifindex, 0x010203);
    assert_int_equal(header.arphrd, 0x0304);
    assert_int_equal(header.packet_type, 4);
    assert_int_equal(reader.left, 1);
    assert_int_equal(reader_u8(&reader), 0x60);
}

static void test_cut_off(void **state)
{
    (void)state;
    for (size_t length = 0; length < SLL2_HEADER_LENGTH; length++) {
        struct reader reader = reader_over(cooked, length);
        struct sll2_header header;
        assert_false(sll2_parse(&reader, &header));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
