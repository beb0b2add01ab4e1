#include "agent/commands/own_name.h"

#include "agent/kube/directory.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct config *config_of(const char *text)
{
    char error[CONFIG_ERROR_SIZE] = "";
    struct config *config = config_read_memory("test", text, strlen(text), error);
    assert_string_equal(error, "");
    assert_non_null(config);
    return config;
}

static struct address address_of(const char *text)
{
    struct address address;
    assert_int_equal(address_parse(text, &address), 0);
    return address;
}

/* "namespace/service" of who is at that address, "?" where nobody is known. */
static void assert_called(const struct config *config, const char *address, const char *wanted)
{
    struct directory *directory = directory_new(config->names, config->name_count);
    struct endpoint endpoint = {.address = address_of(address), .port = 80};
    struct workload found;
    char name[64] = "?";
    assert_non_null(directory);
    if (directory_find(directory, &endpoint, &found) == DIRECTORY_KNOWN) {
        snprintf(name, sizeof(name), "%.*s/%.*s", (int)found.namespace.length,
                 (const char *)found.namespace.data, (int)found.service.length,
                 (const char *)found.service.data);
    }
    assert_string_equal(name, wanted);
    directory_free(directory);
}

static void names_every_own_address(void **state)
{
    (void)state;
    struct config *config = config_of("{}");
    struct address own[] = {address_of("127.0.0.1"), address_of("10.1.2.3"), address_of("fd00::3")};
    assert_int_equal(own_name_add(config, "shop/orders", own, 3), 0);
    assert_called(config, "10.1.2.3", "shop/orders");
    assert_called(config, "127.0.0.1", "shop/orders");
    assert_called(config, "fd00::3", "shop/orders");
    assert_called(config, "10.1.2.4", "?");
    config_free(config);
}

static void goes_before_ranges_and_behind_addresses(void **state)
{
    (void)state;
    struct config *config = config_of("names:\n- {address: 10.0.0.0/8, service: pods}\n"
                                      "- {address: 10.1.2.3, service: named}\n"
                                      "- {address: 10.1.2.4, port: 80, service: port}\n");
    struct address own[] = {address_of("10.1.2.3"), address_of("10.1.2.4"), address_of("10.9.9.9")};
    assert_int_equal(own_name_add(config, "orders", own, 3), 0);
    assert_called(config, "10.1.2.3", "/named");
    assert_called(config, "10.1.2.4", "/port");
    assert_called(config, "10.9.9.9", "/orders");
    assert_called(config, "10.9.9.8", "/pods");
    config_free(config);
}

static void needs_a_service(void **state)
{
    (void)state;
    struct config *config = config_of("{}");
    struct address own = address_of("10.1.2.3");
    assert_int_equal(own_name_add(config, "shop/", &own, 1), -EINVAL);
    assert_int_equal(own_name_add(config, "", &own, 1), -EINVAL);
    assert_int_equal(own_name_add(config, "/", &own, 1), -EINVAL);
    assert_int_equal(config->name_count, 0);
    assert_int_equal(own_name_add(config, "/orders", &own, 1), 0);
    assert_called(config, "10.1.2.3", "/orders");
    config_free(config);
}

static void nothing_to_name(void **state)
{
    (void)state;
    struct config *config = config_of("{}");
    assert_int_equal(own_name_add(config, "shop/orders", NULL, 0), 0);
    assert_int_equal(config->name_count, 0);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_every_own_address),
        cmocka_unit_test(goes_before_ranges_and_behind_addresses),
        cmocka_unit_test(needs_a_service),
        cmocka_unit_test(nothing_to_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
