#include "agent/aggregate/labels.h"

#include "agent/aggregate/method.h"

#include <stdio.h>
#include <string.h>

static void add(struct labels *labels, const char *name, struct text value)
{
    labels->labels[labels->count++] = (struct metric_label){name, value};
}

static void add_string(struct labels *labels, const char *name, const char *value)
{
    add(labels, name, text_of(value));
}

/* A workload's text is its namespace, NUL, its service. */
static void add_workload(struct labels *labels, const char *namespace_label,
                         const char *service_label, struct slice workload)
{
    const char *end = workload.length == 0 ? NULL : memchr(workload.data, '\0', workload.length);
    size_t length = end == NULL ? 0 : (size_t)(end - workload.data);
    size_t skipped = end == NULL ? 0 : length + 1;
    add(labels, namespace_label, (struct text){workload.data, length});
    add(labels, service_label, (struct text){workload.data + skipped, workload.length - skipped});
}

static void add_service(struct labels *labels, const struct snapshot *snapshot,
                        const struct snapshot_entry *entry)
{
    add_workload(labels, "service_namespace", "service_name", snapshot_service(snapshot, entry));
}

static void add_side(struct labels *labels, const struct series_key *key)
{
    add_string(labels, "side", key->side == EXCHANGE_SERVER ? "server" : "client");
}

/* Why a request failed: what broke it off, else the status that says so. A client's 4xx is its own
 * mistake and no error of the server. */
static void add_error(struct labels *labels, const struct series_key *key)
{
    int first_error = key->side == EXCHANGE_SERVER ? 500 : 400;
    if (key->outcome != EXCHANGE_COMPLETE) {
        add_string(labels, "error_type", exchange_outcome_name(key->outcome));
    } else if (key->status >= first_error) {
        add_string(labels, "error_type", labels->status);
    }
}

static void add_http(struct labels *labels, const struct snapshot *snapshot,
                     const struct snapshot_entry *entry)
{
    const struct series_key *key = &entry->key;
    struct slice route = snapshot_label(snapshot, entry);
    add_service(labels, snapshot, entry);
    if (key->side == EXCHANGE_CLIENT) {
        struct slice address = snapshot_peer(snapshot, entry);
        snprintf(labels->port, sizeof(labels->port), "%u", (unsigned)key->port);
        add(labels, "server_address", (struct text){address.data, address.length});
        add_string(labels, "server_port", labels->port);
    }
    add_string(labels, "http_request_method", method_name(key->method));
    add(labels, "http_route", (struct text){route.data, route.length});
    if (key->status != EXCHANGE_STATUS_UNKNOWN) {
        snprintf(labels->status, sizeof(labels->status), "%u", (unsigned)key->status);
        add_string(labels, "http_response_status_code", labels->status);
    }
    add_error(labels, key);
    add_string(labels, "url_scheme", "http");
}

static const char *phase_name(uint8_t part)
{
    static const char *const names[] = {[SERIES_PHASE_REQUEST] = "request",
                                        [SERIES_PHASE_SERVER] = "server",
                                        [SERIES_PHASE_RESPONSE] = "response"};
    return names[part];
}

void labels_of(const struct snapshot *snapshot, const struct snapshot_entry *entry,
               struct labels *labels_out)
{
    const struct series_key *key = &entry->key;
    labels_out->count = 0;
    switch ((enum series_kind)key->kind) {
    case SERIES_REQUEST_DURATION:
    case SERIES_REQUEST_BODY:
    case SERIES_RESPONSE_BODY:
        add_http(labels_out, snapshot, entry);
        break;
    case SERIES_PHASE:
        add_service(labels_out, snapshot, entry);
        add_side(labels_out, key);
        add_string(labels_out, "phase", phase_name(key->part));
        break;
    case SERIES_CONNECT:
        add_service(labels_out, snapshot, entry);
        add_side(labels_out, key);
        add_string(labels_out, "part", key->part == SERIES_CONNECT_SERVER ? "server" : "client");
        break;
    case SERIES_GRAPH_SECONDS:
    case SERIES_GRAPH_REQUESTS:
        add_workload(labels_out, "client_service_namespace", "client",
                     snapshot_service(snapshot, entry));
        add_workload(labels_out, "server_service_namespace", "server",
                     snapshot_peer(snapshot, entry));
        break;
    case SERIES_ACTIVE:
        add_service(labels_out, snapshot, entry);
        add_string(labels_out, "http_request_method", method_name(key->method));
        add_string(labels_out, "url_scheme", "http");
        break;
    case SERIES_CONNECTIONS:
    case SERIES_RESENT_BYTES:
        add_service(labels_out, snapshot, entry);
        add_side(labels_out, key);
        break;
    case SERIES_UNSEEN:
        add_service(labels_out, snapshot, entry);
        break;
    case SERIES_UNMATCHED:
        add_service(labels_out, snapshot, entry);
        add_string(labels_out, "reason", exchange_reason_name(key->part));
        break;
    case SERIES_BLIND:
        add_service(labels_out, snapshot, entry);
        add(labels_out, "protocol",
            (struct text){snapshot_label(snapshot, entry).data, entry->label_length});
        break;
    }
}
