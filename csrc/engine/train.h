/*
 * The equations put together: one backward pass over given rows, and the training loop over mini-batches.
 */
#ifndef SIGMAX_ENGINE_TRAIN_H
#define SIGMAX_ENGINE_TRAIN_H

#include "../engine.h"
#include "backward.h"
#include "batch.h"
#include "forward.h"
#include "update.h"
#include "workspace.h"

/* ---- one backward pass ------------------------------------------------------------------------------------------- */

/* The memory of one pass whose activations and deltas are the caller's. */
struct pass_memory {
    struct row_result *results;
    void *scratch;
};

static size_t pass_memory(struct pass_memory *memory, const struct sigmax_shape *shape, size_t rows, size_t n_threads,
                          void *start)
{
    struct cutter cutter = {start, 0};
    memory->results = cut(&cutter, rows, sizeof(struct row_result));
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
                         struct row_result *results, double *cost, double *n_correct)
{
    const size_t k = shape->sizes[shape->n_layers], at = layer_at(shape, shape->n_layers, rows);
    output_layer(activations + at, y, rows, k, results, cost, n_correct);
    if (y.targets != NULL) {
        bp1_targets(activations + at, y.targets, deltas + at, rows, k);
    } else {
        bp1_labels(activations + at, y.labels, deltas + at, rows, k);
    }
    if (y.sample_weight != NULL) weigh(deltas + at, y.sample_weight, rows, k);
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
    const struct truth y = {data->labels, data->targets, data->sample_weight};
    const struct blend mean = {1, (real)(1.0 / (double)data->rows)};
    double sum = 0, n_correct = 0;
    struct pass_memory memory;
    pass_memory(&memory, shape, data->rows, team->n_threads, workspace);
    forward_to_z(shape, parameters, data->X, data->rows, activations, without_dropout, memory.scratch, team);
    output_error(shape, y, data->rows, activations, deltas, memory.results, &sum, &n_correct);
    backward(shape, parameters, data->X, data->rows, activations, 1, deltas, mean, mean, gradient, memory.scratch,
             team);
    *cost = sum / (double)data->rows;
}

/* ---- training ---------------------------------------------------------------------------------------------------- */

/* The memory of one mini-batch. */
struct train_memory {
    struct batch_memory batch;
    real *activations, *deltas;
    real *gradient;  /* (n_parameters), NULL where the update is fused into BP3 and BP4 */
    double *squares; /* scratch of the update, likewise */
    struct row_result *results;
    void *scratch;
};

static size_t train_memory(struct train_memory *memory, const struct sigmax_shape *shape, size_t rows, int fused,
                           size_t n_threads, void *start)
{
    struct cutter cutter = {start, 0};
    cut_batch_memory(&memory->batch, shape, rows, &cutter);
    memory->activations = cut(&cutter, rows, shape->n_neurons * sizeof(real));
    memory->deltas = cut(&cutter, rows, shape->n_neurons * sizeof(real));
    memory->gradient = fused ? NULL : cut(&cutter, shape->n_parameters, sizeof(real));
    memory->squares = fused ? NULL : cut(&cutter, update_blocks(shape->n_parameters), sizeof(double));
    memory->results = cut(&cutter, rows, sizeof(struct row_result));
    memory->scratch = cut(&cutter, network_scratch(shape, rows, n_threads), 1);
    return cutter.used;
}

static size_t train_workspace(const struct sigmax_shape *shape, const struct sigmax_training *training, size_t rows,
                              size_t n_threads)
{
    struct train_memory memory;
    return train_memory(&memory, shape, smaller(training->batch_size, rows), update_is_fused(training), n_threads,
                        NULL);
}

/* Update number step + 1, of the rows whose delta_L stands in memory. */
static void learn(const struct sigmax_shape *shape, real *parameters, const struct sigmax_training *training,
                  const struct batch *batch, uint64_t step, const struct train_memory *memory,
                  const struct sigmax_team *team)
{
    const size_t m = batch->rows;
    const real q = (real)(1 - training->dropout);
    if (update_is_fused(training)) {
        backward(shape, parameters, batch->X, m, memory->activations, q, memory->deltas,
                 sgd_weights(training->learning_rate, training->l2, m), sgd_biases(training->learning_rate, m),
                 parameters, memory->scratch, team);
    } else {
        const struct blend mean = {1, (real)(1.0 / (double)m)};
        backward(shape, parameters, batch->X, m, memory->activations, q, memory->deltas, mean, mean, memory->gradient,
                 memory->scratch, team);
        update(shape, training, step + 1, memory->gradient, parameters, memory->squares, team);
    }
}

static void train_batches(const struct sigmax_shape *shape, real *parameters, const struct sigmax_data *data,
                          const struct sigmax_training *training, struct sigmax_progress *progress, size_t n_batches,
                          void *workspace, const struct sigmax_team *team)
{
    struct train_memory memory;
    train_memory(&memory, shape, smaller(training->batch_size, data->rows), update_is_fused(training), team->n_threads,
                 workspace);
    for (size_t i = 0; i < n_batches; i++) {
        const size_t m = smaller(training->batch_size, data->rows - progress->position);
        const struct batch batch = gather(shape, data, training, progress->position, m, &memory.batch);
        const struct dropout dropout = {training->dropout, training->seed, progress->step};
        forward_to_z(shape, parameters, batch.X, m, memory.activations, dropout, memory.scratch, team);
        output_error(shape, batch.y, m, memory.activations, memory.deltas, memory.results, &progress->cost,
                     &progress->n_correct);
        learn(shape, parameters, training, &batch, progress->step, &memory, team);
        progress->position += m;
        progress->batch++;
        progress->step++;
    }
}

#endif
