#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Bytes as an API server sends them, written field by field: for tests that must not believe the
 * decoder's own idea of the format. The buffer grows; running out of memory ends the program.
 */
struct kube_bytes {
    uint8_t *bytes;
    size_t length;
    size_t capacity;
};

void kube_bytes_free(struct kube_bytes *bytes);
void kube_bytes_add(struct kube_bytes *bytes, const void *data, size_t length);

/* Protobuf fields: a number, a text, a message (which is freed). */
void kube_bytes_number(struct kube_bytes *bytes, unsigned field, uint64_t value);
void kube_bytes_text(struct kube_bytes *bytes, unsigned field, const char *text);
void kube_bytes_message(struct kube_bytes *bytes, unsigned field, struct kube_bytes message);

/* An entry of a map<string, string>. */
void kube_bytes_pair(struct kube_bytes *bytes, unsigned field, const char *key, const char *value);

/* ObjectMeta with what every object has; more fields may be added. */
struct kube_bytes kube_bytes_meta(const char *namespace, const char *name, const char *version);

/* An object of metadata (freed) alone. */
struct kube_bytes kube_bytes_object(struct kube_bytes meta);

/* "k8s", NUL and runtime.Unknown around a message (freed). */
struct kube_bytes kube_bytes_envelope(const char *kind, struct kube_bytes message);

/* The frame of a watch event about an object (freed) of a kind; and a Status in an ERROR event. */
struct kube_bytes kube_bytes_event(const char *type, const char *kind, struct kube_bytes object);
struct kube_bytes kube_bytes_status(unsigned code, const char *reason, const char *message,
                                    unsigned retry_after_s);

/* ListMeta as the first field of a list, to which items (field 2) are added. */
struct kube_bytes kube_bytes_list(const char *version, const char *next_page);

/* A pod of ordinary size, 4 to 6 KB: labels, managed fields, volumes, two containers, status. Made
 * of `number`, its name, address and version too. */
struct kube_bytes kube_bytes_big_pod(uint32_t number);
