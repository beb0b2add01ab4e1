#include "agent/aggregate/selection.h"

#include "tests/unit/aggregate/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Counts what passes. */
struct passed {
    unsigned exchanges;
    unsigned events;
};

static void count_exchange(void *context, struct connection *connection,
                           const struct exchange *exchange)
{
    (void)connection;
    (void)exchange;
    ((struct passed *)context)->exchanges++;
}

static void count_event(void *context, struct connection *connection,
                        const struct connection_event *event)
{
    (void)connection;
    (void)event;
    ((struct passed *)context)->events++;
}

static struct address address(const char *text)
{
    struct address parsed;
    assert_int_equal(address_parse(text, &parsed), 0);
    return parsed;
}

static struct aggregate_shard *shard_of(const struct directory *directory)
{
    struct aggregate_options options = scene_options();
    struct aggregate_shard *shard = aggregate_shard_new(&options, directory);
    assert_non_null(shard);
    return shard;
}

static struct connection connection_to(const char *server, uint16_t port)
{
    return (struct connection){.client = {address("10.9.9.9"), 40000},
                               .server = {address(server), port}};
}

/* Sends one exchange and one event through; true when the exchange passed. The event must share its
 * fate only where the whole connection is left out. */
static bool passes(struct selection *selection, struct passed *passed, const char *server,
                   uint16_t port, const struct exchange *exchange)
{
    struct connection connection = connection_to(server, port);
    struct exchange_sink sink = selection_sink(selection);
    unsigned before = passed->exchanges;
    sink.exchange(sink.context, &connection, exchange);
    return passed->exchanges == before + 1;
}

static void own_traffic_is_left_out(void **state)
{
    (void)state;
    struct passed passed = {0};
    struct exchange_sink next = {&passed, count_exchange, count_event};
    struct address own[] = {address("10.0.0.1"), address("fd00::1")};
    struct selection_options options = {
        .own_addresses = own, .own_address_count = 2, .own_port = 9990};
    struct selection *selection = selection_new(&options, &next);
    assert_non_null(selection);
    struct exchange exchange = {.route = slice_of("/metrics")};
    assert_false(passes(selection, &passed, "10.0.0.1", 9990, &exchange));
    assert_false(passes(selection, &passed, "fd00::1", 9990, &exchange));
    assert_true(passes(selection, &passed, "10.0.0.1", 80, &exchange));
    assert_true(passes(selection, &passed, "10.0.0.2", 9990, &exchange));
    struct connection scrape = connection_to("10.0.0.1", 9990);
    struct connection other = connection_to("10.0.0.2", 9990);
    struct connection_event event = {.kind = CONNECTION_OPENED, .amount = 1};
    struct exchange_sink sink = selection_sink(selection);
    sink.event(sink.context, &scrape, &event);
    assert_int_equal(passed.events, 0);
    sink.event(sink.context, &other, &event);
    assert_int_equal(passed.events, 1);
    selection_free(selection);
}

/* What is sent from here under the agent's name; what only claims the name is not. */
static void own_deliveries_are_left_out(void **state)
{
    (void)state;
    struct passed passed = {0};
    struct exchange_sink next = {&passed, count_exchange, count_event};
    struct address own = address("10.9.9.9"); /* the client of connection_to */
    struct address other = address("10.9.9.8");
    struct selection_options options = {.own_addresses = &own, .own_address_count = 1};
    struct selection *selection = selection_new(&options, &next);
    options.own_addresses = &other;
    struct selection *elsewhere = selection_new(&options, &next);
    struct exchange exchange = {.user_agent = slice_of("vethscope/0.1.0")};
    assert_false(passes(selection, &passed, "10.0.0.2", 4318, &exchange));
    assert_true(passes(elsewhere, &passed, "10.0.0.2", 4318, &exchange));
    exchange.user_agent = slice_of("vethscope");
    assert_true(passes(selection, &passed, "10.0.0.2", 4318, &exchange));
    exchange.user_agent = slice_of("curl/8 vethscope/0.1.0");
    assert_true(passes(selection, &passed, "10.0.0.2", 4318, &exchange));
    exchange.user_agent = (struct slice){0};
    assert_true(passes(selection, &passed, "10.0.0.2", 4318, &exchange));
    selection_free(selection);
    selection_free(elsewhere);
}

/* A request whose beginning was counted ends, though its exchange is left out; what is the agent's
 * own from the start had no beginning. */
static void left_out_requests_end(void **state)
{
    (void)state;
    struct passed passed = {0};
    struct exchange_sink next = {&passed, count_exchange, count_event};
    struct address own[] = {address("10.0.0.1"), address("10.9.9.9")};
    struct selection_rule rule = {.exclude = true, .route = "/health*"};
    struct aggregate_shard *shard = shard_of(NULL);
    struct selection_options options = {.rules = &rule,
                                        .rule_count = 1,
                                        .shard = shard,
                                        .own_addresses = own,
                                        .own_address_count = 2,
                                        .own_port = 9990};
    struct selection *selection = selection_new(&options, &next);
    assert_non_null(selection);
    struct exchange exchange = {.route = slice_of("/healthz"), .ends_request = true};
    assert_false(passes(selection, &passed, "10.0.0.2", 80, &exchange));
    assert_int_equal(passed.events, 1);
    exchange.ends_request = false;
    assert_false(passes(selection, &passed, "10.0.0.2", 80, &exchange));
    assert_int_equal(passed.events, 1);
    exchange = (struct exchange){.user_agent = slice_of("vethscope/1"), .ends_request = true};
    assert_false(passes(selection, &passed, "10.0.0.2", 80, &exchange));
    assert_int_equal(passed.events, 2);
    assert_false(passes(selection, &passed, "10.0.0.1", 9990, &exchange));
    assert_int_equal(passed.events, 2);
    exchange.user_agent = (struct slice){0};
    assert_true(passes(selection, &passed, "10.0.0.2", 80, &exchange));
    assert_int_equal(passed.events, 2);
    selection_free(selection);
    aggregate_shard_free(shard);
}

static void first_rule_that_fits_decides(void **state)
{
    (void)state;
    struct passed passed = {0};
    struct exchange_sink next = {&passed, count_exchange, count_event};
    struct directory_entry entry = {.address = address("10.0.1.0"),
                                    .prefix_bits = 96 + 24,
                                    .namespace = "shop",
                                    .service = "orders"};
    struct directory *directory = directory_new(&entry, 1);
    assert_non_null(directory);
    struct selection_rule rules[] = {
        {.exclude = false, .namespace = "shop", .route = "/keep*"},
        {.exclude = true, .namespace = "shop", .service = "ord*", .route = "/health*"},
        {.exclude = true, .user_agent = "kube-probe/*"},
    };
    struct aggregate_shard *shard = shard_of(directory);
    struct selection_options options = {.rules = rules, .rule_count = 3, .shard = shard};
    struct selection *selection = selection_new(&options, &next);
    assert_non_null(selection);
    struct exchange health = {.route = slice_of("/healthz")};
    struct exchange probe = {.route = slice_of("/x"), .user_agent = slice_of("kube-probe/1.29")};
    struct exchange kept = {.route = slice_of("/keep/me"),
                            .user_agent = slice_of("kube-probe/1.29")};
    assert_false(passes(selection, &passed, "10.0.1.7", 80, &health));
    assert_true(passes(selection, &passed, "10.0.2.7", 80, &health));
    assert_false(passes(selection, &passed, "10.0.2.7", 80, &probe));
    assert_true(passes(selection, &passed, "10.0.1.7", 80, &kept));
    selection_free(selection);
    aggregate_shard_free(shard);
    directory_free(directory);
}

/* Rules speak of services as the metrics do, so what is seen there can be left out. */
static void unknown_servers_have_the_names_of_the_metrics(void **state)
{
    (void)state;
    struct passed passed = {0};
    struct exchange_sink next = {&passed, count_exchange, count_event};
    struct directory_entry entry = {
        .address = address("10.0.1.0"), .prefix_bits = 96 + 24, .namespace = "", .service = "a"};
    struct directory *directories[] = {directory_new(&entry, 1), directory_new(NULL, 0), NULL};
    static const char *const globs[] = {"external", "10.0.2.7:*", "10.0.2.7:80"};
    struct exchange exchange = {.route = slice_of("/x")};
    for (size_t i = 0; i < 3; i++) {
        struct selection_rule rule = {.exclude = true, .service = globs[i]};
        struct aggregate_shard *shard = shard_of(directories[i]);
        struct selection_options options = {.rules = &rule, .rule_count = 1, .shard = shard};
        struct selection *selection = selection_new(&options, &next);
        assert_non_null(selection);
        assert_false(passes(selection, &passed, "10.0.2.7", 80, &exchange));
        assert_true(passes(selection, &passed, "10.0.1.7", 80, &exchange));
        selection_free(selection);
        aggregate_shard_free(shard);
        directory_free(directories[i]);
    }
}

/* The user agent is the peer's: longer than the comparison looks, and without a terminator. */
static void long_values_are_compared_by_their_beginning(void **state)
{
    (void)state;
    struct passed passed = {0};
    struct exchange_sink next = {&passed, count_exchange, count_event};
    struct selection_rule rule = {.exclude = true, .user_agent = "aaa*"};
    struct aggregate_shard *shard = shard_of(NULL);
    struct selection_options options = {.rules = &rule, .rule_count = 1, .shard = shard};
    struct selection *selection = selection_new(&options, &next);
    assert_non_null(selection);
    static char text[4096];
    memset(text, 'a', sizeof(text));
    struct exchange exchange = {.user_agent = {text, sizeof(text)}};
    assert_false(passes(selection, &passed, "10.0.0.1", 80, &exchange));
    text[0] = 'b';
    assert_true(passes(selection, &passed, "10.0.0.1", 80, &exchange));
    selection_free(selection);
    aggregate_shard_free(shard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_traffic_is_left_out),
        cmocka_unit_test(own_deliveries_are_left_out),
        cmocka_unit_test(left_out_requests_end),
        cmocka_unit_test(first_rule_that_fits_decides),
        cmocka_unit_test(unknown_servers_have_the_names_of_the_metrics),
        cmocka_unit_test(long_values_are_compared_by_their_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
