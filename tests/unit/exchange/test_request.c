#include "agent/exchange/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_TEXT 4096

static struct request_store store;
static char filler[3 * MAX_TEXT];

static int begin(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(filler); i++) {
        filler[i] = (char)('a' + i % 26);
    }
    return request_store_init(&store, UINT64_C(1) << 20, MAX_TEXT);
}

static int end(void **state)
{
    (void)state;
    int left = (int)(store.requests.used + store.long_texts.used);
    request_store_fini(&store);
    return left;
}

static struct request *take(const struct exchange *exchange)
{
    struct request *request = request_take(&store, exchange);
    if (request == NULL) {
        abort();
    }
    return request;
}

static struct exchange exchange_with(size_t target_length)
{
    return (struct exchange){.method = slice_of("GET"),
                             .target = {filler, target_length},
                             .host = slice_of("shop.example"),
                             .user_agent = slice_of("test/1"),
                             .start_ns = 42};
}

/* Copies: the peer's bytes are gone when the packet is. */
static void test_copies(void **state)
{
    (void)state;
    char target[] = "/a?b=1";
    struct exchange exchange = exchange_with(0);
    exchange.target = (struct slice){target, sizeof(target) - 1};
    struct request *request = take(&exchange);
    memset(target, 'x', sizeof(target));
    assert_true(slice_equal(request->exchange.target, slice_of("/a?b=1")));
    assert_true(slice_equal(request->exchange.method, slice_of("GET")));
    assert_true(slice_equal(request->exchange.host, slice_of("shop.example")));
    assert_true(slice_equal(request->exchange.user_agent, slice_of("test/1")));
    assert_null(request->exchange.trace_id.data);
    assert_int_equal(request->exchange.start_ns, 42);
    assert_null(request->long_text);
    assert_false(request->ended || request->answered || request->alone || request->guessed);
    request_give(&store, request);
}

static void test_long_target(void **state)
{
    (void)state;
    struct exchange exchange = exchange_with(3000);
    struct request *request = take(&exchange);
    assert_non_null(request->long_text);
    assert_int_equal(request->exchange.target.length, 3000);
    assert_memory_equal(request->exchange.target.data, filler, 3000);
    assert_true(slice_equal(request->exchange.user_agent, slice_of("test/1")));
    request_give(&store, request);
}

/* A target longer than everything is cut and leaves room for the rest; never dropped. */
static void test_target_past_the_bound(void **state)
{
    (void)state;
    struct exchange exchange = exchange_with(sizeof(filler));
    struct request *request = take(&exchange);
    assert_in_range(request->exchange.target.length, MAX_TEXT / 2, MAX_TEXT);
    assert_memory_equal(request->exchange.target.data, filler, request->exchange.target.length);
    assert_true(slice_equal(request->exchange.host, slice_of("shop.example")));
    assert_true(slice_equal(request->exchange.user_agent, slice_of("test/1")));
    request_give(&store, request);
}

/* Every text hostile: all are cut, the target has at least half of what is left. */
static void test_all_texts_long(void **state)
{
    (void)state;
    struct slice endless = {filler, sizeof(filler)};
    struct exchange exchange = {.method = endless,
                                .target = endless,
                                .host = endless,
                                .user_agent = endless,
                                .trace_id = endless};
    struct request *request = take(&exchange);
    const struct exchange *own = &request->exchange;
    size_t total = own->method.length + own->target.length + own->host.length +
                   own->user_agent.length + own->trace_id.length;
    assert_in_range(total, MAX_TEXT / 2, MAX_TEXT);
    assert_in_range(own->target.length, 1024, MAX_TEXT);
    assert_in_range(own->user_agent.length, 1, 256);
    request_give(&store, request);
}

/* When no long text is left the record's own room has to do. */
static void test_long_texts_exhausted(void **state)
{
    (void)state;
    struct request *taken[4096];
    size_t count = 0;
    struct exchange exchange = exchange_with(3000);
    struct request *request = take(&exchange);
    while (request->long_text != NULL) {
        taken[count++] = request;
        request = take(&exchange);
    }
    assert_in_range(request->exchange.target.length, REQUEST_INLINE_TEXT / 2, REQUEST_INLINE_TEXT);
    assert_true(slice_equal(request->exchange.host, slice_of("shop.example")));
    request_give(&store, request);
    for (size_t i = 0; i < count; i++) {
        request_give(&store, taken[i]);
    }
}

static void test_records_exhausted(void **state)
{
    (void)state;
    struct request *taken[8192];
    size_t count = 0;
    struct exchange exchange = exchange_with(10);
    struct request *request = NULL;
    while ((request = request_take(&store, &exchange)) != NULL) {
        taken[count++] = request;
    }
    assert_in_range(count, 64, 8191);
    assert_int_equal(store.requests.refused, 1);
    assert_int_equal(count, store.requests.capacity);
    request_give(&store, taken[--count]);
    request_give(&store, take(&exchange));
    for (size_t i = 0; i < count; i++) {
        request_give(&store, taken[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_copies, begin, end),
        cmocka_unit_test_setup_teardown(test_long_target, begin, end),
        cmocka_unit_test_setup_teardown(test_target_past_the_bound, begin, end),
        cmocka_unit_test_setup_teardown(test_all_texts_long, begin, end),
        cmocka_unit_test_setup_teardown(test_long_texts_exhausted, begin, end),
        cmocka_unit_test_setup_teardown(test_records_exhausted, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
