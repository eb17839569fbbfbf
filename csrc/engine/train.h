/*
 * What the engine offers, put together from the equations: inference over many rows, one backward pass over given rows,
 * and the training loop over mini-batches. Nothing here allocates; each job cuts its arrays out of one workspace.
 */
#ifndef SIGMAX_ENGINE_TRAIN_H
#define SIGMAX_ENGINE_TRAIN_H

#include "../engine.h"
#include "backward.h"
#include "forward.h"
#include "matmul.h"
#include "real.h"
#include "update.h"

/* ---- the workspace ------------------------------------------------------------------------------------------------ */

enum { CACHE_LINE = 64 };

/* Cuts arrays, each on its own cache line, off a workspace. Starts at 0 to learn how much is needed; used is SIZE_MAX
   once that does not fit size_t. */
struct cutter {
    char *start;
    size_t used;
};

static void *cut(struct cutter *cutter, size_t count, size_t size)
{
    if (cutter->used == SIZE_MAX || (size != 0 && count > (SIZE_MAX / 2 - cutter->used) / size)) {
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

/* ---- inference ---------------------------------------------------------------------------------------------------- */

/* Rows of a block: enough to use each weight many times, few enough for their activations to stay in the cache. */
enum { INFERENCE_ROWS = 128 };

/* One worker's memory. */
struct inference_memory {
    real *activations;
    double *row_cost;
    void *scratch;
};

struct inference {
    const struct sigmax_shape *shape;
    const real *parameters, *X;
    struct truth y;
    size_t rows;
    real *probabilities;
    int64_t *labels;
    struct sigmax_team alone; /* a block is one thread's */
    char *worker_memory;
    size_t worker_bytes;
    double *block_cost;
    size_t *block_correct;
};

static size_t count_blocks(size_t rows)
{
    return rows / INFERENCE_ROWS + (rows % INFERENCE_ROWS != 0);
}

static size_t inference_memory(struct inference_memory *memory, const struct sigmax_shape *shape, size_t rows,
                               void *start)
{
    const size_t block = smaller(rows, INFERENCE_ROWS);
    struct cutter cutter = {start, 0};
    memory->activations = cut(&cutter, block, shape->n_neurons * sizeof(real));
    memory->row_cost = cut(&cutter, block, sizeof(double));
    memory->scratch = cut(&cutter, network_scratch(shape, block, 1), 1);
    return cutter.used;
}

static size_t inference_workspace(const struct sigmax_shape *shape, size_t rows, size_t n_threads)
{
    struct inference_memory memory;
    const size_t per_worker = inference_memory(&memory, shape, rows, NULL);
    const size_t blocks = count_blocks(rows);
    struct cutter cutter = {NULL, 0};
    cut(&cutter, smaller(n_threads, blocks), per_worker);
    cut(&cutter, blocks, sizeof(double));
    cut(&cutter, blocks, sizeof(size_t));
    return cutter.used;
}

static void infer_block(void *context, size_t index, size_t worker)
{
    const struct inference *const job = context;
    const struct sigmax_shape *const shape = job->shape;
    const size_t k = shape->sizes[shape->n_layers];
    const size_t first = index * INFERENCE_ROWS, rows = smaller(job->rows - first, INFERENCE_ROWS);
    struct inference_memory memory;
    inference_memory(&memory, shape, job->rows, job->worker_memory + worker * job->worker_bytes);
    forward_to_z(shape, job->parameters, job->X + first * shape->sizes[0], rows, memory.activations, memory.scratch,
                 &job->alone);
    real *const a_L = memory.activations + layer_at(shape, shape->n_layers, rows);
    if (job->y.labels != NULL || job->y.targets != NULL) {
        job->block_cost[index] = 0;
        job->block_correct[index] = 0;
        output_layer(a_L, truth_from(job->y, first, k), rows, k, memory.row_cost, &job->block_cost[index],
                     &job->block_correct[index]);
    } else {
        softmax(a_L, a_L, rows, k);
    }
    if (job->probabilities != NULL) memcpy(job->probabilities + first * k, a_L, rows * k * sizeof *a_L);
    if (job->labels != NULL) {
        for (size_t r = 0; r < rows; r++) job->labels[first + r] = (int64_t)first_largest(a_L + r * k, k);
    }
}

static void infer(const struct sigmax_shape *shape, const real *parameters, const struct sigmax_data *data,
                  real *probabilities, int64_t *labels, double *cost, size_t *n_correct, void *workspace,
                  const struct sigmax_team *team)
{
    struct inference_memory memory;
    const size_t blocks = count_blocks(data->rows), n_threads = smaller(team->n_threads, blocks);
    struct inference job = {
        .shape = shape,
        .parameters = parameters,
        .X = data->X,
        .y = {data->labels, data->targets},
        .rows = data->rows,
        .probabilities = probabilities,
        .labels = labels,
        .alone = {1, team->parallel},
        .worker_bytes = inference_memory(&memory, shape, data->rows, NULL),
    };
    struct cutter cutter = {workspace, 0};
    job.worker_memory = cut(&cutter, n_threads, job.worker_bytes);
    job.block_cost = cut(&cutter, blocks, sizeof(double));
    job.block_correct = cut(&cutter, blocks, sizeof(size_t));
    team->parallel(n_threads, blocks, infer_block, &job);
    if (data->labels == NULL && data->targets == NULL) return;
    *cost = 0;
    *n_correct = 0;
    for (size_t i = 0; i < blocks; i++) {
        *cost += job.block_cost[i];
        *n_correct += job.block_correct[i];
    }
}

/* ---- one backward pass -------------------------------------------------------------------------------------------- */

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
    const struct blend mean = {0, (real)(1.0 / (double)data->rows)};
    double sum = 0;
    size_t n_correct = 0;
    struct pass_memory memory;
    pass_memory(&memory, shape, data->rows, team->n_threads, workspace);
    forward_to_z(shape, parameters, data->X, data->rows, activations, memory.scratch, team);
    output_error(shape, y, data->rows, activations, deltas, memory.row_cost, &sum, &n_correct);
    backward(shape, parameters, data->X, data->rows, activations, deltas, mean, mean, gradient, memory.scratch, team);
    *cost = sum / (double)data->rows;
}

/* ---- training ----------------------------------------------------------------------------------------------------- */

/* The memory of one mini-batch. */
struct batch_memory {
    real *X, *targets;
    int64_t *labels;
    real *activations, *deltas;
    double *row_cost;
    void *scratch;
};

static size_t batch_memory(struct batch_memory *memory, const struct sigmax_shape *shape, size_t rows,
                           size_t n_threads, void *start)
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
