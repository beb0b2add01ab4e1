#include "agent/commands/name_source.h"

#include "agent/base/log.h"
#include "agent/commands/own_addresses.h"
#include "agent/kube/kube.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* So long after its start an API server that does not answer is not waited for with every new
 * connection. */
#define PATIENCE_S 30

struct name_source {
    struct directory_source *directories;
    struct kube *kube; /* NULL: nobody is asked */
    time_t started_s;  /* CLOCK_MONOTONIC */
    atomic_bool complete;
};

static time_t monotonic_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* ---- what the API server's thread tells ---- */

static void report(void *context, const struct kube_report *report)
{
    (void)context;
    switch (report->event) {
    case KUBE_SYNCED:
        log_event(LOG_LEVEL_INFO, "kube", "following", "kind", kube_kind_name(report->kind), NULL);
        break;
    case KUBE_FAILED:
        log_event(LOG_LEVEL_WARN, "kube", "cannot follow; what is known stays", "kind",
                  kube_kind_name(report->kind), "error", report->text, NULL);
        break;
    case KUBE_NODE_FOUND:
        log_event(LOG_LEVEL_INFO, "kube", "this node", "name", report->text, NULL);
        break;
    case KUBE_NO_MEMORY:
        log_event(LOG_LEVEL_ERROR, "kube", "out of memory; names may be missing", NULL);
        break;
    }
}

/* ---- asking ---- */

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static bool wanted(const struct config_kubernetes *config)
{
    switch (config->enabled) {
    case CONFIG_TRUE:
        return true;
    case CONFIG_FALSE:
        return false;
    case CONFIG_AUTO:
        break;
    }
    return is_set(config->kubeconfig) || kube_in_cluster();
}

static struct kube_range *ranges_of(const struct config_kubernetes *config)
{
    struct kube_range *ranges = calloc(config->range_count + 1, sizeof(*ranges));
    for (size_t i = 0; ranges != NULL && i < config->range_count; i++) {
        ranges[i].address = config->ranges[i].address;
        ranges[i].prefix_bits = config->ranges[i].prefix_bits;
    }
    return ranges;
}

static struct kube_options options_of(const struct config *config, const struct name_source *source,
                                      const struct kube_range *ranges)
{
    const struct config_kubernetes *kubernetes = &config->kubernetes;
    bool file = is_set(kubernetes->kubeconfig) || !kube_in_cluster();
    return (struct kube_options){
        .access = file ? KUBE_KUBECONFIG : KUBE_IN_CLUSTER,
        .kubeconfig = is_set(kubernetes->kubeconfig) ? kubernetes->kubeconfig : NULL,
        .context = is_set(kubernetes->context) ? kubernetes->context : NULL,
        .scope = kubernetes->scope == CONFIG_SCOPE_NODE ? KUBE_SCOPE_NODE : KUBE_SCOPE_CLUSTER,
        .node_name = is_set(kubernetes->node) ? kubernetes->node : getenv("NODE_NAME"),
        .inventory = {.names = config->names,
                      .name_count = config->name_count,
                      .ranges = ranges,
                      .range_count = kubernetes->range_count,
                      .name_by_app_label = kubernetes->name_by_app_label},
        .source = source->directories,
        .report = report};
}

/* A pod without a token is none that was meant to ask: where nothing was configured, the agent goes
 * on without. */
static int start(struct name_source *source, const struct config *config,
                 const struct address *own_addresses, size_t own_address_count, char *error_out)
{
    const struct config_kubernetes *kubernetes = &config->kubernetes;
    char error[KUBE_ERROR_SIZE];
    struct kube_range *ranges = ranges_of(kubernetes);
    if (ranges == NULL) {
        return -ENOMEM;
    }
    struct kube_options options = options_of(config, source, ranges);
    options.own_addresses = own_addresses;
    options.own_address_count = own_address_count;
    options.list_addresses = own_addresses_list;
    int status = kube_start(&options, &source->kube, error);
    free(ranges);
    if (status == 0 || status == -ENOMEM) {
        return status;
    }
    if (kubernetes->enabled == CONFIG_AUTO && !is_set(kubernetes->kubeconfig)) {
        log_event(LOG_LEVEL_WARN, "kube", "names from the configuration alone", "error", error,
                  NULL);
        return 0;
    }
    snprintf(error_out, NAME_SOURCE_ERROR_SIZE, "cannot ask the API server: %s", error);
    return -EINVAL;
}

int name_source_open(const struct config *config, const struct address *own_addresses,
                     size_t own_address_count, struct name_source **source_out,
                     char error_out[static NAME_SOURCE_ERROR_SIZE])
{
    snprintf(error_out, NAME_SOURCE_ERROR_SIZE, "out of memory");
    struct name_source *source = calloc(1, sizeof(*source));
    struct directory *configured = directory_new(config->names, config->name_count);
    if (source == NULL || configured == NULL) {
        free(source);
        directory_free(configured);
        return -ENOMEM;
    }
    source->started_s = monotonic_s();
    source->directories = directory_source_new(configured);
    int status = source->directories == NULL ? -ENOMEM : 0;
    if (status != 0) {
        directory_free(configured);
    } else if (wanted(&config->kubernetes)) {
        status = start(source, config, own_addresses, own_address_count, error_out);
    }
    if (status != 0) {
        name_source_close(source);
        return status;
    }
    *source_out = source;
    return 0;
}

void name_source_close(struct name_source *source)
{
    if (source != NULL) {
        kube_stop(source->kube);
        directory_source_free(source->directories);
        free(source);
    }
}

bool name_source_asks(const struct name_source *source)
{
    return source->kube != NULL;
}

static bool is_synced(const struct kube *kube)
{
    for (unsigned kind = 0; kind < KUBE_KINDS; kind++) {
        struct kube_status status;
        kube_status(kube, (enum kube_kind)kind, &status);
        if (!status.synced) {
            return false;
        }
    }
    return true;
}

bool name_source_complete(struct name_source *source)
{
    if (!atomic_load_explicit(&source->complete, memory_order_relaxed) &&
        (source->kube == NULL || monotonic_s() - source->started_s >= PATIENCE_S ||
         is_synced(source->kube))) {
        atomic_store_explicit(&source->complete, true, memory_order_relaxed);
    }
    return atomic_load_explicit(&source->complete, memory_order_relaxed);
}

struct directory_source *name_source_directories(const struct name_source *source)
{
    return source->directories;
}

/* ---- what is told of it ---- */

static double synced_of(const struct kube_status *status)
{
    return status->synced ? 1 : 0;
}

static double objects_of(const struct kube_status *status)
{
    return (double)status->objects;
}

static double events_of(const struct kube_status *status)
{
    return (double)status->events;
}

static double lists_of(const struct kube_status *status)
{
    return (double)status->lists;
}

static double requests_of(const struct kube_status *status)
{
    return (double)status->requests;
}

static double failures_of(const struct kube_status *status)
{
    return (double)status->failures;
}

static double bytes_of(const struct kube_status *status)
{
    return (double)status->bytes_received;
}

static const struct {
    struct metric_family metric;
    double (*value)(const struct kube_status *status);
} families[] = {
    {{"vethscope_kube_synced",
      "Whether these objects were listed whole and what changed since has been heard of lately.",
      "", METRIC_GAUGE},
     synced_of},
    {{"vethscope_kube_objects", "Objects known at the moment.", "", METRIC_GAUGE}, objects_of},
    {{"vethscope_kube_events_total", "Changes that the API server told.", "", METRIC_COUNTER},
     events_of},
    {{"vethscope_kube_lists_total", "Whole lists taken in, the first one included.", "",
      METRIC_COUNTER},
     lists_of},
    {{"vethscope_kube_requests_total", "Requests to the API server.", "", METRIC_COUNTER},
     requests_of},
    {{"vethscope_kube_failures_total", "Requests that failed or were refused.", "", METRIC_COUNTER},
     failures_of},
    {{"vethscope_kube_received_bytes_total",
      "Bytes of the API server's answers as they were sent, compressed or not.", "bytes",
      METRIC_COUNTER},
     bytes_of},
};

void name_source_write(const struct name_source *source, const struct metric_sink *sink)
{
    struct kube_status statuses[KUBE_KINDS];
    if (source->kube == NULL) {
        return;
    }
    for (unsigned kind = 0; kind < KUBE_KINDS; kind++) {
        kube_status(source->kube, (enum kube_kind)kind, &statuses[kind]);
    }
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        sink->family(sink->context, &families[i].metric);
        for (unsigned kind = 0; kind < KUBE_KINDS; kind++) {
            struct metric_label label = {"kind", text_of(kube_kind_name((enum kube_kind)kind))};
            struct metric_point point = {
                .labels = &label, .label_count = 1, .value = families[i].value(&statuses[kind])};
            sink->point(sink->context, &point);
        }
    }
}
