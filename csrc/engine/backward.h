/*
 * The four equations of backpropagation, a function each, in their order (Nielsen, chapter 2).
 *
 *     BP1   delta_L = a_L sum_j y_j - y                        a_L - y where y sums to 1
 *     BP2   delta_l = (delta_{l+1} W_{l+1}) * a_l * (1 - a_l)        a (1 - q a) with dropout
 *     BP3   dC/db_l = (1/n) sum_x delta_l
 *     BP4   dC/dW_l = (1/n) delta_l^T a_{l-1}
 *
 * delta_l is (rows, n_l), one row for each example, times the weight of that example where there are weights. BP3 and
 * BP4 write through a struct blend, out = out + (scale * sum over x - decay * out): {1, 1/n} leaves the gradient
 * itself, and the update of gradient descent (update.h) is another choice of the two numbers, with the parameters as
 * out.
 */
#ifndef SIGMAX_ENGINE_BACKWARD_H
#define SIGMAX_ENGINE_BACKWARD_H

#include "../engine.h"
#include "forward.h"
#include "matmul.h"
#include "pass.h"
#include "real.h"

/* BP1 for labels: delta_L = a_L - y, y being 1 at the label and 0 elsewhere.  a, delta (rows, k) */
static void bp1_labels(const real *a, const int64_t *labels, real *delta, size_t rows, size_t k)
{
    memcpy(delta, a, rows * k * sizeof *delta);
    for (size_t r = 0; r < rows; r++) delta[r * k + (size_t)labels[r]] -= 1;
}

/* BP1 in its general form: delta_L = a_L sum_j y_j - y.  a, y, delta (rows, k) */
static void bp1_targets(const real *a, const real *y, real *delta, size_t rows, size_t k)
{
    for (size_t r = 0; r < rows; r++) {
        const real *const a_x = a + r * k, *const y_x = y + r * k;
        real sum = 0;
        for (size_t j = 0; j < k; j++) sum += y_x[j];
        LANEWISE
        for (size_t j = 0; j < k; j++) delta[r * k + j] = a_x[j] * sum - y_x[j];
    }
}

/* BP1 of a weighted row x is s_x times that.  delta (rows, k) */
static void weigh(real *delta, const double *sample_weight, size_t rows, size_t k)
{
    for (size_t r = 0; r < rows; r++) {
        const real s = (real)sample_weight[r];
        LANEWISE
        for (size_t j = 0; j < k; j++) delta[r * k + j] *= s;
    }
}

/* BP2: delta_l = (delta_{l+1} W_{l+1}) * a_l * (1 - q a_l), q being the share that dropout kept, 1 without.
   delta_next (rows, n_next), w (n_next, n), a, delta (rows, n) */
static void bp2(const real *delta_next, const real *w, const real *a, real q, real *delta, size_t rows, size_t n,
                size_t n_next, void *scratch, const struct sigmax_pool *pool)
{
    matmul_delta(delta_next, w, a, q, delta, rows, n, n_next, scratch, pool);
}

/* BP3 for `cols` neurons, a constant where inlined; the rows of delta are n apart. */
static INLINE void bp3_of(int cols, const real *restrict delta, struct blend blend, real *restrict nabla_b, size_t rows,
                          size_t n)
{
    double total[COLS] = {0};
    for (size_t begin = 0; begin < rows; begin += SUM_ROWS) {
        const size_t end = smaller(begin + SUM_ROWS, rows);
        real sum[COLS] = {0};
        for (size_t r = begin; r < end; r++) {
            LANEWISE
            for (int j = 0; j < cols; j++) sum[j] += delta[r * n + (size_t)j];
        }
        for (int j = 0; j < cols; j++) total[j] += (double)sum[j];
    }
    for (int j = 0; j < cols; j++) {
        const real kept = blend.decay == 1 ? 0 : nabla_b[j]; /* biases do not decay: it is 0 or 1 */
        nabla_b[j] = kept + blend.scale * (real)total[j];
    }
}

/* BP3: nabla_b = nabla_b + (scale sum_x delta - decay nabla_b).  delta (rows, n), nabla_b (n) */
static void bp3(const real *delta, struct blend blend, real *nabla_b, size_t rows, size_t n)
{
    size_t first = 0;
    for (; n - first >= COLS; first += COLS) bp3_of(COLS, delta + first, blend, nabla_b + first, rows, n);
    for (; n - first >= LANES; first += LANES) bp3_of(LANES, delta + first, blend, nabla_b + first, rows, n);
    for (; n - first >= 2; first += 2) bp3_of(2, delta + first, blend, nabla_b + first, rows, n);
    for (; first < n; first++) bp3_of(1, delta + first, blend, nabla_b + first, rows, n);
}

/* BP4: nabla_w = nabla_w + (scale delta^T a - decay nabla_w).  delta (rows, n), a (rows, n_prev), nabla_w (n,
   n_prev) */
static void bp4(const real *delta, const real *a, struct blend blend, real *nabla_w, size_t rows, size_t n_prev,
                size_t n, void *scratch, const struct sigmax_pool *pool)
{
    matmul_gradient(delta, a, blend, nabla_w, rows, n_prev, n, scratch, pool);
}

/* What leaves in `out` the mean over so many rows. */
static inline struct blend mean_of(size_t rows)
{
    const struct blend mean = {1, (real)(1.0 / (double)rows)};
    return mean;
}

/* The output layer, and BP1, of a pass whose z_L stands in its activations. Adds to *cost and *n_correct, see
   output_layer. */
static void output_error(const struct pass *pass, struct truth y, double *cost, double *n_correct)
{
    const size_t l = pass->shape->n_layers, k = pass->shape->sizes[l], rows = pass->rows;
    real *const a_L = pass->activations + layer_at(pass, l), *const delta_L = pass->deltas + layer_at(pass, l);
    output_layer(a_L, y, rows, k, pass->results, cost, n_correct);
    if (y.targets != NULL) {
        bp1_targets(a_L, y.targets, delta_L, rows, k);
    } else {
        bp1_labels(a_L, y.labels, delta_L, rows, k);
    }
    if (y.sample_weight != NULL) weigh(delta_L, y.sample_weight, rows, k);
}

/*
 * From delta_L (BP1) down to layer 1; q as in bp2. into is laid out as the parameters, and may be the parameters: a
 * layer's weights are written after BP2 has read them.
 */
static void backward(const struct pass *pass, real q, struct blend weights, struct blend biases, real *into)
{
    const struct sigmax_shape *const shape = pass->shape;
    const size_t rows = pass->rows;
    for (size_t l = shape->n_layers; l >= 1; l--) {
        const size_t n = shape->sizes[l], n_prev = shape->sizes[l - 1];
        const real *const delta = pass->deltas + layer_at(pass, l);
        const real *const a_prev = l > 1 ? pass->activations + layer_at(pass, l - 1) : pass->X;
        if (l > 1) {
            const real *const w = pass->parameters + shape->weight_offset[l];
            real *const delta_prev = pass->deltas + layer_at(pass, l - 1);
            bp2(delta, w, a_prev, q, delta_prev, rows, n_prev, n, pass->scratch, pass->pool);
        }
        bp3(delta, biases, into + shape->bias_offset[l], rows, n);
        bp4(delta, a_prev, weights, into + shape->weight_offset[l], rows, n_prev, n, pass->scratch, pass->pool);
    }
}

#endif
