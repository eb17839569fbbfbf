/* Memory between two pages that nobody may touch, so that a read or a write one byte outside ends the program. POSIX
   and MAP_ANONYMOUS must be in sight (_GNU_SOURCE). */
#ifndef SIGMAX_GUARDED_H
#define SIGMAX_GUARDED_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct arena {
    unsigned char *begin, *end; /* what may be touched: whole pages */
};

/* At least `bytes` between two guard pages. The process keeps it to its end. */
static struct arena new_arena(size_t bytes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = (bytes + page - 1) / page * page;
    unsigned char *const block = mmap(NULL, inner + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED || mprotect(block + page, inner, PROT_READ | PROT_WRITE) != 0) {
        perror("guard pages");
        exit(1);
    }
    const struct arena arena = {block + page, block + page + inner};
    return arena;
}

/* Where something lies in its arena. */
enum placement {
    AT_END,   /* its last byte before the guard page */
    AT_START, /* its first byte after the guard page */
    SHIFTED,  /* one element further, so that it is aligned for its type and no more */
    N_PLACEMENTS
};

static unsigned char *place(struct arena arena, size_t bytes, size_t element, enum placement placement)
{
    if (bytes + element > (size_t)(arena.end - arena.begin)) {
        printf("an arena of %td bytes is too small for %zu\n", arena.end - arena.begin, bytes);
        exit(1);
    }
    return placement == AT_END ? arena.end - bytes : placement == AT_START ? arena.begin : arena.begin + element;
}

/* ---- untouched bytes ------------------------------------------------------------------------------------------- */

enum { NEIGHBOURHOOD = 256, POISON = 0xFF }; /* reals made of this byte are NaN */

static size_t room_before(struct arena arena, const unsigned char *at)
{
    const size_t room = (size_t)(at - arena.begin);
    return room < NEIGHBOURHOOD ? room : NEIGHBOURHOOD;
}

static size_t room_after(struct arena arena, const unsigned char *end)
{
    const size_t room = (size_t)(arena.end - end);
    return room < NEIGHBOURHOOD ? room : NEIGHBOURHOOD;
}

/* Fills [at, at + bytes) and its neighbourhood within the arena. */
static void poison(struct arena arena, unsigned char *at, size_t bytes)
{
    const size_t before = room_before(arena, at), after = room_after(arena, at + bytes);
    memset(at - before, POISON, before + bytes + after);
}

/* Whether the neighbourhood of [at, at + bytes) is still as poison() left it. */
static int neighbourhood_is_untouched(struct arena arena, const unsigned char *at, size_t bytes)
{
    const size_t before = room_before(arena, at), after = room_after(arena, at + bytes);
    int untouched = 1;
    for (size_t i = 1; i <= before; i++) untouched &= at[-(ptrdiff_t)i] == POISON;
    for (size_t i = 0; i < after; i++) untouched &= at[bytes + i] == POISON;
    return untouched;
}

#endif
