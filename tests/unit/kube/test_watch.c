#include "tests/unit/kube/api_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_streamed_list_becomes_a_watch(void **state)
{
    (void)state;
    expect_request("/api/v1/pods?fieldSelector=status.phase%21%3DFailed&");
    assert_non_null(strstr(request.path, "watch=true"));
    assert_non_null(strstr(request.path, "resourceVersionMatch=NotOlderThan"));
    assert_string_equal(request.accept, "application/vnd.kubernetes.protobuf");
    assert_true(request.stalls);
    assert_false(watch_next(watch, now, &request)); /* one at a time */
    watch_started(watch, now);
    assert_false(state_now().listed);
    assert_true(send_bytes(event("ADDED", "a", "7")));
    assert_true(send_bytes(end_of_list("10")));
    expect_told("[+a]");
    assert_true(state_now().listed);
    assert_true(state_now().synced);
    assert_true(send_bytes(event("MODIFIED", "a", "11")));
    assert_true(send_bytes(event("ADDED", "c", "12")));
    assert_true(send_bytes(event("DELETED", "a", "13")));
    expect_told("+a+c-a");
    assert_int_equal(state_now().objects, 1);
    assert_int_equal(state_now().events, 4);
    assert_int_equal(state_now().lists, 1);
}

static void events_may_come_in_pieces_of_any_size(void **state)
{
    (void)state;
    expect_request("watch=true");
    watch_started(watch, now);
    struct kube_bytes all = event("ADDED", "a", "7");
    struct kube_bytes end = end_of_list("10");
    kube_bytes_add(&all, end.bytes, end.length);
    kube_bytes_free(&end);
    for (size_t i = 0; i < all.length; i++) {
        assert_true(watch_body(watch, (struct slice){(char *)all.bytes + i, 1}, now));
    }
    kube_bytes_free(&all);
    expect_told("[+a]");
}

static void a_planned_end_resumes_after_the_last_bookmark(void **state)
{
    (void)state;
    stream_list();
    assert_true(send_bytes(event("ADDED", "c", "12")));
    assert_true(send_bytes(bookmark("40")));
    now += 300 * SECOND;
    end_well();
    assert_true(state_now().synced);
    assert_int_equal(state_now().failures, 0);
    assert_true(watch_next(watch, now, &request)); /* at once */
    assert_non_null(strstr(request.path, "resourceVersion=40"));
    assert_null(strstr(request.path, "sendInitialEvents"));
}

static void watches_end_at_different_times(void **state)
{
    (void)state;
    expect_request("timeoutSeconds=");
    long first = strtol(strstr(request.path, "timeoutSeconds=") + 15, NULL, 10);
    cut();
    expect_request("timeoutSeconds=");
    long second = strtol(strstr(request.path, "timeoutSeconds=") + 15, NULL, 10);
    assert_in_range(first, 300, 600);
    assert_in_range(second, 300, 600);
    assert_int_not_equal(first, second);
    assert_true(request.timeout_s > second);
}

static void old_servers_are_asked_for_pages(void **state)
{
    (void)state;
    expect_request("sendInitialEvents=true");
    refuse(422, "422: sendInitialEvents is forbidden");
    assert_int_equal(state_now().failures, 0);
    assert_true(watch_next(watch, now, &request)); /* at once */
    assert_non_null(strstr(request.path, "limit=500"));
    assert_null(strstr(request.path, "watch"));
    serve_page("20", "page/2", "a");
    assert_false(state_now().listed);
    expect_request("continue=page%2F2");
    serve_page("20", "", "b");
    expect_told("[+a+b]");
    assert_true(state_now().listed);
    assert_int_equal(state_now().objects, 2);
    expect_request("resourceVersion=20");
    watch_started(watch, now);
    assert_true(state_now().synced);
    refuse(410, "410: too old");
    expect_request("limit=500"); /* it has learnt that */
}

static void servers_that_do_not_know_streamed_lists_do_not_mark_the_end(void **state)
{
    (void)state;
    expect_request("sendInitialEvents=true");
    watch_started(watch, now);
    assert_true(send_bytes(event("ADDED", "a", "7")));
    now += 14 * SECOND;
    assert_false(watch_has_stalled(watch, now));
    now += SECOND;
    assert_true(watch_has_stalled(watch, now));
    end_with(API_STALLED, 0, 0, "silent");
    expect_request("limit=500");
    serve_page("20", "", "a");
    expect_told("[+a[+a]"); /* the list begins again, and only then ends */
}

static void neither_do_busy_ones(void **state)
{
    (void)state;
    expect_request("sendInitialEvents=true");
    watch_started(watch, now);
    int seconds = 0;
    for (; seconds < 1000 && !watch_has_stalled(watch, now); seconds++) {
        assert_true(send_bytes(event("MODIFIED", "a", "7")));
        now += SECOND;
    }
    assert_in_range(seconds, 30, 200);
}

static void own_pods_are_listed_first(void **state)
{
    (void)state;
    watch_first("spec.nodeName=n1");
    expect_request("fieldSelector=spec.nodeName%3Dn1&limit=500");
    serve_page("5", "more", "mine");
    assert_false(state_now().first_listed);
    expect_request("continue=more");
    serve_page("5", "", "mine2");
    assert_true(state_now().first_listed);
    assert_false(state_now().listed);
    expect_told("+mine+mine2"); /* no whole list: nothing goes */
    expect_request("fieldSelector=status.phase%21%3DFailed&watch=true");
    watch_started(watch, now);
    assert_true(send_bytes(event("ADDED", "mine", "7")));
    assert_true(send_bytes(end_of_list("10")));
    expect_told("[+mine]");
    assert_int_equal(state_now().objects, 1);
}

static void own_pods_that_cannot_be_had_first_come_with_all(void **state)
{
    (void)state;
    watch_first("spec.nodeName=n1");
    expect_request("spec.nodeName");
    refuse(500, "500");
    expect_request("sendInitialEvents=true");
}

#define test(name) cmocka_unit_test_setup_teardown(name, api_server_set_up, api_server_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_streamed_list_becomes_a_watch),
        test(events_may_come_in_pieces_of_any_size),
        test(a_planned_end_resumes_after_the_last_bookmark),
        test(watches_end_at_different_times),
        test(old_servers_are_asked_for_pages),
        test(servers_that_do_not_know_streamed_lists_do_not_mark_the_end),
        test(neither_do_busy_ones),
        test(own_pods_are_listed_first),
        test(own_pods_that_cannot_be_had_first_come_with_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
