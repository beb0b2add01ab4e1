#include "agent/kube/inventory/owners.h"

#include "agent/kube/inventory/holders.h"
#include "agent/kube/inventory/services.h"
#include "agent/kube/inventory/sites.h"

#include <errno.h>

/*
 * Pods of one workload differ in nothing that they are named by, so a pod refers to a group. A
 * Deployment's name is read from its replica set's until the replica set says otherwise; therefore
 * only those are kept that do, and jobs only where somebody owns them. When such an owner comes or
 * goes, its groups get new names at once, and their pods are looked through when the next directory
 * is made.
 */

uint32_t owners_namespace(const struct inventory *inventory, uint32_t namespace)
{
    uint32_t index = holders_find(inventory, KUBE_NAMESPACE, 0, namespace);
    return index == 0 ? namespace : holders_at(inventory, KUBE_NAMESPACE, index)->parent;
}

/* The workload that the group's owner stands for: its kind and name. */
static void find_workload(const struct inventory *inventory, const struct group *group,
                          uint32_t *kind_out, uint32_t *name_out)
{
    *kind_out = group->owner_kind;
    *name_out = group->owner;
    bool replica_set = group->owner_kind == inventory->kinds[OWNER_REPLICA_SET];
    if (!replica_set && group->owner_kind != inventory->kinds[OWNER_JOB]) {
        return;
    }
    enum kube_kind kind = replica_set ? KUBE_REPLICA_SET : KUBE_JOB;
    uint32_t index = holders_find(inventory, kind, group->namespace, group->owner);
    if (index != 0) {
        const struct holder *holder = holders_at(inventory, kind, index);
        *kind_out = holder->kind != 0 ? holder->kind : group->owner_kind;
        *name_out = holder->kind != 0 ? holder->parent : group->owner;
    } else if (group->deployment != 0) {
        *kind_out = inventory->kinds[OWNER_DEPLOYMENT];
        *name_out = group->deployment;
    }
}

/* 0: out of memory. */
static uint32_t name_of_group(const struct inventory *inventory, const struct group *group)
{
    uint32_t kind = 0;
    uint32_t service = 0;
    find_workload(inventory, group, &kind, &service);
    if (group->service_override != 0) {
        service = group->service_override;
    }
    uint32_t namespace = group->namespace_override != 0
                             ? group->namespace_override
                             : owners_namespace(inventory, group->namespace);
    const uint32_t texts[NAME_PARTS] = {namespace, service, namespace, service, kind};
    return name_store_name(inventory->store, texts);
}

static int rename_group(struct inventory *inventory, struct group *group)
{
    uint32_t name = name_of_group(inventory, group);
    if (name == 0) {
        inventory->groups_stale = true;
        inventory->changed = true;
        return -ENOMEM;
    }
    if (name != group->name) {
        group->renamed = 1;
        inventory->pods_renamed = true;
        inventory->changed = true;
    }
    name_store_release_name(inventory->store, group->name);
    group->name = name;
    return 0;
}

static uint32_t hash_of_group(uint32_t namespace, uint32_t owner_kind, uint32_t owner)
{
    return table_hash(table_hash(namespace, owner_kind), owner);
}

static void release_texts(struct inventory *inventory, const struct group *group)
{
    const uint32_t texts[] = {
        group->namespace,  group->owner_kind,       group->owner,
        group->deployment, group->service_override, group->namespace_override};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        texts_release(inventory_texts(inventory), texts[i]);
    }
}

/* The owner's name without "-" and the hash; empty when it does not end so. */
static struct slice without_hash(struct slice name, struct slice hash)
{
    if (hash.length == 0 || name.length < hash.length + 2) {
        return slice_of("");
    }
    size_t length = name.length - hash.length - 1;
    struct slice end = {name.data + length + 1, hash.length};
    return name.data[length] == '-' && slice_equal(end, hash) ? (struct slice){name.data, length}
                                                              : slice_of("");
}

static bool is_owned(const struct kube_meta *meta)
{
    return meta->owner.kind.length > 0 && meta->owner.name.length > 0;
}

/* What the pod is named by, as texts with references. A static pod is owned by its node, which is
 * no workload. */
static bool read_group(struct inventory *inventory, const struct kube_meta *meta,
                       struct group *group_out)
{
    struct texts *texts = inventory_texts(inventory);
    struct slice kind = meta->owner.kind;
    struct slice owner = meta->owner.name;
    if (!is_owned(meta) || slice_equal(kind, slice_of("Node"))) {
        kind = slice_of("Pod");
        owner = meta->name;
    }
    bool replica_set = slice_equal(kind, slice_of("ReplicaSet"));
    struct slice service = meta->service_name;
    if (service.length == 0 && inventory->name_by_app_label) {
        service = meta->app_name;
    }
    return texts_intern(texts, meta->namespace, &group_out->namespace) &&
           texts_intern(texts, kind, &group_out->owner_kind) &&
           texts_intern(texts, owner, &group_out->owner) &&
           texts_intern(texts,
                        replica_set ? without_hash(owner, meta->template_hash) : slice_of(""),
                        &group_out->deployment) &&
           texts_intern(texts, service, &group_out->service_override) &&
           texts_intern(texts, meta->service_namespace, &group_out->namespace_override);
}

static bool group_equal(const struct group *a, const struct group *b)
{
    return a->namespace == b->namespace && a->owner_kind == b->owner_kind && a->owner == b->owner &&
           a->deployment == b->deployment && a->service_override == b->service_override &&
           a->namespace_override == b->namespace_override;
}

/* Takes the texts' references over; 0: it did not. */
static uint32_t add_group(struct inventory *inventory, const struct group *wanted, uint32_t hash)
{
    uint32_t name = name_of_group(inventory, wanted);
    uint32_t index = name == 0 ? 0 : table_add(&inventory->groups, hash);
    if (index == 0) {
        name_store_release_name(inventory->store, name);
        return 0;
    }
    struct group *group = owners_at(inventory, index);
    struct table_link link = group->link;
    *group = *wanted;
    group->link = link;
    group->references = 1;
    group->name = name;
    return index;
}

uint32_t owners_group(struct inventory *inventory, const struct kube_meta *meta)
{
    struct group wanted = {.namespace = 0};
    uint32_t index = 0;
    if (read_group(inventory, meta, &wanted)) {
        uint32_t hash = hash_of_group(wanted.namespace, wanted.owner_kind, wanted.owner);
        while ((index = table_find(&inventory->groups, hash, index)) != 0) {
            if (group_equal(owners_at(inventory, index), &wanted)) {
                owners_at(inventory, index)->references++;
                break;
            }
        }
        if (index == 0 && (index = add_group(inventory, &wanted, hash)) != 0) {
            return index;
        }
    }
    release_texts(inventory, &wanted);
    return index;
}

void owners_release_group(struct inventory *inventory, uint32_t index)
{
    struct group *group = index == 0 ? NULL : owners_at(inventory, index);
    if (group != NULL && --group->references == 0) {
        release_texts(inventory, group);
        name_store_release_name(inventory->store, group->name);
        table_remove(&inventory->groups, index);
    }
}

/* Names the groups anew that this owner has. */
static int rename_groups(struct inventory *inventory, enum kube_kind kind, uint32_t namespace,
                         uint32_t owner)
{
    uint32_t owner_kind =
        inventory->kinds[kind == KUBE_REPLICA_SET ? OWNER_REPLICA_SET : OWNER_JOB];
    uint32_t hash = hash_of_group(namespace, owner_kind, owner);
    uint32_t index = 0;
    int status = 0;
    while (status == 0 && (index = table_find(&inventory->groups, hash, index)) != 0) {
        struct group *group = owners_at(inventory, index);
        if (group->namespace == namespace && group->owner_kind == owner_kind &&
            group->owner == owner) {
            status = rename_group(inventory, group);
        }
    }
    return status;
}

/* Namespaces are called something else rarely enough to look everything through. */
static int rename_namespace(struct inventory *inventory, uint32_t namespace)
{
    int status = 0;
    uint32_t index = 0;
    while (status == 0 && (index = table_next(&inventory->groups, index)) != 0) {
        struct group *group = owners_at(inventory, index);
        if (group->namespace == namespace) {
            status = rename_group(inventory, group);
        }
    }
    services_note_namespace(inventory, namespace);
    return status;
}

static int rename_owned(struct inventory *inventory, enum kube_kind kind, uint32_t namespace,
                        uint32_t name)
{
    return kind == KUBE_NAMESPACE ? rename_namespace(inventory, name)
                                  : rename_groups(inventory, kind, namespace, name);
}

void owners_remove(struct inventory *inventory, enum kube_kind kind, uint32_t index)
{
    struct texts *texts = inventory_texts(inventory);
    uint32_t namespace = holders_at(inventory, kind, index)->namespace;
    uint32_t name = holders_at(inventory, kind, index)->name;
    texts_acquire(texts, namespace);
    texts_acquire(texts, name);
    holders_remove(inventory, kind, index);
    (void)rename_owned(inventory, kind, namespace, name); /* else when it is refreshed */
    texts_release(texts, namespace);
    texts_release(texts, name);
}

/* Whether the object says something that is not assumed without it. */
static bool says_something(enum kube_kind kind, const struct kube_meta *meta)
{
    if (kind == KUBE_NAMESPACE) {
        return meta->service_namespace.length > 0;
    }
    if (kind == KUBE_JOB) {
        return is_owned(meta);
    }
    struct slice deployment = without_hash(meta->name, meta->template_hash);
    return !is_owned(meta) || deployment.length == 0 ||
           !slice_equal(meta->owner.kind, slice_of("Deployment")) ||
           !slice_equal(meta->owner.name, deployment);
}

/* `texts`: namespace, name, the parent's kind and name. */
static int set_holder(struct inventory *inventory, enum kube_kind kind, const uint32_t texts[4])
{
    bool changed = holders_find(inventory, kind, texts[0], texts[1]) == 0;
    uint32_t index = holders_get(inventory, kind, texts[0], texts[1]);
    if (index == 0) {
        return -ENOMEM;
    }
    struct holder *holder = holders_at(inventory, kind, index);
    holder->round = inventory->rounds[kind];
    texts_acquire(inventory_texts(inventory), texts[2]);
    texts_acquire(inventory_texts(inventory), texts[3]);
    changed |= holders_replace_text(inventory, &holder->kind, texts[2]);
    changed |= holders_replace_text(inventory, &holder->parent, texts[3]);
    return changed ? rename_owned(inventory, kind, texts[0], texts[1]) : 0;
}

int owners_set(struct inventory *inventory, const struct kube_object *object)
{
    struct texts *all = inventory_texts(inventory);
    enum kube_kind kind = object->kind;
    const struct kube_meta *meta = &object->meta;
    bool owned = is_owned(meta);
    struct slice parent_kind = owned ? meta->owner.kind : slice_of("");
    struct slice parent = owned ? meta->owner.name : slice_of("");
    struct slice namespace = meta->namespace;
    if (kind == KUBE_NAMESPACE) {
        parent_kind = slice_of("");
        parent = meta->service_namespace;
        namespace = slice_of("");
    }
    uint32_t texts[4] = {0};
    int status = -ENOMEM;
    if (texts_intern(all, namespace, &texts[0]) && texts_intern(all, meta->name, &texts[1])) {
        uint32_t index = holders_find(inventory, kind, texts[0], texts[1]);
        if (!says_something(kind, meta)) {
            status = 0;
            if (index != 0) {
                owners_remove(inventory, kind, index);
            }
        } else if (texts_intern(all, parent_kind, &texts[2]) &&
                   texts_intern(all, parent, &texts[3])) {
            status = set_holder(inventory, kind, texts);
        }
    }
    for (size_t i = 0; i < 4; i++) {
        texts_release(all, texts[i]);
    }
    return status;
}

static int rename_all(struct inventory *inventory)
{
    inventory->groups_stale = false;
    int status = 0;
    uint32_t index = 0;
    while (status == 0 && (index = table_next(&inventory->groups, index)) != 0) {
        status = rename_group(inventory, owners_at(inventory, index));
    }
    return status;
}

int owners_refresh(struct inventory *inventory)
{
    int status = inventory->groups_stale ? rename_all(inventory) : 0;
    if (!inventory->pods_renamed) {
        return status;
    }
    uint32_t index = 0;
    while ((index = table_next(&inventory->pods, index)) != 0) {
        const struct pod *pod = table_at(&inventory->pods, index);
        if (owners_at(inventory, pod->group)->renamed != 0) {
            sites_touch_claims(inventory, pod->claims);
        }
    }
    while ((index = table_next(&inventory->groups, index)) != 0) {
        owners_at(inventory, index)->renamed = 0;
    }
    inventory->pods_renamed = false;
    return status;
}
