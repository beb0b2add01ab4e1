#include "agent/exchange/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct route_case {
    const char *target;
    const char *route; /* NULL: absent */
};

static const char *render(const struct route_patterns *patterns, const char *target)
{
    static char terminated[ROUTE_TEXT_SIZE + 1];
    char buffer[ROUTE_TEXT_SIZE];
    struct slice route = route_template(patterns, slice_of(target), buffer, sizeof(buffer));
    if (route.data == NULL) {
        assert_int_equal(route.length, 0);
        return NULL;
    }
    assert_ptr_equal(route.data, buffer);
    assert_true(route.length <= sizeof(buffer));
    memcpy(terminated, route.data, route.length);
    terminated[route.length] = '\0';
    return terminated;
}

static void check(const struct route_patterns *patterns, const struct route_case *cases,
                  size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *route = render(patterns, cases[i].target);
        if (cases[i].route == NULL || route == NULL) {
            assert_ptr_equal(route, cases[i].route);
        } else if (strcmp(route, cases[i].route) != 0) {
            fail_msg("%s: %s instead of %s", cases[i].target, route, cases[i].route);
        }
    }
}

static void test_forms_of_targets(void **state)
{
    (void)state;
    static const struct route_case cases[] = {
        {"/", "/"},
        {"/a", "/a"},
        {"/a/b?x=1&y=/2", "/a/b"},
        {"/a?", "/a"},
        {"/?x", "/"},
        {"/a#top", "/a"},
        {"/a#top?x", "/a"},
        {"http://shop.example/a/b?x=1", "/a/b"},
        {"http://shop.example:8080/users/7", "/users/{id}"},
        {"http://shop.example", "/"},
        {"http://shop.example?x=/a", "/"},
        {"https://[2001:db8::1]:8443/a", "/a"},
        {"*", NULL},
        {"shop.example:443", NULL},
        {"", NULL},
        {"?x", NULL},
        {"nonsense", NULL},
        {"://x/y", NULL},
        {"http:/x", NULL},
    };
    check(NULL, cases, COUNT(cases));
}

static void test_slashes_and_parameters(void **state)
{
    (void)state;
    static const struct route_case cases[] = {
        {"//a///b", "/a/b"},
        {"/a/b/", "/a/b/"},
        {"/a//", "/a/"},
        {"///", "/"},
        {"/a;v=1/b;jsessionid=AB12?x", "/a/b"},
        {"/a;x?u=/b", "/a"},
        {"/a;x#/b", "/a"},
        {"/;x/a", "/a"},
        {"/a/;x", "/a/"},
        {"/;x", "/"},
        {"/a/../b/./c", "/a/../b/./c"},
        {"/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16",
         "/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}"},
        {"/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p"},
        {"/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/"},
        {"/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/{rest}"},
        {"/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/{rest}"},
    };
    check(NULL, cases, COUNT(cases));
}

static void test_identifiers(void **state)
{
    (void)state;
    static const struct route_case cases[] = {
        {"/users/12345", "/users/{id}"},
        {"/users/0", "/users/{id}"},
        {"/t/-7", "/t/{id}"},
        {"/t/3.14", "/t/{id}"},
        {"/t/-52.520008,13.404954", "/t/{id}"},
        {"/t/0x1F", "/t/{id}"},
        {"/t/0xde0b295669a9fd93d5f28d9ec85e40f4cb697bae", "/t/{hash}"},
        {"/t/18446744073709551616", "/t/{id}"},
        {"/o/550e8400-e29b-41d4-a716-446655440000/x", "/o/{uuid}/x"},
        {"/o/550E8400-E29B-41D4-A716-446655440000", "/o/{uuid}"},
        {"/o/{550e8400-e29b-41d4-a716-446655440000}", "/o/{uuid}"},
        {"/o/%7b550e8400-e29b-41d4-a716-446655440000%7d", "/o/{uuid}"},
        {"/o/550e8400e29b41d4a716446655440000", "/o/{uuid}"},
        {"/o/{550e8400e29b41d4a716446655440000}", "/o/{uuid}"},
        {"/c/d41d8cd98f00b204", "/c/{hash}"},
        {"/c/507f1f77bcf86cd799439011", "/c/{hash}"},
        {"/c/2fd4e1c67a2d28fced849ee1bb76e7391b93eb12", "/c/{hash}"},
        {"/c/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "/c/{hash}"},
        {"/c/3f9d8c7e", "/c/{hash}"},
        {"/c/4b825dc642c", "/c/{hash}"},
        {"/k/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/k/{token}"},
        {"/k/0ujtsYcgvSTl8PAuAdqWYSMnLOv", "/k/{token}"},
        {"/k/dQw4w9WgXcQ", "/k/{token}"},
        {"/k/cus_NffrFeUfNV2Hib", "/k/{token}"},
        {"/k/B08N5WRWNW", "/k/{token}"},
        {"/k/U024BE7LH", "/k/{token}"},
        {"/k/i-0abcd1234ef567890", "/k/{token}"},
        {"/k/orders-7d4b9c6f5-x2x8q", "/k/{token}"},
        {"/k/A1B2-C3D4-E5F6", "/k/{token}"},
        {"/k/V1StGXR8_Z5jdHi6B-myT", "/k/{token}"},
        {"/k/order-12345", "/k/{token}"},
        {"/k/12345-red-shoes", "/k/{token}"},
        {"/k/dGhpcyBpcyBhIHRlc3Q%3D", "/k/{token}"},
        {"/k/QWxhZGRpbjpPcGVuU2VzYW1lLg==", "/k/{token}"},
        {"/k/aBcDeFgHiJkLmNoPqRsTuV", "/k/{token}"},
        {"/d/2026-01-31", "/d/{date}"},
        {"/d/20260131", "/d/{date}"},
        {"/d/2026-01", "/d/{date}"},
        {"/d/2026-01-31T12:00:00Z", "/d/{date}"},
        {"/d/2026-01-31T12%3A00%3A00.123%2B01%3A00", "/d/{date}"},
        {"/d/2026-01-31%2012:00:00", "/d/{date}"},
        {"/d/20260131T120000Z", "/d/{date}"},
        {"/d/2026-01-31-a-title", "/d/{token}"},
        {"/d/1769860800", "/d/{id}"},
        {"/d/20261331", "/d/{id}"},
        {"/d/2026/01/31", "/d/{id}/{id}/{id}"},
        {"/e/jane.doe+x@mail.example.com", "/e/{email}"},
        {"/e/jane%40example.org", "/e/{email}"},
        {"/i/10.0.0.1", "/i/{ip}"},
        {"/i/2001:db8::1", "/i/{ip}"},
        {"/i/2001%3Adb8%3A%3A1", "/i/{ip}"},
        {"/i/10.0.0.1:8080", "/i/{id}"},
        {"/i/12:30:00", "/i/{id}"},
    };
    check(NULL, cases, COUNT(cases));
}

static void test_words_stay(void **state)
{
    (void)state;
    static const char *const words[] = {
        "/api/v1/products",
        "/apis/apps/v1beta1/deployments",
        "/apis/metrics.k8s.io/v1alpha1",
        "/v1p1beta1/projects",
        "/v1.25/containers/json",
        "/2.0/items",
        "/releases/1.2.3/notes",
        "/oauth2/authorize",
        "/iso-8601",
        "/rfc-9112",
        "/sha256sum",
        "/x86_64/base64encode",
        "/k8s/i18n/b2b/utf8/h2c",
        "/l10n-i18n-a11y-k8s",
        "/win32-x86-b2",
        "/covid19/top10products/cafe2024",
        "/face/deadbeef/facade",
        "/red-shoes-for-the-summer",
        "/getUserProfileInformation",
        "/google.cloud.bigquery.v1.DataTransferService/ListTransferRuns",
        "/convertUtf8ToBase64String",
        "/@angular/core",
        "/react@18.2.0/index.js",
        "/.well-known/openid-configuration",
        "/favicon.ico",
        "/index.html",
        "/video.mp4",
        "/a:b",
        "/$metadata",
        "/~jane/(x)!&,='+",
        "/caf%C3%A9",
        "/red%20shoes",
        "/a%2Fb",
    };
    for (size_t i = 0; i < COUNT(words); i++) {
        check(NULL, &(struct route_case){words[i], words[i]}, 1);
    }
}

static void test_suffixes_stay(void **state)
{
    (void)state;
    static const struct route_case cases[] = {
        {"/img/12345.png", "/img/{id}.png"},
        {"/img/3.jpeg", "/img/{id}.jpeg"},
        {"/f/550e8400-e29b-41d4-a716-446655440000.tar.gz", "/f/{uuid}.tar.gz"},
        {"/js/main.8f2a1b3c.chunk.js", "/js/{token}.chunk.js"},
        {"/js/d41d8cd98f00b204e9800998ecf8427e.min.js", "/js/{uuid}.min.js"},
        {"/r/2026-01-31.csv", "/r/{date}.csv"},
        {"/u/123:activate", "/u/{id}:activate"},
        {"/u/123:", "/u/{id}"},
        {"/m/7.mp4", "/m/{id}.mp4"},
        {"/m/12345.abcdef", "/m/{token}"},
    };
    check(NULL, cases, COUNT(cases));
}

static void test_one_form_of_bytes(void **state)
{
    (void)state;
    static const struct route_case cases[] = {
        {"/%61pi/%7Ejane", "/api/~jane"},
        {"/caf\xc3\xa9", "/caf%C3%A9"},
        {"/caf%c3%a9", "/caf%C3%A9"},
        {"/a\x01"
         "b\x7f",
         "/a%01b%7F"},
        {"/a%0ab", "/a%0Ab"},
        {"/a b\"<>\\^`|", "/a%20b%22%3C%3E%5C%5E%60%7C"},
        {"/\xff\xfe", "/%FF%FE"},
        {"/{id}/{other}", "/%7Bid%7D/%7Bother%7D"},
        {"/files/*", "/files/%2A"},
        {"/ab%", "/ab%25"},
        {"/100%", "/{id}"},
        {"/a%zz", "/a%25zz"},
        {"/a%4", "/a%254"},
        {"/a%3Bb", "/a%3Bb"},
        {"/a%3Fb%23c%25d", "/a%3Fb%23c%25d"},
    };
    check(NULL, cases, COUNT(cases));
    char buffer[ROUTE_TEXT_SIZE];
    struct slice route = route_template(NULL, (struct slice){"/a\0b", 4}, buffer, sizeof(buffer));
    assert_true(slice_equal(route, slice_of("/a%00b")));
}

static void test_long_segments(void **state)
{
    (void)state;
    char target[512] = "/x/";
    memset(target + 3, 'a', 64);
    assert_string_equal(render(NULL, target), target);
    target[67] = 'a';
    assert_string_equal(render(NULL, target), "/x/{token}");
    strcat(target, ".png/y");
    assert_string_equal(render(NULL, target), "/x/{token}/y");

    /* Counted in normal form: 21 escapes are 63 characters. */
    char encoded[512] = "/x/";
    for (int i = 0; i < 21; i++) {
        strcat(encoded, "%C3");
    }
    assert_string_equal(render(NULL, encoded), encoded);
    strcat(encoded, "%C3");
    assert_string_equal(render(NULL, encoded), "/x/{token}");
    memset(encoded + 3, '\xc3', 22);
    encoded[25] = '\0';
    assert_string_equal(render(NULL, encoded), "/x/{token}");
    /* Long only because of its encoding. */
    encoded[3] = '\0';
    for (int i = 0; i < 40; i++) {
        strcat(encoded, "%61");
    }
    assert_string_equal(render(NULL, encoded), "/x/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
}

static void test_small_buffers(void **state)
{
    (void)state;
    static const char target[] = "/users/12345/orders";
    static const char route[] = "/users/{id}/orders";
    for (size_t size = 0; size <= sizeof(route); size++) {
        /* On the heap, so that a sanitizer sees one byte too many. */
        char *buffer = malloc(size + 1);
        assert_non_null(buffer);
        buffer[size] = '#';
        struct slice got = route_template(NULL, slice_of(target), buffer, size);
        if (size >= strlen(route)) {
            assert_true(slice_equal(got, slice_of(route)));
        } else if (size >= strlen("{other}")) {
            assert_true(slice_equal(got, slice_of("{other}")));
        } else {
            assert_null(got.data);
            assert_int_equal(got.length, 0);
        }
        assert_int_equal(buffer[size], '#');
        free(buffer);
    }
}

static void test_patterns(void **state)
{
    (void)state;
    static const char *const given[] = {
        "/api/users/{name}",
        "/api/users/me",
        "/api/{kind}/{id}/x",
        "/api/orders/{id}/x",
        "/files/{path}/",
        "no-slash",
        "/caf\xc3\xa9/{menu}",
        "/",
        "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q",
        "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/{p}",
    };
    struct route_patterns *patterns = route_patterns_new(given, COUNT(given));
    assert_non_null(patterns);
    static const struct route_case cases[] = {
        {"/api/users/jane", "/api/users/{name}"},
        {"/api/users/42?x=1", "/api/users/{name}"},
        {"/api//users/42;v=1", "/api/users/{name}"},
        {"/%61pi/users/j%20d", "/api/users/{name}"},
        {"/api/users/me", "/api/users/{name}"}, /* the first that fits */
        {"/api/users/42/", "/api/users/{id}/"},
        {"/api/users", "/api/users"},
        {"/api/orders/7/x", "/api/{kind}/{id}/x"},
        {"/api/orders/7/y", "/api/orders/{id}/y"},
        {"/files/a/", "/files/{path}/"},
        {"/files/a", "/files/a"},
        {"/caf%C3%A9/lunch", "/caf\xc3\xa9/{menu}"},
        {"/no-slash", "/no-slash"},
        {"/", "/"},
        {"/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/word", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/{p}"},
        {"/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/{rest}"},
    };
    check(patterns, cases, COUNT(cases));
    route_patterns_free(patterns);
}

static void test_patterns_and_lengths(void **state)
{
    (void)state;
    static const char *const given[] = {"/long/{anything}/end"};
    struct route_patterns *patterns = route_patterns_new(given, 1);
    assert_non_null(patterns);
    char target[512] = "/long/";
    memset(target + 6, '\xff', 300);
    strcat(target, "/end");
    assert_string_equal(render(patterns, target), "/long/{anything}/end");
    char buffer[10];
    struct slice route = route_template(patterns, slice_of("/long/x/end"), buffer, sizeof(buffer));
    assert_true(slice_equal(route, slice_of("{other}")));
    route_patterns_free(patterns);

    struct route_patterns *none = route_patterns_new(NULL, 0);
    assert_non_null(none);
    assert_string_equal(render(none, "/users/7"), "/users/{id}");
    route_patterns_free(none);
    route_patterns_free(NULL);
}

/* Whatever the bytes are, the route is printable ASCII without what a peer must not write. */
static void test_any_bytes(void **state)
{
    (void)state;
    uint32_t random = 12345;
    static const char likely[] = "//..%%;;0123456789abcdefABCDEFxyzXYZ-_@:{}?#T*";
    for (int round = 0; round < 20000; round++) {
        char target[96];
        size_t length = 1 + (size_t)(round % 95);
        for (size_t i = 0; i < length; i++) {
            random = random * 1664525u + 1013904223u;
            unsigned pick = random >> 16;
            target[i] = (pick & 7) == 0 ? (char)(pick >> 8) : likely[pick % (sizeof(likely) - 1)];
        }
        target[0] = '/';
        char *exact = malloc(length); /* flush against its end for the sanitizer */
        assert_non_null(exact);
        memcpy(exact, target, length);
        char buffer[ROUTE_TEXT_SIZE];
        struct slice route =
            route_template(NULL, (struct slice){exact, length}, buffer, sizeof(buffer));
        assert_non_null(route.data);
        for (size_t i = 0; i < route.length; i++) {
            assert_true(route.data[i] > ' ' && route.data[i] < 0x7f);
            assert_null(memchr("?#;*\"\\", route.data[i], 6));
        }
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms_of_targets), cmocka_unit_test(test_slashes_and_parameters),
        cmocka_unit_test(test_identifiers),      cmocka_unit_test(test_words_stay),
        cmocka_unit_test(test_suffixes_stay),    cmocka_unit_test(test_one_form_of_bytes),
        cmocka_unit_test(test_long_segments),    cmocka_unit_test(test_small_buffers),
        cmocka_unit_test(test_patterns),         cmocka_unit_test(test_patterns_and_lengths),
        cmocka_unit_test(test_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
