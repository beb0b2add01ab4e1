#pragma once

#include "agent/kube/directory.h"

#include <stdbool.h>
#include <stddef.h>

/* Whether names come from an API server: auto is where there is one to ask. */
enum config_switch {
    CONFIG_AUTO,
    CONFIG_FALSE,
    CONFIG_TRUE
};

/* Whose pods are asked for. */
enum config_scope {
    CONFIG_SCOPE_CLUSTER,
    CONFIG_SCOPE_NODE
};

struct config_kubernetes {
    enum config_switch enabled;
    enum config_scope scope;
    char *kubeconfig;               /* file; "": none, the pod's service account */
    char *context;                  /* "": the kubeconfig's current one */
    char *node;                     /* "": $NODE_NAME, else found by its addresses */
    struct directory_entry *ranges; /* addresses of pods and services; their names are unused */
    size_t range_count;
    unsigned hold_ms;       /* how long an exchange waits for a name */
    bool name_by_app_label; /* app.kubernetes.io/name before the owning workload */
};
