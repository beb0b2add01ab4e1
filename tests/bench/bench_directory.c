/*
 * A directory of a large cluster: 5,000 nodes, 10,000 services over 140,000 pods, 10,000 pods on
 * their hosts' networks, told through inventory_set as the API server would. How long it takes to
 * make, to change and to ask, and the most memory that the whole process ever had. Times are
 * the process' own, as others may be at work on the machine.
 */
#include "agent/kube/inventory/inventory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NODES 5000u
#define PODS_OF_NODE 28u /* beside two on the host's network */
#define PODS (NODES * PODS_OF_NODE)
#define SERVICES 10000u
#define PODS_OF_SERVICE (PODS / SERVICES)
#define SLICE_ENDPOINTS 100u
#define TEXT 80

#define MEMORY_TARGET_MIB 48.0
#define LOOKUP_TARGET_NS 50.0

static void check(bool right, const char *what)
{
    if (!right) {
        fprintf(stderr, "bench_directory: %s\n", what);
        exit(1);
    }
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* VmHWM or VmRSS. */
static double memory_mib(const char *field)
{
    char line[128];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    check(file != NULL, "no /proc/self/status");
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, field, strlen(field)) == 0) {
            kib = strtol(line + strlen(field) + 1, NULL, 10);
        }
    }
    fclose(file);
    return (double)kib / 1024;
}

static uint32_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 32);
}

static struct address ipv4(uint32_t first, uint32_t number)
{
    const uint8_t bytes[4] = {(uint8_t)first, (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                              (uint8_t)number};
    return address_from_ipv4(bytes);
}

static struct address pod_address(uint32_t pod)
{
    return ipv4(10, (pod / PODS_OF_NODE) << 8 | (pod % PODS_OF_NODE + 2));
}

static struct address node_address(uint32_t node)
{
    return ipv4(172, 16u << 16 | node);
}

__attribute__((format(printf, 2, 3))) static struct slice name(char *text, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    int length = vsnprintf(text, TEXT, format, values);
    va_end(values);
    return (struct slice){text, (size_t)length};
}

/* A service's pods are spread over the cluster; the big ones take those of many small ones. */
static uint32_t workload_of(uint32_t pod)
{
    uint32_t service = pod % SERVICES;
    return service < SERVICES / 2 ? service : service / 64 * 64;
}

static void set(struct inventory *inventory, const struct kube_object *object)
{
    check(inventory_set(inventory, object, 1) == 0, "out of memory");
}

static void set_node(struct inventory *inventory, uint32_t node)
{
    char text[TEXT];
    struct address address = node_address(node);
    struct kube_range range = {ipv4(10, node << 8), 96 + 24};
    const struct kube_object object = {
        .kind = KUBE_NODE,
        .meta = {.name = name(text, "ip-172-16-%u-%u.internal", node >> 8, node & 0xff)},
        .node = {&address, 1, &range, 1},
    };
    set(inventory, &object);
}

/* As long as names are: of the workload, of its replica set, of its own. */
static struct slice pod_name(char *text, uint32_t pod, uint32_t life)
{
    return name(text, "checkout-service-%05u-7d9f8b6c5d-%05x", workload_of(pod),
                (pod * 16 + life) & 0xffffff);
}

/* The pod at this place in its `life`-th life. */
static void set_pod(struct inventory *inventory, uint32_t pod, uint32_t life)
{
    char texts[6][TEXT];
    struct address address = pod_address(pod);
    uint16_t port = 8080;
    uint32_t node = pod / PODS_OF_NODE;
    const struct kube_object object = {
        .kind = KUBE_POD,
        .meta = {.namespace = name(texts[0], "team-%u", workload_of(pod) % 200),
                 .name = pod_name(texts[1], pod, life),
                 .uid = name(texts[2], "%08x-1111-2222-3333-44445555%04x", pod, life),
                 .owner = {slice_of("ReplicaSet"),
                           name(texts[3], "checkout-service-%05u-7d9f8b6c5d", workload_of(pod))},
                 .template_hash = slice_of("7d9f8b6c5d")},
        .pod = {.addresses = &address,
                .address_count = 1,
                .ports = &port,
                .port_count = 1,
                .node = name(texts[5], "ip-172-16-%u-%u.internal", node >> 8, node & 0xff)},
    };
    set(inventory, &object);
}

static void remove_pod(struct inventory *inventory, uint32_t pod, uint32_t life)
{
    char texts[2][TEXT];
    const struct kube_object object = {
        .kind = KUBE_POD,
        .meta = {.namespace = name(texts[0], "team-%u", workload_of(pod) % 200),
                 .name = pod_name(texts[1], pod, life)},
    };
    inventory_remove(inventory, &object);
}

static void set_host_pod(struct inventory *inventory, uint32_t node, uint32_t agent)
{
    char texts[3][TEXT];
    struct address address = node_address(node);
    uint16_t port = (uint16_t)(9100 + agent);
    const struct kube_object object = {
        .kind = KUBE_POD,
        .meta = {.namespace = slice_of("kube-system"),
                 .name = name(texts[0], "node-agent-%u-%05u", agent, node),
                 .uid = name(texts[0], "node-agent-%u-%05u", agent, node),
                 .owner = {slice_of("DaemonSet"), name(texts[1], "node-agent-%u", agent)}},
        .pod = {.addresses = &address,
                .address_count = 1,
                .ports = &port,
                .port_count = 1,
                .node = name(texts[2], "ip-172-16-%u-%u.internal", node >> 8, node & 0xff),
                .host_network = true},
    };
    set(inventory, &object);
}

static void set_service(struct inventory *inventory, uint32_t service)
{
    char texts[2][TEXT];
    struct address address = ipv4(11, service);
    const struct kube_service_port ports[] = {{80, 0}, {443, 0}};
    const struct kube_object object = {
        .kind = KUBE_SERVICE,
        .meta = {.namespace = name(texts[0], "team-%u", service % 200),
                 .name = name(texts[1], "checkout-service-%05u", service)},
        .service = {.addresses = &address, .address_count = 1, .ports = ports, .port_count = 2},
    };
    set(inventory, &object);
}

static void set_slice(struct inventory *inventory, uint32_t service, uint32_t number,
                      const struct kube_endpoint *endpoints, size_t count)
{
    char texts[3][TEXT];
    uint16_t port = 8080;
    const struct kube_object object = {
        .kind = KUBE_ENDPOINT_SLICE,
        .meta = {.namespace = name(texts[0], "team-%u", service % 200),
                 .name = name(texts[1], "checkout-service-%05u-abc%02u", service, number),
                 .slice_service = name(texts[2], "checkout-service-%05u", service)},
        .endpoint_slice = {endpoints, count, &port, 1},
    };
    set(inventory, &object);
}

/* The slices of a service, with its pods in their `life`-th life, `lives` of them in the next. */
static void set_slices(struct inventory *inventory, uint32_t service, uint32_t life, uint32_t lives)
{
    static char texts[SLICE_ENDPOINTS][TEXT];
    static struct address addresses[SLICE_ENDPOINTS];
    static struct kube_endpoint endpoints[SLICE_ENDPOINTS];
    uint32_t count = 0;
    uint32_t slices = 0;
    uint32_t last = service < SERVICES / 2 ? service : service + 63;
    if (workload_of(service) != service) {
        return; /* its pods are another's */
    }
    for (uint32_t first = service; first <= last && first < SERVICES; first++) {
        for (uint32_t pod = first; pod < PODS; pod += SERVICES) {
            if (workload_of(pod) != service) {
                continue;
            }
            addresses[count] = pod_address(pod);
            endpoints[count] = (struct kube_endpoint){
                &addresses[count], 1, pod_name(texts[count], pod, life + (pod < lives ? 1 : 0))};
            if (++count == SLICE_ENDPOINTS) {
                set_slice(inventory, service, slices++, endpoints, count);
                count = 0;
            }
        }
    }
    if (count > 0) {
        set_slice(inventory, service, slices, endpoints, count);
    }
}

static struct directory *publish(struct inventory *inventory)
{
    struct directory *directory = inventory_directory(inventory);
    check(directory != NULL, "out of memory");
    return directory;
}

static void print_memory(const char *when)
{
    printf("memory %-36s %6.1f MiB, peak %6.1f MiB (target: under %.0f)\n", when,
           memory_mib("VmRSS"), memory_mib("VmHWM"), MEMORY_TARGET_MIB);
}

/* Whom the pods of one node talk with; any of all pods is the worst case. */
#define PEERS 500
#define PEER_STEP 277 /* spreads them over nodes and services */

enum question {
    ASK_PEER,
    ASK_POD,
    ASK_POD_PORT,
    ASK_SERVICE,
    ASK_FREE,
    ASK_OUTSIDE
};

static struct endpoint question_of(enum question question, uint32_t random)
{
    switch (question) {
    case ASK_PEER:
        return (struct endpoint){pod_address(random % PEERS * PEER_STEP % PODS), 8080};
    case ASK_POD:
        return (struct endpoint){pod_address(random % PODS), 0};
    case ASK_POD_PORT:
        return (struct endpoint){pod_address(random % PODS), 8080};
    case ASK_SERVICE:
        return (struct endpoint){ipv4(11, random % SERVICES), 80};
    case ASK_FREE:
        return (struct endpoint){ipv4(10, (random % NODES) << 8 | 250), 80};
    case ASK_OUTSIDE:
        return (struct endpoint){ipv4(192, random), 80};
    }
    abort();
}

static int compare_times(const void *a, const void *b)
{
    double first = *(const double *)a;
    double second = *(const double *)b;
    return (first > second) - (first < second);
}

/* Many short turns: the best is what the code takes, the median what a busy machine makes of it.
 * What is asked lies ready, as a connection's endpoints do. */
static void time_lookups(const struct directory *directory, enum question question,
                         const char *what, enum directory_answer expected)
{
    enum {
        TURNS = 301,
        ROUNDS = 8192
    };
    static struct endpoint asked[ROUNDS];
    double times[TURNS];
    uint64_t state = 88172645463325252u;
    uint32_t wrong = 0;
    uint64_t sum = 0;
    for (int turn = 0; turn < TURNS; turn++) {
        for (int i = 0; i < ROUNDS; i++) {
            asked[i] = question_of(question, next_random(&state));
        }
        double start = seconds();
        for (int i = 0; i < ROUNDS; i++) {
            struct workload workload;
            enum directory_answer answer = directory_find(directory, &asked[i], &workload);
            wrong += answer != expected;
            sum += answer == DIRECTORY_KNOWN ? workload.id : 0;
        }
        times[turn] = (seconds() - start) / ROUNDS * 1e9;
    }
    check(wrong == 0 && (sum > 0) == (expected == DIRECTORY_KNOWN), what);
    qsort(times, TURNS, sizeof(times[0]), compare_times);
    printf("look-up, random order: %-24s %6.1f ns at best, %6.1f median (target: under %.0f)\n",
           what, times[0], times[TURNS / 2], LOOKUP_TARGET_NS);
}

/* What the machine makes of one read that has to wait for the one before, in as much memory as is
 * looked up in: what a look-up in one line of it can be at best. */
static void time_reads(void)
{
    enum {
        TURNS = 101,
        ROUNDS = 50000,
        WORDS = 6 << 17
    };
    double times[TURNS];
    uint64_t state = 88172645463325252u;
    uint64_t at = 0;
    uint64_t *words = malloc(WORDS * sizeof(*words));
    check(words != NULL, "out of memory");
    for (size_t i = 0; i < WORDS; i++) {
        words[i] = next_random(&state);
    }
    for (int turn = 0; turn < TURNS; turn++) {
        double start = seconds();
        for (int i = 0; i < ROUNDS; i++) {
            at = words[(at + (uint64_t)i) % WORDS];
        }
        times[turn] = (seconds() - start) / ROUNDS * 1e9;
    }
    free(words);
    qsort(times, TURNS, sizeof(times[0]), compare_times);
    printf("one read at random in 6 MiB: %17s %6.1f ns at best, %6.1f median%s\n", "", times[0],
           times[TURNS / 2], at == UINT64_MAX ? "." : "");
}

static void fill(struct inventory *inventory)
{
    double start = seconds();
    for (uint32_t node = 0; node < NODES; node++) {
        set_node(inventory, node);
        set_host_pod(inventory, node, 0);
        set_host_pod(inventory, node, 1);
    }
    for (uint32_t pod = 0; pod < PODS; pod++) {
        set_pod(inventory, pod, 0);
    }
    for (uint32_t service = 0; service < SERVICES; service++) {
        set_service(inventory, service);
        set_slices(inventory, service, 0, 0);
    }
    printf("told 150,000 pods, 10,000 services, 5,000 nodes in %.0f ms\n",
           (seconds() - start) * 1e3);
}

static struct directory *time_small_changes(struct inventory *inventory,
                                            struct directory *directory)
{
    enum {
        ROUNDS = 1000
    };
    double spent = 0;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        remove_pod(inventory, i * 131, 0);
        set_pod(inventory, i * 131, 7);
        double start = seconds();
        struct directory *next = publish(inventory);
        spent += seconds() - start;
        directory_free(directory);
        directory = next;
        remove_pod(inventory, i * 131, 7);
        set_pod(inventory, i * 131, 0);
    }
    printf("directory after one pod was replaced: %.0f us (target: under 1000)\n",
           spent / ROUNDS * 1e6);
    return directory;
}

/* Every pod dies and comes back under another name, a part of the cluster between directories. */
static struct directory *churn(struct inventory *inventory, struct directory *directory)
{
    const uint32_t part = PODS / 20;
    for (uint32_t first = 0; first < PODS; first += part) {
        for (uint32_t pod = first; pod < first + part; pod++) {
            set_pod(inventory, pod, 1);
            remove_pod(inventory, pod, 0);
        }
        for (uint32_t service = 0; service < SERVICES; service++) {
            set_slices(inventory, service, 0, first + part);
        }
        struct directory *next = publish(inventory);
        directory_free(directory);
        directory = next;
    }
    return directory;
}

/* Everything is listed again, every pod being another than before at the same address. */
static struct directory *list_again(struct inventory *inventory, struct directory *directory)
{
    inventory_list_begin(inventory, KUBE_POD);
    for (uint32_t node = 0; node < NODES; node++) {
        set_host_pod(inventory, node, 0);
        set_host_pod(inventory, node, 1);
    }
    for (uint32_t pod = 0; pod < PODS; pod++) {
        remove_pod(inventory, pod, 1);
        set_pod(inventory, pod, 1);
    }
    inventory_list_end(inventory, KUBE_POD);
    double start = seconds();
    struct directory *next = publish(inventory);
    printf("directory, all of it anew beside the last: %.0f ms\n", (seconds() - start) * 1e3);
    directory_free(directory);
    return next;
}

int main(void)
{
    print_memory("at the start");
    struct inventory *inventory = inventory_new(&(struct inventory_options){.names = NULL});
    check(inventory != NULL, "out of memory");
    fill(inventory);
    print_memory("of the inventory");
    double start = seconds();
    struct directory *directory = publish(inventory);
    printf("first directory: %.0f ms\n", (seconds() - start) * 1e3);
    print_memory("with its directory");
    time_lookups(directory, ASK_PEER, "one of 500 peers", DIRECTORY_KNOWN);
    time_lookups(directory, ASK_POD, "a pod, as client", DIRECTORY_KNOWN);
    time_lookups(directory, ASK_POD_PORT, "a pod's port", DIRECTORY_KNOWN);
    time_lookups(directory, ASK_SERVICE, "a service's port", DIRECTORY_KNOWN);
    time_lookups(directory, ASK_FREE, "nobody in a node's range", DIRECTORY_AWAITED);
    time_lookups(directory, ASK_OUTSIDE, "outside", DIRECTORY_EXTERNAL);
    time_reads();
    directory = time_small_changes(inventory, directory);
    print_memory("after 1,000 small changes");
    directory = churn(inventory, directory);
    print_memory("after every pod was replaced");
    directory = list_again(inventory, directory);
    print_memory("after a list with nothing alike");
    directory_free(directory);
    inventory_free(inventory);
    return 0;
}
