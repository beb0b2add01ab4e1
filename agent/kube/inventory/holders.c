#include "agent/kube/inventory/holders.h"

uint32_t holders_hash(uint32_t namespace, uint32_t name)
{
    return table_hash(namespace, name);
}

uint32_t holders_find(const struct inventory *inventory, enum kube_kind kind, uint32_t namespace,
                      uint32_t name)
{
    uint32_t index = 0;
    while ((index = table_find(&inventory->holders[kind], holders_hash(namespace, name), index)) !=
           0) {
        const struct holder *holder = holders_at(inventory, kind, index);
        if (holder->namespace == namespace && holder->name == name) {
            return index;
        }
    }
    return 0;
}

uint32_t holders_get(struct inventory *inventory, enum kube_kind kind, uint32_t namespace,
                     uint32_t name)
{
    uint32_t index = holders_find(inventory, kind, namespace, name);
    if (index != 0) {
        return index;
    }
    index = table_add(&inventory->holders[kind], holders_hash(namespace, name));
    if (index != 0) {
        struct holder *holder = holders_at(inventory, kind, index);
        texts_acquire(inventory_texts(inventory), namespace);
        texts_acquire(inventory_texts(inventory), name);
        holder->namespace = namespace;
        holder->name = name;
    }
    return index;
}

void holders_remove(struct inventory *inventory, enum kube_kind kind, uint32_t index)
{
    const struct holder *holder = holders_at(inventory, kind, index);
    const uint32_t texts[] = {holder->namespace, holder->name, holder->kind, holder->parent};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        texts_release(inventory_texts(inventory), texts[i]);
    }
    table_remove(&inventory->holders[kind], index);
}

bool holders_replace_text(struct inventory *inventory, uint32_t *text, uint32_t by)
{
    uint32_t former = *text;
    *text = by;
    texts_release(inventory_texts(inventory), former);
    return former != by;
}
