#include "exporters/delivery/spool.h"
#include "tests/unit/delivery/folder.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#define SPOOL_BYTES (1 << 20)

static char *folder;
static struct spool *spool;
static struct spool_found found;
static struct byte_writer out;

static void reopen(void)
{
    char error[SPOOL_ERROR_SIZE];
    spool_close(spool);
    spool = spool_open(folder, SPOOL_BYTES, &found, error);
    assert_non_null(spool);
}

static int setup(void **state)
{
    (void)state;
    folder = folder_make();
    spool = NULL;
    byte_writer_init(&out);
    reopen();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    spool_close(spool);
    byte_writer_fini(&out);
    folder_remove(folder);
    return 0;
}

static void append(const char *text, uint32_t items)
{
    struct byte_writer bytes;
    byte_writer_init(&bytes);
    byte_writer_string(&bytes, text);
    assert_int_equal(spool_append(spool, &bytes, items).status, 0);
    byte_writer_fini(&bytes);
}

static void expect(const char *text, uint64_t items)
{
    struct spool_loss damaged = {0};
    byte_writer_reset(&out);
    assert_int_equal(spool_read(spool, &out, &damaged), items);
    assert_int_equal(damaged.items, 0);
    assert_int_equal(out.length, strlen(text));
    assert_memory_equal(out.data, text, out.length);
}

static void expect_nothing(void)
{
    struct spool_loss damaged = {0};
    assert_int_equal(spool_read(spool, &out, &damaged), 0);
    assert_int_equal(damaged.items, 0);
}

/* The n-th file of events, in order. */
static char *segment_path(size_t n)
{
    struct dirent **entries = NULL;
    char *path = NULL;
    int count = scandir(folder, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        if (strstr(entries[i]->d_name, ".spool") != NULL && n-- == 0) {
            assert_true(asprintf(&path, "%s/%s", folder, entries[i]->d_name) > 0);
        }
        free(entries[i]);
    }
    free(entries);
    assert_non_null(path);
    return path;
}

static void test_read_again_until_it_is_done(void **state)
{
    (void)state;
    append("one", 1);
    append("two", 2);
    append("three", 3);
    expect("one", 1);
    spool_done(spool);
    expect("two", 2);
    reopen();
    assert_int_equal(found.items, 5);
    assert_int_equal(found.damaged, 0);
    append("four", 4); /* into another file */
    expect("two", 2);
    expect("three", 3);
    expect("four", 4);
    expect_nothing();
    spool_done(spool);
    reopen();
    assert_int_equal(found.items, 0);
    expect_nothing();
    append("five", 5);
    expect("five", 5);
}

static void test_a_torn_end_costs_that_frame(void **state)
{
    (void)state;
    append("whole", 1);
    append("torn", 1);
    char *path = segment_path(0);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(truncate(path, status.st_size - 1), 0);
    free(path);
    reopen();
    assert_int_equal(found.items, 1);
    assert_int_equal(found.damaged, 1);
    append("after", 1);
    expect("whole", 1);
    expect("after", 1);
    expect_nothing();
}

static void test_changed_bytes_are_noticed(void **state)
{
    (void)state;
    append("good", 1);
    append("changed", 7);
    reopen();
    append("other file", 1);
    expect("good", 1);
    char *path = segment_path(0);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(pwrite(fd, "X", 1, status.st_size - 1), 1);
    close(fd);
    free(path);
    struct spool_loss damaged = {0};
    byte_writer_reset(&out);
    assert_int_equal(spool_read(spool, &out, &damaged), 1);
    assert_int_equal(damaged.items, 7);
    assert_int_equal(out.length, strlen("other file"));
}

/* What is under way stays although it is the oldest. */
static void test_full_drops_the_oldest_that_is_not_under_way(void **state)
{
    (void)state;
    static char large[10001];
    uint64_t dropped = 0;
    memset(large, 'x', 10000);
    append("under way", 1);
    expect("under way", 1);
    for (unsigned i = 0; i < 200; i++) {
        struct byte_writer bytes = {large, 10000, 10000, false};
        struct spool_result result = spool_append(spool, &bytes, 1);
        assert_int_equal(result.status, 0);
        dropped += result.dropped.items;
    }
    assert_true(dropped >= 95);
    uint64_t left = 0;
    struct spool_loss damaged = {0};
    byte_writer_reset(&out);
    while (spool_read(spool, &out, &damaged) > 0) {
        assert_int_equal(out.length, 10000);
        byte_writer_reset(&out);
        left++;
    }
    assert_int_equal(damaged.items, 0);
    assert_int_equal(left + dropped, 200);
    reopen();
    assert_int_equal(found.items, left + 1);
    expect("under way", 1);
}

static void test_one_process_at_a_time(void **state)
{
    (void)state;
    char error[SPOOL_ERROR_SIZE];
    assert_null(spool_open(folder, SPOOL_BYTES, &found, error));
    assert_non_null(strstr(error, "another process uses it"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read_again_until_it_is_done, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_torn_end_costs_that_frame, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changed_bytes_are_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_drops_the_oldest_that_is_not_under_way, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_one_process_at_a_time, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
