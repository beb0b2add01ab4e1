#include "tests/unit/aggregate/fake_directory.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

void fake_directory_add(struct directory *directory, const char *address, const char *namespace,
                        const char *service, int64_t since_ns)
{
    assert_true(directory->count < FAKE_ROWS);
    struct fake_row *row = &directory->rows[directory->count++];
    assert_int_equal(address_parse(address, &row->address), 0);
    row->workload = (struct workload){.namespace = slice_of(namespace),
                                      .service = slice_of(service),
                                      .called_namespace = slice_of(namespace),
                                      .called = slice_of(service),
                                      .since_ns = since_ns};
}

enum directory_answer directory_find(const struct directory *directory,
                                     const struct endpoint *endpoint, struct workload *workload_out)
{
    for (size_t i = 0; i < directory->count; i++) {
        if (address_equal(&directory->rows[i].address, &endpoint->address)) {
            *workload_out = directory->rows[i].workload;
            return DIRECTORY_KNOWN;
        }
    }
    return directory->otherwise;
}
