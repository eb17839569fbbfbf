/*
 * The rows of one mini-batch: used where they lie, or gathered; sparse rows made dense; labels smoothed.
 *
 *     y <- (1 - e) y + (e/k) sum_j y_j        label smoothing (Szegedy et al. 2016), k classes
 */
#ifndef SIGMAX_ENGINE_BATCH_H
#define SIGMAX_ENGINE_BATCH_H

#include "../engine.h"
#include "forward.h"
#include "pass.h"
#include "workspace.h"

/* Where a batch is gathered. */
struct batch_memory {
    real *X;               /* (rows, n_0) */
    real *targets;         /* (rows, n_L) */
    int64_t *labels;       /* (rows) */
    double *sample_weight; /* (rows) */
};

static void cut_batch_memory(struct batch_memory *memory, const struct sigmax_shape *shape, size_t rows,
                             struct cutter *cutter)
{
    memory->X = cut(cutter, rows, shape->sizes[0] * sizeof(real));
    memory->targets = cut(cutter, rows, shape->sizes[shape->n_layers] * sizeof(real));
    memory->labels = cut(cutter, rows, sizeof(int64_t));
    memory->sample_weight = cut(cutter, rows, sizeof(double));
}

static inline size_t row_at(const size_t *order, size_t position)
{
    return order != NULL ? order[position] : position;
}

static void make_dense(const struct sigmax_sparse *sparse, size_t row, real *out, size_t n_in)
{
    const real *const values = sparse->values;
    memset(out, 0, n_in * sizeof *out);
    for (int64_t i = sparse->row_start[row]; i < sparse->row_start[row + 1]; i++) out[sparse->columns[i]] += values[i];
}

/* Whether every row of X lies across cache lines that a copy of it would not: a vector of it is then read in two. */
static inline int is_askew(const real *X, size_t n_in)
{
    return (uintptr_t)X % CACHE_LINE != 0 && n_in * sizeof *X % CACHE_LINE == 0;
}

/* The inputs of the rows at positions first ... first + rows - 1: where they lie, or gathered. Few rows are not packed
   before they are multiplied but read again and again, so that a copy pays where they lie askew (measured: a quarter
   of a step of 784-30-10). */
static const real *gather_inputs(const struct sigmax_data *data, const size_t *order, size_t first, size_t rows,
                                 size_t n_in, real *into)
{
    const real *const X = data->X;
    if (data->sparse != NULL) {
        for (size_t r = 0; r < rows; r++) make_dense(data->sparse, row_at(order, first + r), into + r * n_in, n_in);
        return into;
    }
    if (order == NULL && (rows >= PACK_ROWS || !is_askew(X, n_in))) return X + first * n_in;
    for (size_t r = 0; r < rows; r++) memcpy(into + r * n_in, X + row_at(order, first + r) * n_in, n_in * sizeof *X);
    return into;
}

/* One row of targets (k), from a label or from a row y, smoothed. */
static void smooth_label(size_t label, double smoothing, real *target, size_t k)
{
    for (size_t j = 0; j < k; j++) target[j] = (real)(smoothing / (double)k);
    target[label] = (real)(1 - smoothing + smoothing / (double)k);
}

static void smooth_targets(const real *y, double smoothing, real *target, size_t k)
{
    double sum = 0;
    memcpy(target, y, k * sizeof *target);
    if (smoothing == 0) return;
    for (size_t j = 0; j < k; j++) sum += (double)y[j];
    LANEWISE
    for (size_t j = 0; j < k; j++) target[j] = (real)((1 - smoothing) * (double)y[j] + smoothing / (double)k * sum);
}

/* The targets (rows, k) of rows with labels (rows), or else with y (rows, k). */
static void smooth_labels(const int64_t *labels, const real *y, double smoothing, real *targets, size_t rows, size_t k)
{
    for (size_t r = 0; r < rows; r++) {
        if (labels != NULL) {
            smooth_label((size_t)labels[r], smoothing, targets + r * k, k);
        } else {
            smooth_targets(y + r * k, smoothing, targets + r * k, k);
        }
    }
}

/* Smoothing moves the targets, not the class that a row counts as. */
static struct truth gather_truth(const struct sigmax_data *data, const size_t *order, size_t first, size_t rows,
                                 size_t k, double smoothing, struct batch_memory *memory)
{
    const real *const targets = data->targets;
    const struct truth all = {data->labels, targets, data->sample_weight};
    if (order == NULL && smoothing == 0) return truth_from(all, first, k);
    for (size_t r = 0; r < rows; r++) {
        const size_t row = row_at(order, first + r);
        real *const target = memory->targets + r * k;
        if (all.sample_weight != NULL) memory->sample_weight[r] = all.sample_weight[row];
        memory->labels[r] = all.labels != NULL ? all.labels[row] : (int64_t)first_largest(targets + row * k, k);
        if (all.labels == NULL) {
            smooth_targets(targets + row * k, smoothing, target, k);
        } else if (smoothing != 0) {
            smooth_label((size_t)all.labels[row], smoothing, target, k);
        }
    }
    const struct truth y = {
        memory->labels,
        all.labels != NULL && smoothing == 0 ? NULL : memory->targets,
        all.sample_weight != NULL ? memory->sample_weight : NULL,
    };
    return y;
}

/* The rows at positions first ... first + rows - 1 of the epoch become those of the pass; returns what is known of
   them. */
static struct truth gather(const struct sigmax_data *data, const struct sigmax_training *training, size_t first,
                           size_t rows, struct batch_memory *memory, struct pass *pass)
{
    const size_t n_in = pass->shape->sizes[0], k = pass->shape->sizes[pass->shape->n_layers];
    pass->X = gather_inputs(data, training->order, first, rows, n_in, memory->X);
    pass->rows = rows;
    return gather_truth(data, training->order, first, rows, k, training->label_smoothing, memory);
}

#endif
