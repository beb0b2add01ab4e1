#include "agent/commands/commands.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/vethscope_check_XXXXXX";
static char good[64];
static char bad[64];

/* What the command wrote to one of the standard descriptors. */
static char written[2][4096];

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    snprintf(good, sizeof(good), "%s/good.yaml", directory);
    snprintf(bad, sizeof(bad), "%s/bad.yaml", directory);
    write_file(good, "capture: {workers: 2}\n");
    write_file(bad, "capture:\n  worker: 2\n");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(good);
    unlink(bad);
    return rmdir(directory);
}

/* Runs the command with both outputs in files; returns its exit status. */
static int run(int argc, const char *const *arguments)
{
    char *argv[8] = {NULL};
    int saved[2];
    int files[2];
    fflush(NULL);
    for (int i = 0; i < argc; i++) {
        argv[i] = strdup(arguments[i]);
    }
    for (int i = 0; i < 2; i++) {
        saved[i] = dup(STDOUT_FILENO + i);
        files[i] = memfd_create("output", MFD_CLOEXEC);
        dup2(files[i], STDOUT_FILENO + i);
    }
    int status = command_check_config(argc, argv);
    fflush(NULL);
    for (int i = 0; i < 2; i++) {
        dup2(saved[i], STDOUT_FILENO + i);
        close(saved[i]);
        ssize_t length = pread(files[i], written[i], sizeof(written[i]) - 1, 0);
        written[i][length < 0 ? 0 : length] = '\0';
        close(files[i]);
    }
    for (int i = 0; i < argc; i++) {
        free(argv[i]);
    }
    return status;
}

static void test_good_file(void **state)
{
    (void)state;
    char expected[80];
    assert_int_equal(run(2, (const char *[]){"check-config", good}), EXIT_STATUS_DONE);
    snprintf(expected, sizeof(expected), "%s: ok\n", good);
    assert_string_equal(written[0], expected);
    assert_string_equal(written[1], "");
}

static void test_bad_file(void **state)
{
    (void)state;
    char expected[160];
    assert_int_equal(run(2, (const char *[]){"check-config", bad}), EXIT_STATUS_USAGE);
    snprintf(expected, sizeof(expected),
             "%s:2:3: capture.worker: unknown key; did you mean workers?\n", bad);
    assert_string_equal(written[0], "");
    assert_string_equal(written[1], expected);
}

static void test_help(void **state)
{
    (void)state;
    assert_int_equal(run(2, (const char *[]){"check-config", "--help"}), EXIT_STATUS_DONE);
    assert_int_equal(strncmp(written[0], "usage: vethscope check-config FILE\n", 35), 0);
    assert_string_equal(written[1], "");
}

static void test_usage(void **state)
{
    (void)state;
    assert_int_equal(run(1, (const char *[]){"check-config"}), EXIT_STATUS_USAGE);
    assert_string_equal(written[1], "check-config: expected one FILE, found 0\n");
    assert_int_equal(run(3, (const char *[]){"check-config", good, bad}), EXIT_STATUS_USAGE);
    assert_string_equal(written[1], "check-config: expected one FILE, found 2\n");
    assert_int_equal(run(2, (const char *[]){"check-config", "--strict"}), EXIT_STATUS_USAGE);
    assert_string_equal(written[1], "check-config: unrecognized option '--strict'\n");
    assert_int_equal(run(2, (const char *[]){"check-config", "-xy"}), EXIT_STATUS_USAGE);
    assert_string_equal(written[1], "check-config: invalid option -- 'x'\n");
    assert_string_equal(written[0], "");
}

static void test_full_disk(void **state)
{
    (void)state;
    fflush(NULL);
    int saved = dup(STDOUT_FILENO);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(full >= 0);
    dup2(full, STDOUT_FILENO);
    int status = command_check_config(2, (char *[]){(char[]){"check-config"}, good, NULL});
    dup2(saved, STDOUT_FILENO);
    close(saved);
    close(full);
    assert_int_equal(status, EXIT_STATUS_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_file), cmocka_unit_test(test_bad_file),
        cmocka_unit_test(test_help),      cmocka_unit_test(test_usage),
        cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
