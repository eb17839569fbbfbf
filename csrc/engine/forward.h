/*
 * The forward pass.
 *
 *     z_l = a_{l-1} W_l^T + b_l        l = 1 ... L
 *     a_l = sigmoid(z_l)               hidden layers, l < L
 *     a_L = softmax(z_L)
 *
 * In training, a hidden layer's activation passes through dropout (dropout.h).
 *
 * Activations lie layer after layer: a_l (rows, n_l) starts at rows * neurons_before[l].
 */
#ifndef SIGMAX_ENGINE_FORWARD_H
#define SIGMAX_ENGINE_FORWARD_H

#include "../engine.h"
#include "dropout.h"
#include "matmul.h"
#include "real.h"
#include "softmax.h"

/* Where layer l = 1 ... L lies within an array of one real per neuron and row. */
static inline size_t layer_at(const struct sigmax_shape *shape, size_t l, size_t rows)
{
    return rows * shape->neurons_before[l];
}

/* a_1, ..., a_{L-1}, and z_L in the place of a_L. */
static void forward_to_z(const struct sigmax_shape *shape, const real *parameters, const real *X, size_t rows,
                         real *activations, struct dropout dropout, void *scratch, const struct sigmax_team *team)
{
    const real *a = X;
    for (size_t l = 1; l <= shape->n_layers; l++) {
        const real *const w = parameters + shape->weight_offset[l];
        const real *const b = parameters + shape->bias_offset[l];
        real *const a_l = activations + layer_at(shape, l, rows);
        const int hidden = l < shape->n_layers;
        matmul_forward(a, w, b, a_l, rows, shape->sizes[l - 1], shape->sizes[l], hidden, scratch, team);
        if (hidden && dropout.p != 0) drop(dropout, l, a_l, rows, shape->sizes[l], team);
        a = a_l;
    }
}

/* a_1, ..., a_L. */
static void forward(const struct sigmax_shape *shape, const real *parameters, const real *X, size_t rows,
                    real *activations, void *scratch, const struct sigmax_team *team)
{
    real *const a_L = activations + layer_at(shape, shape->n_layers, rows);
    forward_to_z(shape, parameters, X, rows, activations, without_dropout, scratch, team);
    softmax(a_L, a_L, rows, shape->sizes[shape->n_layers]);
}

/* What is known of the rows beside their inputs, all of it NULL when nothing is. y is given as targets (rows, n_L), or,
   where that is NULL, as the 1 at the label; the class of a row as labels (rows), or, where that is NULL, as the first
   largest target; and how much a row counts as sample_weight (rows), NULL standing for 1. */
struct truth {
    const int64_t *labels;
    const real *targets;
    const double *sample_weight;
};

/* The truth of the rows from `row` on. */
static inline struct truth truth_from(struct truth y, size_t row, size_t k)
{
    const struct truth rest = {
        y.labels != NULL ? y.labels + row : NULL,
        y.targets != NULL ? y.targets + row * k : NULL,
        y.sample_weight != NULL ? y.sample_weight + row : NULL,
    };
    return rest;
}

/*
 * z_L (rows, k) becomes a_L in place. Adds to *cost the rows' C_x = -sum_i y_i ln a_i, taken from z, in their order,
 * and to *n_correct the number of rows whose first largest output is their class, both times the rows' weights.
 * results (rows) is scratch.
 */
static void output_layer(real *z, struct truth y, size_t rows, size_t k, struct row_result *results, double *cost,
                         double *n_correct)
{
    softmax_and_cost(z, z, y.targets != NULL ? NULL : y.labels, y.targets, results, rows, k);
    for (size_t r = 0; r < rows; r++) {
        const size_t label = y.labels != NULL ? (size_t)y.labels[r] : first_largest(y.targets + r * k, k);
        const double s = y.sample_weight != NULL ? y.sample_weight[r] : 1;
        if (s != 0) *cost += s * results[r].cost; /* which may be infinite */
        *n_correct += s * (results[r].largest == label);
    }
}

#endif
