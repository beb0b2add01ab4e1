#include "agent/kube/client/access.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Keys and tokens do not stay in freed memory. */
static void free_secret(char *text)
{
    if (text != NULL) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}

static void free_pem(struct kube_pem *pem)
{
    free(pem->file);
    free_secret(pem->text);
}

void kube_access_fini(struct kube_access *access)
{
    free(access->server);
    free_pem(&access->ca);
    free_pem(&access->certificate);
    free_pem(&access->key);
    free_secret(access->token);
    free(access->token_file);
    memset(access, 0, sizeof(*access));
}

char *kube_access_read_file(const char *path, size_t most)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return NULL;
    }
    char *text = malloc(most + 2);
    if (text == NULL) {
        fclose(file);
        errno = ENOMEM;
        return NULL;
    }
    errno = 0;
    size_t length = fread(text, 1, most + 1, file);
    int error = ferror(file) != 0 ? errno : length > most ? EFBIG : 0;
    fclose(file);
    if (error != 0) {
        free(text);
        errno = error;
        return NULL;
    }
    text[length] = '\0';
    return text;
}

int kube_access_check(const struct kube_access *access, const char **file_out)
{
    const char *const files[] = {access->token_file, access->ca.file, access->certificate.file,
                                 access->key.file};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (files[i] != NULL && eaccess(files[i], R_OK) != 0) {
            *file_out = files[i];
            return -errno;
        }
    }
    return 0;
}

/* A token goes into a header line: one word of printable characters. */
static int take_token(const char *token, char *text, size_t size)
{
    size_t length = strcspn(token, "\r\n");
    if (token[length + strspn(token + length, "\r\n \t")] != '\0') {
        return -EINVAL;
    }
    if (length == 0 || length >= size) {
        return length == 0 ? -ENODATA : -EFBIG;
    }
    for (size_t i = 0; i < length; i++) {
        if (token[i] <= ' ' || token[i] > '~') {
            return -EINVAL;
        }
    }
    memcpy(text, token, length);
    text[length] = '\0';
    return 0;
}

int kube_access_token(const struct kube_access *access, char *text, size_t size)
{
    if (access->token != NULL) {
        return take_token(access->token, text, size);
    }
    if (access->token_file == NULL) {
        text[0] = '\0';
        return 0;
    }
    char *read = kube_access_read_file(access->token_file, size);
    if (read == NULL) {
        return -errno;
    }
    int status = take_token(read, text, size);
    free_secret(read);
    return status;
}
