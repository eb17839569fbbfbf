/*
 * A pass: some rows on their way through the network, where they are, and the memory that they may use.
 *
 * Activations lie layer after layer: a_1 (rows, n_1), then a_2, ..., a_L; errors delta_1, ..., delta_L likewise.
 */
#ifndef SIGMAX_ENGINE_PASS_H
#define SIGMAX_ENGINE_PASS_H

#include "../engine.h"
#include "real.h"
#include "softmax.h"
#include "workspace.h"

struct pass {
    const struct sigmax_shape *shape;
    const real *parameters;
    const real *X; /* (rows, n_0) */
    size_t rows;
    real *activations;          /* (rows * n_neurons) */
    real *deltas;               /* (rows * n_neurons), NULL where nothing goes backward */
    struct row_result *results; /* (rows) of the output layer */
    void *scratch;              /* network_scratch() bytes, of the products */
    const struct sigmax_pool *pool;
};

/* Where layer l = 1 ... L begins within activations and deltas. */
static inline size_t layer_at(const struct pass *pass, size_t l)
{
    return pass->rows * pass->shape->neurons_before[l];
}

/* Cuts a pass over at most `rows` rows whose activations and deltas are the caller's. */
static void cut_scratch(struct pass *pass, size_t rows, size_t n_threads, struct cutter *cutter)
{
    pass->results = cut(cutter, rows, sizeof(struct row_result));
    pass->scratch = cut(cutter, network_scratch(pass->shape, rows, n_threads), 1);
}

/* Cuts a pass with activations of its own, and with deltas where it goes backward. */
static void cut_pass(struct pass *pass, size_t rows, int goes_backward, size_t n_threads, struct cutter *cutter)
{
    pass->activations = cut(cutter, rows, pass->shape->n_neurons * sizeof(real));
    pass->deltas = goes_backward ? cut(cutter, rows, pass->shape->n_neurons * sizeof(real)) : NULL;
    cut_scratch(pass, rows, n_threads, cutter);
}

#endif
