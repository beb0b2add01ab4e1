#include "exporters/events/event_file.h"
#include "tests/unit/delivery/folder.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <zstd.h>

#include <cmocka.h>

static char *folder;
static char path[600];
static struct event_file_options options;
static struct event_file *file;

static int setup(void **state)
{
    (void)state;
    folder = folder_make();
    snprintf(path, sizeof(path), "%s/events.pb", folder);
    options =
        (struct event_file_options){.path = path, .max_bytes = 100, .max_age_s = 3600, .keep = 3};
    file = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    event_file_close(file);
    folder_remove(folder);
    return 0;
}

static enum sender_verdict write_text(const char *text)
{
    struct outbox_batch batch = {.items = 1};
    byte_writer_string(&batch.bytes, text);
    enum sender_verdict verdict = event_file_deliver(file, &batch).verdict;
    byte_writer_fini(&batch.bytes);
    return verdict;
}

static size_t read_path(const char *name, char *text, size_t size)
{
    FILE *stream = fopen(name, "re");
    assert_non_null(stream);
    size_t length = fread(text, 1, size - 1, stream);
    fclose(stream);
    text[length] = '\0';
    return length;
}

/* The contents of all rotated files, oldest first, ended by '|'; removes nothing. */
static unsigned read_rotated(char *text, size_t size)
{
    struct dirent **entries = NULL;
    unsigned rotated = 0;
    size_t length = 0;
    int count = scandir(folder, &entries, NULL, versionsort);
    for (int i = 0; i < count; i++) {
        if (strncmp(entries[i]->d_name, "events.pb.2", 11) == 0) {
            char name[600];
            snprintf(name, sizeof(name), "%s/%s", folder, entries[i]->d_name);
            length += read_path(name, text + length, size - length - 1);
            text[length++] = '|';
            rotated++;
        }
        free(entries[i]);
    }
    free(entries);
    text[length] = '\0';
    return rotated;
}

static void open_file(void)
{
    assert_int_equal(event_file_open(&options, &file), 0);
}

static void test_rotated_before_it_grows_too_large(void **state)
{
    (void)state;
    char text[1000];
    options.max_bytes = 10;
    open_file();
    assert_int_equal(write_text("12345"), SENDER_DELIVERED);
    assert_int_equal(write_text("67890"), SENDER_DELIVERED);
    assert_int_equal(read_rotated(text, sizeof(text)), 0);
    assert_int_equal(write_text("a"), SENDER_DELIVERED);
    assert_int_equal(read_rotated(text, sizeof(text)), 1);
    assert_string_equal(text, "1234567890|");
    read_path(path, text, sizeof(text));
    assert_string_equal(text, "a");
    /* One that is too large by itself is written all the same. */
    assert_int_equal(write_text("longer than ten"), SENDER_DELIVERED);
    read_path(path, text, sizeof(text));
    assert_string_equal(text, "longer than ten");
}

static void test_the_oldest_beyond_those_kept_go(void **state)
{
    (void)state;
    char text[1000];
    options.max_bytes = 1;
    open_file();
    for (const char *byte = "abcdefghijklmnop"; *byte != '\0'; byte++) {
        assert_int_equal(write_text((const char[]){*byte, '\0'}), SENDER_DELIVERED);
    }
    assert_int_equal(read_rotated(text, sizeof(text)), 3);
    assert_string_equal(text, "m|n|o|");
}

static void test_other_files_are_left_alone(void **state)
{
    (void)state;
    char other[700];
    snprintf(other, sizeof(other), "%s.index", path);
    FILE *stream = fopen(other, "we");
    assert_non_null(stream);
    fclose(stream);
    options.max_bytes = 1;
    options.keep = 0;
    open_file();
    write_text("a");
    write_text("b");
    assert_int_equal(access(other, F_OK), 0);
}

static void test_age_rotates_without_events_too(void **state)
{
    (void)state;
    char text[1000];
    options.max_age_s = 0;
    open_file();
    write_text("old");
    event_file_idle(file);
    assert_int_equal(read_rotated(text, sizeof(text)), 1);
    assert_string_equal(text, "old|");
    event_file_idle(file); /* nothing to rotate */
    assert_int_equal(read_rotated(text, sizeof(text)), 1);
}

static void test_a_restart_begins_a_new_file(void **state)
{
    (void)state;
    char text[1000];
    open_file();
    write_text("before");
    event_file_close(file);
    open_file();
    write_text("after");
    assert_int_equal(read_rotated(text, sizeof(text)), 1);
    assert_string_equal(text, "before|");
    read_path(path, text, sizeof(text));
    assert_string_equal(text, "after");
}

/* At any moment, as after a crash, the file is a whole number of frames. */
static void test_zstd_is_readable_at_any_time(void **state)
{
    (void)state;
    char text[1000];
    char plain[1000];
    options.compression = COMPRESSION_ZSTD;
    open_file();
    write_text("one ");
    write_text("two");
    size_t length = read_path(path, text, sizeof(text));
    length = ZSTD_decompress(plain, sizeof(plain), text, length);
    assert_int_equal(length, 7);
    assert_memory_equal(plain, "one two", 7);
}

/* A disk that is full in the middle of a message leaves none of it. */
static void test_half_a_write_is_taken_back(void **state)
{
    (void)state;
    char text[1000];
    struct rlimit former;
    signal(SIGXFSZ, SIG_IGN);
    open_file();
    write_text("whole");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &former), 0);
    struct rlimit small = {.rlim_cur = 8, .rlim_max = former.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum sender_verdict verdict = write_text("and more");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &former), 0);
    assert_int_equal(verdict, SENDER_RETRY);
    read_path(path, text, sizeof(text));
    assert_string_equal(text, "whole");
    assert_int_equal(write_text("and more"), SENDER_DELIVERED);
    read_path(path, text, sizeof(text));
    assert_string_equal(text, "wholeand more");
}

static void test_what_is_no_file_is_refused(void **state)
{
    (void)state;
    options.path = folder;
    assert_int_equal(event_file_open(&options, &file), -EISDIR);
    options.path = "/dev/null";
    assert_int_equal(event_file_open(&options, &file), -EINVAL);
    /* A pipe without a reader is not waited for. */
    assert_int_equal(mkfifo(path, 0600), 0);
    options.path = path;
    assert_int_equal(event_file_open(&options, &file), -ENXIO);
    options.path = "/nonexistent/events.pb";
    assert_int_equal(event_file_open(&options, &file), -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rotated_before_it_grows_too_large), TEST(the_oldest_beyond_those_kept_go),
        TEST(other_files_are_left_alone),        TEST(age_rotates_without_events_too),
        TEST(a_restart_begins_a_new_file),       TEST(zstd_is_readable_at_any_time),
        TEST(half_a_write_is_taken_back),        TEST(what_is_no_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
