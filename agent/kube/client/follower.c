#include "agent/kube/client/follower.h"

#include "agent/kube/client/monotonic.h"

#include <stdlib.h>

struct follower {
    struct api_client *client;
    struct watch *watch;
    struct api_transfer *transfer; /* NULL: none is under way */
    uint64_t bytes;
};

struct follower *follower_new(struct api_client *client, const struct watch_options *options)
{
    struct follower *follower = calloc(1, sizeof(*follower));
    if (follower == NULL) {
        return NULL;
    }
    follower->client = client;
    follower->watch = watch_new(options);
    if (follower->watch == NULL) {
        free(follower);
        return NULL;
    }
    return follower;
}

void follower_free(struct follower *follower)
{
    if (follower == NULL) {
        return;
    }
    api_client_cancel(follower->client, follower->transfer);
    watch_free(follower->watch);
    free(follower);
}

static void on_started(void *context)
{
    struct follower *follower = context;
    watch_started(follower->watch, monotonic_ns());
}

static bool on_body(void *context, struct slice bytes)
{
    struct follower *follower = context;
    return watch_body(follower->watch, bytes, monotonic_ns());
}

static void on_done(void *context, const struct api_answer *answer)
{
    struct follower *follower = context;
    follower->transfer = NULL;
    watch_done(follower->watch, answer, monotonic_ns());
}

static void on_received(void *context, uint64_t bytes)
{
    struct follower *follower = context;
    follower->bytes += bytes;
}

static void start(struct follower *follower, const struct watch_request *wanted, int64_t now_ns)
{
    char error[API_ERROR_SIZE] = "the request could not be made";
    const struct api_request request = {.path = wanted->path,
                                        .accept = wanted->accept,
                                        .timeout_s = wanted->timeout_s,
                                        .stalls = wanted->stalls,
                                        .fresh = wanted->fresh,
                                        .context = follower,
                                        .started = on_started,
                                        .body = on_body,
                                        .done = on_done,
                                        .received = on_received};
    follower->transfer = api_client_start(follower->client, &request, error);
    if (follower->transfer == NULL) {
        const struct api_answer answer = {.failure = API_TRANSPORT, .error = error};
        watch_done(follower->watch, &answer, now_ns);
    }
}

void follower_step(struct follower *follower, int64_t now_ns)
{
    if (watch_has_stalled(follower->watch, now_ns)) {
        const struct api_answer answer = {.failure = API_STALLED,
                                          .error = "the server has been silent for too long"};
        api_client_cancel(follower->client, follower->transfer);
        follower->transfer = NULL;
        watch_done(follower->watch, &answer, now_ns);
    }
    struct watch_request wanted;
    if (watch_next(follower->watch, now_ns, &wanted)) {
        start(follower, &wanted, now_ns);
    }
}

int64_t follower_due_ns(const struct follower *follower)
{
    return watch_due_ns(follower->watch);
}

struct watch_state follower_state(const struct follower *follower)
{
    return watch_state(follower->watch);
}

uint64_t follower_bytes(const struct follower *follower)
{
    return follower->bytes;
}
