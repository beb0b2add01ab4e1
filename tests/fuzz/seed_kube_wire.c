#include "tests/support/kube_bytes.h"

#include <stdio.h>
#include <stdlib.h>

/* Writes the seeds of fuzz_kube_wire into a folder: seed_kube_wire FOLDER. The first byte of each
 * is what the fuzzer reads it as: the kind, plus seven for each way (page, aside, watch, streamed
 * list, refusal). */
enum {
    KINDS = 7,
    POD = 0,
    SERVICE = 1,
    ENDPOINT_SLICE = 2,
    REPLICA_SET = 3,
    NODE = 5,
    PAGE = 0,
    ASIDE = 1,
    WATCH = 2,
    STREAMED_LIST = 3,
    REFUSAL = 4
};

static void write_seed(const char *folder, const char *name, unsigned kind, unsigned way,
                       struct kube_bytes bytes)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    fputc((int)(kind + way * KINDS), file);
    fwrite(bytes.bytes, 1, bytes.length, file);
    fclose(file);
    kube_bytes_free(&bytes);
}

static struct kube_bytes text_of(unsigned field, const char *text)
{
    struct kube_bytes bytes = {0};
    kube_bytes_text(&bytes, field, text);
    return bytes;
}

static struct kube_bytes service(void)
{
    struct kube_bytes port = text_of(2, "TCP");
    kube_bytes_number(&port, 3, 80);
    kube_bytes_number(&port, 5, 30080);
    struct kube_bytes spec = text_of(3, "10.96.0.7");
    kube_bytes_message(&spec, 1, port);
    kube_bytes_text(&spec, 4, "LoadBalancer");
    kube_bytes_text(&spec, 5, "203.0.113.9");
    kube_bytes_text(&spec, 18, "2001:db8::7");
    struct kube_bytes balancer = {0};
    kube_bytes_message(&balancer, 1, text_of(1, "198.51.100.3"));
    struct kube_bytes status = {0};
    kube_bytes_message(&status, 1, balancer);
    struct kube_bytes object = kube_bytes_object(kube_bytes_meta("shop", "orders", "7"));
    kube_bytes_message(&object, 2, spec);
    kube_bytes_message(&object, 3, status);
    return object;
}

static struct kube_bytes endpoint_slice(void)
{
    struct kube_bytes target = text_of(1, "Pod");
    kube_bytes_text(&target, 3, "orders-1");
    struct kube_bytes endpoint = text_of(1, "10.0.0.1");
    kube_bytes_message(&endpoint, 4, target);
    struct kube_bytes port = text_of(2, "TCP");
    kube_bytes_number(&port, 3, 8080);
    struct kube_bytes meta = kube_bytes_meta("shop", "orders-x", "7");
    kube_bytes_pair(&meta, 11, "kubernetes.io/service-name", "orders");
    struct kube_bytes object = kube_bytes_object(meta);
    kube_bytes_message(&object, 2, endpoint);
    kube_bytes_message(&object, 3, port);
    return object;
}

static struct kube_bytes node(void)
{
    struct kube_bytes address = text_of(1, "InternalIP");
    kube_bytes_text(&address, 2, "192.168.0.1");
    struct kube_bytes status = {0};
    kube_bytes_message(&status, 5, address);
    struct kube_bytes spec = text_of(1, "10.244.1.0/24");
    kube_bytes_text(&spec, 7, "2001:db8:1::/64");
    struct kube_bytes object = kube_bytes_object(kube_bytes_meta("", "node-1", "7"));
    kube_bytes_message(&object, 2, spec);
    kube_bytes_message(&object, 3, status);
    return object;
}

static struct kube_bytes pod(void)
{
    struct kube_bytes owner = text_of(1, "ReplicaSet");
    kube_bytes_text(&owner, 3, "orders-7d");
    kube_bytes_number(&owner, 6, 1);
    struct kube_bytes meta = kube_bytes_meta("shop", "orders-1", "7");
    kube_bytes_message(&meta, 9, (struct kube_bytes){0});
    kube_bytes_pair(&meta, 11, "pod-template-hash", "7d");
    kube_bytes_pair(&meta, 12, "resource.opentelemetry.io/service.name", "Orders");
    kube_bytes_message(&meta, 13, owner);
    struct kube_bytes port = text_of(4, "TCP");
    kube_bytes_number(&port, 3, 8080);
    struct kube_bytes container = {0};
    kube_bytes_message(&container, 6, port);
    struct kube_bytes spec = text_of(10, "node-1");
    kube_bytes_message(&spec, 2, container);
    struct kube_bytes state = {0};
    kube_bytes_message(&state, 3, (struct kube_bytes){0});
    struct kube_bytes container_status = {0};
    kube_bytes_message(&container_status, 2, state);
    struct kube_bytes status = text_of(1, "Running");
    kube_bytes_text(&status, 6, "10.0.0.1");
    kube_bytes_message(&status, 8, container_status);
    kube_bytes_message(&status, 12, text_of(1, "2001:db8::1"));
    struct kube_bytes object = kube_bytes_object(meta);
    kube_bytes_message(&object, 2, spec);
    kube_bytes_message(&object, 3, status);
    return object;
}

static struct kube_bytes page(const char *kind, struct kube_bytes first, struct kube_bytes second)
{
    struct kube_bytes list = kube_bytes_list("4815", "next");
    kube_bytes_message(&list, 2, first);
    kube_bytes_message(&list, 2, second);
    return kube_bytes_envelope(kind, list);
}

static void join(struct kube_bytes *bytes, struct kube_bytes more)
{
    kube_bytes_add(bytes, more.bytes, more.length);
    kube_bytes_free(&more);
}

static struct kube_bytes stream(void)
{
    struct kube_bytes meta = kube_bytes_meta("", "", "9");
    kube_bytes_pair(&meta, 12, "k8s.io/initial-events-end", "true");
    struct kube_bytes frames = kube_bytes_event("ADDED", "Pod", pod());
    join(&frames, kube_bytes_event("BOOKMARK", "Pod", kube_bytes_object(meta)));
    join(&frames, kube_bytes_event("MODIFIED", "Pod", pod()));
    join(&frames, kube_bytes_event("DELETED", "Pod", pod()));
    join(&frames, kube_bytes_event("ERROR", "Status", kube_bytes_status(410, "Gone", "old", 1)));
    return frames;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fputs("usage: seed_kube_wire FOLDER\n", stderr);
        return 2;
    }
    const char *folder = argv[1];
    write_seed(folder, "pods", POD, PAGE, page("PodList", pod(), pod()));
    write_seed(folder, "pods_aside", POD, ASIDE, page("PodList", pod(), pod()));
    write_seed(folder, "big_pod", POD, PAGE, page("PodList", kube_bytes_big_pod(1), pod()));
    write_seed(folder, "services", SERVICE, PAGE, page("ServiceList", service(), service()));
    write_seed(folder, "endpoint_slices", ENDPOINT_SLICE, PAGE,
               page("EndpointSliceList", endpoint_slice(), endpoint_slice()));
    write_seed(folder, "replica_sets", REPLICA_SET, PAGE,
               page("PartialObjectMetadataList", pod(), pod()));
    write_seed(folder, "nodes", NODE, PAGE, page("NodeList", node(), node()));
    write_seed(folder, "watch", POD, WATCH, stream());
    write_seed(folder, "streamed_list", POD, STREAMED_LIST, stream());
    write_seed(folder, "refusal", POD, REFUSAL,
               kube_bytes_envelope("Status", kube_bytes_status(403, "Forbidden", "not you", 3)));
    return 0;
}
