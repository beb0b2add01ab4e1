#include "exporters/otlp/otlp_names.h"

#include <stdio.h>
#include <string.h>

struct metric_name {
    const char *family;
    const char *name;
    const char *unit; /* NULL: the family's */
    bool sum;
};

static const struct metric_name metric_names[] = {
    {"http_server_request_duration_seconds", "http.server.request.duration", NULL, false},
    {"http_client_request_duration_seconds", "http.client.request.duration", NULL, false},
    {"http_server_request_body_size_bytes", "http.server.request.body.size", NULL, false},
    {"http_client_request_body_size_bytes", "http.client.request.body.size", NULL, false},
    {"http_server_response_body_size_bytes", "http.server.response.body.size", NULL, false},
    {"http_client_response_body_size_bytes", "http.client.response.body.size", NULL, false},
    {"http_server_active_requests", "http.server.active_requests", "{request}", true},
};

struct label_name {
    const char *label;
    struct otlp_label is;
};

static const struct label_name label_names[] = {
    {"service_name", {"service.name", OTLP_LABEL_RESOURCE}},
    {"service_namespace", {"service.namespace", OTLP_LABEL_RESOURCE}},
    {"http_request_method", {"http.request.method", OTLP_LABEL_TEXT}},
    {"http_route", {"http.route", OTLP_LABEL_TEXT}},
    {"http_response_status_code", {"http.response.status_code", OTLP_LABEL_NUMBER}},
    {"error_type", {"error.type", OTLP_LABEL_TEXT}},
    {"url_scheme", {"url.scheme", OTLP_LABEL_TEXT}},
    {"server_address", {"server.address", OTLP_LABEL_TEXT}},
    {"server_port", {"server.port", OTLP_LABEL_NUMBER}},
    {"network_protocol_version", {"network.protocol.version", OTLP_LABEL_TEXT}},
    {"k8s_namespace_name", {"k8s.namespace.name", OTLP_LABEL_RESOURCE}},
    {"k8s_pod_name", {"k8s.pod.name", OTLP_LABEL_RESOURCE}},
    {"k8s_node_name", {"k8s.node.name", OTLP_LABEL_RESOURCE}},
    {"k8s_workload_kind", {"k8s.workload.kind", OTLP_LABEL_RESOURCE}},
};

static const struct metric_name *find_metric(const char *family)
{
    for (size_t i = 0; i < sizeof(metric_names) / sizeof(metric_names[0]); i++) {
        if (strcmp(metric_names[i].family, family) == 0) {
            return &metric_names[i];
        }
    }
    return NULL;
}

static void cut_ending(char *name, const char *ending)
{
    size_t length = strlen(name);
    size_t cut = strlen(ending);
    if (length > cut && strcmp(name + length - cut, ending) == 0) {
        name[length - cut] = '\0';
    }
}

void otlp_names_metric(const struct metric_family *family, char name_out[static OTLP_NAME_SIZE])
{
    const struct metric_name *known = find_metric(family->name);
    snprintf(name_out, OTLP_NAME_SIZE, "%s", known != NULL ? known->name : family->name);
    if (known != NULL) {
        return;
    }
    char unit[OTLP_NAME_SIZE];
    snprintf(unit, sizeof(unit), "_%s", family->unit);
    cut_ending(name_out, "_total");
    if (family->unit[0] != '\0') {
        cut_ending(name_out, unit);
    }
    char *underscore = strchr(name_out, '_');
    if (underscore != NULL) {
        *underscore = '.';
    }
}

const char *otlp_names_unit(const struct metric_family *family)
{
    const struct metric_name *known = find_metric(family->name);
    if (known != NULL && known->unit != NULL) {
        return known->unit;
    }
    if (strcmp(family->unit, "seconds") == 0) {
        return "s";
    }
    return strcmp(family->unit, "bytes") == 0 ? "By" : "";
}

bool otlp_names_is_sum(const struct metric_family *family)
{
    const struct metric_name *known = find_metric(family->name);
    return known != NULL && known->sum;
}

struct otlp_label otlp_names_label(const char *label)
{
    for (size_t i = 0; i < sizeof(label_names) / sizeof(label_names[0]); i++) {
        if (strcmp(label_names[i].label, label) == 0) {
            return label_names[i].is;
        }
    }
    return (struct otlp_label){label, OTLP_LABEL_TEXT};
}

bool otlp_names_is_method(struct text method)
{
    static const char *const methods[] = {"GET",     "POST",  "PUT",   "DELETE", "HEAD",
                                          "OPTIONS", "PATCH", "QUERY", "TRACE",  "CONNECT"};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        struct text known = text_of(methods[i]);
        if (known.length == method.length && memcmp(known.data, method.data, method.length) == 0) {
            return true;
        }
    }
    return false;
}
