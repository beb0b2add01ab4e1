#include "agent/kube/client/base64.h"
#include "agent/kube/client/in_cluster.h"
#include "agent/kube/client/kubeconfig.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];
static char path[128];
static struct kube_access access_read;
static char error[KUBE_ACCESS_ERROR_SIZE];

static void write_file(const char *name, const char *text)
{
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/vethscope-kubeconfig-XXXXXX");
    memset(&access_read, 0, sizeof(access_read));
    error[0] = '\0';
    return mkdtemp(folder) == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    kube_access_fini(&access_read);
    static const char *const names[] = {"config", "token", "ca.crt"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    return rmdir(folder);
}

static int read_config(const char *text, const char *context)
{
    write_file("ca.crt", "certificate");
    write_file("token", "secret");
    write_file("config", text);
    return kubeconfig_read(path, context, &access_read, error);
}

static const char two_contexts[] = "apiVersion: v1\n"
                                   "kind: Config\n"
                                   "current-context: near\n"
                                   "clusters:\n"
                                   "- name: one\n"
                                   "  cluster:\n"
                                   "    server: https://[2001:db8::1]:6443/\n"
                                   "    certificate-authority: ca.crt\n"
                                   "- name: two\n"
                                   "  cluster: {server: 'http://127.0.0.1:8080/prefix', "
                                   "insecure-skip-tls-verify: true}\n"
                                   "contexts:\n"
                                   "- context: {cluster: one, user: robot, namespace: ignored}\n"
                                   "  name: near\n"
                                   "- context: {cluster: two, user: person}\n"
                                   "  name: far\n"
                                   "users:\n"
                                   "- name: robot\n"
                                   "  user: {token: abc.def}\n"
                                   "- name: person\n"
                                   "  user:\n"
                                   "    client-certificate-data: Y2VydA==\n"
                                   "    client-key: ./ca.crt\n"
                                   "    tokenFile: token\n";

static void the_current_context_is_read(void **state)
{
    (void)state;
    assert_int_equal(read_config(two_contexts, NULL), 0);
    char ca[128];
    snprintf(ca, sizeof(ca), "%s/ca.crt", folder);
    assert_string_equal(access_read.server, "https://[2001:db8::1]:6443");
    assert_string_equal(access_read.ca.file, ca);
    assert_null(access_read.ca.text);
    assert_string_equal(access_read.token, "abc.def");
    assert_null(access_read.token_file);
    assert_false(access_read.insecure);
}

static void a_named_context_is_read(void **state)
{
    (void)state;
    assert_int_equal(read_config(two_contexts, "far"), 0);
    char token_file[128];
    snprintf(token_file, sizeof(token_file), "%s/token", folder);
    assert_string_equal(access_read.server, "http://127.0.0.1:8080/prefix");
    assert_true(access_read.insecure);
    assert_string_equal(access_read.certificate.text, "cert");
    assert_null(access_read.certificate.file);
    assert_non_null(strstr(access_read.key.file, "/./ca.crt"));
    assert_string_equal(access_read.token_file, token_file);
    assert_null(access_read.token);
}

static void one_entry(char *text, size_t size, const char *cluster, const char *user)
{
    snprintf(text, size,
             "current-context: c\n"
             "clusters: [{name: k, cluster: {%s}}]\n"
             "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
             "users: [{name: u, user: {%s}}]\n",
             cluster, user);
}

/* Every error is one line that names the file and says this. */
static void assert_refused(const char *text, const char *says)
{
    assert_true(read_config(text, NULL) < 0);
    assert_non_null(strstr(error, "/config: "));
    assert_null(strchr(error, '\n'));
    if (strstr(error, says) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error, says);
    }
    assert_null(access_read.server);
}

static void what_cannot_be_honoured_is_refused(void **state)
{
    (void)state;
    static const char server[] = "server: 'https://k'";
    static const struct {
        const char *cluster;
        const char *user;
        const char *says;
    } cases[] = {
        {server, "exec: {command: aws}", "exec is not supported: no program is run"},
        {server, "auth-provider: {name: gcp}", "auth-provider is not supported"},
        {server, "username: me, password: secret", "username is not supported"},
        {server, "token: t, as: somebody", "as is not supported"},
        {server, "client-certificate-data: '*'", "client-certificate-data is not base64"},
        {"server: 'https://k', tls-server-name: x", "token: t", "tls-server-name is not supported"},
        {"server: 'https://k', proxy-url: x", "token: t", "proxy-url is not supported"},
        {"server: 'ftp://k'", "token: t", "no http or https URL"},
        {"server: ''", "token: t", "the cluster has no server"},
        {"server: 'https://k', certificate-authority: /nowhere/ca.crt", "token: t",
         "cannot read /nowhere/ca.crt: No such file"},
        {server, "tokenFile: nowhere", "/nowhere: No such file"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[512];
        one_entry(text, sizeof(text), cases[i].cluster, cases[i].user);
        assert_refused(text, cases[i].says);
    }
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    assert_refused("clusters: []\n", "there is no current-context");
    assert_refused("current-context: nowhere\n", "there is no context \"nowhere\"");
    assert_refused("current-context: c\ncontexts: [{name: c, context: {cluster: k}}]\n",
                   "its cluster is not there");
    assert_refused("current-context: c\nclusters: [{name: k, cluster: {server: 'https://k'}}]\n"
                   "contexts: [{name: c, context: {cluster: k, user: u}}]\n",
                   "its user is not there");
    assert_refused("a: [\n", "line 2: is not YAML");
    assert_refused("", "there is no current-context");
    assert_refused("- just\n- a list\n", "there is no current-context");
}

static void a_file_that_is_not_there_is_named(void **state)
{
    (void)state;
    assert_int_equal(kubeconfig_read("/nowhere/config", NULL, &access_read, error), -ENOENT);
    assert_string_equal(error, "/nowhere/config: No such file or directory");
}

static void the_environment_names_the_file(void **state)
{
    (void)state;
    write_file("ca.crt", "certificate");
    write_file("config", two_contexts);
    setenv("KUBECONFIG", path, 1);
    assert_int_equal(kubeconfig_read(NULL, NULL, &access_read, error), 0);
    assert_string_equal(access_read.token, "abc.def");
    unsetenv("KUBECONFIG");
}

/* ---- tokens ---- */

static void a_token_file_is_read_each_time(void **state)
{
    (void)state;
    char token[32];
    write_file("token", "first\n");
    access_read.token_file = strdup(path);
    assert_int_equal(kube_access_token(&access_read, token, sizeof(token)), 0);
    assert_string_equal(token, "first");
    write_file("token", "second");
    assert_int_equal(kube_access_token(&access_read, token, sizeof(token)), 0);
    assert_string_equal(token, "second");
}

static void what_is_no_token_is_not_sent(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status;
    } cases[] = {{"", -ENODATA},
                 {"two words", -EINVAL},
                 {"one\r\nX-Header: two", -EINVAL},
                 {"\x01", -EINVAL},
                 {"a-token-that-is-longer-than-the-room", -EFBIG}};
    char token[32];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct kube_access access = {.token = strdup(cases[i].text)};
        assert_int_equal(kube_access_token(&access, token, sizeof(token)), cases[i].status);
        kube_access_fini(&access);
    }
    struct kube_access none = {0};
    assert_int_equal(kube_access_token(&none, token, sizeof(token)), 0);
    assert_string_equal(token, "");
}

/* ---- base64 ---- */

static void base64_is_decoded_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *encoded;
        const char *text;
    } cases[] = {{"", ""},
                 {"Zg==", "f"},
                 {"Zm8=", "fo"},
                 {"Zm9v", "foo"},
                 {"Zm9v\nYg==\n", "foob"},
                 {"Zm9vYmFy", "foobar"},
                 {"+/+/", "\xfb\xff\xbf"},
                 {"Zg=", NULL},
                 {"Z", NULL},
                 {"Zg===", NULL},
                 {"Zm9v=", NULL},
                 {"Zm9v====", NULL},
                 {"Zm-v", NULL},
                 {"Zg==Zg==", NULL},
                 {"AAAA", NULL}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = base64_decode_text(cases[i].encoded);
        if (cases[i].text == NULL) {
            assert_null(text);
        } else {
            assert_non_null(text);
            assert_string_equal(text, cases[i].text);
        }
        free(text);
    }
}

/* ---- in the cluster ---- */

static void a_pod_finds_its_api_server(void **state)
{
    (void)state;
    write_file("token", "secret");
    write_file("ca.crt", "certificate");
    setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1);
    setenv("KUBERNETES_SERVICE_PORT", "443", 1);
    assert_true(in_cluster_is());
    assert_int_equal(in_cluster_read(folder, &access_read, error), 0);
    assert_string_equal(access_read.server, "https://10.96.0.1:443");
    char token[32];
    assert_int_equal(kube_access_token(&access_read, token, sizeof(token)), 0);
    assert_string_equal(token, "secret");
    kube_access_fini(&access_read);
    setenv("KUBERNETES_SERVICE_HOST", "2001:db8::1", 1);
    assert_int_equal(in_cluster_read(folder, &access_read, error), 0);
    assert_string_equal(access_read.server, "https://[2001:db8::1]:443");
    assert_non_null(strstr(access_read.ca.file, "/ca.crt"));
}

static void a_pod_without_a_service_account_says_so(void **state)
{
    (void)state;
    setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1);
    setenv("KUBERNETES_SERVICE_PORT", "443", 1);
    assert_int_equal(in_cluster_read(folder, &access_read, error), -ENOENT);
    assert_non_null(strstr(error, "/token: No such file"));
    unsetenv("KUBERNETES_SERVICE_HOST");
    assert_false(in_cluster_is());
    assert_int_equal(in_cluster_read(folder, &access_read, error), -ENOENT);
    assert_string_equal(error, "this is not a pod: KUBERNETES_SERVICE_HOST is not set");
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(the_current_context_is_read),
        test(a_named_context_is_read),
        test(what_cannot_be_honoured_is_refused),
        test(what_is_missing_is_named),
        test(a_file_that_is_not_there_is_named),
        test(the_environment_names_the_file),
        test(a_token_file_is_read_each_time),
        test(what_is_no_token_is_not_sent),
        test(base64_is_decoded_or_refused),
        test(a_pod_finds_its_api_server),
        test(a_pod_without_a_service_account_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
