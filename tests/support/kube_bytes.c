#include "tests/support/kube_bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void kube_bytes_free(struct kube_bytes *bytes)
{
    free(bytes->bytes);
    *bytes = (struct kube_bytes){0};
}

void kube_bytes_add(struct kube_bytes *bytes, const void *data, size_t length)
{
    if (bytes->capacity - bytes->length < length) {
        bytes->capacity = (bytes->capacity + length) * 2;
        bytes->bytes = realloc(bytes->bytes, bytes->capacity);
        if (bytes->bytes == NULL) {
            abort();
        }
    }
    if (length > 0) {
        memcpy(bytes->bytes + bytes->length, data, length);
        bytes->length += length;
    }
}

static void add_varint(struct kube_bytes *bytes, uint64_t value)
{
    uint8_t text[10];
    size_t length = 0;
    do {
        text[length++] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
    } while (value > 0);
    kube_bytes_add(bytes, text, length);
}

void kube_bytes_number(struct kube_bytes *bytes, unsigned field, uint64_t value)
{
    add_varint(bytes, (uint64_t)field << 3);
    add_varint(bytes, value);
}

static void add_field(struct kube_bytes *bytes, unsigned field, const void *data, size_t length)
{
    add_varint(bytes, (uint64_t)field << 3 | 2);
    add_varint(bytes, length);
    kube_bytes_add(bytes, data, length);
}

void kube_bytes_text(struct kube_bytes *bytes, unsigned field, const char *text)
{
    add_field(bytes, field, text, strlen(text));
}

void kube_bytes_message(struct kube_bytes *bytes, unsigned field, struct kube_bytes message)
{
    add_field(bytes, field, message.bytes, message.length);
    kube_bytes_free(&message);
}

void kube_bytes_pair(struct kube_bytes *bytes, unsigned field, const char *key, const char *value)
{
    struct kube_bytes pair = {0};
    kube_bytes_text(&pair, 1, key);
    kube_bytes_text(&pair, 2, value);
    kube_bytes_message(bytes, field, pair);
}

struct kube_bytes kube_bytes_meta(const char *namespace, const char *name, const char *version)
{
    struct kube_bytes meta = {0};
    kube_bytes_text(&meta, 1, name);
    kube_bytes_text(&meta, 2, "");
    kube_bytes_text(&meta, 3, namespace);
    kube_bytes_text(&meta, 5, "351fcc8f-b638-4939-866a-9cb82a16f933");
    kube_bytes_text(&meta, 6, version);
    return meta;
}

struct kube_bytes kube_bytes_object(struct kube_bytes meta)
{
    struct kube_bytes object = {0};
    kube_bytes_message(&object, 1, meta);
    return object;
}

struct kube_bytes kube_bytes_envelope(const char *kind, struct kube_bytes message)
{
    struct kube_bytes type = {0};
    kube_bytes_text(&type, 1, "v1");
    kube_bytes_text(&type, 2, kind);
    struct kube_bytes envelope = {0};
    kube_bytes_add(&envelope, "k8s", 4);
    kube_bytes_message(&envelope, 1, type);
    kube_bytes_message(&envelope, 2, message);
    kube_bytes_text(&envelope, 3, "");
    kube_bytes_text(&envelope, 4, "");
    return envelope;
}

struct kube_bytes kube_bytes_event(const char *type, const char *kind, struct kube_bytes object)
{
    struct kube_bytes extension = {0};
    kube_bytes_message(&extension, 1, kube_bytes_envelope(kind, object));
    struct kube_bytes event = {0};
    kube_bytes_text(&event, 1, type);
    kube_bytes_message(&event, 2, extension);
    const uint8_t prefix[4] = {(uint8_t)(event.length >> 24), (uint8_t)(event.length >> 16),
                               (uint8_t)(event.length >> 8), (uint8_t)event.length};
    struct kube_bytes frame = {0};
    kube_bytes_add(&frame, prefix, sizeof(prefix));
    kube_bytes_add(&frame, event.bytes, event.length);
    kube_bytes_free(&event);
    return frame;
}

struct kube_bytes kube_bytes_status(unsigned code, const char *reason, const char *message,
                                    unsigned retry_after_s)
{
    struct kube_bytes status = {0};
    struct kube_bytes details = {0};
    kube_bytes_message(&status, 1, (struct kube_bytes){0});
    kube_bytes_text(&status, 2, "Failure");
    kube_bytes_text(&status, 3, message);
    kube_bytes_text(&status, 4, reason);
    kube_bytes_number(&details, 5, retry_after_s);
    kube_bytes_message(&status, 5, details);
    kube_bytes_number(&status, 6, code);
    return status;
}

struct kube_bytes kube_bytes_list(const char *version, const char *next_page)
{
    struct kube_bytes meta = {0};
    kube_bytes_text(&meta, 1, "");
    kube_bytes_text(&meta, 2, version);
    kube_bytes_text(&meta, 3, next_page);
    struct kube_bytes list = {0};
    kube_bytes_message(&list, 1, meta);
    return list;
}

/* ---- a pod of ordinary size ---- */

/* Managed fields are JSON of the paths that a manager owns, the largest part of most objects. */
static void add_managed_fields(struct kube_bytes *meta, const char *manager, unsigned paths)
{
    struct kube_bytes json = {0};
    kube_bytes_add(&json, "{\"f:spec\":{", 11);
    for (unsigned i = 0; i < paths; i++) {
        char path[64];
        int length =
            snprintf(path, sizeof(path), "\"f:template-field-%u\":{\".\":{},\"f:v\":{}},", i);
        kube_bytes_add(&json, path, (size_t)length);
    }
    kube_bytes_add(&json, "}}", 2);
    struct kube_bytes fields = {0};
    kube_bytes_message(&fields, 1, json);
    struct kube_bytes entry = {0};
    kube_bytes_text(&entry, 1, manager);
    kube_bytes_text(&entry, 2, "Update");
    kube_bytes_text(&entry, 3, "v1");
    kube_bytes_text(&entry, 6, "FieldsV1");
    kube_bytes_message(&entry, 7, fields);
    kube_bytes_message(meta, 17, entry);
}

static struct kube_bytes big_meta(const char *name, const char *version)
{
    struct kube_bytes meta = kube_bytes_meta("shop-backend", name, version);
    struct kube_bytes owner = {0};
    kube_bytes_text(&owner, 1, "ReplicaSet");
    kube_bytes_text(&owner, 3, "orders-7d4b9c6f5d");
    kube_bytes_text(&owner, 4, "0e1f6a84-0e3c-4b43-8d6e-2d9f0c6b5a11");
    kube_bytes_text(&owner, 5, "apps/v1");
    kube_bytes_number(&owner, 6, 1);
    kube_bytes_number(&owner, 7, 1);
    kube_bytes_text(&meta, 2, "orders-7d4b9c6f5d-");
    kube_bytes_pair(&meta, 11, "app.kubernetes.io/name", "orders");
    kube_bytes_pair(&meta, 11, "app.kubernetes.io/instance", "orders-production");
    kube_bytes_pair(&meta, 11, "app.kubernetes.io/version", "2.14.3");
    kube_bytes_pair(&meta, 11, "app.kubernetes.io/managed-by", "Helm");
    kube_bytes_pair(&meta, 11, "pod-template-hash", "7d4b9c6f5d");
    kube_bytes_pair(&meta, 12, "prometheus.io/scrape", "true");
    kube_bytes_pair(&meta, 12, "checksum/config",
                    "0f343b0931126a20f133d67c2b018a3b1d4f2c6a9e8b7c5d3f1e0a9b8c7d6e5f");
    kube_bytes_message(&meta, 13, owner);
    add_managed_fields(&meta, "kube-controller-manager", 32);
    add_managed_fields(&meta, "kubelet", 14);
    return meta;
}

static struct kube_bytes big_container(const char *name, unsigned port)
{
    struct kube_bytes container = {0};
    kube_bytes_text(&container, 1, name);
    kube_bytes_text(&container, 2, "registry.example/shop/orders:2.14.3");
    for (unsigned i = 0; i < 6; i++) {
        kube_bytes_pair(&container, 7, "DATABASE_CONNECTION_URL",
                        "postgres://orders.databases.example:5432/orders?sslmode=require");
    }
    struct kube_bytes ports = {0};
    kube_bytes_text(&ports, 1, "http");
    kube_bytes_number(&ports, 2, 0);
    kube_bytes_number(&ports, 3, port);
    kube_bytes_text(&ports, 4, "TCP");
    kube_bytes_message(&container, 6, ports);
    kube_bytes_pair(&container, 9, "kube-api-access-x7k2p",
                    "/var/run/secrets/kubernetes.io/serviceaccount");
    kube_bytes_text(&container, 13, "/dev/termination-log");
    kube_bytes_text(&container, 14, "IfNotPresent");
    return container;
}

static struct kube_bytes big_spec(uint32_t number)
{
    struct kube_bytes spec = {0};
    char node[32];
    snprintf(node, sizeof(node), "node-%04u.example", (unsigned)(number / 30));
    for (unsigned i = 0; i < 3; i++) {
        kube_bytes_pair(&spec, 1, "kube-api-access-x7k2p",
                        "projected: token, ca.crt, namespace; expires after 3607 s");
    }
    kube_bytes_message(&spec, 2, big_container("orders", 8080));
    kube_bytes_message(&spec, 2, big_container("metrics-sidecar", 9102));
    kube_bytes_text(&spec, 3, "Always");
    kube_bytes_number(&spec, 4, 30);
    kube_bytes_text(&spec, 6, "ClusterFirst");
    kube_bytes_text(&spec, 10, node);
    kube_bytes_number(&spec, 11, 0);
    for (unsigned i = 0; i < 2; i++) {
        kube_bytes_pair(&spec, 22, "node.kubernetes.io/not-ready", "NoExecute for 300 s");
    }
    return spec;
}

static struct kube_bytes big_status(const char *address)
{
    struct kube_bytes status = {0};
    struct kube_bytes pod_ip = {0};
    kube_bytes_text(&status, 1, "Running");
    for (unsigned i = 0; i < 5; i++) {
        kube_bytes_pair(&status, 2, "PodReadyToStartContainers", "True since 2026-01-31T12:00:00Z");
    }
    kube_bytes_text(&status, 5, "192.168.14.7");
    kube_bytes_text(&status, 6, address);
    for (unsigned i = 0; i < 2; i++) {
        struct kube_bytes container = {0};
        struct kube_bytes state = {0};
        kube_bytes_message(&state, 2, (struct kube_bytes){0});
        kube_bytes_text(&container, 1, i == 0 ? "orders" : "metrics-sidecar");
        kube_bytes_message(&container, 2, state);
        kube_bytes_number(&container, 4, 1);
        kube_bytes_text(&container, 6, "registry.example/shop/orders:2.14.3");
        kube_bytes_text(&container, 7,
                        "registry.example/shop/orders@sha256:"
                        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08");
        kube_bytes_text(&container, 8,
                        "containerd://"
                        "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae");
        kube_bytes_message(&status, 8, container);
    }
    kube_bytes_text(&pod_ip, 1, address);
    kube_bytes_message(&status, 12, pod_ip);
    return status;
}

struct kube_bytes kube_bytes_big_pod(uint32_t number)
{
    char name[48];
    char version[16];
    char address[16];
    snprintf(name, sizeof(name), "orders-7d4b9c6f5d-%05x", (unsigned)number & 0xfffff);
    snprintf(version, sizeof(version), "%u", (unsigned)number + 1);
    snprintf(address, sizeof(address), "10.%u.%u.%u", (unsigned)(number >> 16) & 0xff,
             (unsigned)(number >> 8) & 0xff, (unsigned)number & 0xff);
    struct kube_bytes pod = {0};
    kube_bytes_message(&pod, 1, big_meta(name, version));
    kube_bytes_message(&pod, 2, big_spec(number));
    kube_bytes_message(&pod, 3, big_status(address));
    return pod;
}
