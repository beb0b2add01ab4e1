#include "tests/unit/http_parser/guarded.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void guarded_init(struct guarded *guarded, size_t capacity)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    guarded->capacity = (capacity + page - 1) / page * page;
    guarded->mapping_size = guarded->capacity + page;
    guarded->mapping = mmap(NULL, guarded->mapping_size, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (guarded->mapping == MAP_FAILED ||
        mprotect(guarded->mapping + guarded->capacity, page, PROT_NONE) != 0)
        abort();
}

void guarded_fini(struct guarded *guarded)
{
    munmap(guarded->mapping, guarded->mapping_size);
}

const char *guarded_copy(struct guarded *guarded, const char *bytes, size_t length)
{
    if (length > guarded->capacity)
        abort();
    char *copy = guarded->mapping + guarded->capacity - length;
    if (length > 0)
        memcpy(copy, bytes, length);
    return copy;
}
