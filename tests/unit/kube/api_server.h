#pragma once

#include "agent/kube/client/watch.h"
#include "tests/support/kube_bytes.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A watch of pods against answers made by hand, in a time of the test's own. What it tells the
 * inventory is one text: "[" and "]" around a list, "+name" and "-name".
 */
#define SECOND INT64_C(1000000000)

extern struct watch *watch;
extern struct watch_request request; /* the last one made */
extern int64_t now;

/* For cmocka: makes a watch of everything; frees it. */
int api_server_set_up(void **state);
int api_server_tear_down(void **state);

/* Another watch in its place, which lists what the selector selects first. */
void watch_first(const char *first_selector);

/* The next request is made now, or once it is due; its path has this part. */
void expect_request(const char *part);

/* What was told since the last time. */
void expect_told(const char *expected);

/* Sends and frees the bytes; whether the watch wants more. */
bool send_bytes(struct kube_bytes bytes);

struct kube_bytes pod(const char *name, const char *version);
struct kube_bytes event(const char *type, const char *name, const char *version);
struct kube_bytes bookmark(const char *version);
struct kube_bytes end_of_list(const char *version);
struct kube_bytes error_event(unsigned code, const char *message, unsigned retry_after_s);

/* How the request ends. */
void end_with(enum api_failure failure, unsigned status, unsigned retry_after_s, const char *error);
void end_well(void);
void refuse(unsigned status, const char *error);
void cut(void);

/* A server that streams lists has listed "a" and "b" at version 10. */
void stream_list(void);

/* A page of one pod, whole; and only its bytes. */
void serve_page(const char *version, const char *next, const char *name);
struct kube_bytes page(const char *version, const char *next, const char *name);

struct watch_state state_now(void);

/* How long it waits before it asks again, in seconds. */
double wait_s(void);
