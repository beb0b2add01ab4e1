#include "agent/kube/client/api_client.h"
#include "tests/unit/kube/http_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One request against a server that gives this answer. */
struct scene {
    const char *answer; /* head and body */
    bool open;          /* the connection stays */
    char head[8192];    /* the request as it came */
    bool started;
    bool refuse_body;
    char body[256];
    uint64_t received;
    bool done;
    struct api_answer got;
    char error[API_ERROR_SIZE];
};

static struct scene scene;

static bool answer(void *context, const char *head, struct kube_bytes *bytes)
{
    (void)context;
    snprintf(scene.head, sizeof(scene.head), "%s", head);
    kube_bytes_add(bytes, scene.answer, strlen(scene.answer));
    return scene.open;
}

static void on_started(void *context)
{
    (void)context;
    scene.started = true;
}

static bool on_body(void *context, struct slice bytes)
{
    (void)context;
    size_t length = strlen(scene.body);
    snprintf(scene.body + length, sizeof(scene.body) - length, "%.*s", (int)bytes.length,
             bytes.data);
    return !scene.refuse_body;
}

static void on_done(void *context, const struct api_answer *got)
{
    (void)context;
    scene.done = true;
    scene.got = *got;
    snprintf(scene.error, sizeof(scene.error), "%s", got->error);
}

static void on_received(void *context, uint64_t bytes)
{
    (void)context;
    scene.received += bytes;
}

static const struct api_request request = {.path = "/api/v1/pods?limit=1",
                                           .accept = "application/test",
                                           .timeout_s = 30,
                                           .started = on_started,
                                           .body = on_body,
                                           .done = on_done,
                                           .received = on_received};

static void ask(struct kube_access *access, const char *path)
{
    char error[API_ERROR_SIZE] = "";
    struct api_client *client = api_client_new(access);
    struct api_request wanted = request;
    wanted.path = path;
    assert_non_null(client);
    assert_non_null(api_client_start(client, &wanted, error));
    while (!scene.done) {
        api_client_work(client, 1000);
    }
    api_client_free(client);
}

static void ask_with(const char *bytes, bool open, char *token)
{
    char server_url[64];
    scene.answer = bytes;
    scene.open = open;
    struct http_server *server = http_server_start(answer, NULL);
    snprintf(server_url, sizeof(server_url), "http://127.0.0.1:%u",
             (unsigned)http_server_port(server));
    struct kube_access access = {.server = server_url, .token = token};
    ask(&access, request.path);
    http_server_stop(server);
}

static int set_up(void **state)
{
    (void)state;
    memset(&scene, 0, sizeof(scene));
    return 0;
}

static void a_whole_answer_is_handed_on(void **state)
{
    (void)state;
    char token[] = "abc.def";
    ask_with("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", true, token);
    assert_int_equal(scene.got.failure, API_DONE);
    assert_int_equal(scene.got.status, 200);
    assert_string_equal(scene.error, "");
    assert_true(scene.started);
    assert_string_equal(scene.body, "hello");
    assert_int_equal(scene.received, 5);
    assert_memory_equal(scene.head, "GET /api/v1/pods?limit=1 HTTP/1.1\r\n", 35);
    assert_non_null(strstr(scene.head, "\r\nAuthorization: Bearer abc.def\r\n"));
    assert_non_null(strstr(scene.head, "\r\nAccept: application/test\r\n"));
    assert_non_null(strstr(scene.head, "\r\nAccept-Encoding: gzip\r\n"));
    assert_non_null(strstr(scene.head, "\r\nUser-Agent: vethscope\r\n"));
}

static void half_an_answer_is_none(void **state)
{
    (void)state;
    ask_with("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", false, NULL);
    assert_int_equal(scene.got.failure, API_TRANSPORT);
    assert_true(scene.error[0] != '\0');
    assert_null(strstr(scene.head, "Authorization"));
}

static void a_refusal_is_no_body(void **state)
{
    (void)state;
    ask_with("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 5\r\n\r\nlater",
             true, NULL);
    assert_int_equal(scene.got.failure, API_REFUSED);
    assert_int_equal(scene.got.status, 429);
    assert_int_equal(scene.got.retry_after_s, 7);
    assert_string_equal(scene.error, "429: later");
    assert_false(scene.started);
    assert_string_equal(scene.body, "");
}

static void a_redirect_is_not_followed(void **state)
{
    (void)state;
    ask_with("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
             true, NULL);
    assert_int_equal(scene.got.failure, API_REFUSED);
    assert_int_equal(scene.got.status, 302);
}

static void what_is_not_wanted_is_given_up(void **state)
{
    (void)state;
    scene.refuse_body = true;
    ask_with("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nhello", true, NULL);
    assert_int_equal(scene.got.failure, API_GIVEN_UP);
}

static void a_server_that_is_not_there_is_told(void **state)
{
    (void)state;
    struct http_server *server = http_server_start(answer, NULL);
    char server_url[64];
    snprintf(server_url, sizeof(server_url), "http://127.0.0.1:%u",
             (unsigned)http_server_port(server));
    http_server_stop(server);
    struct kube_access access = {.server = server_url};
    ask(&access, request.path);
    assert_int_equal(scene.got.failure, API_TRANSPORT);
    assert_int_equal(scene.got.status, 0);
    assert_true(scene.error[0] != '\0');
}

static void what_speaks_no_http_is_told(void **state)
{
    (void)state;
    ask_with("\x01\x02 who is there?\n\n", false, NULL);
    assert_int_equal(scene.got.failure, API_TRANSPORT);
}

static void a_request_without_its_token_is_not_made(void **state)
{
    (void)state;
    char server_url[] = "http://127.0.0.1:1";
    char token_file[] = "/nowhere/token";
    char error[API_ERROR_SIZE] = "";
    struct kube_access access = {.server = server_url, .token_file = token_file};
    struct api_client *client = api_client_new(&access);
    assert_null(api_client_start(client, &request, error));
    assert_string_equal(error,
                        "the token of /nowhere/token cannot be used: No such file or directory");
    assert_false(scene.done);
    api_client_free(client);
}

static void a_cancelled_request_says_nothing(void **state)
{
    (void)state;
    char server_url[64];
    char error[API_ERROR_SIZE] = "";
    scene.answer = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello";
    scene.open = true;
    struct http_server *server = http_server_start(answer, NULL);
    snprintf(server_url, sizeof(server_url), "http://127.0.0.1:%u",
             (unsigned)http_server_port(server));
    struct kube_access access = {.server = server_url};
    struct api_client *client = api_client_new(&access);
    struct api_transfer *transfer = api_client_start(client, &request, error);
    assert_non_null(transfer);
    while (scene.body[0] == '\0') {
        api_client_work(client, 1000);
    }
    api_client_cancel(client, transfer);
    assert_non_null(api_client_start(client, &request, error)); /* ended with the client */
    api_client_free(client);
    http_server_stop(server);
    assert_false(scene.done);
    api_client_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_whole_answer_is_handed_on, set_up),
        cmocka_unit_test_setup(half_an_answer_is_none, set_up),
        cmocka_unit_test_setup(a_refusal_is_no_body, set_up),
        cmocka_unit_test_setup(a_redirect_is_not_followed, set_up),
        cmocka_unit_test_setup(what_is_not_wanted_is_given_up, set_up),
        cmocka_unit_test_setup(a_server_that_is_not_there_is_told, set_up),
        cmocka_unit_test_setup(what_speaks_no_http_is_told, set_up),
        cmocka_unit_test_setup(a_request_without_its_token_is_not_made, set_up),
        cmocka_unit_test_setup(a_cancelled_request_says_nothing, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
