/*
 * The forward pass.
 *
 *     z_l = a_{l-1} W_l^T + b_l        l = 1 ... L
 *     a_l = sigmoid(z_l)               hidden layers, l < L
 *     a_L = softmax(z_L)
 *
 * In training, a hidden layer's activation passes through dropout (dropout.h).
 */
#ifndef SIGMAX_ENGINE_FORWARD_H
#define SIGMAX_ENGINE_FORWARD_H

#include "../engine.h"
#include "dropout.h"
#include "matmul.h"
#include "pass.h"
#include "real.h"
#include "softmax.h"

/* a_1, ..., a_{L-1}, and z_L in the place of a_L. */
static void forward_to_z(const struct pass *pass, struct dropout dropout)
{
    const struct sigmax_shape *const shape = pass->shape;
    const real *a = pass->X;
    for (size_t l = 1; l <= shape->n_layers; l++) {
        const real *const w = pass->parameters + shape->weight_offset[l];
        const real *const b = pass->parameters + shape->bias_offset[l];
        real *const a_l = pass->activations + layer_at(pass, l);
        const size_t n_in = shape->sizes[l - 1], n_out = shape->sizes[l];
        const int hidden = l < shape->n_layers;
        matmul_forward(a, w, b, a_l, pass->rows, n_in, n_out, hidden, pass->scratch, pass->pool);
        if (hidden && dropout.p != 0) drop(dropout, l, a_l, pass->rows, n_out, pass->pool);
        a = a_l;
    }
}

/* a_1, ..., a_L. */
static void forward(const struct pass *pass)
{
    real *const a_L = pass->activations + layer_at(pass, pass->shape->n_layers);
    forward_to_z(pass, without_dropout);
    softmax(a_L, a_L, pass->rows, pass->shape->sizes[pass->shape->n_layers]);
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
