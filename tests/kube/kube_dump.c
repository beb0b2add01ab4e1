#include "agent/base/address.h"
#include "agent/kube/kube.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The directory alone, for tests: follows an API server and answers, one line for each line of
 * standard input, until that ends. Fields are separated by tabs.
 *
 *   ADDRESS PORT  ->  ANSWER NAMESPACE SERVICE CALLED_NAMESPACE CALLED KIND POD NODE
 *   status        ->  one line a kind, NAME=VALUE each, the error last; then "."
 *   version       ->  how often a directory was published
 *
 * What the client reports goes to standard error, one line each.
 */

#define OWN_MAX 16
#define LINE_SIZE 256

struct setup {
    struct kube_options kube;
    struct address own[OWN_MAX];
};

static const char *const answer_names[] = {
    [DIRECTORY_KNOWN] = "known",
    [DIRECTORY_AWAITED] = "awaited",
    [DIRECTORY_EXTERNAL] = "external",
    [DIRECTORY_UNNAMED] = "unnamed",
};

static const char *const event_names[] = {
    [KUBE_SYNCED] = "synced",
    [KUBE_FAILED] = "failed",
    [KUBE_NODE_FOUND] = "node",
    [KUBE_NO_MEMORY] = "memory",
};

static void on_report(void *context, const struct kube_report *report)
{
    (void)context;
    const bool of_kind = report->event == KUBE_SYNCED || report->event == KUBE_FAILED;
    fprintf(stderr, "%s %s %s\n", event_names[report->event],
            of_kind ? kube_kind_name(report->kind) : "-", report->text);
}

static void print_field(struct slice text)
{
    printf("\t%.*s", (int)text.length, text.length > 0 ? text.data : "");
}

static void print_workload(const struct directory *directory, const struct endpoint *endpoint)
{
    struct workload workload = {0};
    enum directory_answer answer = directory_find(directory, endpoint, &workload);
    printf("%s", answer_names[answer]);
    print_field(workload.namespace);
    print_field(workload.service);
    print_field(workload.called_namespace);
    print_field(workload.called);
    print_field(workload.kind);
    print_field(workload.pod);
    print_field(workload.node);
    putchar('\n');
}

static void answer_find(struct directory_source *source, char *line)
{
    struct endpoint endpoint = {0};
    char *port = strchr(line, ' ');
    if (port != NULL) {
        *port++ = '\0';
        endpoint.port = (uint16_t)strtoul(port, NULL, 10);
    }
    if (address_parse(line, &endpoint.address) < 0) {
        puts("invalid");
        return;
    }
    const struct directory *directory = directory_source_acquire(source);
    print_workload(directory, &endpoint);
    directory_source_release(source, directory);
}

static void answer_status(const struct kube *kube)
{
    for (enum kube_kind kind = 0; kind < KUBE_KINDS; kind++) {
        struct kube_status status;
        kube_status(kube, kind, &status);
        printf("kind=%s\tsynced=%d\tobjects=%llu\tevents=%llu\tlists=%llu\t"
               "requests=%llu\tfailures=%llu\tbytes=%llu\terror=%s\n",
               kube_kind_name(kind), status.synced, (unsigned long long)status.objects,
               (unsigned long long)status.events, (unsigned long long)status.lists,
               (unsigned long long)status.requests, (unsigned long long)status.failures,
               (unsigned long long)status.bytes_received, status.error);
    }
    puts(".");
}

static void answer_lines(struct directory_source *source, const struct kube *kube)
{
    char line[LINE_SIZE];
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line, "status") == 0) {
            answer_status(kube);
        } else if (strcmp(line, "version") == 0) {
            printf("%llu\n", (unsigned long long)directory_source_version(source));
        } else {
            answer_find(source, line);
        }
        fflush(stdout);
    }
}

static void add_own(struct setup *setup, const char *text)
{
    size_t count = setup->kube.own_address_count;
    if (count == OWN_MAX || address_parse(text, &setup->own[count]) < 0) {
        fprintf(stderr, "%s: not an address, or one too many\n", text);
        exit(2);
    }
    setup->kube.own_address_count++;
}

static void read_options(int argc, char **argv, struct setup *setup)
{
    static const struct option known[] = {
        {"kubeconfig", required_argument, NULL, 'k'}, {"context", required_argument, NULL, 'c'},
        {"in-cluster", no_argument, NULL, 'i'},       {"node-only", no_argument, NULL, 's'},
        {"node", required_argument, NULL, 'n'},       {"own", required_argument, NULL, 'o'},
        {"app-label", no_argument, NULL, 'a'},        {0}};
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'k':
            setup->kube.kubeconfig = optarg;
            break;
        case 'c':
            setup->kube.context = optarg;
            break;
        case 'i':
            setup->kube.access = KUBE_IN_CLUSTER;
            break;
        case 's':
            setup->kube.scope = KUBE_SCOPE_NODE;
            break;
        case 'n':
            setup->kube.node_name = optarg;
            break;
        case 'o':
            add_own(setup, optarg);
            break;
        case 'a':
            setup->kube.inventory.name_by_app_label = true;
            break;
        default:
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    static struct setup setup = {.kube = {.access = KUBE_KUBECONFIG, .report = on_report}};
    read_options(argc, argv, &setup);
    setup.kube.own_addresses = setup.own;
    struct directory *none = directory_new(NULL, 0);
    struct directory_source *source = none == NULL ? NULL : directory_source_new(none);
    if (source == NULL) {
        fprintf(stderr, "out of memory\n");
        return 1;
    }
    setup.kube.source = source;
    struct kube *kube = NULL;
    char error[KUBE_ERROR_SIZE];
    int status = kube_start(&setup.kube, &kube, error);
    if (status < 0) {
        fprintf(stderr, "cannot start: %s\n", error);
    } else {
        puts("ready");
        fflush(stdout);
        answer_lines(source, kube);
    }
    kube_stop(kube);
    directory_source_free(source);
    return status < 0 ? 1 : 0;
}
