#include "agent/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Standard error is a socket pair meanwhile: one read returns what one write wrote. */
static int pipe_ends[2];
static int saved_stderr;
static char line[8192];
static size_t line_length;

static int redirect(void **state)
{
    (void)state;
    saved_stderr = dup(STDERR_FILENO);
    log_set_level(LOG_LEVEL_INFO);
    return pipe2(pipe_ends, O_DIRECT | O_NONBLOCK) != 0 || dup2(pipe_ends[1], STDERR_FILENO) < 0;
}

static int restore(void **state)
{
    (void)state;
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    return 0;
}

/* What the last event wrote, without its time; NULL when it wrote nothing. */
static const char *written(void)
{
    ssize_t length = read(pipe_ends[0], line, sizeof(line) - 1);
    if (length < 0) {
        return NULL;
    }
    line_length = (size_t)length;
    line[length] = '\0';
    assert_true(length > 25);
    return line + strlen("2026-01-31T12:00:00.123Z ");
}

static void test_line(void **state)
{
    (void)state;
    log_event(LOG_LEVEL_INFO, "capture", "ring opened", "bytes", "33554432", "filter",
              "tcp port 80", NULL);
    assert_string_equal(written(),
                        "info capture msg=\"ring opened\" bytes=33554432 filter=\"tcp port 80\"\n");
}

static void test_time_is_utc_with_milliseconds(void **state)
{
    (void)state;
    log_event(LOG_LEVEL_ERROR, "run", "x", NULL);
    assert_non_null(written());
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ error run msg=\"x\"\n";
    assert_int_equal(line_length, strlen(shape));
    for (size_t i = 0; i < strlen("dddd-dd-ddTdd:dd:dd.dddZ"); i++) {
        if (shape[i] == 'd') {
            assert_in_range(line[i], '0', '9');
        } else {
            assert_int_equal(line[i], shape[i]);
        }
    }
}

static void test_escapes(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        const char *written;
    } cases[] = {
        {"plain/path?x,y:[1]", "plain/path?x,y:[1]"},
        {"", "\"\""},
        {"a b", "\"a b\""},
        {"a=b", "\"a=b\""},
        {"say \"hi\"", "\"say \\\"hi\\\"\""},
        {"back\\slash", "\"back\\\\slash\""},
        {"forged\n2026 error x", "\"forged\\n2026 error x\""},
        {"\r\t", "\"\\r\\t\""},
        {"\x1b[2J", "\"\\x1b[2J\""},
        {"\x7f", "\"\\x7f\""},
        {"caf\xc3\xa9", "\"caf\\xc3\\xa9\""},
        {"\xff", "\"\\xff\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        log_event(LOG_LEVEL_INFO, "m", "x", "k", cases[i].value, NULL);
        const char *text = written();
        assert_non_null(text);
        char expected[128] = "info m msg=\"x\" k=";
        strcat(strcat(expected, cases[i].written), "\n");
        assert_string_equal(text, expected);
    }
}

static void test_levels(void **state)
{
    (void)state;
    log_event(LOG_LEVEL_DEBUG, "m", "hidden", NULL);
    assert_null(written());
    log_set_level(LOG_LEVEL_DEBUG);
    log_event(LOG_LEVEL_DEBUG, "m", "shown", NULL);
    assert_string_equal(written(), "debug m msg=\"shown\"\n");
    log_set_level(LOG_LEVEL_ERROR);
    log_event(LOG_LEVEL_WARN, "m", "hidden", NULL);
    assert_null(written());
    log_event(LOG_LEVEL_ERROR, "m", "shown", NULL);
    assert_string_equal(written(), "error m msg=\"shown\"\n");
}

static void test_long_line_is_cut_and_says_so(void **state)
{
    (void)state;
    /* Every alignment of the cut within an escape of four. */
    for (size_t prefix = 0; prefix < 8; prefix++) {
        char value[5000];
        memset(value, 'x', prefix);
        memset(value + prefix, '\n', sizeof(value) - prefix);
        value[prefix] = '\x01';
        value[sizeof(value) - 1] = '\0';
        log_event(LOG_LEVEL_INFO, "m", "x", "k", value, "later", "lost", NULL);
        const char *text = written();
        assert_non_null(text);
        assert_true(line_length <= 2048);
        assert_true(line_length > 2000);
        assert_string_equal(line + line_length - strlen("\\n\" cut=true\n"), "\\n\" cut=true\n");
        assert_null(strstr(text, "later"));
        assert_ptr_equal(strchr(text, '\n'), line + line_length - 1);
        assert_null(written());
    }
}

static void test_long_plain_value_and_long_message(void **state)
{
    (void)state;
    char value[5000];
    memset(value, 'x', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    log_event(LOG_LEVEL_INFO, "m", "x", "k", value, NULL);
    assert_non_null(written());
    assert_string_equal(line + line_length - strlen("xxx cut=true\n"), "xxx cut=true\n");
    assert_true(line_length > 2000 && line_length <= 2048);
    log_event(LOG_LEVEL_INFO, "m", value, "k", "v", NULL);
    assert_non_null(written());
    assert_string_equal(line + line_length - strlen("x\" cut=true\n"), "x\" cut=true\n");
}

static void test_missing_value_ends_the_line(void **state)
{
    (void)state;
    const char *nothing = NULL;
    log_event(LOG_LEVEL_INFO, "m", "x", "k", nothing, NULL);
    assert_string_equal(written(), "info m msg=\"x\" k=\n");
}

static void test_errno_survives(void **state)
{
    (void)state;
    dup2(saved_stderr, STDERR_FILENO);
    int closed = dup(STDERR_FILENO);
    close(STDERR_FILENO);
    errno = ENOENT;
    log_event(LOG_LEVEL_INFO, "m", "nobody hears this", NULL);
    int after = errno;
    dup2(closed, STDERR_FILENO);
    close(closed);
    assert_int_equal(after, ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_line, redirect, restore),
        cmocka_unit_test_setup_teardown(test_time_is_utc_with_milliseconds, redirect, restore),
        cmocka_unit_test_setup_teardown(test_escapes, redirect, restore),
        cmocka_unit_test_setup_teardown(test_levels, redirect, restore),
        cmocka_unit_test_setup_teardown(test_long_line_is_cut_and_says_so, redirect, restore),
        cmocka_unit_test_setup_teardown(test_long_plain_value_and_long_message, redirect, restore),
        cmocka_unit_test_setup_teardown(test_missing_value_ends_the_line, redirect, restore),
        cmocka_unit_test_setup_teardown(test_errno_survives, redirect, restore),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
