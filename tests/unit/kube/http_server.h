#pragma once

#include "tests/support/kube_bytes.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A server on the loopback that answers each request with the bytes that a function of the test
 * makes, head and all, from a thread a connection. What does not fit a request's length in 8 KiB is
 * not served.
 */
struct http_server;

/* `head` is the request's, terminated. Appends the answer; false: the connection is closed after
 * it, true: it stays open and the next request may come. Any thread of the server. */
typedef bool http_answer(void *context, const char *head, struct kube_bytes *answer);

struct http_server *http_server_start(http_answer *answer, void *context);
uint16_t http_server_port(const struct http_server *server);

/* Closes everything; returns once all its threads have ended. */
void http_server_stop(struct http_server *server);

/* An answer of known length; and the head of one in chunks, with its chunks. */
void http_add_whole(struct kube_bytes *answer, const char *status, struct kube_bytes body);
void http_add_stream(struct kube_bytes *answer, struct kube_bytes body);
