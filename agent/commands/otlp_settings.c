#include "agent/commands/otlp_settings.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * OpenTelemetry's specification of "Environment Variable" and of the "OTLP Exporter": an empty
 * variable is one that is not set; lists are "name=value,name=value" with percent-encoded values.
 */

#define TIMEOUT_MS 10000
#define INTERVAL_MS 60000
/* As the schema bounds the same keys. */
#define TIMEOUT_MAX_MS 600000
#define INTERVAL_MIN_MS 100
#define INTERVAL_MAX_MS 3600000
#define LIST_MAX 32
#define HOST_NAME_SIZE 256

struct reading {
    struct otlp_settings *settings;
    const struct config_otlp *config;
    char *(*environment)(const char *name);
    char *error;
};

struct pair {
    char *name;
    char *value;
};

static const char *variable(const struct reading *reading, const char *name)
{
    const char *value = reading->environment(name);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

static int complain(const struct reading *reading, const char *name, const char *problem)
{
    snprintf(reading->error, OTLP_SETTINGS_ERROR_SIZE, "%s %s", name, problem);
    return -EINVAL;
}

/* A copy that lives as long as the settings; NULL: no memory. */
static char *keep(struct otlp_settings *settings, const char *text, size_t length)
{
    size_t count = settings->string_count + 1;
    char **strings = reallocarray(settings->strings, count, sizeof(*strings));
    if (strings == NULL) {
        return NULL;
    }
    settings->strings = strings;
    char *copy = strndup(text, length);
    if (copy != NULL) {
        strings[settings->string_count++] = copy;
    }
    return copy;
}

/* ---- lists ---- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place. False: a percent sign without two digits behind it, or one that ends a string. */
static bool decode_percent(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        if (*from != '%') {
            *to++ = *from;
            continue;
        }
        int high = hex_value(from[1]);
        int low = high < 0 ? -1 : hex_value(from[2]);
        if (low < 0 || (high == 0 && low == 0)) {
            return false;
        }
        *to++ = (char)(high << 4 | low);
        from += 2;
    }
    *to = '\0';
    return true;
}

static char *trim(char *text)
{
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t')) {
        text[--length] = '\0';
    }
    return text;
}

/* Returns how many pairs the variable holds, 0 when it is not set, or -errno. */
static int read_list(const struct reading *reading, const char *name, struct pair *pairs)
{
    const char *text = variable(reading, name);
    char *rest = text == NULL ? NULL : keep(reading->settings, text, strlen(text));
    if (rest == NULL) {
        return text == NULL ? 0 : -ENOMEM;
    }
    int count = 0;
    char *item;
    while ((item = strsep(&rest, ",")) != NULL) {
        item = trim(item);
        char *equals = strchr(item, '=');
        if (item[0] == '\0') {
            continue;
        }
        if (equals == NULL || equals == item || count == LIST_MAX) {
            return complain(reading, name,
                            count == LIST_MAX ? "has more than 32 entries"
                                              : "is not a list of name=value");
        }
        *equals = '\0';
        pairs[count] = (struct pair){trim(item), trim(equals + 1)};
        if (!decode_percent(pairs[count].name) || !decode_percent(pairs[count].value)) {
            return complain(reading, name, "has a percent sign that encodes nothing");
        }
        count++;
    }
    return count;
}

/* ---- endpoints ---- */

static bool is_url(const char *text)
{
    const char *host = strncmp(text, "http://", 7) == 0    ? text + 7
                       : strncmp(text, "https://", 8) == 0 ? text + 8
                                                           : "";
    return host[0] != '\0' && host[0] != '/' && strpbrk(text, " \t\r\n") == NULL;
}

/* A signal's own URL (no `path`) is taken as it is, the common one gets the signal's path. */
static int make_url(const char *base, const char *path, char **url_out)
{
    size_t length = strlen(base);
    while (path != NULL && length > 0 && base[length - 1] == '/') {
        length--;
    }
    int printed = asprintf(url_out, "%.*s%s", (int)length, base, path == NULL ? "" : path);
    *url_out = printed < 0 ? NULL : *url_out;
    return printed < 0 ? -ENOMEM : 0;
}

static int find_url(const struct reading *reading, const char *own, const char *own_variable,
                    const char *path, char **url_out)
{
    if (own[0] != '\0') {
        return make_url(own, NULL, url_out);
    }
    if (reading->config->endpoint[0] != '\0') {
        return make_url(reading->config->endpoint, path, url_out);
    }
    const char *name = own_variable;
    const char *value = variable(reading, name);
    if (value == NULL) {
        name = "OTEL_EXPORTER_OTLP_ENDPOINT";
        value = variable(reading, name);
    } else {
        path = NULL;
    }
    if (value == NULL) {
        return 0;
    }
    return is_url(value) ? make_url(value, path, url_out)
                         : complain(reading, name, "is not an http or https URL");
}

static int read_endpoints(const struct reading *reading)
{
    const struct config_otlp *config = reading->config;
    int status = 0;
    if (config->metrics.enabled) {
        status = find_url(reading, config->metrics.endpoint, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
                          "/v1/metrics", &reading->settings->metrics_url);
    }
    if (status == 0 && config->traces.enabled) {
        status = find_url(reading, config->traces.endpoint, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                          "/v1/traces", &reading->settings->traces_url);
    }
    return status;
}

/* ---- transport ---- */

static int read_protocol(const struct reading *reading)
{
    static const char name[] = "OTEL_EXPORTER_OTLP_PROTOCOL";
    const char *value = variable(reading, name);
    return value == NULL || strcmp(value, "http/protobuf") == 0
               ? 0
               : complain(reading, name, "is not http/protobuf, the one protocol that is spoken");
}

static int read_compression(const struct reading *reading)
{
    static const char name[] = "OTEL_EXPORTER_OTLP_COMPRESSION";
    bool given = strcmp(reading->config->compression, "auto") != 0;
    const char *value = given ? reading->config->compression : variable(reading, name);
    if (value != NULL && strcmp(value, "none") != 0 && strcmp(value, "gzip") != 0) {
        return complain(reading, name, "is neither none nor gzip");
    }
    reading->settings->options.compression =
        value != NULL && strcmp(value, "none") == 0 ? COMPRESSION_NONE : COMPRESSION_GZIP;
    return 0;
}

/* Milliseconds: the configuration's, the variable's or the default. */
static int read_millis(const struct reading *reading, const char *name, int64_t *millis,
                       const int64_t bounds[static 2])
{
    const char *value = *millis != 0 ? NULL : variable(reading, name);
    if (value == NULL) {
        return 0;
    }
    char *end = NULL;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    if (errno != 0 || end == value || *end != '\0' || number < bounds[0] || number > bounds[1]) {
        snprintf(reading->error, OTLP_SETTINGS_ERROR_SIZE,
                 "%s is not a number of milliseconds from %lld to %lld", name, (long long)bounds[0],
                 (long long)bounds[1]);
        return -EINVAL;
    }
    *millis = number;
    return 0;
}

static int read_times(const struct reading *reading)
{
    static const int64_t timeouts[] = {1, TIMEOUT_MAX_MS};
    static const int64_t intervals[] = {INTERVAL_MIN_MS, INTERVAL_MAX_MS};
    struct otlp_settings *settings = reading->settings;
    settings->options.timeout_ms = reading->config->timeout_ms;
    settings->interval_ms = reading->config->metrics.interval_ms;
    int status =
        read_millis(reading, "OTEL_EXPORTER_OTLP_TIMEOUT", &settings->options.timeout_ms, timeouts);
    if (status == 0) {
        status =
            read_millis(reading, "OTEL_METRIC_EXPORT_INTERVAL", &settings->interval_ms, intervals);
    }
    if (settings->options.timeout_ms == 0) {
        settings->options.timeout_ms = TIMEOUT_MS;
    }
    if (settings->interval_ms == 0) {
        settings->interval_ms = INTERVAL_MS;
    } else if (settings->interval_ms < INTERVAL_MIN_MS) {
        settings->interval_ms = INTERVAL_MIN_MS;
    }
    return status;
}

static int read_file_name(const struct reading *reading, const char *given, const char *name,
                          const char **path_out)
{
    const char *path = given[0] != '\0' ? given : variable(reading, name);
    if (path == NULL) {
        return 0;
    }
    *path_out = keep(reading->settings, path, strlen(path));
    return *path_out == NULL ? -ENOMEM : 0;
}

static int read_tls(const struct reading *reading)
{
    const struct config_otlp *config = reading->config;
    struct otlp_options *options = &reading->settings->options;
    int status = read_file_name(reading, config->ca_file, "OTEL_EXPORTER_OTLP_CERTIFICATE",
                                &options->ca_file);
    if (status == 0) {
        status = read_file_name(reading, config->cert_file, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
                                &options->cert_file);
    }
    if (status == 0) {
        status = read_file_name(reading, config->key_file, "OTEL_EXPORTER_OTLP_CLIENT_KEY",
                                &options->key_file);
    }
    return status;
}

static bool is_one_line(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f) {
            return false;
        }
    }
    return true;
}

static int read_headers(const struct reading *reading)
{
    const struct config_otlp *config = reading->config;
    struct otlp_settings *settings = reading->settings;
    struct pair pairs[LIST_MAX];
    static const char name[] = "OTEL_EXPORTER_OTLP_HEADERS";
    int found = config->header_count > 0 ? 0 : read_list(reading, name, pairs);
    if (found < 0) {
        return found;
    }
    size_t count = config->header_count + (size_t)found;
    settings->headers = calloc(count + 1, sizeof(*settings->headers));
    if (settings->headers == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < config->header_count; i++) {
        const struct config_named_value *given = &config->headers[i];
        settings->headers[i] = (struct named_value){given->name, given->value, given->value_file};
    }
    for (size_t i = 0; i < (size_t)found; i++) {
        if (strpbrk(pairs[i].name, " \t:") != NULL || !is_one_line(pairs[i].name) ||
            !is_one_line(pairs[i].value)) {
            return complain(reading, name, "has an entry that is no header field");
        }
        settings->headers[i] = (struct named_value){pairs[i].name, pairs[i].value, NULL};
    }
    settings->options.headers = settings->headers;
    settings->options.header_count = count;
    return 0;
}

/* ---- resources ---- */

static bool is(struct text text, const char *name)
{
    return text.data != NULL && text.length == strlen(name) &&
           memcmp(text.data, name, text.length) == 0;
}

static void add_extra(struct otlp_settings *settings, const char *name, const char *value)
{
    for (size_t i = 0; i < settings->options.extras.count; i++) {
        if (is(settings->extras[i].key, name)) {
            return; /* what came first stands */
        }
    }
    if (settings->options.extras.count < OTLP_EXTRAS_MAX) {
        settings->extras[settings->options.extras.count++] =
            (struct otlp_extra){text_of(name), text_of(value)};
    }
}

/* What the agent calls itself: OTEL_SERVICE_NAME goes before a service.name among the attributes.
 */
static int name_agent(const struct reading *reading)
{
    struct otlp_settings *settings = reading->settings;
    char host[HOST_NAME_SIZE] = "";
    gethostname(host, sizeof(host) - 1);
    const char *kept = keep(settings, host, strlen(host));
    const char *named = variable(reading, "OTEL_SERVICE_NAME");
    const char *name = named == NULL ? "vethscope" : keep(settings, named, strlen(named));
    if (kept == NULL || name == NULL) {
        return -ENOMEM;
    }
    settings->options.agent.host = text_of(kept);
    settings->options.agent.name = text_of(name);
    for (size_t i = 0; named == NULL && i < settings->options.extras.count; i++) {
        if (is(settings->extras[i].key, "service.name")) {
            settings->options.agent.name = settings->extras[i].value;
        }
    }
    settings->options.agent.version = text_of(VETHSCOPE_VERSION);
    return 0;
}

static int read_attributes(const struct reading *reading)
{
    struct otlp_settings *settings = reading->settings;
    const struct config_otlp *config = reading->config;
    struct pair pairs[LIST_MAX];
    int found = read_list(reading, "OTEL_RESOURCE_ATTRIBUTES", pairs);
    if (found < 0) {
        return found;
    }
    settings->extras = calloc(OTLP_EXTRAS_MAX, sizeof(*settings->extras));
    if (settings->extras == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < config->attribute_count; i++) {
        add_extra(settings, config->attributes[i].name, config->attributes[i].value);
    }
    for (int i = 0; i < found; i++) {
        add_extra(settings, pairs[i].name, pairs[i].value);
    }
    settings->options.extras.items = settings->extras;
    return name_agent(reading);
}

static int copy_shares(const struct reading *reading)
{
    const struct config_otlp_traces *traces = &reading->config->traces;
    struct otlp_sampler_rule *rules = calloc(traces->share_count + 1, sizeof(*rules));
    if (rules == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < traces->share_count; i++) {
        rules[i] = (struct otlp_sampler_rule){traces->shares[i].namespace,
                                              traces->shares[i].service, traces->shares[i].ratio};
    }
    reading->settings->rules = rules;
    return 0;
}

int otlp_settings_init(struct otlp_settings *settings, const struct config_otlp *config,
                       char *(*environment)(const char *name),
                       char error_out[static OTLP_SETTINGS_ERROR_SIZE])
{
    static int (*const readers[])(const struct reading *) = {
        read_protocol, read_compression, read_times, read_tls,
        read_headers,  read_attributes,  copy_shares};
    struct reading reading = {settings, config, environment, error_out};
    *settings = (struct otlp_settings){0};
    settings->options.queue_bytes = config->queue_bytes;
    settings->options.retry_max_ms = config->retry_max_ms;
    snprintf(error_out, OTLP_SETTINGS_ERROR_SIZE, "out of memory");
    int status = read_endpoints(&reading);
    if (settings->metrics_url == NULL && settings->traces_url == NULL) {
        return status;
    }
    for (size_t i = 0; status == 0 && i < sizeof(readers) / sizeof(readers[0]); i++) {
        status = readers[i](&reading);
    }
    return status;
}

void otlp_settings_fini(struct otlp_settings *settings)
{
    for (size_t i = 0; i < settings->string_count; i++) {
        free(settings->strings[i]);
    }
    free(settings->strings);
    free(settings->headers);
    free(settings->extras);
    free(settings->rules);
    free(settings->metrics_url);
    free(settings->traces_url);
    *settings = (struct otlp_settings){0};
}
