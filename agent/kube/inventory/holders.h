#pragma once

#include "agent/kube/inventory/inventory_parts.h"

/* Records of small kinds by namespace and name, and what is common to records of all kinds. */
uint32_t holders_hash(uint32_t namespace, uint32_t name);

/* The record with these texts; 0: none. */
uint32_t holders_find(const struct inventory *inventory, enum kube_kind kind, uint32_t namespace,
                      uint32_t name);

/* The same, made when there is none; it then holds the texts. 0: out of memory. */
uint32_t holders_get(struct inventory *inventory, enum kube_kind kind, uint32_t namespace,
                     uint32_t name);
void holders_remove(struct inventory *inventory, enum kube_kind kind, uint32_t holder);

/* Replaces the text; true when it changed. Takes the caller's reference over. */
bool holders_replace_text(struct inventory *inventory, uint32_t *text, uint32_t by);

static inline struct holder *holders_at(const struct inventory *inventory, enum kube_kind kind,
                                        uint32_t holder)
{
    return table_at(&inventory->holders[kind], holder);
}
