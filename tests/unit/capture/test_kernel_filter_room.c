#include "agent/capture/kernel_filter.h"
#include "agent/capture/plain_table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

/* A kernel whose allowance for filters is small: it counts the old and the new one together. */

#define WHOLE 262144

static struct {
    unsigned allowance; /* in instructions */
    unsigned attached;
    unsigned calls;
} kernel;

int setsockopt(int socket, int level, int name, const void *value, socklen_t length)
{
    const struct sock_fprog *program = value;
    (void)socket;
    assert_int_equal(level, SOL_SOCKET);
    assert_int_equal(name, SO_ATTACH_FILTER);
    assert_int_equal(length, sizeof(*program));
    kernel.calls++;
    if (kernel.attached + program->len > kernel.allowance) {
        errno = ENOMEM;
        return -1;
    }
    kernel.attached = program->len;
    return 0;
}

static struct kernel_filter *begin(unsigned allowance)
{
    char error[256] = "";
    kernel.allowance = allowance;
    kernel.attached = 0;
    kernel.calls = 0;
    struct kernel_filter *filter = kernel_filter_new("", WHOLE, error, sizeof(error));
    assert_non_null(filter);
    return filter;
}

static const struct plain_table *full_table(void)
{
    static struct plain_table table;
    for (unsigned i = 0; i < PLAIN_TABLE_MAX; i++) {
        struct plain_bytes flow = {.interface = 5, .kind = PLAIN_ALL, .source.port = 80};
        const uint8_t address[] = {10, 0, 0, (uint8_t)i};
        flow.source.address = address_from_ipv4(address);
        flow.destination.address = flow.source.address;
        flow.destination.port = (uint16_t)(40000 + i);
        plain_table_tell(&table, &flow);
    }
    return &table;
}

static unsigned length_of(struct kernel_filter *filter, size_t plain_count)
{
    const struct kernel_filter_interfaces interfaces = {.plain = full_table()->flows,
                                                        .plain_count = plain_count};
    return kernel_filter_build(filter, &interfaces).len;
}

/* Few enough that two such programs fit, and from then on without a try in vain. */
static void test_fewer_flows(void **state)
{
    (void)state;
    struct kernel_filter *filter = begin(700);
    const struct kernel_filter_interfaces interfaces = {.plain = full_table()->flows,
                                                        .plain_count = PLAIN_TABLE_MAX};
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(kernel_filter_attach(filter, -1, &interfaces), 0);
        assert_in_range(kernel.attached, kernel.allowance / 4, kernel.allowance);
    }
    assert_in_range(kernel.attached, kernel.allowance / 4, kernel.allowance / 2);
    kernel.calls = 0;
    assert_int_equal(kernel_filter_attach(filter, -1, &interfaces), 0);
    assert_int_equal(kernel.calls, 1);
    kernel_filter_free(filter);
}

static void test_no_flows(void **state)
{
    (void)state;
    struct kernel_filter *filter = begin(0);
    const struct kernel_filter_interfaces interfaces = {.plain = full_table()->flows,
                                                        .plain_count = PLAIN_TABLE_MAX};
    unsigned bare = length_of(filter, 0);
    kernel.allowance = 2 * bare;
    assert_int_equal(kernel_filter_attach(filter, -1, &interfaces), 0);
    assert_int_equal(kernel.attached, bare);
    kernel.allowance = bare;
    assert_int_equal(kernel_filter_attach(filter, -1, &interfaces), -ENOMEM);
    kernel_filter_free(filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fewer_flows),
        cmocka_unit_test(test_no_flows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
