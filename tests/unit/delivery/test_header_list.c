#include "exporters/delivery/header_list.h"
#include "tests/unit/delivery/folder.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static char *folder;
static char secret[600];

static int setup(void **state)
{
    (void)state;
    folder = folder_make();
    snprintf(secret, sizeof(secret), "%s/secret", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    folder_remove(folder);
    return 0;
}

/* As secrets are renewed: a new file takes the place of the old one. */
static void put_secret(const char *text)
{
    char fresh[700];
    snprintf(fresh, sizeof(fresh), "%s.new", secret);
    FILE *file = fopen(fresh, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(rename(fresh, secret), 0);
}

static void test_a_renewed_secret_is_seen(void **state)
{
    (void)state;
    const struct named_value headers[] = {{"X-Fixed", "here", NULL},
                                          {"Authorization", NULL, secret}};
    struct header_list *list = header_list_new(headers, 2);
    const char *path = NULL;
    put_secret("Bearer one\n");
    assert_int_equal(header_list_refresh(list, &path), 1);
    assert_string_equal(header_list_line(list, 0), "X-Fixed: here");
    assert_string_equal(header_list_line(list, 1), "Authorization: Bearer one");
    assert_int_equal(header_list_refresh(list, &path), 0);
    put_secret("Bearer two");
    assert_int_equal(header_list_refresh(list, &path), 1);
    assert_string_equal(header_list_line(list, 1), "Authorization: Bearer two");
    header_list_free(list);
}

static void test_what_cannot_be_read_is_named(void **state)
{
    (void)state;
    const struct named_value headers[] = {{"Authorization", NULL, secret}};
    struct header_list *list = header_list_new(headers, 1);
    const char *path = NULL;
    assert_int_equal(header_list_refresh(list, &path), -ENOENT);
    assert_string_equal(path, secret);
    put_secret("one\nX-Injected: two");
    assert_int_equal(header_list_refresh(list, &path), -EBADMSG);
    put_secret("good");
    assert_int_equal(header_list_refresh(list, &path), 1);
    header_list_free(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_renewed_secret_is_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_read_is_named, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
