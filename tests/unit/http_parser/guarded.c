#include "tests/unit/http_parser/guarded.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void guarded_init(struct guarded *guarded, size_t capacity)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    guarded->page = page;
    guarded->capacity = (capacity + page - 1) / page * page;
    char *all =
        mmap(NULL, guarded->capacity + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED || mprotect(all + page, guarded->capacity, PROT_READ | PROT_WRITE) != 0)
        abort();
    guarded->mapping = all + page;
}

void guarded_fini(struct guarded *guarded)
{
    munmap(guarded->mapping - guarded->page, guarded->capacity + 2 * guarded->page);
}

static const char *copy_to(struct guarded *guarded, size_t place, const char *bytes, size_t length)
{
    if (length > 0)
        memcpy(guarded->mapping + place, bytes, length);
    return guarded->mapping + place;
}

const char *guarded_copy(struct guarded *guarded, const char *bytes, size_t length)
{
    if (length > guarded->capacity)
        abort();
    return copy_to(guarded, guarded->capacity - length, bytes, length);
}

const char *guarded_copy_front(struct guarded *guarded, const char *bytes, size_t length)
{
    if (length > guarded->capacity)
        abort();
    return copy_to(guarded, 0, bytes, length);
}
