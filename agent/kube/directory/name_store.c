#include "agent/kube/directory/name_store.h"

#include <stdlib.h>
#include <sys/random.h>

/*
 * Directories are read without a lock and refer to names by index, so a name must outlive every
 * directory that can see it. Each directory is one epoch. What is released after it was made may be
 * seen by it and by older ones, and is kept in its epoch; epochs end in order, the oldest first, so
 * at its end no reader of its things is left. All of this is the writer's but for one flag per
 * epoch, with which a reader's thread says that a directory is gone.
 */
struct name_epoch {
    struct name_epoch *next;
    uint32_t texts;
    uint32_t names;
    uint32_t roles;
    atomic_bool left;
};

/* Without randomness only the protection against chosen collisions is lost. */
static struct shard_seed new_seed(void)
{
    struct shard_seed seed = {{0x9e3779b97f4a7c15u, 0x85ebca6bc2b2ae35u}};
    (void)!getrandom(&seed, sizeof(seed), GRND_NONBLOCK);
    return seed;
}

struct name_store *name_store_new(void)
{
    struct name_store *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        return NULL;
    }
    atomic_init(&store->holders, 1);
    store->seed = new_seed();
    table_init(&store->names, sizeof(struct name));
    table_init(&store->roles, sizeof(struct role));
    if (!texts_init(&store->texts)) {
        name_store_release(store);
        return NULL;
    }
    return store;
}

void name_store_release(struct name_store *store)
{
    if (store == NULL || atomic_fetch_sub(&store->holders, 1) != 1) {
        return;
    }
    while (store->oldest != NULL) {
        struct name_epoch *epoch = store->oldest;
        store->oldest = epoch->next;
        free(epoch);
    }
    table_fini(&store->roles);
    table_fini(&store->names);
    texts_fini(&store->texts);
    free(store);
}

/* Names and roles wait in a list through their links, which readers do not read. */
static void reclaim(struct table *table, uint32_t list)
{
    while (list != 0) {
        uint32_t next = table_link(table, list)->next;
        pool_give(&table->pool, list);
        list = next;
    }
}

static void end_epochs(struct name_store *store)
{
    while (store->oldest != NULL && atomic_load(&store->oldest->left)) {
        struct name_epoch *epoch = store->oldest;
        texts_reclaim(&store->texts, epoch->texts);
        reclaim(&store->names, epoch->names);
        reclaim(&store->roles, epoch->roles);
        store->oldest = epoch->next;
        free(epoch);
    }
    if (store->oldest == NULL) {
        store->newest = NULL;
    }
}

/* What was released since the newest directory was made becomes its epoch's. */
static void seal(struct name_store *store)
{
    uint32_t texts = texts_take_waiting(&store->texts);
    if (store->newest == NULL) {
        texts_reclaim(&store->texts, texts);
        reclaim(&store->names, store->waiting_names);
        reclaim(&store->roles, store->waiting_roles);
    } else {
        store->newest->texts = texts;
        store->newest->names = store->waiting_names;
        store->newest->roles = store->waiting_roles;
    }
    store->waiting_names = 0;
    store->waiting_roles = 0;
}

struct name_epoch *name_store_enter(struct name_store *store)
{
    struct name_epoch *epoch = calloc(1, sizeof(*epoch));
    if (epoch == NULL) {
        return NULL;
    }
    atomic_init(&epoch->left, false);
    seal(store);
    end_epochs(store);
    if (store->newest != NULL) {
        store->newest->next = epoch;
    } else {
        store->oldest = epoch;
    }
    store->newest = epoch;
    atomic_fetch_add(&store->holders, 1);
    return epoch;
}

void name_store_leave(struct name_store *store, struct name_epoch *epoch)
{
    if (epoch != NULL) {
        atomic_store(&epoch->left, true);
        name_store_release(store);
    }
}

static uint32_t hash_name(const uint32_t texts[static NAME_PARTS])
{
    uint32_t hash = 0;
    for (size_t i = 0; i < NAME_PARTS; i++) {
        hash = table_hash(hash, texts[i]);
    }
    return hash;
}

uint32_t name_store_name(struct name_store *store, const uint32_t texts[static NAME_PARTS])
{
    uint32_t hash = hash_name(texts);
    uint32_t index = 0;
    while ((index = table_find(&store->names, hash, index)) != 0) {
        const struct name *known = table_at(&store->names, index);
        if (memcmp(known->say.texts, texts, sizeof(known->say.texts)) == 0) {
            name_store_acquire_name(store, index);
            return index;
        }
    }
    index = table_add(&store->names, hash);
    if (index == 0) {
        return 0;
    }
    struct name *name = table_at(&store->names, index);
    name->references = 1;
    for (size_t i = 0; i < NAME_PARTS; i++) {
        texts_acquire(&store->texts, texts[i]);
        name->say.texts[i] = texts[i];
        name->say.lengths[i] = texts_at(&store->texts, texts[i])->length;
    }
    return index;
}

static bool role_equal(const struct role *a, const struct role *b)
{
    return a->name == b->name && a->next == b->next && a->port == b->port && a->node == b->node &&
           a->others == b->others;
}

uint32_t name_store_role(struct name_store *store, const struct role *role)
{
    uint32_t hash = table_hash(table_hash(role->name, role->next ^ role->others), role->port);
    uint32_t index = 0;
    while ((index = table_find(&store->roles, hash, index)) != 0) {
        if (role_equal(table_at(&store->roles, index), role)) {
            name_store_acquire_role(store, index);
            return index;
        }
    }
    index = table_add(&store->roles, hash);
    if (index == 0) {
        return 0;
    }
    struct role *made = table_at(&store->roles, index);
    made->references = 1;
    made->name = role->name;
    made->next = role->next;
    made->port = role->port;
    made->node = role->node;
    made->others = role->others;
    if (role->name != 0) {
        made->say = name_store_at(store, role->name)->say;
    }
    name_store_acquire_name(store, role->name);
    name_store_acquire_name(store, role->others);
    name_store_acquire_role(store, role->next);
    return index;
}

/* Whether the role at a list's end says what this name says, but called as itself. */
static bool is_plain(const struct name_store *store, const struct role *last, uint32_t name)
{
    if (last->port != 0 || last->node != 0 || last->name == 0 || name == 0) {
        return false;
    }
    const uint32_t *plain = last->say.texts;
    const uint32_t *called = name_store_at(store, name)->say.texts;
    return plain[NAME_NAMESPACE] == called[NAME_NAMESPACE] &&
           plain[NAME_SERVICE] == called[NAME_SERVICE] && plain[NAME_KIND] == called[NAME_KIND] &&
           plain[NAME_CALLED_NAMESPACE] == plain[NAME_NAMESPACE] &&
           plain[NAME_CALLED] == plain[NAME_SERVICE];
}

uint32_t name_store_add_port(struct name_store *store, uint16_t port, uint32_t name, uint32_t list)
{
    struct role role = {.name = name, .next = list, .port = port};
    const struct role *last = name_store_role_at(store, list);
    if (is_plain(store, last, name)) {
        role.next = 0;
        role.others = last->name;
    }
    uint32_t made = name_store_role(store, &role);
    name_store_release_role(store, list);
    return made;
}

void name_store_acquire_name(struct name_store *store, uint32_t name)
{
    if (name != 0) {
        ((struct name *)table_at(&store->names, name))->references++;
    }
}

void name_store_acquire_role(struct name_store *store, uint32_t role)
{
    if (role != 0) {
        ((struct role *)table_at(&store->roles, role))->references++;
    }
}

static void set_aside(struct table *table, uint32_t index, uint32_t *waiting)
{
    struct table_link *link = table_at(table, index);
    table_unlink(table, index);
    link->next = *waiting;
    *waiting = index;
}

void name_store_release_name(struct name_store *store, uint32_t name)
{
    struct name *released = name == 0 ? NULL : table_at(&store->names, name);
    if (released == NULL || --released->references > 0) {
        return;
    }
    for (size_t i = 0; i < NAME_PARTS; i++) {
        texts_release(&store->texts, released->say.texts[i]);
    }
    set_aside(&store->names, name, &store->waiting_names);
}

/* The rest of the list has one user less with each that goes. */
void name_store_release_role(struct name_store *store, uint32_t role)
{
    while (role != 0) {
        struct role *released = table_at(&store->roles, role);
        if (--released->references > 0) {
            return;
        }
        name_store_release_name(store, released->name);
        name_store_release_name(store, released->others);
        set_aside(&store->roles, role, &store->waiting_roles);
        role = released->next;
    }
}
