#pragma once

#include "tests/unit/kube/objects.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* An inventory and its directory, for tests that tell it things and ask: a clock that goes one
 * further with each thing told, beginning with 1. */
struct world {
    struct inventory *inventory;
    struct directory *directory;
    int64_t now_ns;
};

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int world_setup(void **state);
int world_teardown(void **state);
void world_restart(struct world *world, const struct inventory_options *options);

void world_pod(struct world *world, const struct pod_text *text);
void world_service(struct world *world, const struct service_text *text);
void world_slice(struct world *world, const struct slice_text *text);
void world_node(struct world *world, const struct node_text *text);
void world_owner(struct world *world, const struct owner_text *text);
void world_remove(struct world *world, enum kube_kind kind, const char *namespace, const char *name,
                  const char *uid);

/* Makes a directory of what changed and asks it; the words are those of objects_find. */
void world_expect(struct world *world, const char *address, uint16_t port, const char *expected);

/* Two addresses on port 80 are one name's. */
void world_expect_same_id(struct world *world, const char *first, const char *second);
