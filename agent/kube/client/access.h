#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Longest error line of the readers of an access, terminator included. */
#define KUBE_ACCESS_ERROR_SIZE 256

/* Of each of these a file's name or the PEM text itself may be there, not both. */
struct kube_pem {
    char *file;
    char *text;
};

/* How an API server is reached and who asks. Strings are owned; absent ones NULL. */
struct kube_access {
    char *server; /* "https://10.0.0.1:443", without a slash at the end */
    struct kube_pem ca;
    struct kube_pem certificate;
    struct kube_pem key;
    char *token;
    char *token_file; /* read anew for every request: tokens are rotated */
    bool insecure;    /* the server's certificate is not verified */
};

void kube_access_fini(struct kube_access *access);

/* A whole file of at most `most` bytes, terminated; the caller frees. NULL with errno: it cannot be
 * read, or (EFBIG) is larger. */
char *kube_access_read_file(const char *path, size_t most);

/* Looks whether every file that is named can be read. Returns 0, or -errno and which one cannot. */
int kube_access_check(const struct kube_access *access, const char **file_out);

/* Writes the bearer token in force to `text`; "" when there is none. Returns 0 or -errno: the
 * token's file cannot be read or holds no token. */
int kube_access_token(const struct kube_access *access, char *text, size_t size);
