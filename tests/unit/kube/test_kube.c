#include "agent/kube/kube.h"
#include "tests/unit/kube/http_server.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* The whole client against a small API server over plain HTTP/1.1, which streams lists. What is
 * reported is waited for; a minute without it is a failure. */
#define PATIENCE_S 20

struct world {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned refusals[KUBE_KINDS]; /* so many requests for the kind are refused first */
    const char *words[2];          /* of the first refusal and the second; NULL: the usual ones */
    bool mute;                     /* requests are heard and never answered */
    bool synced[KUBE_KINDS];
    char failed[KUBE_KINDS][KUBE_ERROR_SIZE];
    unsigned failures[KUBE_KINDS]; /* as often was that told */
    char node[64];
    char pod_request[2048]; /* the last head that asked for pods */
    struct http_server *server;
    struct directory_source *source;
    char config_path[64];
};

static struct world world;

/* ---- the API server ---- */

static enum kube_kind kind_of(const char *head)
{
    for (unsigned i = 0; i < KUBE_KINDS; i++) {
        char part[64];
        snprintf(part, sizeof(part), "/%s?", kube_kind_name((enum kube_kind)i));
        if (strstr(head, part) != NULL) {
            return (enum kube_kind)i;
        }
    }
    abort();
}

static struct kube_bytes one_text(unsigned field, const char *text)
{
    struct kube_bytes bytes = {0};
    kube_bytes_text(&bytes, field, text);
    return bytes;
}

static struct kube_bytes node(void)
{
    struct kube_bytes address = one_text(1, "InternalIP");
    kube_bytes_text(&address, 2, "192.0.2.7");
    struct kube_bytes status = {0};
    kube_bytes_message(&status, 5, address);
    struct kube_bytes object = kube_bytes_object(kube_bytes_meta("", "node-7", "7"));
    kube_bytes_message(&object, 3, status);
    return object;
}

static void join(struct kube_bytes *bytes, struct kube_bytes more)
{
    kube_bytes_add(bytes, more.bytes, more.length);
    kube_bytes_free(&more);
}

/* One pod, 10.0.1.2, one node, nothing else. */
static struct kube_bytes list_of(enum kube_kind kind)
{
    struct kube_bytes frames = {0};
    if (kind == KUBE_POD) {
        join(&frames, kube_bytes_event("ADDED", "Pod", kube_bytes_big_pod(258)));
    } else if (kind == KUBE_NODE) {
        join(&frames, kube_bytes_event("ADDED", "Node", node()));
    }
    struct kube_bytes meta = kube_bytes_meta("", "", "9");
    kube_bytes_pair(&meta, 12, "k8s.io/initial-events-end", "true");
    join(&frames, kube_bytes_event("BOOKMARK", "Any", kube_bytes_object(meta)));
    return frames;
}

static bool answer(void *context, const char *head, struct kube_bytes *bytes)
{
    (void)context;
    enum kube_kind kind = kind_of(head);
    pthread_mutex_lock(&world.mutex);
    bool mute = world.mute;
    bool refused = world.refusals[kind] > 0;
    const char *words = world.words[world.refusals[kind] == 1];
    world.refusals[kind] -= refused;
    if (kind == KUBE_POD) {
        snprintf(world.pod_request, sizeof(world.pod_request), "%.2000s", head);
    }
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.mutex);
    if (mute) {
        return true;
    }
    if (refused) {
        http_add_whole(
            bytes, "403 Forbidden",
            kube_bytes_envelope(
                "Status",
                kube_bytes_status(403, "Forbidden", words == NULL ? "it is forbidden" : words, 0)));
    } else if (strstr(head, "watch=true") == NULL) {
        struct kube_bytes list = kube_bytes_list("8", "");
        kube_bytes_message(&list, 2, kube_bytes_big_pod(258));
        http_add_whole(bytes, "200 OK", kube_bytes_envelope("PodList", list));
    } else {
        http_add_stream(bytes, list_of(kind));
    }
    return true;
}

/* ---- what is reported ---- */

static void on_report(void *context, const struct kube_report *report)
{
    (void)context;
    pthread_mutex_lock(&world.mutex);
    switch (report->event) {
    case KUBE_SYNCED:
        world.synced[report->kind] = true;
        break;
    case KUBE_FAILED:
        snprintf(world.failed[report->kind], KUBE_ERROR_SIZE, "%s", report->text);
        world.failures[report->kind]++;
        break;
    case KUBE_NODE_FOUND:
        snprintf(world.node, sizeof(world.node), "%s", report->text);
        break;
    case KUBE_NO_MEMORY:
        abort();
    }
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.mutex);
}

static void wait_until(bool (*reached)(void))
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    int status = 0;
    pthread_mutex_lock(&world.mutex);
    while (!reached() && status == 0) {
        status = pthread_cond_timedwait(&world.changed, &world.mutex, &until);
    }
    pthread_mutex_unlock(&world.mutex);
    assert_int_equal(status, 0);
}

static bool all_synced(void)
{
    for (unsigned i = 0; i < KUBE_KINDS; i++) {
        if (!world.synced[i]) {
            return false;
        }
    }
    return true;
}

static bool pods_failed(void)
{
    return world.failed[KUBE_POD][0] != '\0';
}

static bool pods_asked(void)
{
    return world.pod_request[0] != '\0';
}

/* ---- a test's beginning and end ---- */

static void write_kubeconfig(void)
{
    snprintf(world.config_path, sizeof(world.config_path), "/tmp/vethscope-kube-XXXXXX");
    int fd = mkstemp(world.config_path);
    assert_true(fd >= 0);
    dprintf(fd,
            "current-context: c\n"
            "clusters: [{name: k, cluster: {server: 'http://127.0.0.1:%u'}}]\n"
            "contexts: [{name: c, context: {cluster: k}}]\n",
            (unsigned)http_server_port(world.server));
    close(fd);
}

static int set_up(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    pthread_mutex_init(&world.mutex, NULL);
    pthread_cond_init(&world.changed, NULL);
    world.server = http_server_start(answer, NULL);
    world.source = directory_source_new(directory_new(NULL, 0));
    write_kubeconfig();
    return world.source == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    http_server_stop(world.server);
    directory_source_free(world.source);
    unlink(world.config_path);
    pthread_cond_destroy(&world.changed);
    pthread_mutex_destroy(&world.mutex);
    return 0;
}

static struct kube *start(enum kube_scope scope, const char *node_name, const struct address *own)
{
    char error[KUBE_ERROR_SIZE] = "";
    struct kube *kube = NULL;
    const struct kube_options options = {.access = KUBE_KUBECONFIG,
                                         .kubeconfig = world.config_path,
                                         .scope = scope,
                                         .node_name = node_name,
                                         .own_addresses = own,
                                         .own_address_count = own == NULL ? 0 : 1,
                                         .source = world.source,
                                         .report = on_report};
    if (kube_start(&options, &kube, error) != 0) {
        fail_msg("%s", error);
    }
    return kube;
}

static enum directory_answer find(const char *address, struct workload *workload_out)
{
    struct endpoint endpoint = {.port = 8080};
    assert_int_equal(address_parse(address, &endpoint.address), 0);
    const struct directory *directory = directory_source_acquire(world.source);
    enum directory_answer found = directory_find(directory, &endpoint, workload_out);
    directory_source_release(world.source, directory);
    return found;
}

/* ---- tests ---- */

static void what_is_listed_is_published_before_it_counts_as_synced(void **state)
{
    (void)state;
    struct kube *kube = start(KUBE_SCOPE_CLUSTER, "node-7", NULL);
    wait_until(all_synced);
    struct workload workload;
    assert_int_equal(find("10.0.1.2", &workload), DIRECTORY_KNOWN);
    for (unsigned i = 0; i < KUBE_KINDS; i++) {
        struct kube_status status;
        kube_status(kube, (enum kube_kind)i, &status);
        assert_int_equal(status.objects, i == KUBE_POD || i == KUBE_NODE);
        assert_int_equal(status.failures, 0);
        assert_int_equal(status.requests, i == KUBE_POD ? 2 : 1); /* its own pods first */
        assert_true(status.bytes_received > 0);
        assert_string_equal(status.error, "");
    }
    kube_stop(kube);
}

static void a_refusal_is_reported_and_asked_again(void **state)
{
    (void)state;
    world.refusals[KUBE_SERVICE] = 1;
    struct kube *kube = start(KUBE_SCOPE_CLUSTER, NULL, NULL);
    wait_until(all_synced);
    assert_string_equal(world.failed[KUBE_SERVICE], "403: it is forbidden");
    assert_string_equal(world.failed[KUBE_POD], "");
    struct kube_status status;
    kube_status(kube, KUBE_SERVICE, &status);
    assert_int_equal(status.failures, 1);
    assert_int_equal(status.requests, 2);
    kube_stop(kube);
}

static unsigned failures_told(const char *first, const char *second)
{
    world.words[0] = first;
    world.words[1] = second;
    world.refusals[KUBE_SERVICE] = 2;
    struct kube *kube = start(KUBE_SCOPE_CLUSTER, NULL, NULL);
    wait_until(all_synced);
    kube_stop(kube);
    return world.failures[KUBE_SERVICE];
}

/* With the same status, too: a server that was away and has another certificate now, say. */
static void another_cause_is_told_as_well(void **state)
{
    (void)state;
    assert_int_equal(failures_told("it is forbidden", "it is forbidden by somebody else"), 2);
    assert_string_equal(world.failed[KUBE_SERVICE], "403: it is forbidden by somebody else");
}

static void the_same_with_other_numbers_is_not(void **state)
{
    (void)state;
    assert_int_equal(failures_told("not after 7 ms", "not after 12 ms"), 1);
}

static void the_scope_of_a_node_waits_for_its_name(void **state)
{
    (void)state;
    struct address own;
    assert_int_equal(address_parse("192.0.2.7", &own), 0);
    struct kube *kube = start(KUBE_SCOPE_NODE, NULL, &own);
    wait_until(all_synced);
    assert_string_equal(world.node, "node-7");
    assert_non_null(strstr(world.pod_request, "spec.nodeName%3Dnode-7%2C"));
    kube_stop(kube);
}

static void a_node_that_cannot_be_told_is_reported(void **state)
{
    (void)state;
    struct address own;
    assert_int_equal(address_parse("192.0.2.8", &own), 0);
    struct kube *kube = start(KUBE_SCOPE_NODE, NULL, &own);
    wait_until(pods_failed);
    assert_non_null(strstr(world.failed[KUBE_POD], "no node has an address of this host"));
    kube_stop(kube);
    assert_string_equal(world.pod_request, "");
    assert_true(directory_source_version(world.source) >= 1);
}

static void a_server_that_never_answers_holds_nobody_up(void **state)
{
    (void)state;
    world.mute = true;
    struct kube *kube = start(KUBE_SCOPE_CLUSTER, "node-7", NULL);
    wait_until(pods_asked);
    struct kube_status status;
    kube_status(kube, KUBE_POD, &status);
    assert_false(status.synced);
    struct timespec before;
    struct timespec after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    kube_stop(kube);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(after.tv_sec - before.tv_sec <= 2);
}

static void an_access_that_cannot_be_used_is_said_at_once(void **state)
{
    (void)state;
    char error[KUBE_ERROR_SIZE] = "";
    struct kube *kube = NULL;
    struct kube_options options = {
        .access = KUBE_KUBECONFIG, .kubeconfig = "/nowhere/config", .source = world.source};
    assert_int_equal(kube_start(&options, &kube, error), -ENOENT);
    assert_string_equal(error, "/nowhere/config: No such file or directory");
    unsetenv("KUBERNETES_SERVICE_HOST");
    options.access = KUBE_IN_CLUSTER;
    assert_false(kube_in_cluster());
    assert_int_equal(kube_start(&options, &kube, error), -ENOENT);
    assert_null(kube);
    kube_stop(NULL);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(what_is_listed_is_published_before_it_counts_as_synced),
        test(a_refusal_is_reported_and_asked_again),
        test(another_cause_is_told_as_well),
        test(the_same_with_other_numbers_is_not),
        test(the_scope_of_a_node_waits_for_its_name),
        test(a_node_that_cannot_be_told_is_reported),
        test(a_server_that_never_answers_holds_nobody_up),
        test(an_access_that_cannot_be_used_is_said_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
