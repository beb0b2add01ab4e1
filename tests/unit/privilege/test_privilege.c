#include "agent/privilege/privilege.h"

#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Last: it needs the headers above. */
#include <cmocka.h>

/* What is given up does not come back, so each test asks a child, which answers with its status;
 * the sets are read where the kernel tells them. Whoever starts the tests may be root or not. */

static uint64_t status_field(const char *name)
{
    char line[256];
    uint64_t value = UINT64_MAX;
    FILE *file = fopen("/proc/thread-self/status", "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            value = strtoull(line + strlen(name), NULL, 16);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return value;
}

static bool has(const char *set, unsigned capability)
{
    return (status_field(set) >> capability & 1) != 0;
}

/* As a program with the file capability +p starts. */
static void lower_effective(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    syscall(SYS_capget, &header, data);
    data[0].effective = 0;
    data[1].effective = 0;
    syscall(SYS_capset, &header, data);
}

static void assert_child(int (*ask)(void))
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        _exit(ask());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int raise_from_permitted(void)
{
    char error[PRIVILEGE_ERROR_SIZE] = "";
    bool permitted = has("CapPrm:", CAP_NET_RAW);
    uint64_t before = status_field("CapPrm:");
    lower_effective();
    int status = privilege_raise(error);
    if (!permitted) {
        return status < 0 && strstr(error, "started without CAP_NET_RAW: ") == error ? 0 : 1;
    }
    if (status != 0 || status_field("CapEff:") != UINT64_C(1) << CAP_NET_RAW) {
        return 2;
    }
    /* A second time changes nothing. */
    return privilege_raise(error) == 0 && status_field("CapPrm:") == before ? 0 : 3;
}

static int drop_everything(void)
{
    static const char *const sets[] = {"CapInh:", "CapPrm:", "CapEff:", "CapAmb:"};
    char error[PRIVILEGE_ERROR_SIZE] = "";
    uint64_t bounds = has("CapEff:", CAP_SETPCAP) ? 0 : status_field("CapBnd:");
    if (privilege_drop(error) != 0) {
        return 1;
    }
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        if (status_field(sets[i]) != 0) {
            return 2;
        }
    }
    return status_field("CapBnd:") == bounds && status_field("NoNewPrivs:") == 1 ? 0 : 3;
}

static int raise_after_drop(void)
{
    char error[PRIVILEGE_ERROR_SIZE] = "";
    if (privilege_drop(error) != 0 || privilege_raise(error) == 0) {
        return 1;
    }
    const char *expected = has("CapBnd:", CAP_NET_RAW) ? "setcap cap_net_raw+p" : "bounding set";
    return strstr(error, expected) != NULL ? 0 : 2;
}

static int drop_twice(void)
{
    char error[PRIVILEGE_ERROR_SIZE] = "";
    return privilege_drop(error) == 0 && privilege_drop(error) == 0 ? 0 : 1;
}

static void test_raises_what_is_permitted(void **state)
{
    (void)state;
    assert_child(raise_from_permitted);
}

static void test_drops_every_set(void **state)
{
    (void)state;
    assert_child(drop_everything);
}

static void test_says_what_is_missing(void **state)
{
    (void)state;
    assert_child(raise_after_drop);
}

static void test_drops_again(void **state)
{
    (void)state;
    assert_child(drop_twice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_raises_what_is_permitted),
        cmocka_unit_test(test_drops_every_set),
        cmocka_unit_test(test_says_what_is_missing),
        cmocka_unit_test(test_drops_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
