#pragma once

#include "agent/base/slice.h"
#include "agent/kube/client/access.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Requests to one API server, any number at once, all of them served by one thread: over one
 * connection where the server speaks HTTP/2, else over kept ones. Whatever arrives is handed on as
 * it comes; only a refusal's text is kept, to be told in one line.
 */
struct api_client;
struct api_transfer;

/* Longest text that says why a request failed, terminator included. */
#define API_ERROR_SIZE 256

enum api_failure {
    API_DONE,      /* 200, and the answer came whole */
    API_REFUSED,   /* the server answered with another status */
    API_TRANSPORT, /* no connection, cut off, timed out, a certificate that does not fit */
    API_GIVEN_UP,  /* `body` did not want more */
    API_STALLED    /* never told by the client: nothing came for too long, says who waits */
};

struct api_answer {
    enum api_failure failure;
    unsigned status;        /* HTTP's; 0: no answer came */
    unsigned retry_after_s; /* how long the server asks to be left alone; 0: it does not */
    const char *error;      /* one line; "" where all is well */
};

struct api_request {
    const char *path;   /* with the query, from the first slash on */
    const char *accept; /* media type */
    unsigned timeout_s; /* for the whole answer */
    bool stalls;        /* no bytes for a while are fine: it is a watch */
    bool fresh;         /* over a new connection: the old one may be dead without knowing */
    void *context;
    /* 200 has arrived; bytes of its body, decompressed, false to give up; the request is over (the
     * transfer is gone after it). No calls of the client from within. */
    void (*started)(void *context);
    bool (*body)(void *context, struct slice bytes);
    void (*done)(void *context, const struct api_answer *answer);
    void (*received)(void *context, uint64_t bytes); /* as they came over the wire */
};

/* Keeps a reference to the access. NULL: out of memory, or libcurl cannot be used. */
struct api_client *api_client_new(const struct kube_access *access);
/* Requests under way end without a call of `done`. */
void api_client_free(struct api_client *client);

/* Starts a request; what the request points to, its path apart, must last until it is over. NULL
 * with one line in `error_out`: it could not be made, nothing is called. */
struct api_transfer *api_client_start(struct api_client *client, const struct api_request *request,
                                      char error_out[static API_ERROR_SIZE]);

/* Ends a request without a call of `done`. */
void api_client_cancel(struct api_client *client, struct api_transfer *transfer);

/* Works until something happened, `timeout_ms` have passed or the client is woken. */
void api_client_work(struct api_client *client, int timeout_ms);

/* Any thread. */
void api_client_wake(struct api_client *client);
