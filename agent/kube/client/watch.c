#include "agent/kube/client/watch.h"

#include "agent/kube/client/backoff.h"
#include "agent/kube/client/resource.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The steps: list what matters first (if told), then all, streamed or in pages, then watch from the
 * list's version on. A list is between list_begin and list_end, so that what is gone goes; one that
 * breaks off ends nothing and begins again. A watch that ends resumes after the last event; where
 * the server has forgotten that version (410) or the bytes stay unreadable, all is listed again.
 *
 * Failures in a row wait ever longer; only a watch that lived for a while forgets them, since a
 * server that lists but breaks every watch would otherwise be asked for whole lists in a loop. But
 * the first 410 since then is how a server answers that is back: the list does not wait as the
 * failures before it did.
 */
#define NS_PER_S INT64_C(1000000000)
#define LIST_TIMEOUT_S 120
/* A million objects; a list that has not ended by then does not. */
#define PAGES_MAX 2000
#define WATCH_S_MIN 300
#define WATCH_S_MAX 600
#define WATCH_GRACE_S 30
/* Bookmarks come every minute: a watch without a word for longer is dead, or of a kind of which the
 * server has not heard since it started: for these it has no bookmarks. So it is asked again over a
 * new connection, and each time nothing comes, after twice as long. */
#define WATCH_STALL_NS (75 * NS_PER_S)
#define SILENCES_MAX 3
#define START_STALL_NS (30 * NS_PER_S)
/* Between two objects of a streamed list, and for all of it: older servers, which do not know such
 * lists, never mark their end. */
#define STREAM_STALL_NS (15 * NS_PER_S)
#define STREAM_LIST_NS (120 * NS_PER_S)
/* One that ends sooner than this was none: asking again at once would be a loop. */
#define SHORTEST_WATCH_NS NS_PER_S
/* A watch that lived for this long was a good one. */
#define GOOD_WATCH_NS (5 * NS_PER_S)
/* A watch that keeps failing although it is answered is not resumed for ever. */
#define RESUMES_MAX 3

enum {
    HTTP_BAD_REQUEST = 400,
    HTTP_UNAUTHORIZED = 401,
    HTTP_FORBIDDEN = 403,
    HTTP_GONE = 410,
    HTTP_INVALID = 422,
    HTTP_TOO_MANY_REQUESTS = 429,
    HTTP_UNAVAILABLE = 503
};

enum phase {
    PHASE_FIRST,       /* pages of what first_selector selects */
    PHASE_PAGES,       /* pages of all */
    PHASE_STREAM_LIST, /* all, as events, up to a marked bookmark; goes on as a watch */
    PHASE_WATCH
};

struct watch {
    enum kube_kind kind;
    char *selector;
    char *first_selector;
    struct hearing hearing;
    struct watch_state state;
    struct backoff backoff;
    enum phase phase;
    bool busy;
    bool started;        /* 200 has come */
    bool stream_refused; /* this server cannot stream lists */
    bool fresh;
    bool excused;      /* a 410 since the last good watch forgot the failures before */
    unsigned pages;    /* of the list under way */
    unsigned silences; /* watches in a row that said nothing */
    int64_t due_ns;    /* of the next request */
    int64_t heard_ns;
    int64_t started_ns;
    char path[RESOURCE_PATH_SIZE];
};

struct watch *watch_new(const struct watch_options *options)
{
    struct watch *watch = calloc(1, sizeof(*watch));
    if (watch == NULL) {
        return NULL;
    }
    watch->kind = options->kind;
    watch->hearing =
        (struct hearing){.kind = options->kind, .decoder = options->decoder, .sink = options->sink};
    backoff_init(&watch->backoff, options->seed);
    if (options->selector != NULL) {
        watch->selector = strdup(options->selector);
    }
    if (options->first_selector != NULL) {
        watch->first_selector = strdup(options->first_selector);
    }
    if ((options->selector != NULL && watch->selector == NULL) ||
        (options->first_selector != NULL && watch->first_selector == NULL)) {
        watch_free(watch);
        return NULL;
    }
    watch->phase = options->first_selector != NULL ? PHASE_FIRST : PHASE_STREAM_LIST;
    return watch;
}

void watch_free(struct watch *watch)
{
    if (watch == NULL) {
        return;
    }
    free(watch->selector);
    free(watch->first_selector);
    hearing_fini(&watch->hearing);
    free(watch);
}

struct watch_state watch_state(const struct watch *watch)
{
    struct watch_state state = watch->state;
    state.objects = watch->hearing.objects;
    state.events = watch->hearing.events;
    state.lists = watch->hearing.lists;
    state.unreadable = watch->hearing.unreadable;
    return state;
}

static bool is_stream(const struct watch *watch)
{
    return watch->phase == PHASE_STREAM_LIST || watch->phase == PHASE_WATCH;
}

/* ---- what is asked ---- */

static void make_path(struct watch *watch, unsigned seconds)
{
    enum kube_kind kind = watch->kind;
    switch (watch->phase) {
    case PHASE_FIRST:
        resource_list_path(kind, watch->first_selector, watch->hearing.page, watch->path);
        break;
    case PHASE_PAGES:
        resource_list_path(kind, watch->selector, watch->hearing.page, watch->path);
        break;
    case PHASE_STREAM_LIST:
        resource_watch_path(kind, watch->selector, "", seconds, watch->path);
        break;
    case PHASE_WATCH:
        resource_watch_path(kind, watch->selector, watch->hearing.version, seconds, watch->path);
        break;
    }
}

bool watch_next(struct watch *watch, int64_t now_ns, struct watch_request *request_out)
{
    if (watch->busy || now_ns < watch->due_ns) {
        return false;
    }
    bool stream = is_stream(watch);
    unsigned seconds = (unsigned)backoff_between(&watch->backoff, WATCH_S_MIN, WATCH_S_MAX);
    make_path(watch, seconds);
    *request_out = (struct watch_request){
        .path = watch->path,
        .accept = stream ? resource_watch_type(watch->kind) : resource_list_type(watch->kind),
        .timeout_s = stream ? seconds + WATCH_GRACE_S : LIST_TIMEOUT_S,
        .stalls = stream,
        .fresh = watch->fresh,
    };
    watch->state.requests++;
    watch->busy = true;
    watch->started = false;
    watch->fresh = false;
    watch->heard_ns = now_ns;
    hearing_start(&watch->hearing);
    return true;
}

static int64_t stalls_at(const struct watch *watch)
{
    if (!is_stream(watch)) { /* how slow a page may be is the client's to judge */
        return watch->heard_ns + (LIST_TIMEOUT_S + WATCH_GRACE_S) * NS_PER_S;
    }
    if (!watch->started) {
        return watch->heard_ns + START_STALL_NS;
    }
    if (watch->phase == PHASE_WATCH) {
        return watch->heard_ns + (WATCH_STALL_NS << watch->silences);
    }
    int64_t silent = watch->heard_ns + STREAM_STALL_NS;
    int64_t endless = watch->started_ns + STREAM_LIST_NS;
    return silent < endless ? silent : endless;
}

int64_t watch_due_ns(const struct watch *watch)
{
    return watch->busy ? stalls_at(watch) : watch->due_ns;
}

bool watch_has_stalled(const struct watch *watch, int64_t now_ns)
{
    return watch->busy && now_ns >= watch_due_ns(watch);
}

/* ---- what is heard ---- */

/* From here on it is watched. */
static void say_listed(struct watch *watch)
{
    watch->phase = PHASE_WATCH;
    watch->state.first_listed = true;
    watch->state.listed = true;
}

static void say_synced(struct watch *watch)
{
    watch->state.synced = true;
    watch->state.error[0] = '\0';
}

void watch_started(struct watch *watch, int64_t now_ns)
{
    watch->started = true;
    watch->heard_ns = now_ns;
    watch->started_ns = now_ns;
    if (watch->phase == PHASE_STREAM_LIST) {
        watch->hearing.listing = true;
        hearing_begin_list(&watch->hearing);
    } else if (watch->phase == PHASE_WATCH) {
        say_synced(watch);
    }
}

bool watch_body(struct watch *watch, struct slice bytes, int64_t now_ns)
{
    watch->heard_ns = now_ns;
    if (!is_stream(watch)) {
        return hearing_keep(&watch->hearing, bytes);
    }
    watch->silences = 0;
    bool good = hearing_stream(&watch->hearing, bytes);
    if (watch->phase == PHASE_STREAM_LIST && !watch->hearing.listing) {
        say_listed(watch);
        say_synced(watch);
    }
    return good;
}

/* ---- the end of a request ---- */

static void list_again(struct watch *watch)
{
    watch->hearing.page[0] = '\0';
    watch->pages = 0;
    watch->hearing.list_open = false;
    watch->hearing.listing = false;
    watch->phase = watch->stream_refused ? PHASE_PAGES : PHASE_STREAM_LIST;
}

/* Refusals that pass by themselves, or by somebody's doing, and leave the version as it is. */
static bool may_pass(int code)
{
    return code == -API_TRANSPORT || code == -API_STALLED || code == HTTP_UNAUTHORIZED ||
           code == HTTP_FORBIDDEN || code == HTTP_TOO_MANY_REQUESTS || code == HTTP_UNAVAILABLE;
}

/* What a failure means for the next request. */
static void choose_phase(struct watch *watch, int code)
{
    bool stuck = watch->state.failing >= RESUMES_MAX && !may_pass(code);
    switch (watch->phase) {
    case PHASE_FIRST:
        list_again(watch); /* it was only to be quick */
        break;
    case PHASE_PAGES:
        if (code == HTTP_GONE || stuck) {
            list_again(watch); /* the continue token has expired */
        }
        break;
    case PHASE_STREAM_LIST:
        if (stuck) { /* in pages, this time */
            list_again(watch);
            watch->phase = PHASE_PAGES;
        }
        break;
    case PHASE_WATCH:
        if (code == HTTP_GONE || stuck) {
            list_again(watch);
        }
        break;
    }
}

static void fail(struct watch *watch, int code, unsigned asked_s, const char *text, int64_t now_ns)
{
    struct watch_state *state = &watch->state;
    bool lived = watch->phase == PHASE_WATCH && watch->started &&
                 now_ns - watch->started_ns >= GOOD_WATCH_NS;
    bool back = code == HTTP_GONE && !watch->excused;
    watch->excused = !lived && (watch->excused || back);
    state->failing = lived || back ? 1 : state->failing + 1;
    state->failures++;
    state->synced = false;
    snprintf(state->error, sizeof(state->error), "%s", text);
    watch->fresh = code == -API_STALLED;
    watch->due_ns = now_ns + backoff_wait_ns(&watch->backoff, state->failing, asked_s);
    choose_phase(watch, code);
}

/* Servers that cannot stream lists refuse to, or give no end to one: no failure, as there is
 * another way. */
static bool cannot_stream(const struct watch *watch, const struct api_answer *answer)
{
    if (watch->phase != PHASE_STREAM_LIST) {
        return false;
    }
    return answer->failure == API_STALLED
               ? watch->started
               : answer->failure == API_REFUSED &&
                     (answer->status == HTTP_INVALID || answer->status == HTTP_BAD_REQUEST);
}

static void use_pages(struct watch *watch, int64_t now_ns)
{
    watch->stream_refused = true;
    watch->fresh = watch->started; /* then it was silent, and so may the connection be */
    watch->due_ns = now_ns;
    list_again(watch);
}

static void end_stream(struct watch *watch, int64_t now_ns)
{
    if (byte_queue_bytes(&watch->hearing.queue).length > 0) {
        fail(watch, -API_TRANSPORT, 0, "the watch ended within a frame", now_ns);
    } else if (watch->phase == PHASE_STREAM_LIST) {
        fail(watch, -API_TRANSPORT, 0, "the watch ended before the list did", now_ns);
    } else if (now_ns - watch->started_ns < SHORTEST_WATCH_NS) {
        fail(watch, -API_GIVEN_UP, 0, "the watch ended as soon as it began", now_ns);
    } else {
        watch->state.failing = 0;
        watch->excused = false;
        watch->due_ns = now_ns;
    }
}

/* No failure: on a live connection, a quiet kind looks the same. */
static void end_silence(struct watch *watch, int64_t now_ns)
{
    watch->silences += watch->silences < SILENCES_MAX ? 1 : 0;
    watch->state.failing = 0;
    watch->excused = false;
    watch->fresh = true;
    watch->due_ns = now_ns;
}

static void end_page(struct watch *watch, int64_t now_ns)
{
    if (!hearing_page(&watch->hearing, watch->phase == PHASE_FIRST)) {
        fail(watch, -API_GIVEN_UP, 0, watch->hearing.problem, now_ns);
        return;
    }
    watch->due_ns = now_ns;
    if (watch->hearing.page[0] != '\0') {
        if (++watch->pages >= PAGES_MAX) {
            fail(watch, -API_GIVEN_UP, 0, "a list that does not end", now_ns);
        }
        return;
    }
    watch->pages = 0;
    if (watch->phase == PHASE_FIRST) {
        watch->state.first_listed = true;
        list_again(watch);
    } else {
        say_listed(watch);
    }
}

static void end_given_up(struct watch *watch, int64_t now_ns)
{
    const struct hearing *hearing = &watch->hearing;
    int code = hearing->refused == 0 ? -API_GIVEN_UP : (int)hearing->refused;
    fail(watch, code, hearing->refused_for, hearing->problem, now_ns);
}

void watch_done(struct watch *watch, const struct api_answer *answer, int64_t now_ns)
{
    watch->busy = false;
    if (cannot_stream(watch, answer)) {
        use_pages(watch, now_ns);
        return;
    }
    switch (answer->failure) {
    case API_DONE:
        if (is_stream(watch)) {
            end_stream(watch, now_ns);
        } else {
            end_page(watch, now_ns);
        }
        break;
    case API_GIVEN_UP:
        end_given_up(watch, now_ns);
        break;
    case API_REFUSED:
        fail(watch, (int)answer->status, answer->retry_after_s, answer->error, now_ns);
        break;
    case API_STALLED:
        if (watch->phase == PHASE_WATCH && watch->started) {
            end_silence(watch, now_ns);
            break;
        }
        fail(watch, -API_STALLED, 0, answer->error, now_ns);
        break;
    case API_TRANSPORT:
        fail(watch, -API_TRANSPORT, answer->retry_after_s, answer->error, now_ns);
        break;
    }
    byte_queue_reset(&watch->hearing.queue);
}
