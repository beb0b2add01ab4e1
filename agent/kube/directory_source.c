#include "agent/kube/directory_source.h"

#include "agent/kube/directory/directory_parts.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/*
 * Everything but the version is under the lock, which is held for a few words only: directories are
 * freed outside of it. A directory counts its readers, and the source is a reader of the newest;
 * the source itself counts as a holder, as does every directory that is read, so whoever is last
 * frees it.
 */
struct directory_source {
    atomic_uint_fast64_t version;
    pthread_mutex_t lock;
    struct directory *newest;
    uint32_t holders; /* readings that did not end, and whoever made this */
};

struct directory_source *directory_source_new(struct directory *first)
{
    struct directory_source *source = calloc(1, sizeof(*source));
    if (source == NULL) {
        return NULL;
    }
    atomic_init(&source->version, 1);
    pthread_mutex_init(&source->lock, NULL);
    source->newest = first;
    first->readers = 1;
    source->holders = 1;
    return source;
}

static void let_go(struct directory_source *source, struct directory *directory, uint32_t holds)
{
    pthread_mutex_lock(&source->lock);
    bool unread = --directory->readers == 0;
    source->holders -= holds;
    bool unused = source->holders == 0;
    pthread_mutex_unlock(&source->lock);
    if (unread) {
        directory_free(directory);
    }
    if (unused) {
        pthread_mutex_destroy(&source->lock);
        free(source);
    }
}

void directory_source_free(struct directory_source *source)
{
    if (source != NULL) {
        let_go(source, source->newest, 1);
    }
}

void directory_source_publish(struct directory_source *source, struct directory *directory)
{
    directory->readers = 1;
    pthread_mutex_lock(&source->lock);
    struct directory *former = source->newest;
    source->newest = directory;
    pthread_mutex_unlock(&source->lock);
    atomic_fetch_add(&source->version, 1);
    let_go(source, former, 0);
}

uint64_t directory_source_version(const struct directory_source *source)
{
    return atomic_load_explicit(&source->version, memory_order_relaxed);
}

const struct directory *directory_source_acquire(struct directory_source *source)
{
    pthread_mutex_lock(&source->lock);
    struct directory *directory = source->newest;
    directory->readers++;
    source->holders++;
    pthread_mutex_unlock(&source->lock);
    return directory;
}

void directory_source_release(struct directory_source *source, const struct directory *directory)
{
    if (directory != NULL) {
        /* The source published it, and not as something that must not change. */
        struct directory *held;
        memcpy(&held, &directory, sizeof(held));
        let_go(source, held, 1);
    }
}
