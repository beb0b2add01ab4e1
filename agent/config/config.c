#include "agent/config/config.h"

#include "agent/config/schema.h"
#include "agent/config/store.h"
#include "agent/config/yaml_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Ten thousand names fit; anything longer is the wrong file. */
#define FILE_SIZE_MAX ((size_t)4 << 20)

/* What two keys have to agree on. The second is named where the first was left to its default. */
struct agreement {
    const char *path;
    const char *other_path;
    bool (*holds)(const struct config *config);
    const char *problem;
};

static bool target_fits_head(const struct config *config)
{
    return config->http.max_target_bytes <= config->http.max_head_bytes;
}

/* The other half is for flows, heads and series. */
static bool rings_fit_memory(const struct config *config)
{
    return config->capture.ring_bytes * config->capture.workers <= config->memory.limit / 2;
}

static bool key_has_certificate(const struct config *config)
{
    return config->events.http.key_file[0] == '\0' || config->events.http.cert_file[0] != '\0';
}

static bool otlp_key_has_certificate(const struct config *config)
{
    return config->otlp.key_file[0] == '\0' || config->otlp.cert_file[0] != '\0';
}

static const struct agreement agreements[] = {
    {"otlp.key_file", "otlp.cert_file", otlp_key_has_certificate,
     "there is no cert_file for this key"},
    {"events.http.key_file", "events.http.cert_file", key_has_certificate,
     "there is no cert_file for this key"},
    {"http.max_target_size", "http.max_head_size", target_fits_head,
     "max_target_size is larger than max_head_size"},
    {"memory.limit", "capture.ring_size", rings_fit_memory,
     "the rings (capture.workers times capture.ring_size) take more than half of memory.limit"},
    {"capture.workers", "capture.ring_size", rings_fit_memory,
     "the rings (capture.workers times capture.ring_size) take more than half of memory.limit"},
};

static const struct yaml_given *find_given(const struct yaml_result *result, const char *path)
{
    for (size_t i = 0; i < result->given_count; i++) {
        if (strcmp(result->given[i].path, path) == 0) {
            return &result->given[i];
        }
    }
    return NULL;
}

static bool check_agreements(const struct yaml_source *source, const struct config *config,
                             const struct yaml_result *result)
{
    for (size_t i = 0; i < sizeof(agreements) / sizeof(agreements[0]); i++) {
        const struct agreement *agreement = &agreements[i];
        const struct yaml_given *given = find_given(result, agreement->path);
        if (given == NULL) {
            given = find_given(result, agreement->other_path);
        }
        if (given != NULL && !agreement->holds(config)) {
            yaml_reader_describe(result->error, source, given->mark, given->path,
                                 agreement->problem);
            return false;
        }
    }
    return true;
}

struct config *config_new(void)
{
    struct config *config = calloc(1, sizeof(*config));
    if (config != NULL && !store_apply_defaults(schema_root(), config)) {
        config_free(config);
        return NULL;
    }
    return config;
}

void config_free(struct config *config)
{
    if (config == NULL) {
        return;
    }
    store_release(schema_root(), config);
    free(config);
}

static void fail_file(char *error, const char *name, const char *what, const char *reason)
{
    char problem[128];
    struct yaml_source source = {.name = name};
    snprintf(problem, sizeof(problem), "%s%s", what, reason);
    yaml_reader_describe(error, &source, (struct yaml_mark){1, 1}, "file", problem);
}

struct config *config_read_memory(const char *name, const char *bytes, size_t length,
                                  char error_out[static CONFIG_ERROR_SIZE])
{
    static const char mark[] = {'\xef', '\xbb', '\xbf'}; /* U+FEFF, as some editors write it */
    struct yaml_source source = {name, bytes, length};
    if (length >= sizeof(mark) && memcmp(bytes, mark, sizeof(mark)) == 0) {
        source.bytes += sizeof(mark);
        source.length -= sizeof(mark);
    }
    struct yaml_result result = {.error = error_out};
    struct config *config = config_new();
    if (config == NULL) {
        fail_file(error_out, name, "out of memory", "");
        return NULL;
    }
    if (!yaml_reader_read(&source, schema_root(), config, &result) ||
        !check_agreements(&source, config, &result)) {
        config_free(config);
        return NULL;
    }
    return config;
}

/* All of the file in `bytes` (FILE_SIZE_MAX + 1 of them). Returns its length or -errno. */
static ssize_t read_all(int fd, char *bytes)
{
    size_t length = 0;
    while (length <= FILE_SIZE_MAX) {
        ssize_t got = read(fd, bytes + length, FILE_SIZE_MAX + 1 - length);
        if (got == 0) {
            break;
        }
        if (got < 0 && errno != EINTR) {
            return -errno;
        }
        length += got > 0 ? (size_t)got : 0;
    }
    return length > FILE_SIZE_MAX ? -EFBIG : (ssize_t)length;
}

struct config *config_read(const char *path, char error_out[static CONFIG_ERROR_SIZE])
{
    struct config *config = NULL;
    bool standard_input = strcmp(path, "-") == 0;
    int fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    char *bytes = malloc(FILE_SIZE_MAX + 1);
    ssize_t length = fd < 0 ? -errno : bytes == NULL ? -ENOMEM : read_all(fd, bytes);
    if (length == -EFBIG) {
        fail_file(error_out, path, "is larger than 4 MiB", "");
    } else if (length < 0) {
        fail_file(error_out, path, "cannot be read: ", strerror((int)-length));
    } else {
        config = config_read_memory(path, bytes, (size_t)length, error_out);
    }
    free(bytes);
    if (fd >= 0 && !standard_input) {
        close(fd);
    }
    return config;
}

int config_listen_parse(const char *text, struct endpoint *endpoint_out)
{
    char host[ADDRESS_TEXT_SIZE + 2];
    struct endpoint endpoint = {.port = 0}; /* "::", every address */
    const char *colon = strrchr(text, ':');
    size_t length = colon == NULL ? 0 : (size_t)(colon - text);
    if (colon == NULL || length >= sizeof(host)) {
        return -EINVAL;
    }
    const char *port = colon + 1;
    size_t digits = strspn(port, "0123456789");
    unsigned long number =
        digits > 0 && digits < 6 && port[digits] == '\0' ? strtoul(port, NULL, 10) : 0;
    if (number == 0 || number > UINT16_MAX) {
        return -EINVAL;
    }
    endpoint.port = (uint16_t)number;
    bool bracketed = length > 2 && text[0] == '[' && text[length - 1] == ']';
    size_t bracket = bracketed ? 1 : 0;
    memcpy(host, text + bracket, length - bracket * 2);
    host[length - bracket * 2] = '\0';
    bool colons = strchr(host, ':') != NULL;
    if (colons != bracketed || (length > 0 && address_parse(host, &endpoint.address) != 0)) {
        return -EINVAL;
    }
    *endpoint_out = endpoint;
    return 0;
}
