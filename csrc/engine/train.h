/*
 * The equations put together: one backward pass over given rows, and the training loop over mini-batches.
 */
#ifndef SIGMAX_ENGINE_TRAIN_H
#define SIGMAX_ENGINE_TRAIN_H

#include "../engine.h"
#include "backward.h"
#include "forward.h"
#include "update.h"
#include "workspace.h"

/* ---- one backward pass ------------------------------------------------------------------------------------------- */

/* The memory of one pass whose activations and deltas are the caller's. */
struct pass_memory {
    double *row_cost;
    void *scratch;
};

static size_t pass_memory(struct pass_memory *memory, const struct sigmax_shape *shape, size_t rows, size_t n_threads,
                          void *start)
{
    struct cutter cutter = {start, 0};
    memory->row_cost = cut(&cutter, rows, sizeof(double));
    memory->scratch = cut(&cutter, network_scratch(shape, rows, n_threads), 1);
    return cutter.used;
}

static size_t backprop_workspace(const struct sigmax_shape *shape, size_t rows, size_t n_threads)
{
    struct pass_memory memory;
    return pass_memory(&memory, shape, rows, n_threads, NULL);
}

/* Output layer and BP1 of a batch whose z_L stands in activations; adds to *cost and *n_correct. */
static void output_error(const struct sigmax_shape *shape, struct truth y, size_t rows, real *activations, real *deltas,
                         double *row_cost, double *cost, size_t *n_correct)
{
    const size_t k = shape->sizes[shape->n_layers], at = layer_at(shape, shape->n_layers, rows);
    output_layer(activations + at, y, rows, k, row_cost, cost, n_correct);
    if (y.labels != NULL) {
        bp1_labels(activations + at, y.labels, deltas + at, rows, k);
    } else {
        bp1_targets(activations + at, y.targets, deltas + at, rows, k);
    }
}

static void activations_of(const struct sigmax_shape *shape, const real *parameters, const real *X, size_t rows,
                           real *activations, void *workspace, const struct sigmax_team *team)
{
    struct pass_memory memory;
    pass_memory(&memory, shape, rows, team->n_threads, workspace);
    forward(shape, parameters, X, rows, activations, memory.scratch, team);
}

static void backprop(const struct sigmax_shape *shape, const real *parameters, const struct sigmax_data *data,
                     double *cost, real *activations, real *deltas, real *gradient, void *workspace,
                     const struct sigmax_team *team)
{
    const struct truth y = {data->labels, data->targets};
    const struct blend mean = {1, (real)(1.0 / (double)data->rows)};
    double sum = 0;
    size_t n_correct = 0;
    struct pass_memory memory;
    pass_memory(&memory, shape, data->rows, team->n_threads, workspace);
    forward_to_z(shape, parameters, data->X, data->rows, activations, memory.scratch, team);
    output_error(shape, y, data->rows, activations, deltas, memory.row_cost, &sum, &n_correct);
    backward(shape, parameters, data->X, data->rows, activations, deltas, mean, mean, gradient, memory.scratch, team);
    *cost = sum / (double)data->rows;
}

/* ---- training ---------------------------------------------------------------------------------------------------- */

/* The memory of one mini-batch. */
struct batch_memory {
    real *X, *targets;
    int64_t *labels;
    real *activations, *deltas;
    double *row_cost;
    void *scratch;
};

static size_t batch_memory(struct batch_memory *memory, const struct sigmax_shape *shape, size_t rows, size_t n_threads,
                           void *start)
{
    struct cutter cutter = {start, 0};
    memory->X = cut(&cutter, rows, shape->sizes[0] * sizeof(real));
    memory->targets = cut(&cutter, rows, shape->sizes[shape->n_layers] * sizeof(real));
    memory->labels = cut(&cutter, rows, sizeof(int64_t));
    memory->activations = cut(&cutter, rows, shape->n_neurons * sizeof(real));
    memory->deltas = cut(&cutter, rows, shape->n_neurons * sizeof(real));
    memory->row_cost = cut(&cutter, rows, sizeof(double));
    memory->scratch = cut(&cutter, network_scratch(shape, rows, n_threads), 1);
    return cutter.used;
}

static size_t train_workspace(const struct sigmax_shape *shape, size_t batch_size, size_t n_threads)
{
    struct batch_memory memory;
    return batch_memory(&memory, shape, batch_size, n_threads, NULL);
}

/* The batch's rows, gathered into memory, or in place where they follow each other. */
static const real *gather(const struct sigmax_shape *shape, const struct sigmax_data *data, const size_t *order,
                          size_t first, size_t rows, struct batch_memory *memory, struct truth *y)
{
    const size_t n_in = shape->sizes[0], k = shape->sizes[shape->n_layers];
    const real *const X = data->X, *const targets = data->targets;
    const struct truth all = {data->labels, targets};
    if (order == NULL) {
        *y = truth_from(all, first, k);
        return X + first * n_in;
    }
    for (size_t r = 0; r < rows; r++) {
        const size_t row = order[first + r];
        memcpy(memory->X + r * n_in, X + row * n_in, n_in * sizeof *X);
        if (all.labels != NULL) memory->labels[r] = all.labels[row];
        if (all.targets != NULL) memcpy(memory->targets + r * k, targets + row * k, k * sizeof *targets);
    }
    *y = (struct truth){all.labels != NULL ? memory->labels : NULL, all.targets != NULL ? memory->targets : NULL};
    return memory->X;
}

static void train_batches(const struct sigmax_shape *shape, real *parameters, const struct sigmax_data *data,
                          const struct sigmax_training *training, struct sigmax_progress *progress, size_t n_batches,
                          void *workspace, const struct sigmax_team *team)
{
    struct batch_memory memory;
    batch_memory(&memory, shape, smaller(training->batch_size, data->rows), team->n_threads, workspace);
    for (size_t i = 0; i < n_batches; i++) {
        const size_t m = smaller(training->batch_size, data->rows - progress->position);
        struct truth y;
        const real *const X = gather(shape, data, training->order, progress->position, m, &memory, &y);
        forward_to_z(shape, parameters, X, m, memory.activations, memory.scratch, team);
        output_error(shape, y, m, memory.activations, memory.deltas, memory.row_cost, &progress->cost,
                     &progress->n_correct);
        backward(shape, parameters, X, m, memory.activations, memory.deltas,
                 sgd_weights(training->learning_rate, training->l2, m), sgd_biases(training->learning_rate, m),
                 parameters, memory.scratch, team);
        progress->position += m;
        progress->batch++;
    }
}

#endif
