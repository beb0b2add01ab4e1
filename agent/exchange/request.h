#pragma once

#include "agent/base/slab.h"
#include "agent/exchange/exchange.h"
#include "http_parser/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Text kept inside the record; longer ones get a buffer beside it. */
#define REQUEST_INLINE_TEXT 384

/* A request that waits for its response, or that is being answered. Protocol-neutral. */
struct request {
    struct request *previous; /* sent before this one on the same connection */
    struct request *next;
    struct exchange exchange; /* what is known so far; its slices point to the texts below */
    uint64_t offset;          /* of its first byte in the client's stream */
    uint64_t head_end;        /* behind its head */
    uint64_t end;             /* behind its last byte; 0: not known */
    uint64_t answer_offset;   /* where its answer begins if the client waited for all before */
    char *long_text;          /* NULL: the text fits below */
    bool leads;               /* its client had received something since the request before */
    bool guessed;             /* others may have been lost on its connection before it */
    bool ended;
    bool answered; /* the head of its final response was seen */
    bool response_ended;
    bool alone;   /* nobody can tell which response is its */
    bool stepped; /* the clock went back while it lasted */
    bool counted; /* its end was told, its exchange was not yet */
    enum http_request_kind kind;
    char text[REQUEST_INLINE_TEXT];
};

struct request_store {
    struct slab requests;
    struct slab long_texts;
};

/* Returns 0 or -ENOMEM. `max_text_bytes` bounds all texts of one request together. */
int request_store_init(struct request_store *store, uint64_t bytes, size_t max_text_bytes);
void request_store_fini(struct request_store *store);

/* A record with copies of these texts; a target that is too long is cut, never dropped. NULL: no
 * room, counted. */
struct request *request_take(struct request_store *store, const struct exchange *exchange);
void request_give(struct request_store *store, struct request *request);
