#include "tests/unit/kube/api_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_cut_within_a_frame_resumes_before_it(void **state)
{
    (void)state;
    stream_list();
    assert_true(send_bytes(event("ADDED", "c", "12")));
    struct kube_bytes half = event("ADDED", "d", "13");
    half.length /= 2;
    assert_true(send_bytes(half));
    expect_told("+c");
    now += 60 * SECOND;
    cut();
    assert_false(state_now().synced);
    assert_true(state_now().listed); /* what is known stays */
    assert_string_equal(state_now().error, "Connection reset by peer");
    assert_true(wait_s() <= 1);
    expect_request("resourceVersion=12");
    watch_started(watch, now);
    assert_true(state_now().synced);
    assert_string_equal(state_now().error, "");
    assert_true(send_bytes(event("ADDED", "d", "13"))); /* whole, not after its first half */
    expect_told("+d");
}

static void an_end_within_a_frame_is_a_cut(void **state)
{
    (void)state;
    stream_list();
    struct kube_bytes half = event("ADDED", "c", "12");
    half.length--;
    assert_true(send_bytes(half));
    now += 60 * SECOND;
    end_well();
    assert_int_equal(state_now().failures, 1);
    expect_request("resourceVersion=10");
}

static void a_streamed_list_that_breaks_off_begins_again(void **state)
{
    (void)state;
    expect_request("sendInitialEvents=true");
    watch_started(watch, now);
    assert_true(send_bytes(event("ADDED", "a", "7")));
    cut();
    assert_false(state_now().listed);
    expect_request("sendInitialEvents=true");
    watch_started(watch, now);
    assert_true(send_bytes(event("ADDED", "b", "8")));
    assert_true(send_bytes(end_of_list("10")));
    expect_told("[+a[+b]"); /* one end: what is not in the second list goes */
    assert_int_equal(state_now().objects, 1);
}

static void a_page_that_breaks_off_is_asked_for_again(void **state)
{
    (void)state;
    expect_request("sendInitialEvents=true");
    refuse(400, "400");
    expect_request("limit=500");
    serve_page("20", "two", "a");
    expect_request("continue=two");
    watch_started(watch, now);
    struct kube_bytes half = page("20", "", "b");
    half.length /= 2;
    assert_true(send_bytes(half));
    cut();
    expect_told("[+a");
    expect_request("continue=two");
    serve_page("20", "", "b");
    expect_told("+b]");
}

static void an_expired_page_lists_again(void **state)
{
    (void)state;
    expect_request("sendInitialEvents=true");
    refuse(422, "422");
    expect_request("limit=500");
    serve_page("20", "two", "a");
    expect_request("continue=two");
    refuse(410, "410: the provided continue parameter is too old");
    expect_request("limit=500");
    assert_null(strstr(request.path, "continue"));
    serve_page("30", "", "b");
    expect_told("[+a[+b]");
    expect_request("resourceVersion=30");
}

static void a_list_that_does_not_end_is_no_loop(void **state)
{
    (void)state;
    expect_request("sendInitialEvents=true");
    refuse(422, "422");
    int64_t start = now;
    int pages = 0;
    for (; now - start < 60 * SECOND && pages < 50000; pages++) {
        if (!watch_next(watch, now, &request)) {
            now = watch_due_ns(watch);
            assert_true(watch_next(watch, now, &request));
        }
        watch_started(watch, now);
        assert_true(send_bytes(kube_bytes_envelope("PodList", kube_bytes_list("20", "more"))));
        end_well();
        now += SECOND / 1000;
    }
    assert_in_range(pages, 1000, 15000); /* without waiting it would be 60,000 */
    assert_string_equal(state_now().error, "a list that does not end");
    assert_false(state_now().listed);
}

static void gone_lists_again(void **state)
{
    (void)state;
    stream_list();
    now += 10 * SECOND;
    assert_false(send_bytes(error_event(410, "too old resource version: 10 (99)", 0)));
    end_with(API_GIVEN_UP, 200, 0, "");
    assert_string_equal(state_now().error, "410: too old resource version: 10 (99)");
    assert_true(wait_s() <= 1);
    expect_request("sendInitialEvents=true");
    watch_started(watch, now);
    assert_true(send_bytes(event("ADDED", "b", "100")));
    assert_true(send_bytes(end_of_list("101")));
    expect_told("[+b]"); /* "a" was deleted meanwhile, and goes with the end */
    assert_true(state_now().synced);
    now += 10 * SECOND;
    cut();
    expect_request("resourceVersion=101");
    refuse(410, "410: too old resource version");
    expect_request("sendInitialEvents=true");
}

static void garbage_is_never_taken(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
    } garbage[] = {{"\xff\xff\xff\xff", 4},
                   {"HTTP/1.1 500 Internal Server Error", 34},
                   {"\x00\x00\x00\x03xyz", 7},
                   {"\x00\x00\x00\x00", 4}};
    stream_list();
    for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
        now += 10 * SECOND;
        assert_false(watch_body(watch, (struct slice){garbage[i].bytes, garbage[i].length}, now));
        end_with(API_GIVEN_UP, 200, 0, "");
        assert_false(state_now().synced);
        assert_true(state_now().error[0] != '\0');
        expect_request("resourceVersion=10");
        watch_started(watch, now);
    }
    expect_told("");
}

static void a_watch_that_stays_unreadable_is_given_up_for_a_list(void **state)
{
    (void)state;
    stream_list();
    for (int i = 0; i < 3; i++) {
        assert_false(watch_body(watch, (struct slice){"\x00\x00\x00\x03xyz", 7}, now));
        end_with(API_GIVEN_UP, 200, 0, "");
        expect_request("watch=true");
        watch_started(watch, now);
    }
    assert_non_null(strstr(request.path, "sendInitialEvents=true"));
}

static void an_object_of_a_list_that_cannot_be_read_is_left_out(void **state)
{
    (void)state;
    expect_request("sendInitialEvents=true");
    refuse(422, "422");
    expect_request("limit=500");
    struct kube_bytes list = kube_bytes_list("20", "");
    kube_bytes_text(&list, 2, "\x0a\x7f no object");
    kube_bytes_message(&list, 2, pod("b", "1"));
    watch_started(watch, now);
    assert_true(send_bytes(kube_bytes_envelope("PodList", list)));
    end_well();
    expect_told("[+b]");
    assert_int_equal(state_now().unreadable, 1);
    assert_int_equal(state_now().objects, 1);
}

static void a_list_that_is_none_is_refused_whole(void **state)
{
    (void)state;
    expect_request("sendInitialEvents=true");
    refuse(422, "422");
    expect_request("limit=500");
    watch_started(watch, now);
    assert_true(watch_body(watch, slice_of("{\"kind\":\"PodList\"}"), now));
    end_well();
    expect_told("");
    assert_string_equal(state_now().error, "a list that cannot be read");
    expect_request("limit=500");
}

static void refusals_are_waited_out(void **state)
{
    (void)state;
    static const unsigned refusals[] = {401, 403, 429, 503};
    stream_list();
    now += 10 * SECOND;
    cut();
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]) * 3; i++) {
        expect_request("resourceVersion=10"); /* none of them means that the version is lost */
        refuse(refusals[i % 4], "told in the server's words");
        assert_string_equal(state_now().error, "told in the server's words");
        assert_false(state_now().synced);
    }
    expect_request("resourceVersion=10");
    watch_started(watch, now);
    assert_true(state_now().synced);
    expect_told("");
}

static void a_server_that_asks_to_be_left_alone_is(void **state)
{
    (void)state;
    expect_request("watch=true");
    end_with(API_REFUSED, 429, 20, "429: too many requests");
    assert_true(wait_s() >= 20);
    expect_request("watch=true");
    end_with(API_REFUSED, 503, 86400, "503");
    assert_true(wait_s() <= 60); /* but not for a day */
}

static void so_is_one_that_asks_within_a_watch(void **state)
{
    (void)state;
    stream_list();
    now += 10 * SECOND;
    assert_false(send_bytes(error_event(429, "slow down", 7)));
    end_with(API_GIVEN_UP, 200, 0, "");
    assert_true(wait_s() >= 7);
    assert_string_equal(state_now().error, "429: slow down");
    expect_request("resourceVersion=10");
}

static void failures_in_a_row_wait_longer_up_to_a_bound(void **state)
{
    (void)state;
    double last = 0;
    for (int i = 0; i < 12; i++) {
        expect_request("watch=true");
        cut();
        assert_true(wait_s() > last / 4);
        assert_true(wait_s() <= 30);
        last = wait_s();
    }
    assert_true(last >= 15);
    assert_int_equal(state_now().failing, 12);
}

static void a_watch_that_lived_forgets_the_failures_before(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        expect_request("watch=true");
        cut();
    }
    stream_list();
    now += 6 * SECOND;
    cut();
    assert_true(wait_s() <= 1);
}

static void a_server_that_lists_but_breaks_every_watch_is_not_hammered(void **state)
{
    (void)state;
    int64_t start = now;
    int lists = 0;
    for (; now - start < 600 * SECOND; lists++) {
        stream_list();
        assert_false(send_bytes(error_event(410, "too old", 0)));
        end_with(API_GIVEN_UP, 200, 0, "");
        now = watch_due_ns(watch);
    }
    assert_true(lists < 40);
}

/* A server that was away for long has forgotten the version: the list follows soon, or what is
 * known would be older than a minute by then. */
static void after_an_outage_the_list_does_not_wait_as_long(void **state)
{
    (void)state;
    stream_list();
    for (int i = 0; i < 8; i++) {
        cut();
        expect_request("resourceVersion=10");
    }
    watch_started(watch, now);
    assert_false(send_bytes(error_event(410, "too old", 0)));
    end_with(API_GIVEN_UP, 200, 0, "");
    assert_true(wait_s() <= 1);
    stream_list();
    assert_false(send_bytes(error_event(410, "too old", 0)));
    end_with(API_GIVEN_UP, 200, 0, "");
    assert_true(wait_s() >= 1); /* but not each time */
}

static void a_watch_that_ends_at_once_is_a_failure(void **state)
{
    (void)state;
    stream_list();
    now += 10 * SECOND;
    end_well();
    expect_request("resourceVersion=10");
    watch_started(watch, now);
    end_well();
    assert_true(wait_s() >= 0.5);
    assert_int_equal(state_now().failures, 1);
}

static void silence_is_broken_by_asking_again(void **state)
{
    (void)state;
    stream_list();
    now += 74 * SECOND;
    assert_false(watch_has_stalled(watch, now));
    assert_true(send_bytes(bookmark("40")));
    now += 74 * SECOND;
    assert_false(watch_has_stalled(watch, now));
    now += SECOND;
    assert_true(watch_has_stalled(watch, now));
    end_with(API_STALLED, 0, 0, "silent");
    assert_true(state_now().synced); /* maybe nothing happened */
    assert_int_equal(state_now().failures, 0);
    assert_true(watch_next(watch, now, &request)); /* at once */
    assert_non_null(strstr(request.path, "resourceVersion=40"));
    assert_true(request.fresh); /* not over the connection that died */
    now += 29 * SECOND;
    assert_false(watch_has_stalled(watch, now));
    now += SECOND;
    assert_true(watch_has_stalled(watch, now)); /* an answer that does not begin */
    end_with(API_STALLED, 0, 0, "silent");
    assert_false(state_now().synced);
    assert_int_equal(state_now().failures, 1);
}

static void quiet_kinds_are_asked_ever_less(void **state)
{
    (void)state;
    stream_list();
    const int patience[] = {75, 150, 300, 600, 600};
    for (unsigned i = 0; i < 5; i++) {
        now += patience[i] * SECOND - 1;
        assert_false(watch_has_stalled(watch, now));
        now++;
        assert_true(watch_has_stalled(watch, now));
        end_with(API_STALLED, 0, 0, "silent");
        expect_request("resourceVersion=10");
        watch_started(watch, now);
    }
    assert_true(send_bytes(bookmark("40"))); /* not so quiet any more */
    now += 75 * SECOND;
    assert_true(watch_has_stalled(watch, now));
    assert_int_equal(state_now().failures, 0);
}

static void an_event_without_a_version_is_no_event(void **state)
{
    (void)state;
    stream_list();
    now += 10 * SECOND;
    assert_false(send_bytes(event("ADDED", "c", "")));
    end_with(API_GIVEN_UP, 200, 0, "");
    expect_request("resourceVersion=10");
}

#define test(name) cmocka_unit_test_setup_teardown(name, api_server_set_up, api_server_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_cut_within_a_frame_resumes_before_it),
        test(an_end_within_a_frame_is_a_cut),
        test(a_streamed_list_that_breaks_off_begins_again),
        test(a_page_that_breaks_off_is_asked_for_again),
        test(an_expired_page_lists_again),
        test(a_list_that_does_not_end_is_no_loop),
        test(gone_lists_again),
        test(garbage_is_never_taken),
        test(a_watch_that_stays_unreadable_is_given_up_for_a_list),
        test(an_object_of_a_list_that_cannot_be_read_is_left_out),
        test(a_list_that_is_none_is_refused_whole),
        test(refusals_are_waited_out),
        test(a_server_that_asks_to_be_left_alone_is),
        test(so_is_one_that_asks_within_a_watch),
        test(failures_in_a_row_wait_longer_up_to_a_bound),
        test(a_watch_that_lived_forgets_the_failures_before),
        test(a_server_that_lists_but_breaks_every_watch_is_not_hammered),
        test(after_an_outage_the_list_does_not_wait_as_long),
        test(a_watch_that_ends_at_once_is_a_failure),
        test(silence_is_broken_by_asking_again),
        test(quiet_kinds_are_asked_ever_less),
        test(an_event_without_a_version_is_no_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
