/*
 * The equations put together: one backward pass over given rows, the training loop over mini-batches, and its first
 * half alone: sums of the gradient over some rows of a batch. Its second half alone is update() of update.h.
 */
#ifndef SIGMAX_ENGINE_TRAIN_H
#define SIGMAX_ENGINE_TRAIN_H

#include "../engine.h"
#include "backward.h"
#include "batch.h"
#include "forward.h"
#include "pass.h"
#include "update.h"
#include "workspace.h"

/* ---- passes over given rows -------------------------------------------------------------------------------------- */

static size_t backprop_workspace(const struct sigmax_shape *shape, size_t rows, size_t n_threads)
{
    struct pass pass = {.shape = shape};
    struct cutter cutter = {NULL, 0};
    cut_scratch(&pass, rows, n_threads, &cutter);
    return cutter.used;
}

static void activations_of(const struct sigmax_shape *shape, const void *parameters, const void *X, size_t rows,
                           void *activations, void *workspace, const struct sigmax_pool *pool)
{
    struct pass pass
        = {.shape = shape, .parameters = parameters, .X = X, .rows = rows, .activations = activations, .pool = pool};
    struct cutter cutter = {workspace, 0};
    cut_scratch(&pass, rows, pool->n_threads, &cutter);
    forward(&pass);
}

static void backprop(const struct sigmax_shape *shape, const void *parameters, const struct sigmax_data *data,
                     double *cost, void *activations, void *deltas, void *gradient, void *workspace,
                     const struct sigmax_pool *pool)
{
    const struct truth y = {data->labels, data->targets, data->sample_weight};
    const struct blend mean = mean_of(data->rows);
    struct pass pass = {
        .shape = shape,
        .parameters = parameters,
        .X = data->X,
        .rows = data->rows,
        .activations = activations,
        .deltas = deltas,
        .pool = pool,
    };
    struct cutter cutter = {workspace, 0};
    double sum = 0, n_correct = 0;
    cut_scratch(&pass, data->rows, pool->n_threads, &cutter);
    forward_to_z(&pass, without_dropout);
    output_error(&pass, y, &sum, &n_correct);
    backward(&pass, 1, mean, mean, gradient);
    *cost = sum / (double)data->rows;
}

/* ---- training ---------------------------------------------------------------------------------------------------- */

/* The memory of one mini-batch. */
struct train_memory {
    struct batch_memory batch;
    struct pass pass;
    real *gradient;       /* (n_parameters), NULL where the update is fused into BP3 and BP4 */
    void *update_scratch; /* workspace of the update, likewise */
};

/* For batches of at most `rows` rows. */
static size_t train_memory(struct train_memory *memory, const struct sigmax_shape *shape, size_t rows, int fused,
                           size_t n_threads, void *start)
{
    struct cutter cutter = {start, 0};
    memory->pass.shape = shape;
    cut_batch_memory(&memory->batch, shape, rows, &cutter);
    memory->gradient = fused ? NULL : cut(&cutter, shape->n_parameters, sizeof(real));
    memory->update_scratch = fused ? NULL : cut(&cutter, update_workspace(shape), 1);
    cut_pass(&memory->pass, rows, 1, n_threads, &cutter);
    return cutter.used;
}

static size_t train_workspace(const struct sigmax_shape *shape, const struct sigmax_training *training, size_t rows,
                              size_t n_threads)
{
    struct train_memory memory;
    return train_memory(&memory, shape, smaller(training->batch_size, rows), update_is_fused(training), n_threads,
                        NULL);
}

/* Update number step + 1, of a pass whose delta_L is known. */
static void learn(const struct train_memory *memory, const struct sigmax_training *training, uint64_t step,
                  real *parameters)
{
    const struct pass *const pass = &memory->pass;
    const real q = (real)(1 - training->dropout);
    if (update_is_fused(training)) {
        backward(pass, q, sgd_weights(training->learning_rate, training->l2, pass->rows),
                 sgd_biases(training->learning_rate, pass->rows), parameters);
    } else {
        const struct blend mean = mean_of(pass->rows);
        backward(pass, q, mean, mean, memory->gradient);
        update(pass->shape, training, step + 1, memory->gradient, parameters, memory->update_scratch, pass->pool);
    }
}

static void train_batches(const struct sigmax_shape *shape, void *parameters, const struct sigmax_data *data,
                          const struct sigmax_training *training, struct sigmax_progress *progress, size_t n_batches,
                          void *workspace, const struct sigmax_pool *pool)
{
    struct train_memory memory = {.pass = {.parameters = parameters, .pool = pool}};
    train_memory(&memory, shape, smaller(training->batch_size, data->rows), update_is_fused(training), pool->n_threads,
                 workspace);
    for (size_t i = 0; i < n_batches; i++) {
        const size_t rows = smaller(training->batch_size, data->rows - progress->position);
        const struct dropout dropout = {training->dropout, training->seed, progress->step, 0};
        const struct truth y = gather(data, training, progress->position, rows, &memory.batch, &memory.pass);
        forward_to_z(&memory.pass, dropout);
        output_error(&memory.pass, y, &progress->cost, &progress->n_correct);
        learn(&memory, training, progress->step, parameters);
        progress->position += rows;
        progress->batch++;
        progress->step++;
    }
}

/* ---- the gradient of some rows ----------------------------------------------------------------------------------- */

/* What one pass over at most SUM_ROWS rows leaves in reals is added to doubles. */
struct sums_memory {
    struct batch_memory batch;
    struct pass pass;
    real *gradient; /* (n_parameters) of one pass */
};

static size_t sums_memory(struct sums_memory *memory, const struct sigmax_shape *shape, size_t rows, size_t n_threads,
                          void *start)
{
    struct cutter cutter = {start, 0};
    memory->pass.shape = shape;
    rows = smaller(rows, SUM_ROWS);
    cut_batch_memory(&memory->batch, shape, rows, &cutter);
    memory->gradient = cut(&cutter, shape->n_parameters, sizeof(real));
    cut_pass(&memory->pass, rows, 1, n_threads, &cutter);
    return cutter.used;
}

static size_t gradient_workspace(const struct sigmax_shape *shape, size_t rows, size_t n_threads)
{
    struct sums_memory memory;
    return sums_memory(&memory, shape, rows, n_threads, NULL);
}

/* sum_x s_x over the rows of a pass. The mean gradient is divided by the number of rows, not by this. */
static double weight_of(struct truth y, size_t rows)
{
    if (y.sample_weight == NULL) return (double)rows;
    double sum = 0;
    for (size_t r = 0; r < rows; r++) sum += y.sample_weight[r];
    return sum;
}

/* sums->gradient += sum_x s_x dC_x/dw and sum_x s_x dC_x/db, that is BP3 and BP4 without 1/n. */
static void gradient_sums(const struct sigmax_shape *shape, const void *parameters, const struct sigmax_data *data,
                          const struct sigmax_training *training, struct sigmax_block block, struct sigmax_sums *sums,
                          void *workspace, const struct sigmax_pool *pool)
{
    static const struct blend sum = {1, 1};
    const real q = (real)(1 - training->dropout);
    struct sums_memory memory = {.pass = {.parameters = parameters, .pool = pool}};
    sums_memory(&memory, shape, block.rows, pool->n_threads, workspace);
    for (size_t done = 0, rows; done < block.rows; done += rows) {
        rows = smaller(block.rows - done, SUM_ROWS);
        const struct dropout dropout = {training->dropout, training->seed, block.step, block.batch_row + done};
        const struct truth y = gather(data, training, block.position + done, rows, &memory.batch, &memory.pass);
        forward_to_z(&memory.pass, dropout);
        output_error(&memory.pass, y, &sums->cost, &sums->n_correct);
        backward(&memory.pass, q, sum, sum, memory.gradient);
        for (size_t i = 0; i < shape->n_parameters; i++) sums->gradient[i] += (double)memory.gradient[i];
        sums->weight += weight_of(y, rows);
    }
}

#endif
