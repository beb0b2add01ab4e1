#include "agent/commands/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* As many rows as the table holds of its own, and what a line of it may be long. */
#define ROWS 4095
#define COLUMNS 100

static struct exchange exchange_of(const char *route, uint16_t status)
{
    return (struct exchange){.route = slice_of(route),
                             .status = status,
                             .outcome = EXCHANGE_COMPLETE,
                             .start_ns = 1000000000,
                             .response_end_ns = 1002000000,
                             .request_body_bytes = 0,
                             .response_body_bytes = 10};
}

static struct connection connection_to(const char *server)
{
    struct connection connection = {.server = {.port = 80}};
    assert_int_equal(address_parse(server, &connection.server.address), 0);
    return connection;
}

static void add(struct table *table, const char *server, const char *route, uint16_t status)
{
    struct connection connection = connection_to(server);
    struct exchange exchange = exchange_of(route, status);
    table_exchange(table, &connection, &exchange);
}

/* The printed table; the caller frees it. */
static char *printed(struct table *table, bool color)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    table_print(table, color, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static size_t count(const char *text, const char *what)
{
    size_t found = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at++) {
        found++;
    }
    return found;
}

static struct directory *names(const char *namespace, const char *service)
{
    struct directory_entry entry = {.prefix_bits = 128, .namespace = namespace, .service = service};
    assert_int_equal(address_parse("10.0.0.1", &entry.address), 0);
    struct directory *directory = directory_new(&entry, 1);
    assert_non_null(directory);
    return directory;
}

static void rows_tell_requests_errors_and_times(void **state)
{
    (void)state;
    struct directory *directory = names("shop", "orders");
    struct table *table = table_new(directory);
    assert_non_null(table);
    add(table, "10.0.0.2", "/b", 200);
    for (unsigned i = 0; i < 3; i++) {
        add(table, "10.0.0.1", "/a", 200);
    }
    add(table, "10.0.0.1", "/a", 503);
    char *text = printed(table, false);
    assert_string_equal(
        text,
        "SERVICE     ROUTE                                REQUESTS  ERRORS     P50     P90     P99 "
        "    BYTES\n"
        "shop/orders /a                                          4   25.0%   2.0ms   2.0ms   2.0ms "
        "      40B\n"
        "10.0.0.2:80 /b                                          1    0.0%   2.0ms   2.0ms   2.0ms "
        "      10B\n");
    free(text);
    text = printed(table, true);
    assert_int_equal(count(text, "\033[31m"), 1);
    free(text);
    table_free(table);
    directory_free(directory);
}

/* What stands alone is no request of a service: the summary tells of it. */
static void unmatched_messages_are_left_out(void **state)
{
    (void)state;
    struct directory *directory = names("shop", "orders");
    struct table *table = table_new(directory);
    assert_non_null(table);
    struct connection connection = connection_to("10.0.0.1");
    struct exchange exchange = exchange_of("/a", 0);
    exchange.outcome = EXCHANGE_REQUEST_ONLY;
    table_exchange(table, &connection, &exchange);
    exchange.outcome = EXCHANGE_RESPONSE_ONLY;
    table_exchange(table, &connection, &exchange);
    char *text = printed(table, false);
    assert_int_equal(count(text, "\n"), 1);
    free(text);
    table_free(table);
    directory_free(directory);
}

static void long_names_stay_within_the_columns(void **state)
{
    (void)state;
    struct directory *directory =
        names("shop", "a-service-with-a-name-that-is-longer-than-its-column-is");
    struct table *table = table_new(directory);
    assert_non_null(table);
    char route[1024] = "/";
    memset(route + 1, 'r', sizeof(route) - 2);
    add(table, "10.0.0.1", route, 200);
    char *text = printed(table, false);
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        assert_in_range(strchr(line, '\n') - line, 1, COLUMNS);
    }
    free(text);
    table_free(table);
    directory_free(directory);
}

/* Fills the table to its bound and goes one past it, and then some. */
static void rows_beyond_the_bound_are_one(void **state)
{
    (void)state;
    static const char *const services[] = {"orders", "(other)"}; /* also one that is called so */
    for (size_t i = 0; i < 2; i++) {
        struct directory *directory = names("", services[i]);
        struct table *table = table_new(directory);
        assert_non_null(table);
        for (unsigned j = 0; j < ROWS; j++) {
            char route[16];
            snprintf(route, sizeof(route), "/%u", j);
            add(table, "10.0.0.1", route, 200);
        }
        char *text = printed(table, false);
        assert_int_equal(count(text, "\n"), 1 + ROWS);
        assert_int_equal(count(text, "\n(other)  "), 0);
        free(text);
        add(table, "10.0.0.1", "/one-more", 200);
        add(table, "10.0.0.1", "/another", 200);
        add(table, "10.0.0.1", "/7", 200);
        text = printed(table, false);
        assert_int_equal(count(text, "\n"), 1 + ROWS + 1);
        assert_int_equal(count(text, "\n(other)  "), 1);
        const char *row = strstr(text, " /7 ");
        assert_non_null(row);
        assert_int_equal(strtoul(row + strlen(" /7 "), NULL, 10), 2);
        free(text);
        table_free(table);
        directory_free(directory);
    }
}

/* Whatever the times and sizes: every line is as long as the first. */
static void numbers_stay_within_their_columns(void **state)
{
    (void)state;
    static const double seconds[] = {0,        1e-9,     0.0009996, 0.00099951, 0.0099999,
                                     0.99994,  0.999951, 9.99999,   99.99999,   999.99,
                                     999.9999, 1e6,      9e9};
    struct directory *directory = names("shop", "orders");
    for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
        struct table *table = table_new(directory);
        assert_non_null(table);
        struct connection connection = connection_to("10.0.0.1");
        struct exchange exchange = exchange_of("/a", 200);
        exchange.start_ns = 0;
        exchange.response_end_ns = (int64_t)(seconds[i] * 1e9);
        exchange.response_body_bytes = (uint64_t)(seconds[i] * 1e6);
        table_exchange(table, &connection, &exchange);
        char *text = printed(table, false);
        size_t header = strcspn(text, "\n");
        assert_int_equal(strlen(text), 2 * (header + 1));
        assert_int_equal(strcspn(text + header + 1, "\n"), header);
        free(text);
        table_free(table);
    }
    directory_free(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_tell_requests_errors_and_times),
        cmocka_unit_test(unmatched_messages_are_left_out),
        cmocka_unit_test(long_names_stay_within_the_columns),
        cmocka_unit_test(rows_beyond_the_bound_are_one),
        cmocka_unit_test(numbers_stay_within_their_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
