#pragma once

#include "agent/kube/client/access.h"

#include <stdbool.h>

/* Where every pod finds its service account. */
#define IN_CLUSTER_FOLDER "/var/run/secrets/kubernetes.io/serviceaccount"

/* Whether the environment names an API server, as it does in every pod. */
bool in_cluster_is(void);

/* The API server of KUBERNETES_SERVICE_HOST and _PORT, the token and CA of `folder`. Returns 0 or
 * -errno with one line in `error_out`; the access is untouched then. */
int in_cluster_read(const char *folder, struct kube_access *access_out,
                    char error_out[static KUBE_ACCESS_ERROR_SIZE]);
