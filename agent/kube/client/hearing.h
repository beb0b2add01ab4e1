#pragma once

#include "agent/base/slice.h"
#include "agent/kube/client/byte_queue.h"
#include "agent/kube/wire/object_decoder.h"

#include <stdbool.h>
#include <stdint.h>

/* Longest resource version and continue token that are kept, and problem told; with terminators. */
#define HEARING_VERSION_SIZE 128
#define HEARING_PAGE_SIZE 2048
#define HEARING_PROBLEM_SIZE 256

/* Where objects go, as the inventory takes them. */
struct watch_sink {
    void *context;
    void (*list_begin)(void *context);
    void (*list_end)(void *context);
    void (*set)(void *context, const struct kube_object *object);
    void (*remove)(void *context, const struct kube_object *object);
};

/*
 * The bodies of answers about one kind, turned into objects: pages of lists and streams of events.
 * Made by its owner with the first three members set; the owner reads the others.
 */
struct hearing {
    enum kube_kind kind;
    struct object_decoder *decoder;
    struct watch_sink sink;
    bool list_open; /* list_begin was called, list_end not */
    bool listing;   /* a stream's events are the objects there are, up to a marked bookmark */
    uint64_t objects;
    uint64_t events;
    uint64_t lists;
    uint64_t unreadable;
    unsigned refused;     /* HTTP status of an ERROR event; 0: there was none */
    unsigned refused_for; /* seconds it asks to wait */
    struct byte_queue queue;
    char version[HEARING_VERSION_SIZE]; /* to resume from; "" before the first list's end */
    char page[HEARING_PAGE_SIZE];       /* the next page's continue token; "": the first */
    char problem[HEARING_PROBLEM_SIZE]; /* why false was returned */
};

void hearing_fini(struct hearing *hearing);

/* Before the first byte of an answer. */
void hearing_start(struct hearing *hearing);

/* A list begins (again), streamed or not. */
void hearing_begin_list(struct hearing *hearing);

/* Bytes of a stream, in pieces of any size. False: it cannot go on. */
bool hearing_stream(struct hearing *hearing, struct slice bytes);

/* Bytes of a page, kept until it is whole. False: it is too large. */
bool hearing_keep(struct hearing *hearing, struct slice bytes);

/* The page that was kept: of a whole list, ended with its last page; or, with `aside`, of objects
 * that are known early. False: it cannot be read, nothing of it was taken. */
bool hearing_page(struct hearing *hearing, bool aside);
