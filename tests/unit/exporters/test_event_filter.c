#include "exporters/events/event_filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)

static struct exchange_record answered(const char *side, uint16_t status)
{
    return (struct exchange_record){.side = text_of(side),
                                    .outcome = text_of("complete"),
                                    .status = status,
                                    .duration_ns = 1000};
}

static bool wants(const struct event_filter_options *options, const struct exchange_record *record)
{
    struct event_filter *filter = event_filter_new(options);
    assert_non_null(filter);
    bool wanted = event_filter_wants(filter, record, 0);
    event_filter_free(filter);
    return wanted;
}

static void test_only_errors(void **state)
{
    (void)state;
    const struct event_filter_options options = {.only_errors = true};
    static const struct {
        const char *side;
        const char *outcome;
        uint16_t status;
        bool wanted;
    } cases[] = {
        {"server", "complete", 200, false},      {"server", "complete", 404, false},
        {"client", "complete", 404, true},       {"client", "complete", 399, false},
        {"server", "complete", 500, true},       {"client", "complete", 503, true},
        {"server", "connection_reset", 0, true}, {"server", "truncated_response", 200, true},
        {"server", "timeout", 0, true},          {"server", "request_only", 0, false},
        {"server", "response_only", 200, false}, {"server", "response_only", 500, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct exchange_record record = answered(cases[i].side, cases[i].status);
        record.outcome = text_of(cases[i].outcome);
        assert_int_equal(wants(&options, &record), cases[i].wanted);
    }
}

static void test_slower_than(void **state)
{
    (void)state;
    struct event_filter_options options = {.slower_than_ns = 1000};
    struct exchange_record record = answered("server", 500);
    assert_false(wants(&options, &record)); /* exactly as slow */
    record.duration_ns = 1001;
    assert_true(wants(&options, &record));
    record.duration_ns = RECORD_UNKNOWN;
    assert_false(wants(&options, &record));
    options.only_errors = true; /* either is enough */
    assert_true(wants(&options, &record));
    record = answered("server", 200);
    assert_false(wants(&options, &record));
    record.duration_ns = 1001;
    assert_true(wants(&options, &record));
}

static unsigned passed(struct event_filter *filter, struct exchange_record *record, unsigned count,
                       int64_t now_ns)
{
    unsigned wanted = 0;
    for (unsigned i = 0; i < count; i++) {
        wanted += event_filter_wants(filter, record, now_ns);
    }
    return wanted;
}

static void test_rate_of_each_service(void **state)
{
    (void)state;
    const struct event_filter_options options = {.rate_per_second = 10};
    struct event_filter *filter = event_filter_new(&options);
    struct exchange_record orders = answered("server", 200);
    struct exchange_record stock = answered("server", 200);
    orders.server_service = text_of("orders");
    stock.server_service = text_of("stock");
    int64_t now = 1000 * SECOND;
    assert_int_equal(passed(filter, &orders, 100, now), 10); /* a second's burst */
    assert_int_equal(passed(filter, &stock, 100, now), 10);
    assert_int_equal(passed(filter, &orders, 100, now + SECOND / 2), 5);
    assert_int_equal(passed(filter, &orders, 100, now + 100 * SECOND), 10); /* not 1000 */
    unsigned sum = 0;
    for (unsigned i = 0; i < 1000; i++) { /* ten seconds of a hundred a second */
        sum += passed(filter, &stock, 1, now + SECOND + i * (SECOND / 100));
    }
    assert_in_range(sum, 100, 111);
    event_filter_free(filter);
}

static void test_unnamed_clients_share_no_rate_with_their_ports(void **state)
{
    (void)state;
    const struct event_filter_options options = {.rate_per_second = 10};
    struct event_filter *filter = event_filter_new(&options);
    unsigned sum = 0;
    for (unsigned port = 0; port < 100; port++) {
        char client[32];
        snprintf(client, sizeof(client), "10.0.0.1:%u", 40000 + port);
        struct exchange_record record = answered("client", 200);
        record.client = text_of(client);
        sum += event_filter_wants(filter, &record, SECOND);
    }
    assert_int_equal(sum, 10);
    event_filter_free(filter);
}

/* More services than the table has places: they share, and nothing else happens. */
static void test_more_services_than_places(void **state)
{
    (void)state;
    const struct event_filter_options options = {.rate_per_second = 1};
    struct event_filter *filter = event_filter_new(&options);
    unsigned sum = 0;
    for (unsigned i = 0; i < 20000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "service-%u", i);
        struct exchange_record record = answered("server", 200);
        record.server_service = text_of(name);
        sum += event_filter_wants(filter, &record, SECOND);
    }
    assert_in_range(sum, 3500, 4096);
    event_filter_free(filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_errors),
        cmocka_unit_test(test_slower_than),
        cmocka_unit_test(test_rate_of_each_service),
        cmocka_unit_test(test_unnamed_clients_share_no_rate_with_their_ports),
        cmocka_unit_test(test_more_services_than_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
