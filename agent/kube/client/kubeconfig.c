#include "agent/kube/client/kubeconfig.h"

#include "agent/kube/client/base64.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/*
 * The file becomes libyaml's tree; what is wanted is looked up in it from the context on: context,
 * then its cluster and user. The first thing that is wrong is told and ends the reading.
 */
#define FILE_MAX ((size_t)4 << 20)
/* Leaves room for what is wrong. */
#define SHOWN_PATH_MAX 120

struct kubeconfig {
    yaml_document_t document;
    const char *path;
    char *error;
    int status;
};

__attribute__((format(printf, 3, 4))) static bool fail(struct kubeconfig *config, int status,
                                                       const char *format, ...)
{
    if (config->status != 0) {
        return false;
    }
    int length =
        snprintf(config->error, KUBE_ACCESS_ERROR_SIZE, "%.*s: ", SHOWN_PATH_MAX, config->path);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(config->error + length, KUBE_ACCESS_ERROR_SIZE - (size_t)length, format, arguments);
    va_end(arguments);
    config->status = status;
    return false;
}

/* ---- the tree ---- */

/* A scalar's text; NULL: it is none, or is empty or null. */
static const char *text_of(const yaml_node_t *node)
{
    if (node == NULL || node->type != YAML_SCALAR_NODE || node->data.scalar.length == 0) {
        return NULL;
    }
    const char *text = (const char *)node->data.scalar.value;
    bool null = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
                (strcmp(text, "null") == 0 || strcmp(text, "~") == 0);
    return null ? NULL : text;
}

/* The value of a key; NULL where there is none or `node` is no mapping. */
static yaml_node_t *get(struct kubeconfig *config, const yaml_node_t *node, const char *key)
{
    if (node == NULL || node->type != YAML_MAPPING_NODE) {
        return NULL;
    }
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    for (; pair < node->data.mapping.pairs.top; pair++) {
        const char *name = text_of(yaml_document_get_node(&config->document, pair->key));
        if (name != NULL && strcmp(name, key) == 0) {
            return yaml_document_get_node(&config->document, pair->value);
        }
    }
    return NULL;
}

static const char *get_text(struct kubeconfig *config, const yaml_node_t *node, const char *key)
{
    return text_of(get(config, node, key));
}

/* From a list of {name, KIND: {...}} at the top the one called `name`. */
static yaml_node_t *find(struct kubeconfig *config, const char *list, const char *kind,
                         const char *name)
{
    yaml_node_t *root = yaml_document_get_root_node(&config->document);
    yaml_node_t *node = get(config, root, list);
    if (node == NULL || node->type != YAML_SEQUENCE_NODE) {
        return NULL;
    }
    const yaml_node_item_t *item = node->data.sequence.items.start;
    for (; item < node->data.sequence.items.top; item++) {
        yaml_node_t *entry = yaml_document_get_node(&config->document, *item);
        const char *called = get_text(config, entry, "name");
        if (called != NULL && strcmp(called, name) == 0) {
            return get(config, entry, kind);
        }
    }
    return NULL;
}

/* ---- values ---- */

static bool copy(struct kubeconfig *config, const char *text, char **copy_out)
{
    *copy_out = strdup(text);
    return *copy_out != NULL || fail(config, -ENOMEM, "out of memory");
}

/* A file's name relative to the kubeconfig's folder. */
static bool copy_path(struct kubeconfig *config, const char *name, char **path_out)
{
    const char *slash = strrchr(config->path, '/');
    if (name[0] == '/' || slash == NULL) {
        return copy(config, name, path_out);
    }
    int folder = (int)(slash - config->path) + 1;
    if (asprintf(path_out, "%.*s%s", folder, config->path, name) < 0) {
        *path_out = NULL;
        return fail(config, -ENOMEM, "out of memory");
    }
    return true;
}

/* `key` names a file, `key`-data is the text in base64, which goes first. */
static bool read_pem(struct kubeconfig *config, const yaml_node_t *node, const char *key,
                     struct kube_pem *pem)
{
    char data_key[64];
    snprintf(data_key, sizeof(data_key), "%s-data", key);
    const char *data = get_text(config, node, data_key);
    if (data != NULL) {
        pem->text = base64_decode_text(data);
        return pem->text != NULL || fail(config, -EINVAL, "%s is not base64", data_key);
    }
    const char *file = get_text(config, node, key);
    return file == NULL || copy_path(config, file, &pem->file);
}

/* Keys that change who is asked or who asks, and cannot be honoured. */
static bool refuse(struct kubeconfig *config, const yaml_node_t *node, const char *const *keys,
                   const char *advice)
{
    for (; *keys != NULL; keys++) {
        if (get(config, node, *keys) != NULL) {
            return fail(config, -ENOTSUP, "%s is not supported: %s", *keys, advice);
        }
    }
    return true;
}

/* ---- cluster and user ---- */

static bool read_server(struct kubeconfig *config, const yaml_node_t *cluster,
                        struct kube_access *access)
{
    const char *server = get_text(config, cluster, "server");
    if (server == NULL) {
        return fail(config, -EINVAL, "the cluster has no server");
    }
    if (strncmp(server, "https://", 8) != 0 && strncmp(server, "http://", 7) != 0) {
        return fail(config, -EINVAL, "server \"%.100s\" is no http or https URL", server);
    }
    if (!copy(config, server, &access->server)) {
        return false;
    }
    size_t length = strlen(access->server);
    while (access->server[length - 1] == '/') {
        access->server[--length] = '\0';
    }
    return true;
}

static bool read_cluster(struct kubeconfig *config, const yaml_node_t *cluster,
                         struct kube_access *access)
{
    static const char *const refused[] = {"tls-server-name", "proxy-url", NULL};
    const char *insecure = get_text(config, cluster, "insecure-skip-tls-verify");
    access->insecure = insecure != NULL && strcmp(insecure, "true") == 0;
    return refuse(config, cluster, refused, "give a server that needs neither") &&
           read_server(config, cluster, access) &&
           read_pem(config, cluster, "certificate-authority", &access->ca);
}

static bool read_user(struct kubeconfig *config, const yaml_node_t *user,
                      struct kube_access *access)
{
    static const char *const programs[] = {"exec", "auth-provider", NULL};
    static const char *const passwords[] = {"username", "password", NULL};
    static const char *const other_names[] = {"as", "as-uid", "as-groups", "as-user-extra", NULL};
    if (!refuse(config, user, programs,
                "no program is run to log in; use a token or a client certificate") ||
        !refuse(config, user, passwords, "use a token or a client certificate") ||
        !refuse(config, user, other_names, "give the rights to the user itself") ||
        !read_pem(config, user, "client-certificate", &access->certificate) ||
        !read_pem(config, user, "client-key", &access->key)) {
        return false;
    }
    const char *file = get_text(config, user, "tokenFile");
    const char *token = get_text(config, user, "token");
    if (file != NULL) {
        return copy_path(config, file, &access->token_file);
    }
    return token == NULL || copy(config, token, &access->token);
}

static bool check_files(struct kubeconfig *config, const struct kube_access *access)
{
    const char *file = NULL;
    int status = kube_access_check(access, &file);
    return status == 0 ||
           fail(config, status, "cannot read %.100s: %s", file, strerrordesc_np(-status));
}

static bool read_context(struct kubeconfig *config, const char *name, struct kube_access *access)
{
    if (name == NULL) {
        name = get_text(config, yaml_document_get_root_node(&config->document), "current-context");
    }
    if (name == NULL) {
        return fail(config, -ENOENT, "there is no current-context; name one");
    }
    const yaml_node_t *context = find(config, "contexts", "context", name);
    if (context == NULL) {
        return fail(config, -ENOENT, "there is no context \"%.100s\"", name);
    }
    const char *cluster_name = get_text(config, context, "cluster");
    const char *user_name = get_text(config, context, "user");
    const yaml_node_t *cluster =
        cluster_name == NULL ? NULL : find(config, "clusters", "cluster", cluster_name);
    const yaml_node_t *user = user_name == NULL ? NULL : find(config, "users", "user", user_name);
    if (cluster == NULL || (user_name != NULL && user == NULL)) {
        return fail(config, -ENOENT, "context \"%.100s\": its %s is not there", name,
                    cluster == NULL ? "cluster" : "user");
    }
    return read_cluster(config, cluster, access) && read_user(config, user, access) &&
           check_files(config, access);
}

/* ---- the file ---- */

static bool load(struct kubeconfig *config, const char *bytes, struct kube_access *access,
                 const char *context)
{
    yaml_parser_t parser;
    if (yaml_parser_initialize(&parser) == 0) {
        return fail(config, -ENOMEM, "out of memory");
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, strlen(bytes));
    bool loaded = yaml_parser_load(&parser, &config->document) != 0;
    if (!loaded) {
        fail(config, -EINVAL, "line %zu: is not YAML: %s", parser.problem_mark.line + 1,
             parser.problem == NULL ? "unknown problem" : parser.problem);
    }
    yaml_parser_delete(&parser);
    if (!loaded) {
        return false;
    }
    bool good = read_context(config, context, access);
    yaml_document_delete(&config->document);
    return good;
}

/* Where kubectl looks, too. */
static char *default_path(void)
{
    const char *path = getenv("KUBECONFIG");
    if (path != NULL && path[0] != '\0') {
        return strdup(path);
    }
    const char *home = getenv("HOME");
    char *joined = NULL;
    return asprintf(&joined, "%s/.kube/config", home == NULL ? "" : home) < 0 ? NULL : joined;
}

int kubeconfig_read(const char *path, const char *context, struct kube_access *access_out,
                    char error_out[static KUBE_ACCESS_ERROR_SIZE])
{
    char *found = path == NULL ? default_path() : strdup(path);
    struct kubeconfig config = {.path = found == NULL ? "kubeconfig" : found, .error = error_out};
    struct kube_access access = {0};
    char *bytes = NULL;
    if (found == NULL) {
        fail(&config, -ENOMEM, "out of memory");
        goto out;
    }
    bytes = kube_access_read_file(found, FILE_MAX);
    if (bytes == NULL) {
        fail(&config, -errno, "%s", strerrordesc_np(errno));
        goto out;
    }
    if (load(&config, bytes, &access, context)) {
        *access_out = access;
        access = (struct kube_access){0};
    }
out:
    kube_access_fini(&access);
    free(bytes);
    free(found);
    return config.status;
}
