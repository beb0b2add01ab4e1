#pragma once

#include "agent/kube/inventory/inventory_parts.h"

/* Everything at one address, put in order: who is called what there, port by port. */
struct scene {
    uint32_t site;
    uint32_t pod;  /* that has the address alone */
    uint32_t node; /* whose address it is */
    int64_t node_since_ns;
};

/* Who is there; `name` is of the store, with a reference, 0: awaited. The texts are others'. */
struct scene_answer {
    uint32_t name;
    uint32_t pod;
    uint32_t node;
    int64_t since_ns;
};

struct scene scene_of(const struct inventory *inventory, uint32_t site);

/* Who is at the port. Returns 1, 0: the same as at all others, or -ENOMEM. */
int scene_ask(struct inventory *inventory, const struct scene *scene, uint16_t port,
              struct scene_answer *answer_out);

/* Who is at all ports that have nobody of their own. Returns 0 or -ENOMEM. */
int scene_ask_others(struct inventory *inventory, const struct scene *scene,
                     struct scene_answer *answer_out);

#define SCENE_PORTS                                                                                \
    4096 /* an address has no more of its own; there are services with thousands                   \
          */

/* The ports that somebody at the address speaks of, in order; returns how many. */
size_t scene_ports(struct inventory *inventory, const struct scene *scene,
                   uint16_t ports_out[static SCENE_PORTS]);
