#include "agent/kube/client/in_cluster.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char host_variable[] = "KUBERNETES_SERVICE_HOST";
static const char port_variable[] = "KUBERNETES_SERVICE_PORT";

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

bool in_cluster_is(void)
{
    return variable(host_variable) != NULL && variable(port_variable) != NULL;
}

/* An IPv6 address stands in brackets in a URL. */
static char *server_url(const char *host, const char *port)
{
    bool bare_ipv6 = strchr(host, ':') != NULL && host[0] != '[';
    char *url = NULL;
    int length = asprintf(&url, bare_ipv6 ? "https://[%s]:%s" : "https://%s:%s", host, port);
    return length < 0 ? NULL : url;
}

static char *path_in(const char *folder, const char *name)
{
    char *path = NULL;
    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

int in_cluster_read(const char *folder, struct kube_access *access_out,
                    char error_out[static KUBE_ACCESS_ERROR_SIZE])
{
    const char *host = variable(host_variable);
    const char *port = variable(port_variable);
    if (host == NULL || port == NULL) {
        snprintf(error_out, KUBE_ACCESS_ERROR_SIZE, "this is not a pod: %s is not set",
                 host == NULL ? host_variable : port_variable);
        return -ENOENT;
    }
    struct kube_access access = {.server = server_url(host, port),
                                 .ca.file = path_in(folder, "ca.crt"),
                                 .token_file = path_in(folder, "token")};
    if (access.server == NULL || access.ca.file == NULL || access.token_file == NULL) {
        snprintf(error_out, KUBE_ACCESS_ERROR_SIZE, "out of memory");
        kube_access_fini(&access);
        return -ENOMEM;
    }
    const char *file = NULL;
    int status = kube_access_check(&access, &file);
    if (status != 0) {
        snprintf(error_out, KUBE_ACCESS_ERROR_SIZE, "cannot read %.200s: %s", file,
                 strerrordesc_np(-status));
        kube_access_fini(&access);
        return status;
    }
    *access_out = access;
    return 0;
}
