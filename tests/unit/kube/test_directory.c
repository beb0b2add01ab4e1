#include "agent/kube/directory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct address address_of(const char *text)
{
    struct address address;
    assert_int_equal(address_parse(text, &address), 0);
    return address;
}

/* `bits` as one writes them: of 32 for IPv4. */
static struct directory_entry entry_of(const char *address, unsigned bits, uint16_t port,
                                       const char *namespace, const char *service)
{
    struct directory_entry entry = {address_of(address), bits, port, namespace, service};
    entry.prefix_bits += address_is_ipv4(&entry.address) ? 96 : 0;
    return entry;
}

/* The service's name, or NULL. */
static const char *find(const struct directory *directory, const char *address, uint16_t port)
{
    static char name[64];
    struct endpoint endpoint = {address_of(address), port};
    struct workload untouched = {.namespace = {"x", 1}, .service = {"y", 1}, .id = 77};
    struct workload workload = untouched;
    if (directory_find(directory, &endpoint, &workload) != DIRECTORY_KNOWN) {
        assert_memory_equal(&workload, &untouched, sizeof(workload));
        return NULL;
    }
    assert_true(workload.service.length < sizeof(name));
    memcpy(name, workload.service.data, workload.service.length);
    name[workload.service.length] = '\0';
    return name;
}

static void test_longest_prefix_wins(void **state)
{
    (void)state;
    const struct directory_entry entries[] = {
        entry_of("10.0.0.0", 8, 0, "net", "eight"),
        entry_of("10.1.0.0", 16, 0, "net", "sixteen"),
        entry_of("10.1.2.0", 24, 0, "net", "twenty-four"),
        entry_of("10.1.2.3", 32, 0, "net", "host"),
        entry_of("0.0.0.0", 0, 0, "net", "any4"),
        entry_of("2001:db8::", 32, 0, "net", "six-32"),
        entry_of("2001:db8:1::", 48, 0, "net", "six-48"),
        entry_of("2001:db8:1::7", 128, 0, "net", "six-host"),
        entry_of("2001:db8:2::", 65, 0, "net", "six-65"),
    };
    struct directory *directory = directory_new(entries, COUNT(entries));
    assert_non_null(directory);
    static const char *const cases[][2] = {
        {"10.1.2.3", "host"},          {"10.1.2.4", "twenty-four"},
        {"10.1.3.3", "sixteen"},       {"10.2.0.0", "eight"},
        {"10.255.255.255", "eight"},   {"11.0.0.0", "any4"},
        {"0.0.0.0", "any4"},           {"255.255.255.255", "any4"},
        {"2001:db8::1", "six-32"},     {"2001:db8:1:ffff::", "six-48"},
        {"2001:db8:1::7", "six-host"}, {"2001:db8:1::8", "six-48"},
        {"2001:db8:2::1", "six-65"},   {"2001:db8:2:0:8000::", "six-32"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *found = find(directory, cases[i][0], 80);
        assert_non_null(found);
        assert_string_equal(found, cases[i][1]);
    }
    /* IPv4's /0 is not IPv6's. */
    assert_null(find(directory, "2001:db7::1", 80));
    assert_null(find(directory, "::1", 80));
    directory_free(directory);
}

static void test_ipv6_any_holds_mapped_addresses_too(void **state)
{
    (void)state;
    const struct directory_entry entries[] = {
        entry_of("::", 0, 0, "net", "any"),
        entry_of("10.0.0.0", 8, 0, "net", "eight"),
    };
    struct directory *directory = directory_new(entries, COUNT(entries));
    assert_non_null(directory);
    assert_string_equal(find(directory, "10.0.0.1", 1), "eight");
    assert_string_equal(find(directory, "11.0.0.1", 1), "any");
    assert_string_equal(find(directory, "2001:db8::1", 1), "any");
    directory_free(directory);
}

static void test_ports(void **state)
{
    (void)state;
    const struct directory_entry entries[] = {
        entry_of("10.0.0.0", 8, 443, "net", "wide-443"),
        entry_of("10.0.0.0", 24, 0, "net", "range"),
        entry_of("10.0.0.1", 32, 80, "net", "web"),
        entry_of("10.0.0.1", 32, 8080, "net", "admin"),
        entry_of("10.0.0.2", 32, 80, "net", "other-web"),
        entry_of("10.0.0.2", 32, 0, "net", "other"),
    };
    struct directory *directory = directory_new(entries, COUNT(entries));
    assert_non_null(directory);
    assert_string_equal(find(directory, "10.0.0.1", 80), "web");
    assert_string_equal(find(directory, "10.0.0.1", 8080), "admin");
    /* Only other ports of this address are known: the range around it. */
    assert_string_equal(find(directory, "10.0.0.1", 81), "range");
    /* A longer prefix for every port goes before a shorter one for this port. */
    assert_string_equal(find(directory, "10.0.0.1", 443), "range");
    assert_string_equal(find(directory, "10.0.0.2", 80), "other-web");
    assert_string_equal(find(directory, "10.0.0.2", 81), "other");
    assert_string_equal(find(directory, "10.9.9.9", 443), "wide-443");
    assert_null(find(directory, "10.9.9.9", 80));
    /* Port 0 is no key of its own. */
    assert_string_equal(find(directory, "10.0.0.1", 0), "range");
    directory_free(directory);
}

static void test_host_bits_and_duplicates(void **state)
{
    (void)state;
    const struct directory_entry entries[] = {
        entry_of("10.0.0.77", 24, 0, "net", "first"),
        entry_of("10.0.0.1", 24, 0, "net", "second"),
        entry_of("2001:db8::ffff", 64, 0, "net", "six"),
    };
    struct directory *directory = directory_new(entries, COUNT(entries));
    assert_non_null(directory);
    assert_string_equal(find(directory, "10.0.0.200", 1), "first");
    assert_string_equal(find(directory, "2001:db8::1", 1), "six");
    directory_free(directory);
}

static void test_ids_are_dense_and_by_name(void **state)
{
    (void)state;
    const struct directory_entry entries[] = {
        entry_of("10.0.0.1", 32, 0, "shop", "orders"),
        entry_of("10.0.0.2", 32, 0, "shop", "users"),
        entry_of("10.0.0.3", 32, 0, "bank", "orders"),
        entry_of("10.0.0.4", 32, 0, "shop", "orders"),
        entry_of("10.0.0.5", 32, 0, "", "orders"),
    };
    struct directory *directory = directory_new(entries, COUNT(entries));
    assert_non_null(directory);
    struct workload found[COUNT(entries)];
    bool seen[COUNT(entries)] = {false};
    for (size_t i = 0; i < COUNT(entries); i++) {
        struct endpoint endpoint = {entries[i].address, 80};
        assert_int_equal(directory_find(directory, &endpoint, &found[i]), DIRECTORY_KNOWN);
        assert_true(slice_equal(found[i].namespace, slice_of(entries[i].namespace)));
        assert_true(slice_equal(found[i].service, slice_of(entries[i].service)));
        assert_in_range(found[i].id, 1, 4);
        seen[found[i].id] = true;
    }
    assert_true(seen[1] && seen[2] && seen[3] && seen[4]);
    assert_int_equal(found[0].id, found[3].id);
    /* The names are the directory's own. */
    assert_ptr_not_equal(found[0].service.data, entries[0].service);
    directory_free(directory);
}

static void test_empty(void **state)
{
    (void)state;
    struct directory *directory = directory_new(NULL, 0);
    assert_non_null(directory);
    struct workload workload;
    const struct endpoint endpoint = {address_of("10.0.0.1"), 80};
    assert_int_equal(directory_find(directory, &endpoint, &workload), DIRECTORY_UNNAMED);
    assert_null(find(directory, "::1", 80));
    directory_free(directory);
    directory_free(NULL);

    const struct directory_entry entry = entry_of("10.0.0.2", 32, 0, "a", "b");
    directory = directory_new(&entry, 1);
    assert_non_null(directory);
    assert_int_equal(directory_find(directory, &endpoint, &workload), DIRECTORY_EXTERNAL);
    directory_free(directory);
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* What the contract says, in the plainest way. */
static const struct directory_entry *find_slowly(const struct directory_entry *entries,
                                                 size_t count, const struct endpoint *endpoint)
{
    const struct directory_entry *best = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct directory_entry *entry = &entries[i];
        bool inside = entry->port == 0 || entry->port == endpoint->port;
        for (unsigned bit = 0; inside && bit < entry->prefix_bits; bit++) {
            unsigned mask = 0x80u >> bit % 8;
            inside =
                (entry->address.bytes[bit / 8] & mask) == (endpoint->address.bytes[bit / 8] & mask);
        }
        if (inside &&
            (best == NULL || entry->prefix_bits > best->prefix_bits ||
             (entry->prefix_bits == best->prefix_bits && best->port == 0 && entry->port != 0))) {
            best = entry;
        }
    }
    return best;
}

/* Few distinct bits, so that prefixes overlap and look-ups hit at every length. */
static struct address random_address(uint32_t *random)
{
    uint8_t bytes[16] = {0x20, 0x01};
    for (size_t i = 2; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(next_random(random) & next_random(random) & next_random(random));
    }
    return next_random(random) % 2 == 0 ? address_from_ipv4(bytes + 8) : address_from_ipv6(bytes);
}

static void test_same_as_a_plain_search(void **state)
{
    (void)state;
    static struct directory_entry entries[1000];
    static char services[COUNT(entries)][16];
    uint32_t random = 99;
    for (size_t i = 0; i < COUNT(entries); i++) {
        snprintf(services[i], sizeof(services[i]), "s%zu", i);
        struct address address = random_address(&random);
        unsigned bits =
            address_is_ipv4(&address) ? 96 + next_random(&random) % 33 : next_random(&random) % 129;
        uint16_t port = (uint16_t)(next_random(&random) % 3);
        entries[i] = (struct directory_entry){address, bits, port, "n", services[i]};
    }
    struct directory *directory = directory_new(entries, COUNT(entries));
    assert_non_null(directory);
    size_t hits = 0;
    for (int round = 0; round < 5000; round++) {
        struct endpoint endpoint = {random_address(&random),
                                    (uint16_t)(1 + next_random(&random) % 3)};
        const struct directory_entry *expected = find_slowly(entries, COUNT(entries), &endpoint);
        struct workload workload;
        enum directory_answer answer = directory_find(directory, &endpoint, &workload);
        assert_int_equal(answer, expected != NULL ? DIRECTORY_KNOWN : DIRECTORY_EXTERNAL);
        if (expected != NULL) {
            assert_true(slice_equal(workload.service, slice_of(expected->service)));
            hits++;
        }
    }
    assert_true(hits > 1000);
    directory_free(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_longest_prefix_wins),
        cmocka_unit_test(test_ipv6_any_holds_mapped_addresses_too),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_host_bits_and_duplicates),
        cmocka_unit_test(test_ids_are_dense_and_by_name),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_same_as_a_plain_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
