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
/* Longest name of a variable, terminator included. */
#define VARIABLE_SIZE 64

struct reading {
    struct otlp_settings *settings;
    const struct config_otlp *config;
    char *(*environment)(const char *name);
    char *error;
    /* While the way of one signal is read: how variables call it, and what it becomes. */
    const char *signal;
    struct otlp_options *options;
    struct named_value **headers;
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

/* The signal's own variable, else the one for both; `name_out` is what it is called. */
static const char *way_variable(const struct reading *reading, const char *what,
                                char name_out[static VARIABLE_SIZE])
{
    snprintf(name_out, VARIABLE_SIZE, "OTEL_EXPORTER_OTLP_%s_%s", reading->signal, what);
    const char *value = variable(reading, name_out);
    if (value == NULL) {
        snprintf(name_out, VARIABLE_SIZE, "OTEL_EXPORTER_OTLP_%s", what);
        value = variable(reading, name_out);
    }
    return value;
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

/* Returns how many pairs the variable's text holds, 0 when it is not set, or -errno. */
static int read_list(const struct reading *reading, const char *name, const char *text,
                     struct pair *pairs)
{
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
    char name[VARIABLE_SIZE];
    const char *value = way_variable(reading, "PROTOCOL", name);
    return value == NULL || strcmp(value, "http/protobuf") == 0
               ? 0
               : complain(reading, name, "is not http/protobuf, the one protocol that is spoken");
}

static int read_compression(const struct reading *reading)
{
    char name[VARIABLE_SIZE] = "";
    bool given = strcmp(reading->config->compression, "auto") != 0;
    const char *value =
        given ? reading->config->compression : way_variable(reading, "COMPRESSION", name);
    if (value != NULL && strcmp(value, "none") != 0 && strcmp(value, "gzip") != 0) {
        return complain(reading, name, "is neither none nor gzip");
    }
    reading->options->compression =
        value != NULL && strcmp(value, "none") == 0 ? COMPRESSION_NONE : COMPRESSION_GZIP;
    return 0;
}

/* Milliseconds, where the variable is set. */
static int read_millis(const struct reading *reading, const char *name, const char *value,
                       const int64_t bounds[static 2], int64_t *millis)
{
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

static int read_timeout(const struct reading *reading)
{
    static const int64_t bounds[] = {1, TIMEOUT_MAX_MS};
    char name[VARIABLE_SIZE];
    int64_t *timeout_ms = &reading->options->timeout_ms;
    if (reading->config->timeout_ms != 0) {
        *timeout_ms = reading->config->timeout_ms;
        return 0;
    }
    *timeout_ms = TIMEOUT_MS;
    return read_millis(reading, name, way_variable(reading, "TIMEOUT", name), bounds, timeout_ms);
}

static int read_interval(const struct reading *reading)
{
    static const int64_t bounds[] = {INTERVAL_MIN_MS, INTERVAL_MAX_MS};
    static const char name[] = "OTEL_METRIC_EXPORT_INTERVAL";
    int64_t *interval_ms = &reading->settings->interval_ms;
    *interval_ms = reading->config->metrics.interval_ms;
    if (*interval_ms != 0) {
        *interval_ms = *interval_ms < INTERVAL_MIN_MS ? INTERVAL_MIN_MS : *interval_ms;
        return 0;
    }
    *interval_ms = INTERVAL_MS;
    return read_millis(reading, name, variable(reading, name), bounds, interval_ms);
}

static int read_file_name(const struct reading *reading, const char *given, const char *what,
                          const char **path_out)
{
    char name[VARIABLE_SIZE];
    const char *path = given[0] != '\0' ? given : way_variable(reading, what, name);
    if (path == NULL) {
        return 0;
    }
    *path_out = keep(reading->settings, path, strlen(path));
    return *path_out == NULL ? -ENOMEM : 0;
}

static int read_tls(const struct reading *reading)
{
    const struct config_otlp *config = reading->config;
    const struct {
        const char *given;
        const char *what;
        const char **path;
    } files[] = {{config->ca_file, "CERTIFICATE", &reading->options->ca_file},
                 {config->cert_file, "CLIENT_CERTIFICATE", &reading->options->cert_file},
                 {config->key_file, "CLIENT_KEY", &reading->options->key_file}};
    int status = 0;
    for (size_t i = 0; status == 0 && i < sizeof(files) / sizeof(files[0]); i++) {
        status = read_file_name(reading, files[i].given, files[i].what, files[i].path);
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
    struct pair pairs[LIST_MAX];
    char name[VARIABLE_SIZE] = "";
    const char *text = config->header_count > 0 ? NULL : way_variable(reading, "HEADERS", name);
    int found = read_list(reading, name, text, pairs);
    if (found < 0) {
        return found;
    }
    size_t count = config->header_count + (size_t)found;
    struct named_value *headers = calloc(count + 1, sizeof(*headers));
    *reading->headers = headers;
    if (headers == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < config->header_count; i++) {
        const struct config_named_value *given = &config->headers[i];
        headers[i] = (struct named_value){given->name, given->value, given->value_file};
    }
    for (size_t i = 0; i < (size_t)found; i++) {
        if (strpbrk(pairs[i].name, " \t:") != NULL || !is_one_line(pairs[i].name) ||
            !is_one_line(pairs[i].value)) {
            return complain(reading, name, "has an entry that is no header field");
        }
        headers[i] = (struct named_value){pairs[i].name, pairs[i].value, NULL};
    }
    reading->options->headers = headers;
    reading->options->header_count = count;
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
    for (size_t i = 0; i < settings->common.extras.count; i++) {
        if (is(settings->extras[i].key, name)) {
            return; /* what came first stands */
        }
    }
    if (settings->common.extras.count < OTLP_EXTRAS_MAX) {
        settings->extras[settings->common.extras.count++] =
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
    settings->common.agent.host = text_of(kept);
    settings->common.agent.name = text_of(name);
    for (size_t i = 0; named == NULL && i < settings->common.extras.count; i++) {
        if (is(settings->extras[i].key, "service.name")) {
            settings->common.agent.name = settings->extras[i].value;
        }
    }
    settings->common.agent.version = text_of(VETHSCOPE_VERSION);
    return 0;
}

static int read_attributes(const struct reading *reading)
{
    struct otlp_settings *settings = reading->settings;
    const struct config_otlp *config = reading->config;
    struct pair pairs[LIST_MAX];
    static const char name[] = "OTEL_RESOURCE_ATTRIBUTES";
    int found = read_list(reading, name, variable(reading, name), pairs);
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
    settings->common.extras.items = settings->extras;
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

/* How one signal gets to its URL. */
static int read_way(struct reading reading, const char *signal, struct otlp_options *options,
                    struct named_value **headers)
{
    static int (*const readers[])(const struct reading *) = {read_protocol, read_compression,
                                                             read_timeout, read_tls, read_headers};
    int status = 0;
    reading.signal = signal;
    reading.options = options;
    reading.headers = headers;
    *options = reading.settings->common;
    for (size_t i = 0; status == 0 && i < sizeof(readers) / sizeof(readers[0]); i++) {
        status = readers[i](&reading);
    }
    return status;
}

int otlp_settings_init(struct otlp_settings *settings, const struct config_otlp *config,
                       char *(*environment)(const char *name),
                       char error_out[static OTLP_SETTINGS_ERROR_SIZE])
{
    static int (*const readers[])(const struct reading *) = {read_interval, read_attributes,
                                                             copy_shares};
    struct reading reading = {settings, config, environment, error_out, NULL, NULL, NULL};
    *settings = (struct otlp_settings){0};
    settings->common.queue_bytes = config->queue_bytes;
    settings->common.retry_max_ms = config->retry_max_ms;
    snprintf(error_out, OTLP_SETTINGS_ERROR_SIZE, "out of memory");
    int status = read_endpoints(&reading);
    if (settings->metrics_url == NULL && settings->traces_url == NULL) {
        return status;
    }
    for (size_t i = 0; status == 0 && i < sizeof(readers) / sizeof(readers[0]); i++) {
        status = readers[i](&reading);
    }
    if (status == 0 && settings->metrics_url != NULL) {
        status = read_way(reading, "METRICS", &settings->metrics, &settings->metrics_headers);
    }
    if (status == 0 && settings->traces_url != NULL) {
        status = read_way(reading, "TRACES", &settings->traces, &settings->traces_headers);
    }
    return status;
}

void otlp_settings_fini(struct otlp_settings *settings)
{
    for (size_t i = 0; i < settings->string_count; i++) {
        free(settings->strings[i]);
    }
    free(settings->strings);
    free(settings->metrics_headers);
    free(settings->traces_headers);
    free(settings->extras);
    free(settings->rules);
    free(settings->metrics_url);
    free(settings->traces_url);
    *settings = (struct otlp_settings){0};
}
