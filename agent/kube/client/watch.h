#pragma once

#include "agent/kube/client/api_client.h"
#include "agent/kube/client/hearing.h"
#include "agent/kube/object.h"
#include "agent/kube/wire/object_decoder.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * One kind of object followed: what to ask for next, what the answers mean, when to ask again. It
 * makes no request itself: whoever owns it does, and tells it what came. Times are CLOCK_MONOTONIC
 * in ns. One thread.
 */
struct watch;

struct watch_options {
    enum kube_kind kind;
    const char *selector;           /* field selector; NULL: all. Copied */
    const char *first_selector;     /* these are listed before all; NULL: none. Copied */
    struct object_decoder *decoder; /* may be shared; outlives the watch */
    struct watch_sink sink;
    uint64_t seed; /* of the jitter: watches of many agents must not beat as one */
};

struct watch_request {
    const char *path; /* valid until the next call */
    const char *accept;
    unsigned timeout_s;
    bool stalls;
    bool fresh;
};

struct watch_state {
    bool first_listed; /* what first_selector selects was heard of, or all was */
    bool listed;       /* all was, at least once */
    bool synced;       /* and it is watched, or about to be again after a planned end */
    uint64_t objects;
    uint64_t events;
    uint64_t lists;
    uint64_t requests;
    uint64_t failures;
    uint64_t unreadable;        /* objects of lists that were left out */
    unsigned failing;           /* how many in a row */
    char error[API_ERROR_SIZE]; /* "" once it is synced */
};

/* NULL: out of memory. */
struct watch *watch_new(const struct watch_options *options);
void watch_free(struct watch *watch);

struct watch_state watch_state(const struct watch *watch);

/* Whether a request is to be made now; it counts as made, and its end must be told. */
bool watch_next(struct watch *watch, int64_t now_ns, struct watch_request *request_out);

/* When to look again: for the next request, or whether this one has stalled. */
int64_t watch_due_ns(const struct watch *watch);
bool watch_has_stalled(const struct watch *watch, int64_t now_ns);

/* What became of the request: 200 came; bytes of the body came (false: more are not wanted); it is
 * over. */
void watch_started(struct watch *watch, int64_t now_ns);
bool watch_body(struct watch *watch, struct slice bytes, int64_t now_ns);
void watch_done(struct watch *watch, const struct api_answer *answer, int64_t now_ns);
