/*
 * Inference over many rows: in blocks whose activations stay in the cache, one block a task, so that memory is bounded
 * and every thread works by itself.
 *
 * For many blocks the weights are packed once, transposed, as panels whose lanes are neurons. The inputs are then read
 * where they lie, and come from memory while the first tiles of each block are at work.
 */
#ifndef SIGMAX_ENGINE_INFERENCE_H
#define SIGMAX_ENGINE_INFERENCE_H

#include <float.h>

#include "../engine.h"
#include "finite.h"
#include "forward.h"
#include "pass.h"
#include "sizes.h"
#include "workspace.h"

/* What the blocks share. */
struct inference {
    struct pass pass; /* over all rows, without memory: each block has a pass of its own */
    struct truth y;
    double temperature;
    real *probabilities; /* (rows, n_L), or NULL */
    int64_t *labels;     /* (rows), or NULL */
    real *packed;        /* W_1^T, W_2^T, ... as panels, or NULL */
    char *worker_memory; /* (workers, worker_bytes) */
    size_t worker_bytes;
    int *block_status;     /* (blocks) of enum sigmax_status */
    double *block_cost;    /* (blocks) sum of s C_x over the rows of a block */
    double *block_correct; /* (blocks) sum of s over those that are classified correctly */
};

/* Cuts the pass of a block, one of those that `rows` rows are, out of a worker's memory; returns its bytes. */
static size_t cut_block(struct pass *block, size_t rows, void *start)
{
    struct cutter cutter = {start, 0};
    cut_pass(block, smaller(rows, SIGMAX_INFERENCE_ROWS), 0, 1, &cutter);
    return cutter.used;
}

/* The neurons of a layer that are packed: all but a few that would fill no more than a quarter of a vector. These are
   dot products, where the inputs are many enough for their lanes to be worth adding up. */
static inline size_t packed_neurons(size_t n_in, size_t n_out)
{
    const size_t last = n_out % LANES;
    return last <= LANES / 4 && n_in >= 8 * LANES ? n_out - last : n_out;
}

/* Reals of all weights as panels, or 0 where they are not packed. */
static size_t packed_weights(const struct sigmax_shape *shape, size_t rows)
{
    const double most = (double)shape->n_weights * (8 + MOST_FILLING) / 8;
    double reals = 0;
    if (rows < PACKED_ROWS) return 0;
    for (size_t l = 1; l <= shape->n_layers && reals <= most; l++) {
        const size_t n_in = shape->sizes[l - 1];
        reals += (double)n_in * (double)whole_vectors(packed_neurons(n_in, shape->sizes[l]));
    }
    return reals <= most ? (size_t)reals : 0;
}

/* Cuts the memory of the call; returns how many bytes it takes. job->pass has its shape and its rows. */
static size_t cut_inference(struct inference *job, size_t n_threads, void *start)
{
    const size_t rows = job->pass.rows, blocks = count_of(rows, SIGMAX_INFERENCE_ROWS);
    const size_t packed = packed_weights(job->pass.shape, rows);
    struct pass block = {.shape = job->pass.shape};
    struct cutter cutter = {start, 0};
    job->worker_bytes = cut_block(&block, rows, NULL);
    job->worker_memory = cut(&cutter, smaller(n_threads, blocks), job->worker_bytes);
    job->block_status = cut(&cutter, blocks, sizeof(int));
    job->block_cost = cut(&cutter, blocks, sizeof(double));
    job->block_correct = cut(&cutter, blocks, sizeof(double));
    job->packed = packed > 0 ? cut(&cutter, packed, sizeof(real)) : NULL;
    return cutter.used;
}

static size_t inference_workspace(const struct sigmax_shape *shape, size_t rows, size_t n_threads)
{
    struct inference job = {.pass = {.shape = shape, .rows = rows}};
    return cut_inference(&job, n_threads, NULL);
}

struct packing {
    const real *w; /* (n_out, n_in) */
    real *panels;  /* (n_in, n_out) w^T as panels */
    size_t n_in, n_out;
};

/* Task: COLS neurons. */
static void pack_neurons(void *context, size_t index, size_t worker)
{
    const struct packing *const job = context;
    const size_t neuron = panel_begin(index, job->n_out), cols = panel_begin(index + 1, job->n_out) - neuron;
    (void)worker;
    pack_transposed(job->w + neuron * job->n_in, job->n_in, job->n_in, cols, job->panels + neuron * job->n_in);
}

static void pack_weights(const struct pass *pass, real *packed)
{
    const struct sigmax_shape *const shape = pass->shape;
    for (size_t l = 1; l <= shape->n_layers; l++) {
        const size_t n_in = shape->sizes[l - 1], n_packed = packed_neurons(n_in, shape->sizes[l]);
        struct packing job = {pass->parameters + shape->weight_offset[l], packed, n_in, n_packed};
        run_tasks(pass->pool, (double)n_in * (double)n_packed, count_of(n_packed, COLS), pack_neurons, &job);
        packed += n_in * whole_vectors(n_packed);
    }
}

/*
 * As forward_to_z, for the rows of a block; packed may be NULL, and every sum has the same order whether it is or not,
 * so that an answer does not depend on the number of blocks. Returns whether the inputs are known to be finite, without
 * a pass over them: no infinity and no NaN can leave a sum finite in which it has a part.
 */
static int forward_of_block(const struct pass *block, const real *packed)
{
    const struct sigmax_shape *const shape = block->shape;
    const size_t rows = block->rows;
    const real *a = block->X;
    int finite = 1;
    for (size_t l = 1; l <= shape->n_layers; l++) {
        const size_t n_in = shape->sizes[l - 1], n_out = shape->sizes[l], n_packed = packed_neurons(n_in, n_out);
        const real *const w = block->parameters + shape->weight_offset[l];
        const real *const b = block->parameters + shape->bias_offset[l];
        real *const z = block->activations + layer_at(block, l);
        const struct forward_job all = {a, w, b, z, block->scratch, rows, n_in, n_out, n_out, 0};
        const size_t by_tiles = forward_uses_dots(rows, n_in, n_out) ? 0 : n_packed;
        if (packed != NULL) {
            matmul_packed(a, packed, z, n_out, rows, n_in, by_tiles);
            for (size_t r = 0; r < rows; r++) {
                LANEWISE
                for (size_t j = 0; j < by_tiles; j++) z[r * n_out + j] += b[j];
            }
            packed += n_in * whole_vectors(n_packed);
        } else if (by_tiles > 0) {
            struct forward_job some = all;
            some.n_out = by_tiles;
            forward_by_panels(some, block->pool);
        }
        dots_of_neurons(&all, by_tiles, n_out);
        for (size_t r = 0; r < rows && finite && l == 1; r++) finite = is_finite(z[r * n_out]);
        if (l < shape->n_layers) sigmoids(z, z, rows * n_out);
        a = z;
    }
    return finite;
}

/*
 * z (rows, k) <- (z - max z) / temperature: softmax and cost do not see what is taken from a whole row, and so nothing
 * overflows. In double, since float has no number for every temperature; and no lower than the least real, because the
 * cost multiplies it by targets that may be 0.
 */
static void cool(real *z, double temperature, size_t rows, size_t k)
{
    const double least = sizeof(real) == sizeof(float) ? -(double)FLT_MAX : -DBL_MAX;
    for (size_t r = 0; r < rows; r++, z += k) {
        const double max = (double)row_max(z, k);
        for (size_t j = 0; j < k; j++) {
            const double cooled = ((double)z[j] - max) / temperature;
            z[j] = (real)(cooled < least ? least : cooled);
        }
    }
}

static void infer_block(void *context, size_t index, size_t worker)
{
    const struct inference *const job = context;
    const struct sigmax_shape *const shape = job->pass.shape;
    const struct sigmax_pool alone = {1, job->pass.pool->run}; /* a block is one thread's */
    const size_t k = shape->sizes[shape->n_layers], n_in = shape->sizes[0];
    const size_t first = index * SIGMAX_INFERENCE_ROWS, rows = smaller(job->pass.rows - first, SIGMAX_INFERENCE_ROWS);
    struct pass block = {
        .shape = shape,
        .parameters = job->pass.parameters,
        .X = job->pass.X + first * n_in,
        .rows = rows,
        .pool = &alone,
    };
    cut_block(&block, job->pass.rows, job->worker_memory + worker * job->worker_bytes);
    const int finite = forward_of_block(&block, job->packed);
    if (!finite && first_non_finite(block.X, rows * n_in) != rows * n_in) {
        job->block_status[index] = SIGMAX_NOT_FINITE;
        return;
    }
    real *const a_L = block.activations + layer_at(&block, shape->n_layers);
    if (job->temperature != 1) cool(a_L, job->temperature, rows, k);
    if (job->y.labels != NULL || job->y.targets != NULL) {
        job->block_cost[index] = 0;
        job->block_correct[index] = 0;
        output_layer(a_L, truth_from(job->y, first, k), rows, k, block.results, &job->block_cost[index],
                     &job->block_correct[index]);
    } else {
        softmax(a_L, a_L, rows, k);
    }
    job->block_status[index] = first_non_finite(a_L, rows * k) == rows * k ? SIGMAX_OK : SIGMAX_NOT_A_NUMBER;
    if (job->probabilities != NULL) memcpy(job->probabilities + first * k, a_L, rows * k * sizeof *a_L);
    if (job->labels != NULL) {
        for (size_t r = 0; r < rows; r++) job->labels[first + r] = (int64_t)first_largest(a_L + r * k, k);
    }
}

/* Returns SIGMAX_NOT_FINITE where any block has it, else another status than SIGMAX_OK; then the outputs mean nothing.
   */
static int infer(const struct sigmax_shape *shape, const void *parameters, double temperature,
                 const struct sigmax_data *data, void *probabilities, int64_t *labels, double *cost, double *n_correct,
                 void *workspace, const struct sigmax_pool *pool)
{
    const size_t blocks = count_of(data->rows, SIGMAX_INFERENCE_ROWS), n_threads = smaller(pool->n_threads, blocks);
    struct inference job = {
        .pass = {.shape = shape, .parameters = parameters, .X = data->X, .rows = data->rows, .pool = pool},
        .y = {data->labels, data->targets, data->sample_weight},
        .temperature = temperature,
        .probabilities = probabilities,
        .labels = labels,
    };
    cut_inference(&job, n_threads, workspace);
    if (job.packed != NULL) pack_weights(&job.pass, job.packed);
    pool->run(n_threads, blocks, infer_block, &job);
    int status = SIGMAX_OK;
    for (size_t i = 0; i < blocks; i++) {
        if (job.block_status[i] == SIGMAX_NOT_FINITE) return SIGMAX_NOT_FINITE;
        if (job.block_status[i] != SIGMAX_OK) status = job.block_status[i];
    }
    if (status != SIGMAX_OK) return status;
    if (data->labels == NULL && data->targets == NULL) return SIGMAX_OK;
    *cost = 0;
    *n_correct = 0;
    for (size_t i = 0; i < blocks; i++) {
        *cost += job.block_cost[i];
        *n_correct += job.block_correct[i];
    }
    return SIGMAX_OK;
}

#endif
