#include "agent/kube/kube.h"

#include "agent/kube/client/access.h"
#include "agent/kube/client/api_client.h"
#include "agent/kube/client/board.h"
#include "agent/kube/client/follower.h"
#include "agent/kube/client/identity.h"
#include "agent/kube/client/in_cluster.h"
#include "agent/kube/client/kubeconfig.h"
#include "agent/kube/client/monotonic.h"
#include "agent/kube/client/own_node.h"
#include "agent/kube/client/resource.h"
#include "agent/kube/wire/object_decoder.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/*
 * One thread does everything: it makes the requests that are due, hands what comes to the
 * inventory, publishes the directory where it changed, and copies out the status, which is all that
 * others see of it.
 *
 * All pods are one watch, as the inventory knows a list of a kind only whole. This node's are
 * listed first, so that their names are there long before a large cluster is; the list of all
 * confirms them. Finished pods are left out by the selector: the server then tells of a pod that
 * finishes as of one that is deleted.
 */
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)
/* At least this long between two directories; and ten times as long as making one takes. */
#define PUBLISH_INTERVAL_NS (100 * NS_PER_MS)
#define PUBLISH_SHARE 10
/* The first one is not held back for longer. */
#define FIRST_PUBLISH_NS (10 * NS_PER_S)
/* How long the list of all pods waits for the name of this node. */
#define NODE_NAME_NS (3 * NS_PER_S)
#define POLL_MAX_MS 1000
/* A node's name has at most 253 characters. */
#define SELECTOR_SIZE 384
#define RUNNING "status.phase!=Succeeded,status.phase!=Failed"

/* Why this node's pods alone cannot be asked for. */
static const char nameless[] = "no node has an address of this host, and none was named";

/* What was last told of a kind. */
struct told {
    bool synced;
    uint64_t failure; /* cause_of its text; 0: none was told */
};

struct kube {
    enum kube_scope scope;
    struct identity identity;
    struct own_node own_node;
    struct directory_source *source;
    void (*report)(void *context, const struct kube_report *report);
    void *report_context;
    struct kube_access access;
    struct api_client *client;
    struct object_decoder *decoder;
    struct inventory *inventory;
    struct follower *followers[KUBE_KINDS];
    struct sink_context {
        struct kube *kube;
        enum kube_kind kind;
    } contexts[KUBE_KINDS];
    struct told told[KUBE_KINDS];
    bool shown[KUBE_KINDS]; /* what was listed is in the directory that others see */
    int64_t started_ns;
    int64_t publish_due_ns;
    bool published;
    bool memory_told;
    pthread_t thread;
    bool running;
    atomic_bool stop;
    struct board *board;
};

bool kube_in_cluster(void)
{
    return in_cluster_is();
}

const char *kube_kind_name(enum kube_kind kind)
{
    return resource_name(kind);
}

/* ---- reports ---- */

static void report(const struct kube *kube, enum kube_report_event event, enum kube_kind kind,
                   const char *text)
{
    if (kube->report != NULL) {
        const struct kube_report said = {event, kind, text};
        kube->report(kube->report_context, &said);
    }
}

static void report_memory(struct kube *kube)
{
    if (!kube->memory_told) {
        kube->memory_told = true;
        report(kube, KUBE_NO_MEMORY, KUBE_POD, "");
    }
}

/* A number for what an error says. Digits are left out, lest milliseconds and ports make it another
 * one at each attempt. */
static uint64_t cause_of(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            hash = (hash ^ (uint8_t)*text) * 0x100000001b3u;
        }
    }
    return hash | 1;
}

static void report_changes(struct kube *kube, enum kube_kind kind)
{
    const struct watch_state state = follower_state(kube->followers[kind]);
    struct told *told = &kube->told[kind];
    if (state.synced && kube->shown[kind] && !told->synced) {
        *told = (struct told){.synced = true};
        report(kube, KUBE_SYNCED, kind, "");
    } else if (!state.synced && state.error[0] != '\0' &&
               (told->synced || cause_of(state.error) != told->failure)) {
        *told = (struct told){.failure = cause_of(state.error)};
        report(kube, KUBE_FAILED, kind, state.error);
    }
}

/* ---- what the watches tell ---- */

static void on_list_begin(void *context)
{
    const struct sink_context *sink = context;
    inventory_list_begin(sink->kube->inventory, sink->kind);
}

static void on_list_end(void *context)
{
    const struct sink_context *sink = context;
    inventory_list_end(sink->kube->inventory, sink->kind);
}

static void take(struct kube *kube, const struct kube_object *object)
{
    if (inventory_set(kube->inventory, object, monotonic_ns()) != 0) {
        report_memory(kube);
    }
}

static void on_set(void *context, const struct kube_object *object)
{
    const struct sink_context *sink = context;
    if (object->kind == KUBE_NODE && identity_recognise(&sink->kube->identity, object)) {
        report(sink->kube, KUBE_NODE_FOUND, KUBE_NODE, sink->kube->identity.node);
    }
    take(sink->kube, object->kind != KUBE_NODE
                         ? object
                         : own_node_told(&sink->kube->own_node, sink->kube->identity.node, object));
}

static void on_remove(void *context, const struct kube_object *object)
{
    const struct sink_context *sink = context;
    if (inventory_remove(sink->kube->inventory, object) != 0) {
        report_memory(sink->kube);
    }
}

/* ---- which watches there are ---- */

static struct follower *follow(struct kube *kube, enum kube_kind kind, const char *selector,
                               const char *first_selector)
{
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed)) {
        seed = (uint64_t)monotonic_ns();
    }
    kube->contexts[kind] = (struct sink_context){kube, kind};
    const struct watch_options options = {.kind = kind,
                                          .selector = selector,
                                          .first_selector = first_selector,
                                          .decoder = kube->decoder,
                                          .sink = {.context = &kube->contexts[kind],
                                                   .list_begin = on_list_begin,
                                                   .list_end = on_list_end,
                                                   .set = on_set,
                                                   .remove = on_remove},
                                          .seed = seed};
    struct follower *follower = follower_new(kube->client, &options);
    if (follower == NULL) {
        report_memory(kube);
    }
    return follower;
}

/* Whether the list of all pods need not wait for this node's name. */
static bool may_list_pods(const struct kube *kube, int64_t now_ns)
{
    if (kube->followers[KUBE_NODE] == NULL) {
        return false;
    }
    const struct watch_state nodes = follower_state(kube->followers[KUBE_NODE]);
    return nodes.listed || nodes.failures > 0 || kube->identity.address_count == 0 ||
           now_ns - kube->started_ns >= NODE_NAME_NS;
}

/* Whether only this node's pods are wanted, and no node is this one. */
static bool is_nameless(const struct kube *kube)
{
    return kube->followers[KUBE_POD] == NULL && kube->followers[KUBE_NODE] != NULL &&
           kube->identity.node == NULL && follower_state(kube->followers[KUBE_NODE]).listed;
}

static struct follower *follow_pods(struct kube *kube, int64_t now_ns)
{
    char own[SELECTOR_SIZE];
    if (kube->identity.node != NULL) {
        snprintf(own, sizeof(own), "spec.nodeName=%s," RUNNING, kube->identity.node);
        return kube->scope == KUBE_SCOPE_NODE ? follow(kube, KUBE_POD, own, NULL)
                                              : follow(kube, KUBE_POD, RUNNING, own);
    }
    bool all = kube->scope == KUBE_SCOPE_CLUSTER && may_list_pods(kube, now_ns);
    return all ? follow(kube, KUBE_POD, RUNNING, NULL) : NULL;
}

/* With the scope of one node, this node alone, where its name is known from the start. */
static struct follower *follow_nodes(struct kube *kube)
{
    char own[SELECTOR_SIZE];
    if (kube->scope == KUBE_SCOPE_CLUSTER || kube->identity.node == NULL) {
        return follow(kube, KUBE_NODE, NULL, NULL);
    }
    snprintf(own, sizeof(own), "metadata.name=%s", kube->identity.node);
    return follow(kube, KUBE_NODE, own, NULL);
}

static void follow_what_can_be(struct kube *kube, int64_t now_ns)
{
    for (unsigned i = 0; i < KUBE_KINDS; i++) {
        enum kube_kind kind = (enum kube_kind)i;
        if (kube->followers[i] == NULL) {
            kube->followers[i] = kind == KUBE_POD    ? follow_pods(kube, now_ns)
                                 : kind == KUBE_NODE ? follow_nodes(kube)
                                                     : follow(kube, kind, NULL, NULL);
        }
    }
}

static void report_nameless(struct kube *kube)
{
    struct told *told = &kube->told[KUBE_POD];
    if (is_nameless(kube) && told->failure == 0) {
        told->failure = cause_of(nameless);
        report(kube, KUBE_FAILED, KUBE_POD, nameless);
    }
}

/* ---- what is published ---- */

/* Own pods and services are what a first directory is about; one that cannot be had is not waited
 * for. */
static bool is_ready(const struct kube *kube, int64_t now_ns)
{
    if (kube->published || now_ns - kube->started_ns >= FIRST_PUBLISH_NS) {
        return true;
    }
    if (kube->followers[KUBE_SERVICE] == NULL) {
        return false;
    }
    const struct watch_state services = follower_state(kube->followers[KUBE_SERVICE]);
    if (kube->followers[KUBE_POD] == NULL) {
        return is_nameless(kube) && (services.listed || services.failures > 0);
    }
    const struct watch_state pods = follower_state(kube->followers[KUBE_POD]);
    return (pods.first_listed || pods.failures > 0) && (services.listed || services.failures > 0);
}

static bool wants_publishing(const struct kube *kube, int64_t now_ns)
{
    return is_ready(kube, now_ns) && inventory_changed(kube->inventory);
}

static void publish(struct kube *kube, int64_t now_ns)
{
    struct directory *directory = inventory_directory(kube->inventory);
    int64_t cost_ns = monotonic_ns() - now_ns;
    int64_t pause_ns = cost_ns * PUBLISH_SHARE;
    kube->publish_due_ns =
        now_ns + (pause_ns > PUBLISH_INTERVAL_NS ? pause_ns : PUBLISH_INTERVAL_NS);
    if (directory == NULL) {
        report_memory(kube);
        return;
    }
    directory_source_publish(kube->source, directory);
    kube->published = true;
}

/* A kind counts as synced once its list is published too. */
static void note_shown(struct kube *kube)
{
    bool all = !inventory_changed(kube->inventory);
    for (unsigned i = 0; i < KUBE_KINDS; i++) {
        bool synced = kube->followers[i] != NULL && follower_state(kube->followers[i]).synced;
        kube->shown[i] = synced && (kube->shown[i] || all);
    }
}

/* ---- the status ---- */

static struct kube_status status_of(const struct kube *kube, enum kube_kind kind)
{
    struct kube_status status = {.synced = false};
    if (kube->followers[kind] == NULL) {
        snprintf(status.error, sizeof(status.error), "%s", nameless);
        return status;
    }
    const struct watch_state state = follower_state(kube->followers[kind]);
    status.synced = state.synced && kube->shown[kind];
    status.objects = state.objects;
    status.events = state.events;
    status.lists = state.lists;
    status.requests = state.requests;
    status.failures = state.failures + state.unreadable;
    status.bytes_received = follower_bytes(kube->followers[kind]);
    snprintf(status.error, sizeof(status.error), "%s", state.error);
    return status;
}

static void copy_status(struct kube *kube)
{
    struct kube_status all[KUBE_KINDS];
    for (unsigned i = 0; i < KUBE_KINDS; i++) {
        all[i] = status_of(kube, (enum kube_kind)i);
    }
    board_write(kube->board, all);
}

void kube_status(const struct kube *kube, enum kube_kind kind, struct kube_status *status_out)
{
    board_read(kube->board, kind, status_out);
}

/* ---- the thread ---- */

static int64_t earliest_due(const struct kube *kube, int64_t now_ns)
{
    int64_t due = now_ns + POLL_MAX_MS * NS_PER_MS;
    for (unsigned i = 0; i < KUBE_KINDS; i++) {
        int64_t one = kube->followers[i] == NULL ? now_ns + PUBLISH_INTERVAL_NS
                                                 : follower_due_ns(kube->followers[i]);
        due = one < due ? one : due;
    }
    if (wants_publishing(kube, now_ns) && kube->publish_due_ns < due) {
        due = kube->publish_due_ns;
    }
    return due;
}

static int poll_ms(const struct kube *kube, int64_t now_ns)
{
    int64_t wait = earliest_due(kube, now_ns) - now_ns;
    return wait <= 0 ? 0 : (int)((wait + NS_PER_MS - 1) / NS_PER_MS);
}

static void work(struct kube *kube)
{
    int64_t now_ns = monotonic_ns();
    follow_what_can_be(kube, now_ns);
    for (unsigned i = 0; i < KUBE_KINDS; i++) {
        if (kube->followers[i] != NULL) {
            follower_step(kube->followers[i], now_ns);
        }
    }
    const struct kube_object *changed = own_node_changed(&kube->own_node);
    if (changed != NULL) {
        take(kube, changed);
    }
    if (now_ns >= kube->publish_due_ns && wants_publishing(kube, now_ns)) {
        publish(kube, now_ns);
    }
    note_shown(kube);
    copy_status(kube); /* before anybody is told that it changed */
    report_nameless(kube);
    for (unsigned i = 0; i < KUBE_KINDS; i++) {
        if (kube->followers[i] != NULL) {
            report_changes(kube, (enum kube_kind)i);
        }
    }
    api_client_work(kube->client, poll_ms(kube, now_ns));
}

static void *run(void *context)
{
    struct kube *kube = context;
    kube->started_ns = monotonic_ns();
    while (!atomic_load_explicit(&kube->stop, memory_order_relaxed)) {
        work(kube);
    }
    return NULL;
}

/* ---- start and stop ---- */

static int copy_options(struct kube *kube, const struct kube_options *options)
{
    kube->scope = options->scope;
    kube->source = options->source;
    kube->report = options->report;
    kube->report_context = options->report_context;
    return identity_init(&kube->identity, options->node_name, options->own_addresses,
                         options->own_address_count);
}

static int make_parts(struct kube *kube, const struct kube_options *options)
{
    kube->board = board_new();
    kube->client = api_client_new(&kube->access);
    kube->decoder = object_decoder_new();
    kube->inventory = inventory_new(&options->inventory);
    bool made = kube->board != NULL && kube->client != NULL && kube->decoder != NULL &&
                kube->inventory != NULL;
    return made ? 0 : -ENOMEM;
}

static int start(struct kube *kube, const struct kube_options *options, char *error)
{
    int status = options->access == KUBE_IN_CLUSTER
                     ? in_cluster_read(IN_CLUSTER_FOLDER, &kube->access, error)
                     : kubeconfig_read(options->kubeconfig, options->context, &kube->access, error);
    if (status != 0) {
        return status;
    }
    status = copy_options(kube, options);
    if (status == 0) {
        status = make_parts(kube, options);
    }
    if (status == 0) {
        status = -pthread_create(&kube->thread, NULL, run, kube);
        kube->running = status == 0;
    }
    if (status != 0) {
        snprintf(error, KUBE_ERROR_SIZE, "cannot follow the API server: %s",
                 strerrordesc_np(-status));
    }
    return status;
}

int kube_start(const struct kube_options *options, struct kube **kube_out,
               char error_out[static KUBE_ERROR_SIZE])
{
    struct kube *kube = calloc(1, sizeof(*kube));
    if (kube == NULL) {
        snprintf(error_out, KUBE_ERROR_SIZE, "out of memory");
        return -ENOMEM;
    }
    own_node_init(&kube->own_node, options->list_addresses);
    int status = start(kube, options, error_out);
    if (status != 0) {
        kube_stop(kube);
        return status;
    }
    *kube_out = kube;
    return 0;
}

void kube_stop(struct kube *kube)
{
    if (kube == NULL) {
        return;
    }
    if (kube->running) {
        atomic_store_explicit(&kube->stop, true, memory_order_relaxed);
        api_client_wake(kube->client);
        pthread_join(kube->thread, NULL);
    }
    for (unsigned i = 0; i < KUBE_KINDS; i++) {
        follower_free(kube->followers[i]);
    }
    api_client_free(kube->client);
    object_decoder_free(kube->decoder);
    inventory_free(kube->inventory);
    kube_access_fini(&kube->access);
    board_free(kube->board);
    identity_fini(&kube->identity);
    own_node_fini(&kube->own_node);
    free(kube);
}
