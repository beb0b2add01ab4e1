#include "tests/unit/kube/api_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct object_decoder *decoder;
struct watch *watch;
struct watch_request request;
static char told[4096];
int64_t now;

static void tell(const char *what, struct slice name)
{
    size_t length = strlen(told);
    snprintf(told + length, sizeof(told) - length, "%s%.*s", what, (int)name.length, name.data);
}

static void on_list_begin(void *context)
{
    (void)context;
    tell("[", slice_of(""));
}

static void on_list_end(void *context)
{
    (void)context;
    tell("]", slice_of(""));
}

static void on_set(void *context, const struct kube_object *object)
{
    (void)context;
    tell("+", object->meta.name);
}

static void on_remove(void *context, const struct kube_object *object)
{
    (void)context;
    tell("-", object->meta.name);
}

static void make_watch(const char *first_selector)
{
    const struct watch_options options = {.kind = KUBE_POD,
                                          .selector = "status.phase!=Failed",
                                          .first_selector = first_selector,
                                          .decoder = decoder,
                                          .sink = {.list_begin = on_list_begin,
                                                   .list_end = on_list_end,
                                                   .set = on_set,
                                                   .remove = on_remove},
                                          .seed = 42};
    watch = watch_new(&options);
    assert_non_null(watch);
}

int api_server_set_up(void **state)
{
    (void)state;
    decoder = object_decoder_new();
    told[0] = '\0';
    now = 1000 * SECOND;
    make_watch(NULL);
    return decoder == NULL;
}

void watch_first(const char *first_selector)
{
    watch_free(watch);
    make_watch(first_selector);
}

int api_server_tear_down(void **state)
{
    (void)state;
    watch_free(watch);
    object_decoder_free(decoder);
    return 0;
}

/* ---- the server's part ---- */

/* The next request is made now, or once it is due. */
void expect_request(const char *part)
{
    if (!watch_next(watch, now, &request)) {
        now = watch_due_ns(watch);
        assert_true(watch_next(watch, now, &request));
    }
    if (strstr(request.path, part) == NULL) {
        fail_msg("%s does not have %s", request.path, part);
    }
}

void expect_told(const char *expected)
{
    assert_string_equal(told, expected);
    told[0] = '\0';
}

/* Sends and frees the bytes; what the watch thinks of them. */
bool send_bytes(struct kube_bytes bytes)
{
    bool more = watch_body(watch, (struct slice){(char *)bytes.bytes, bytes.length}, now);
    kube_bytes_free(&bytes);
    return more;
}

struct kube_bytes pod(const char *name, const char *version)
{
    return kube_bytes_object(kube_bytes_meta("shop", name, version));
}

struct kube_bytes event(const char *type, const char *name, const char *version)
{
    return kube_bytes_event(type, "Pod", pod(name, version));
}

struct kube_bytes bookmark(const char *version)
{
    return kube_bytes_event("BOOKMARK", "Pod", kube_bytes_object(kube_bytes_meta("", "", version)));
}

struct kube_bytes end_of_list(const char *version)
{
    struct kube_bytes meta = kube_bytes_meta("", "", version);
    kube_bytes_pair(&meta, 12, "k8s.io/initial-events-end", "true");
    return kube_bytes_event("BOOKMARK", "Pod", kube_bytes_object(meta));
}

struct kube_bytes error_event(unsigned code, const char *message, unsigned retry_after_s)
{
    return kube_bytes_event("ERROR", "Status",
                            kube_bytes_status(code, "Reason", message, retry_after_s));
}

void end_with(enum api_failure failure, unsigned status, unsigned retry_after_s, const char *error)
{
    const struct api_answer answer = {failure, status, retry_after_s, error};
    watch_done(watch, &answer, now);
}

void end_well(void)
{
    end_with(API_DONE, 200, 0, "");
}

void refuse(unsigned status, const char *error)
{
    end_with(API_REFUSED, status, 0, error);
}

void cut(void)
{
    end_with(API_TRANSPORT, 200, 0, "Connection reset by peer");
}

/* A server that streams lists has listed "a" and "b" at version 10. */
void stream_list(void)
{
    expect_request("sendInitialEvents=true");
    watch_started(watch, now);
    assert_true(send_bytes(event("ADDED", "a", "7")));
    assert_true(send_bytes(event("ADDED", "b", "3")));
    assert_true(send_bytes(end_of_list("10")));
    expect_told("[+a+b]");
}

struct kube_bytes page(const char *version, const char *next, const char *name)
{
    struct kube_bytes list = kube_bytes_list(version, next);
    kube_bytes_message(&list, 2, pod(name, "1"));
    return kube_bytes_envelope("PodList", list);
}

void serve_page(const char *version, const char *next, const char *name)
{
    watch_started(watch, now);
    assert_true(send_bytes(page(version, next, name)));
    end_well();
}

struct watch_state state_now(void)
{
    return watch_state(watch);
}

/* How long it waits before it asks again, in seconds. */
double wait_s(void)
{
    return (double)(watch_due_ns(watch) - now) / (double)SECOND;
}
