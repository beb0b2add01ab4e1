#pragma once

#include "agent/kube/client/access.h"

/*
 * Reads the access of one context of a kubeconfig file. `path` NULL: $KUBECONFIG, else
 * ~/.kube/config; `context` NULL: the file's current-context. File names in it are relative to its
 * folder. Ways to log in that need another program, and passwords, are refused. Returns 0 or -errno
 * with one line in `error_out`; the access is untouched then.
 */
int kubeconfig_read(const char *path, const char *context, struct kube_access *access_out,
                    char error_out[static KUBE_ACCESS_ERROR_SIZE]);
