#include "agent/privilege/privilege.h"

#include <cap-ng.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char this_program[] = "/proc/self/exe";

static bool file_has_capability(void)
{
    return getxattr(this_program, "security.capability", NULL, 0) > 0;
}

/* The first reason that applies: each is behind the ones above it. */
static void explain(char error_out[static PRIVILEGE_ERROR_SIZE])
{
    if (!capng_have_capability(CAPNG_BOUNDING_SET, CAP_NET_RAW)) {
        snprintf(error_out, PRIVILEGE_ERROR_SIZE,
                 "started without CAP_NET_RAW: it is not in the bounding set; have the container "
                 "add it (Kubernetes: securityContext.capabilities.add: [NET_RAW]; Docker: "
                 "--cap-add NET_RAW)");
        return;
    }
    if (file_has_capability()) {
        snprintf(error_out, PRIVILEGE_ERROR_SIZE,
                 "started without CAP_NET_RAW: the program's file has it, and the kernel passed it "
                 "over: %s",
                 prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1
                     ? "no_new_privs is set and its starter does not have it"
                     : "its file system is mounted nosuid, or it is being traced");
        return;
    }
    char path[PATH_MAX] = "";
    if (readlink(this_program, path, sizeof(path) - 1) < 0) {
        snprintf(path, sizeof(path), "vethscope");
    }
    snprintf(error_out, PRIVILEGE_ERROR_SIZE,
             "started without CAP_NET_RAW: run as root, or once: setcap cap_net_raw+p %.300s",
             path);
}

int privilege_raise(char error_out[static PRIVILEGE_ERROR_SIZE])
{
    if (capng_get_caps_process() != 0) {
        snprintf(error_out, PRIVILEGE_ERROR_SIZE, "cannot ask for the process's capabilities");
        return -EPERM;
    }
    if (!capng_have_capability(CAPNG_PERMITTED, CAP_NET_RAW)) {
        explain(error_out);
        return -EPERM;
    }
    if (capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_RAW)) {
        return 0;
    }
    capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, CAP_NET_RAW);
    if (capng_apply(CAPNG_SELECT_CAPS) != 0) {
        snprintf(error_out, PRIVILEGE_ERROR_SIZE, "cannot raise CAP_NET_RAW: %s",
                 strerrordesc_np(errno));
        return -EPERM;
    }
    return 0;
}

/* Whether any is left, by the kernel's own account. */
static bool none_left(void)
{
    return capng_get_caps_process() == 0 &&
           capng_have_capabilities(CAPNG_SELECT_CAPS) == CAPNG_NONE &&
           capng_have_capabilities(CAPNG_SELECT_AMBIENT) == CAPNG_NONE;
}

int privilege_drop(char error_out[static PRIVILEGE_ERROR_SIZE])
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        int error = errno;
        snprintf(error_out, PRIVILEGE_ERROR_SIZE, "cannot set no_new_privs: %s",
                 strerrordesc_np(error));
        return -error;
    }
    /* The bounding set goes first: emptying it takes one of the others. */
    bool bounds =
        capng_get_caps_process() == 0 && capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
    capng_clear(CAPNG_SELECT_ALL);
    int status = bounds ? capng_apply(CAPNG_SELECT_BOUNDS) : 0;
    if (status == 0) {
        status = capng_apply(CAPNG_SELECT_CAPS);
    }
    /* The kernel takes from the ambient set what is no longer permitted. */
    if (status != 0 || !none_left()) {
        snprintf(error_out, PRIVILEGE_ERROR_SIZE, "cannot give up capabilities");
        return -EPERM;
    }
    return 0;
}
