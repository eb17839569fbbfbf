/*
 * A malloc for --wrap=malloc,--wrap=free whose blocks end right before a page that nobody may touch, and are full of
 * NaN: so a read past a block ends the program, and a read of what was never written shows in the result.
 */
#ifndef SIGMAX_GUARDED_MALLOC_H
#define SIGMAX_GUARDED_MALLOC_H

#include "guarded.h"

void *__wrap_malloc(size_t bytes);
void __wrap_free(void *block);
void __real_free(void *block);

enum { MOST_BLOCKS = 64 };
static struct {
    unsigned char *at, *mapping;
    size_t mapped;
} guarded_blocks[MOST_BLOCKS];
static size_t guarded_mallocs; /* calls so far */

void *__wrap_malloc(size_t bytes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = (bytes + page - 1) / page * page;
    size_t i = 0;
    while (i < MOST_BLOCKS && guarded_blocks[i].at != NULL) i++;
    unsigned char *const mapping = mmap(NULL, inner + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (i == MOST_BLOCKS || mapping == MAP_FAILED || mprotect(mapping + inner, page, PROT_NONE) != 0) {
        printf("no guarded block of %zu bytes\n", bytes);
        exit(1);
    }
    memset(mapping, POISON, inner);
    guarded_mallocs++;
    guarded_blocks[i].mapping = mapping;
    guarded_blocks[i].mapped = inner + page;
    guarded_blocks[i].at = mapping + inner - bytes;
    return guarded_blocks[i].at;
}

void __wrap_free(void *block)
{
    for (size_t i = 0; i < MOST_BLOCKS; i++) {
        if (block == NULL || guarded_blocks[i].at != block) continue;
        guarded_blocks[i].at = NULL;
        munmap(guarded_blocks[i].mapping, guarded_blocks[i].mapped);
        return;
    }
    __real_free(block); /* one that libc allocated, in getline */
}

#endif
