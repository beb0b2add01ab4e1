#include "agent/config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct error_case {
    const char *text;
    const char *error; /* without the file's name */
};

static void check_bytes(const char *text, size_t length, const char *expected)
{
    char error[CONFIG_ERROR_SIZE] = "nothing was written";
    char whole[CONFIG_ERROR_SIZE];
    struct config *config = config_read_memory("f.yaml", text, length, error);
    if (config != NULL) {
        config_free(config);
        fail_msg("accepted: %s", text);
    }
    snprintf(whole, sizeof(whole), "f.yaml:%s", expected);
    assert_string_equal(error, whole);
}

static void check(const struct error_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check_bytes(cases[i].text, strlen(cases[i].text), cases[i].error);
    }
}

static void test_events(void **state)
{
    (void)state;
    static const struct error_case cases[] = {
        {"events: {http: {url: 'ftp://host/'}}",
         "1:22: events.http.url: \"ftp://host/\" is not a URL such as https://host/path"},
        {"events: {http: {url: 'http:///path'}}",
         "1:22: events.http.url: \"http:///path\" is not a URL such as https://host/path"},
        {"events: {http: {headers: [{name: X}]}}",
         "1:27: events.http.headers[0]: needs either a value or a value_file"},
        {"events: {http: {headers: [{name: X, value: a, value_file: b}]}}",
         "1:27: events.http.headers[0]: needs either a value or a value_file"},
        {"events: {http: {headers: [{name: 'X:', value: a}]}}",
         "1:34: events.http.headers[0].name: \"X:\" is not a name"},
        {"events: {http: {headers: [{name: X, value: \"a\\nY: b\"}]}}",
         "1:44: events.http.headers[0].value: holds a control character"},
        {"events: {http: {key_file: k.pem}}",
         "1:17: events.http.key_file: there is no cert_file for this key"},
        {"events: {kafka: {topic: ''}}", "1:25: events.kafka.topic: \"\" is empty"},
        {"events: {kafka: {compression: best}}",
         "1:31: events.kafka.compression: \"best\" is not none, gzip, snappy, lz4 or zstd"},
        {"events: {file: {compression: gzip}}",
         "1:30: events.file.compression: \"gzip\" is not none or zstd"},
        {"events: {queue_size: 1KiB}",
         "1:22: events.queue_size: \"1KiB\" is out of range: 256KiB to 16GiB"},
        {"events: {file: {pth: x}}", "1:17: events.file.pth: unknown key; did you mean path?"},
    };
    check(cases, COUNT(cases));
}

static void test_keys(void **state)
{
    (void)state;
    static const struct error_case cases[] = {
        {"captur:\n  workers: 1\n", "1:1: captur: unknown key; did you mean capture?"},
        {"capture:\n  ringSize: 1MiB\n",
         "2:3: capture.ringSize: unknown key; did you mean ring_size?"},
        {"tcp:\n  ring-size: 1MiB\n", "2:3: tcp.ring-size: unknown key"},
        {"listen: ':80'\n", "1:1: listen: unknown key; did you mean metrics.listen?"},
        {"tcp: {workers: 1}", "1:7: tcp.workers: unknown key; did you mean capture.workers?"},
        {"log: {names: []}", "1:7: log.names: unknown key; did you mean names at the top level?"},
        {"nonsense: 1", "1:1: nonsense: unknown key"},
        {"'': 1", "1:1: document: unknown key"},
        {"\"a\\n\\e[2J\xc3\xa9\": 1", "1:1: a\\x0a\\x1b[2J\\xc3\\xa9: unknown key"},
        {"\"log\\0\": {}", "1:1: log\\x00: unknown key; did you mean log?"},
        {"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz: 1",
         "1:1: abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqr...: unknown key"},
        {"names: [{address: 10.0.0.1, servce: x}]",
         "1:29: names[0].servce: unknown key; did you mean service?"},
        {"log: {level: info}\nlog: {level: info}\n", "2:1: log: given twice, first in line 1"},
        {"tcp:\n  reorder_packets: 1\n\n  reorder_packets: 1\n",
         "4:3: tcp.reorder_packets: given twice, first in line 2"},
        {"rules: [{action: include, route: /a, route: /b}]",
         "1:38: rules[0].route: given twice, first in line 1"},
        {"[a]: 1", "1:1: document: expected the name of a key, found a list"},
        {"? {a: 1}\n: 1", "1:3: document: expected the name of a key, found a mapping"},
    };
    check(cases, COUNT(cases));
}

static void test_types(void **state)
{
    (void)state;
    static const struct error_case cases[] = {
        {"7", "1:1: document: expected a mapping, found a single value"},
        {"- capture\n", "1:1: document: expected a mapping, found a list"},
        {"capture: 7", "1:10: capture: expected a mapping, found a single value"},
        {"capture: [1]", "1:10: capture: expected a mapping, found a list"},
        {"capture: {interfaces: eth0}",
         "1:23: capture.interfaces: expected a list, found a single value"},
        {"capture: {interfaces: {}}", "1:23: capture.interfaces: expected a list, found a mapping"},
        {"capture: {interfaces: [[a]]}",
         "1:24: capture.interfaces[0]: expected text, found a list"},
        {"capture: {workers: [1]}", "1:20: capture.workers: expected a whole number, found a list"},
        {"capture: {workers: '1'}",
         "1:20: capture.workers: expected a whole number, found text in quotes"},
        {"capture: {workers: 1.0}", "1:20: capture.workers: \"1.0\" is not a whole number"},
        {"capture: {workers: -1}", "1:20: capture.workers: \"-1\" is not a whole number"},
        {"capture: {workers: 0x1}", "1:20: capture.workers: \"0x1\" is not a whole number"},
        {"capture: {workers: }",
         "1:20: capture.workers: has no value; leave the key out for its default"},
        {"capture:\n  workers:\n  filter: x",
         "2:11: capture.workers: has no value; leave the key out for its default"},
        {"log: {level: ~}", "1:14: log.level: has no value; leave the key out for its default"},
        {"names: 1", "1:8: names: expected a list, found a single value"},
        {"names: [1]", "1:9: names[0]: expected a mapping, found a single value"},
        {"names: [{address: {}}]", "1:19: names[0].address: expected an address or a range such as "
                                   "10.0.0.0/24, found a mapping"},
        {"metrics: {body_sizes: yes}", "1:23: metrics.body_sizes: \"yes\" is not false or true"},
        {"metrics: {body_sizes: 'true'}",
         "1:23: metrics.body_sizes: expected false or true, found text in quotes"},
    };
    check(cases, COUNT(cases));
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct error_case cases[] = {
        {"capture: {workers: 0}", "1:20: capture.workers: \"0\" is out of range: 1 to 64"},
        {"capture: {workers: 65}", "1:20: capture.workers: \"65\" is out of range: 1 to 64"},
        {"capture: {workers: 18446744073709551617}",
         "1:20: capture.workers: \"18446744073709551617\" is out of range: 1 to 64"},
        {"capture: {ring_size: 32MB}",
         "1:22: capture.ring_size: \"32MB\" is not a size such as 32MiB"},
        {"capture: {ring_size: 32 MiB}",
         "1:22: capture.ring_size: \"32 MiB\" is not a size such as 32MiB"},
        {"capture: {ring_size: 1.5MiB}",
         "1:22: capture.ring_size: \"1.5MiB\" is not a size such as 32MiB"},
        {"capture: {ring_size: MiB}",
         "1:22: capture.ring_size: \"MiB\" is not a size such as 32MiB"},
        {"capture: {ring_size: 2097151}",
         "1:22: capture.ring_size: \"2097151\" is out of range: 2MiB to 1GiB"},
        {"capture: {ring_size: 1025MiB}",
         "1:22: capture.ring_size: \"1025MiB\" is out of range: 2MiB to 1GiB"},
        {"capture: {ring_size: 99999999999999999GiB}",
         "1:22: capture.ring_size: \"99999999999999999GiB\" is out of range: 2MiB to 1GiB"},
        {"capture: {block_timeout: 100}",
         "1:26: capture.block_timeout: \"100\" is not a duration such as 100ms"},
        {"capture: {block_timeout: 11s}",
         "1:26: capture.block_timeout: \"11s\" is out of range: 1ms to 10s"},
        {"tcp: {flow_idle_timeout: 1500ms}",
         "1:26: tcp.flow_idle_timeout: \"1500ms\" is not a whole number of seconds"},
        {"tcp: {flow_idle_timeout: 5 m}",
         "1:26: tcp.flow_idle_timeout: \"5 m\" is not a duration such as 30s"},
        {"tcp: {flow_idle_timeout: 25h}",
         "1:26: tcp.flow_idle_timeout: \"25h\" is out of range: 1s to 24h"},
        {"http: {server_ports: [80, 0]}",
         "1:27: http.server_ports[1]: \"0\" is out of range: 1 to 65535"},
        {"http: {server_ports: [65536]}",
         "1:23: http.server_ports[0]: \"65536\" is out of range: 1 to 65535"},
        {"http: {server_ports: [http]}",
         "1:23: http.server_ports[0]: \"http\" is not a port number"},
        {"memory: {limit: 15MiB}",
         "1:17: memory.limit: \"15MiB\" is out of range: 16MiB to 1024GiB"},
    };
    check(cases, COUNT(cases));
}

static void test_buckets(void **state)
{
    (void)state;
    static const struct error_case cases[] = {
        {"metrics: {duration_buckets: []}", "1:29: metrics.duration_buckets: is empty"},
        {"metrics: {duration_buckets: [1, 1]}",
         "1:33: metrics.duration_buckets[1]: is not above the one in front of it"},
        {"metrics: {duration_buckets: [1, 2, 0.5]}",
         "1:36: metrics.duration_buckets[2]: is not above the one in front of it"},
        {"metrics: {duration_buckets: [0]}",
         "1:30: metrics.duration_buckets[0]: \"0\" is out of range: 0.000001 to 86400"},
        {"metrics: {duration_buckets: [86401]}",
         "1:30: metrics.duration_buckets[0]: \"86401\" is out of range: 0.000001 to 86400"},
        {"metrics: {duration_buckets: [.inf]}",
         "1:30: metrics.duration_buckets[0]: \".inf\" is not a number"},
        {"metrics: {duration_buckets: [nan]}",
         "1:30: metrics.duration_buckets[0]: \"nan\" is not a number"},
        {"metrics: {duration_buckets: [1e999]}",
         "1:30: metrics.duration_buckets[0]: \"1e999\" is not a number"},
        {"metrics: {duration_buckets: [5ms]}",
         "1:30: metrics.duration_buckets[0]: \"5ms\" is not a number"},
        {"metrics: {duration_buckets: [~]}",
         "1:30: metrics.duration_buckets[0]: has no value; leave the key out for its default"},
    };
    check(cases, COUNT(cases));
}

static void test_texts(void **state)
{
    (void)state;
    static const struct error_case cases[] = {
        {"capture: {vantage: nod}", "1:20: capture.vantage: \"nod\" is not auto, node or pod"},
        {"capture: {vantage: ''}", "1:20: capture.vantage: \"\" is not auto, node or pod"},
        {"capture: {vantage: 'auto|node'}",
         "1:20: capture.vantage: \"auto|node\" is not auto, node or pod"},
        {"log: {level: INFO}", "1:14: log.level: \"INFO\" is not error, warn, info or debug"},
        {"capture: {filter: tcp prot 80}",
         "1:19: capture.filter: \"tcp prot 80\" is not a pcap-filter(7) expression for IP packets"},
        {"capture: {filter: vlan 5}",
         "1:19: capture.filter: \"vlan 5\" is not a pcap-filter(7) expression for IP packets"},
        {"capture: {filter: \"a\\0b\"}", "1:19: capture.filter: holds a control character"},
        {"capture:\n  filter: |\n    port 80\n", "2:11: capture.filter: holds a control character"},
        {"capture: {filter: \"\\x9b2J\"}", "1:19: capture.filter: holds a control character"},
        {"capture: {interfaces: ['']}", "1:24: capture.interfaces[0]: \"\" is empty"},
        {"capture: {interfaces: [eth0, a/b]}",
         "1:30: capture.interfaces[1]: \"a/b\" is not the name of an interface"},
        {"capture: {interfaces: [sixteen_bytes_xx]}",
         "1:24: capture.interfaces[0]: "
         "\"sixteen_bytes_xx\" is longer than an interface's name"},
        {"metrics: {listen: 9990}", "1:19: metrics.listen: \"9990\" is not a listen address such "
                                    "as :9990, 127.0.0.1:9990 or [::1]:9990"},
        {"metrics: {listen: 'localhost:80'}",
         "1:19: metrics.listen: \"localhost:80\" is not a listen address such as :9990, "
         "127.0.0.1:9990 or [::1]:9990"},
    };
    check(cases, COUNT(cases));
}

static void test_patterns(void **state)
{
    (void)state;
    static const struct error_case cases[] = {
        {"[users]", "\"users\" does not begin with /"},
        {"['']", "\"\" does not begin with /"},
        {"[/a//b]", "\"/a//b\" has an empty segment"},
        {"['/a/{}']", "\"/a/{}\" has a placeholder that is not a whole segment such as {id}"},
        {"['/a/{b}c']", "\"/a/{b}c\" has a placeholder that is not a whole segment such as {id}"},
        {"['/a/{b']", "\"/a/{b\" has a placeholder that is not a whole segment such as {id}"},
        {"['/a/b}']", "\"/a/b}\" has a placeholder that is not a whole segment such as {id}"},
        {"['/{a}{b}']", "\"/{a}{b}\" has a placeholder that is not a whole segment such as {id}"},
        {"['/{a b}']", "\"/{a b}\" is not a plain path: query, fragment, parameters, * and spaces "
                       "match nothing"},
        {"['/a?x=1']", "\"/a?x=1\" is not a plain path: query, fragment, parameters, * and spaces "
                       "match nothing"},
        {"['/a/*']", "\"/a/*\" is not a plain path: query, fragment, parameters, * and spaces "
                     "match nothing"},
        {"[/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17]",
         "\"/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17\" has more than 16 segments"},
        {"[/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]",
         "\"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" has a segment "
         "that is too long"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[160];
        char error[256];
        snprintf(text, sizeof(text), "routes: {patterns: %s}", cases[i].text);
        snprintf(error, sizeof(error), "1:21: routes.patterns[0]: %s", cases[i].error);
        check_bytes(text, strlen(text), error);
    }
}

static void test_names_and_rules(void **state)
{
    (void)state;
    static const struct error_case cases[] = {
        {"names: [{service: a}]", "1:9: names[0]: address is missing"},
        {"names:\n  - address: 10.0.0.1\n", "2:5: names[0]: service is missing"},
        {"names: [~]", "1:9: names[0]: address is missing"},
        {"names: [{address: 10.0.0.300, service: a}]",
         "1:19: names[0].address: \"10.0.0.300\" is "
         "not an address or a range such as 10.0.0.0/24"},
        {"names: [{address: '10.0.0.1:80', service: a}]",
         "1:19: names[0].address: "
         "\"10.0.0.1:80\" is not an address or a range such as 10.0.0.0/24"},
        {"names: [{address: 10.0.0.0/, service: a}]",
         "1:19: names[0].address: \"10.0.0.0/\" is "
         "not an address or a range such as 10.0.0.0/24"},
        {"names: [{address: 10.0.0.0/8x, service: a}]",
         "1:19: names[0].address: \"10.0.0.0/8x\" "
         "is not an address or a range such as 10.0.0.0/24"},
        {"names: [{address: 10.0.0.0/33, service: a}]",
         "1:19: names[0].address: \"10.0.0.0/33\" has a prefix longer than 32"},
        {"names: [{address: 10.0.0.0/4294967328, service: a}]",
         "1:19: names[0].address: \"10.0.0.0/4294967328\" has a prefix longer than 32"},
        {"names: [{address: '2001:db8::/129', service: a}]",
         "1:19: names[0].address: \"2001:db8::/129\" has a prefix longer than 128"},
        {"names: [{address: 10.0.0.1/24, service: a}]",
         "1:19: names[0].address: \"10.0.0.1/24\" has bits set behind its prefix"},
        {"names: [{address: '2001:db8::1/127', service: a}]",
         "1:19: names[0].address: \"2001:db8::1/127\" has bits set behind its prefix"},
        {"names: [{address: 10.0.0.1, service: ''}]", "1:38: names[0].service: \"\" is empty"},
        {"names: [{address: 10.0.0.1, port: 0, service: a}]",
         "1:35: names[0].port: \"0\" is out of range: 1 to 65535"},
        {"names:\n  - {address: 10.0.0.1, service: a}\n  - {address: 10.0.0.1/32, service: b}\n",
         "3:5: names[1]: has the address and port of an entry in front of it"},
        {"rules: [{namespace: a}]", "1:9: rules[0]: action is missing"},
        {"rules: [{action: forbid}]",
         "1:18: rules[0].action: \"forbid\" is not include or exclude"},
    };
    check(cases, COUNT(cases));
}

static void test_what_keys_agree_on(void **state)
{
    (void)state;
    static const char rings[] = "the rings (capture.workers times capture.ring_size) take more "
                                "than half of memory.limit";
    static const struct {
        const char *text;
        const char *place;
    } cases[] = {
        {"memory: {limit: 63MiB}", "1:10: memory.limit"},
        {"capture:\n  ring_size: 65MiB", "2:3: capture.ring_size"},
        {"capture: {workers: 3}", "1:11: capture.workers"},
        {"capture: {workers: 2, ring_size: 33MiB}\nmemory: {limit: 131MiB}", "2:10: memory.limit"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char error[256];
        snprintf(error, sizeof(error), "%s: %s", cases[i].place, rings);
        check_bytes(cases[i].text, strlen(cases[i].text), error);
    }
    static const struct error_case targets[] = {
        {"http: {max_head_size: 2KiB}",
         "1:8: http.max_head_size: max_target_size is larger than max_head_size"},
        {"http: {max_head_size: 8KiB, max_target_size: 9KiB}",
         "1:29: http.max_target_size: max_target_size is larger than max_head_size"},
    };
    check(targets, COUNT(targets));
    /* At the bound they agree. */
    static const char fine[] = "memory: {limit: 64MiB}\nhttp: {max_head_size: 4KiB}";
    char error_out[CONFIG_ERROR_SIZE];
    struct config *config = config_read_memory("f", fine, strlen(fine), error_out);
    assert_non_null(config);
    config_free(config);
}

static void test_yaml(void **state)
{
    (void)state;
    static const struct error_case cases[] = {
        {"capture: {workers: 1\n", "2:1: capture: is not YAML: did not find expected ',' or '}'"},
        {"capture:\n\tworkers: 1\n",
         "2:1: capture: is not YAML: found character that cannot start any token"},
        {"log: {level: \"info}\n", "2:1: log.level: is not YAML: found unexpected end of stream"},
        {"log: {level: info}\n  tcp: {}\n",
         "2:3: document: is not YAML: did not find expected key"},
        {"tcp: *a\n", "1:6: tcp: aliases are not supported"},
        {"tcp: &a {}\nlog: *a\n", "2:6: log: aliases are not supported"},
        {"*a : 1\n", "1:1: document: aliases are not supported"},
        {"log: !!map {}\n", "1:6: log: tags are not supported"},
        {"log: {level: !!str info}\n", "1:14: log.level: tags are not supported"},
        {"names: !x []\n", "1:8: names: tags are not supported"},
        {"tcp: {}\n---\nlog: {}\n", "2:1: document: more than one document"},
        {"%YAML 2.0\n---\n", "1:1: document: is not YAML: found incompatible YAML document"},
    };
    check(cases, COUNT(cases));
}

static void test_encodings(void **state)
{
    (void)state;
    static const char latin1[] = "log:\n  level: caf\xe9 au lait\n";
    static const char cut[] = "# \xe2\x82";
    static const char overlong[] = "# \xc0\xaf";
    static const char utf16[] = "\xff\xfel\0o\0g\0";
    static const char nul[] = "log: {}\n\0";
    check_bytes(latin1, sizeof(latin1) - 1,
                "2:14: document: is not UTF-8 text: invalid trailing UTF-8 octet");
    check_bytes(cut, sizeof(cut) - 1,
                "1:3: document: is not UTF-8 text: incomplete UTF-8 octet sequence");
    check_bytes(overlong, sizeof(overlong) - 1,
                "1:3: document: is not UTF-8 text: invalid length of a UTF-8 sequence");
    check_bytes(utf16, sizeof(utf16) - 1,
                "1:1: document: is not UTF-8 text: invalid leading UTF-8 octet");
    check_bytes(nul, sizeof(nul) - 1,
                "2:1: document: is not UTF-8 text: control characters are not allowed");
}

/* A short file that would be gigabytes if its aliases were followed. */
static void test_aliases_do_not_multiply(void **state)
{
    (void)state;
    static const char text[] = "a: &a [x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a]\n"
                               "c: &c [*b, *b, *b, *b, *b, *b]\nd: [*c, *c, *c, *c, *c, *c]\n";
    check_bytes(text, sizeof(text) - 1, "1:1: a: unknown key");
    static const char list[] = "capture: {interfaces: [&a eth0, *a]}";
    check_bytes(list, sizeof(list) - 1, "1:33: capture.interfaces: aliases are not supported");
}

static void test_bounds(void **state)
{
    (void)state;
    static char text[256 * 1024];
    strcpy(text, "capture: {interfaces: [eth0");
    for (int i = 0; i < 256; i++) {
        strcat(text, ", e");
    }
    strcat(text, "]}");
    check_bytes(text, strlen(text), "1:795: capture.interfaces: more than 256 items");

    /* Nesting that the schema does not know ends at its first level. */
    strcpy(text, "capture: ");
    memset(text + 9, '[', 100000);
    check_bytes(text, 100009, "1:10: capture: expected a mapping, found a list");

    strcpy(text, "capture: {filter: ");
    memset(text + 18, 'x', 4097);
    strcpy(text + 18 + 4097, "}");
    check_bytes(
        text, strlen(text),
        "1:19: capture.filter: \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxx...\" is longer than 4096 bytes");
}

static void test_long_file_names_keep_their_end(void **state)
{
    (void)state;
    char name[1000];
    char error[CONFIG_ERROR_SIZE];
    memset(name, 'd', sizeof(name));
    strcpy(name + sizeof(name) - 8, "/x.yaml");
    assert_null(config_read_memory(name, "a: 1", 4, error));
    assert_int_equal(strncmp(error, "...ddd", 6), 0);
    const char *end = strstr(error, "/x.yaml:");
    assert_non_null(end);
    assert_string_equal(end, "/x.yaml:1:1: a: unknown key");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_names_and_rules),
        cmocka_unit_test(test_what_keys_agree_on),
        cmocka_unit_test(test_yaml),
        cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_aliases_do_not_multiply),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_long_file_names_keep_their_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
