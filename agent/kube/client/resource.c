#include "agent/kube/client/resource.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* As many objects as one page has at most: 2 to 3 MB of pods. */
#define PAGE_LIMIT 500

#define PROTOBUF "application/vnd.kubernetes.protobuf"
#define METADATA ";g=meta.k8s.io;v=v1"

struct resource {
    const char *name;
    const char *group; /* the part of the path before the name */
    bool metadata_only;
};

static const struct resource resources[KUBE_KINDS] = {
    [KUBE_POD] = {"pods", "/api/v1", false},
    [KUBE_SERVICE] = {"services", "/api/v1", false},
    [KUBE_ENDPOINT_SLICE] = {"endpointslices", "/apis/discovery.k8s.io/v1", false},
    [KUBE_REPLICA_SET] = {"replicasets", "/apis/apps/v1", true},
    [KUBE_JOB] = {"jobs", "/apis/batch/v1", true},
    [KUBE_NODE] = {"nodes", "/api/v1", false},
    [KUBE_NAMESPACE] = {"namespaces", "/api/v1", true},
};

const char *resource_name(enum kube_kind kind)
{
    return resources[kind].name;
}

const char *resource_list_type(enum kube_kind kind)
{
    return resources[kind].metadata_only ? PROTOBUF ";as=PartialObjectMetadataList" METADATA
                                         : PROTOBUF;
}

const char *resource_watch_type(enum kube_kind kind)
{
    return resources[kind].metadata_only ? PROTOBUF ";as=PartialObjectMetadata" METADATA : PROTOBUF;
}

/* A path that grows; what does not fit is left out whole. */
struct path {
    char *text;
    size_t length;
};

static void add(struct path *path, const char *text)
{
    size_t length = strlen(text);
    if (length < RESOURCE_PATH_SIZE - path->length) {
        memcpy(path->text + path->length, text, length + 1);
        path->length += length;
    }
}

static bool is_unreserved(char letter)
{
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9') || (letter != '\0' && strchr("-._~", letter) != NULL);
}

/* RFC 3986 section 2.1. */
static void add_escaped(struct path *path, const char *text)
{
    for (; *text != '\0'; text++) {
        char letter[4] = {*text, '\0', '\0', '\0'};
        if (!is_unreserved(*text)) {
            snprintf(letter, sizeof(letter), "%%%02X", (unsigned)(unsigned char)*text);
        }
        add(path, letter);
    }
}

static struct path start(enum kube_kind kind, const char *selector, char *text)
{
    struct path path = {text, 0};
    add(&path, resources[kind].group);
    add(&path, "/");
    add(&path, resources[kind].name);
    add(&path, "?");
    if (selector != NULL) {
        add(&path, "fieldSelector=");
        add_escaped(&path, selector);
        add(&path, "&");
    }
    return path;
}

void resource_list_path(enum kube_kind kind, const char *selector, const char *page,
                        char path_out[static RESOURCE_PATH_SIZE])
{
    struct path path = start(kind, selector, path_out);
    char limit[32];
    snprintf(limit, sizeof(limit), "limit=%d", PAGE_LIMIT);
    add(&path, limit);
    if (page[0] != '\0') {
        add(&path, "&continue=");
        add_escaped(&path, page);
    }
}

void resource_watch_path(enum kube_kind kind, const char *selector, const char *version,
                         unsigned seconds, char path_out[static RESOURCE_PATH_SIZE])
{
    struct path path = start(kind, selector, path_out);
    char timeout[40];
    snprintf(timeout, sizeof(timeout), "&timeoutSeconds=%u", seconds);
    add(&path, "watch=true&allowWatchBookmarks=true");
    add(&path, timeout);
    if (version[0] == '\0') {
        add(&path, "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
    } else {
        add(&path, "&resourceVersion=");
        add_escaped(&path, version);
    }
}
