#pragma once

#include "agent/kube/directory.h"

/*
 * A directory that a test writes row by row, with what only a Kubernetes inventory makes: awaited
 * addresses and names with a beginning. Stands in for directory.c: a program has one of the two.
 */
#define FAKE_ROWS 64

struct fake_row {
    struct address address;
    struct workload workload;
};

struct directory {
    struct fake_row rows[FAKE_ROWS];
    size_t count;
    enum directory_answer otherwise; /* about every other address */
};

/* Adds who is at an address; the texts stay the caller's. */
void fake_directory_add(struct directory *directory, const char *address, const char *namespace,
                        const char *service, int64_t since_ns);
