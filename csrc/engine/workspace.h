/* Each job cuts its arrays out of one workspace, which the caller has allocated. */
#ifndef SIGMAX_ENGINE_WORKSPACE_H
#define SIGMAX_ENGINE_WORKSPACE_H

#include "../engine.h"
#include "matmul.h"

/* Cuts arrays, each on its own cache line, off a workspace. Starts at 0 to learn how much is needed; used is SIZE_MAX
   once that is more than half of what size_t holds. */
struct cutter {
    char *start;
    size_t used;
};

static void *cut(struct cutter *cutter, size_t count, size_t size)
{
    if (cutter->used > SIZE_MAX / 2 || (size != 0 && count > (SIZE_MAX / 2 - cutter->used) / size)) {
        cutter->used = SIZE_MAX;
        return NULL;
    }
    void *const array = cutter->start != NULL ? cutter->start + cutter->used : NULL;
    cutter->used += (count * size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    return array;
}

/* Scratch that is enough for every product of a network. */
static size_t network_scratch(const struct sigmax_shape *shape, size_t rows, size_t n_threads)
{
    size_t most = 0;
    for (size_t l = 1; l <= shape->n_layers; l++) {
        const size_t bytes = product_scratch(rows, shape->sizes[l - 1], shape->sizes[l], n_threads);
        if (bytes > most) most = bytes;
    }
    return most;
}

#endif
