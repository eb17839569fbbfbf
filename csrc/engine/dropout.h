/*
 * Dropout on hidden layers (Srivastava et al. 2014), inverted: with the mask of 1s and 0s and q = 1 - p,
 *
 *     a_l <- a_l * mask / q
 *
 * so that nothing changes at prediction. The slope that BP2 then needs is mask / q * a (1 - a) with the sigmoid a from
 * before; since what is kept is a' = a / q, and what is not is a' = 0, that is a' (1 - q a'): no mask has to be stored.
 */
#ifndef SIGMAX_ENGINE_DROPOUT_H
#define SIGMAX_ENGINE_DROPOUT_H

#include "../engine.h"
#include "../random.h"
#include "real.h"
#include "sizes.h"
#include "tile.h"

struct dropout {
    double p; /* 0: none */
    uint64_t seed, step;
    size_t first_row; /* the row of the batch that a pass begins with */
};

static const struct dropout without_dropout = {0, 0, 0, 0};

struct dropout_job {
    struct dropout dropout;
    size_t layer, rows, n;
    real *a; /* (rows, n) */
};

/* Task: DROPOUT_ROWS rows. */
static void drop_rows(void *context, size_t index, size_t worker)
{
    const struct dropout_job *const job = context;
    const struct dropout d = job->dropout;
    const size_t first = index * DROPOUT_ROWS, end = smaller(first + DROPOUT_ROWS, job->rows);
    const real scale = (real)(1 / (1 - d.p));
    (void)worker;
    for (size_t row = first; row < end; row++) {
        for (size_t neuron = 0; neuron < job->n; neuron += DROPOUT_NEURONS) {
            const size_t n = smaller(job->n - neuron, DROPOUT_NEURONS);
            real *const a = job->a + row * job->n + neuron;
            uint8_t keep[DROPOUT_NEURONS];
            sigmax_dropout_mask_from(d.seed, d.step, job->layer, d.first_row + row, d.p, neuron, keep, n);
            LANEWISE
            for (size_t i = 0; i < n; i++) a[i] = keep[i] ? a[i] * scale : 0;
        }
    }
}

/* a (rows, n) of hidden layer `layer` becomes a * mask / q. */
static void drop(struct dropout dropout, size_t layer, real *a, size_t rows, size_t n, const struct sigmax_pool *pool)
{
    enum { WORK = 16 }; /* of one mask entry, in multiplications */
    struct dropout_job job = {dropout, layer, rows, n, a};
    run_tasks(pool, WORK * (double)rows * (double)n, count_of(rows, DROPOUT_ROWS), drop_rows, &job);
}

#endif
