#include "tests/support/conversation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* conversations FILE [NAME]: plays the cases of a file (conversation.h), each also with its bytes
 * cut to pieces of one and with every packet captured two times. */

static void check(const struct conversation_case *one, const char *how,
                  const struct conversation_variation *variation)
{
    char *text = conversation_play(one, variation);
    if (strcmp(text, one->expected) != 0) {
        print_error("%s (%s)\nis:\n%sshould be:\n%s", one->name, how, text, one->expected);
        free(text);
        fail();
    }
    free(text);
}

static void test_case(void **state)
{
    const struct conversation_case *one = *state;
    static const struct conversation_variation plain = {0};
    static const struct conversation_variation bytewise = {.mss = 1};
    static const struct conversation_variation twice = {.twice = true};
    check(one, "as it stands", &plain);
    if (!one->shows_more) {
        check(one, "every packet two times", &twice);
    }
    if (!one->as_cut && !one->shows_more) {
        check(one, "byte by byte", &bytewise);
    }
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        return 2;
    }
    struct conversation_file file = conversation_load(argv[1]);
    struct CMUnitTest *tests = calloc(file.count + 1, sizeof(*tests));
    size_t count = 0;
    for (size_t i = 0; tests != NULL && i < file.count; i++) {
        if (argc < 3 || strstr(file.cases[i].name, argv[2]) != NULL) {
            tests[count++] = (struct CMUnitTest){.name = file.cases[i].name,
                                                 .test_func = test_case,
                                                 .initial_state = &file.cases[i]};
        }
    }
    int failed = count == 0 ? 1 : _cmocka_run_group_tests(argv[1], tests, count, NULL, NULL);
    free(tests);
    conversation_unload(&file);
    return failed;
}
