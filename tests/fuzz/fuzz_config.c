/*
 * Configuration files. What is refused is refused in one clean line; what is accepted keeps what
 * the stages rely on.
 */
#include "agent/config/config.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#define NAME "f.yaml"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Host names in a capture filter are not looked up here: libpcap finds this one first. */
int getaddrinfo(const char *restrict node, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict result)
{
    (void)node;
    (void)service;
    (void)hints;
    (void)result;
    return EAI_NONAME;
}

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_error(const char *error)
{
    size_t length = strnlen(error, CONFIG_ERROR_SIZE);
    require(length < CONFIG_ERROR_SIZE);
    require(strncmp(error, NAME ":", strlen(NAME ":")) == 0);
    const char *at = error + strlen(NAME ":");
    require(*at >= '1' && *at <= '9');
    at += strspn(at, "0123456789");
    require(*at == ':' && at[1] >= '1' && at[1] <= '9');
    at += 1 + strspn(at + 1, "0123456789");
    require(at[0] == ':' && at[1] == ' ' && strstr(at + 2, ": ") != NULL);
    for (size_t i = 0; i < length; i++)
        require(error[i] >= ' ' && error[i] <= '~');
}

static void check_config(const struct config *config)
{
    struct endpoint endpoint;
    const struct config_metrics *metrics = &config->metrics;
    require(metrics->duration_bucket_count >= 1);
    for (size_t i = 1; i < metrics->duration_bucket_count; i++)
        require(metrics->duration_buckets[i] > metrics->duration_buckets[i - 1]);
    require(config_listen_parse(metrics->listen, &endpoint) == 0);
    for (size_t i = 0; i < config->routes.patterns.count; i++)
        require(config->routes.patterns.items[i][0] == '/');
    for (size_t i = 0; i < config->name_count; i++)
        require(config->names[i].namespace != NULL && config->names[i].service != NULL &&
                config->names[i].prefix_bits <= 128);
    require(config->capture.filter != NULL && config->log_level != NULL);
    require(config->capture.workers >= 1 && config->capture.workers <= 64);
    require(config->capture.ring_bytes * config->capture.workers <= config->memory.limit / 2);
    require(config->http.max_target_bytes <= config->http.max_head_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[CONFIG_ERROR_SIZE];
    char *copy = malloc(size + (size == 0));
    require(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    struct config *config = config_read_memory(NAME, copy, size, error);
    free(copy); /* nothing of the result lies in it */
    if (config == NULL)
        check_error(error);
    else
        check_config(config);
    config_free(config);
    return 0;
}
