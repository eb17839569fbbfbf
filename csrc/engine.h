/*
 * struct sigmax_engine: all arithmetic of one precision on one instruction set. The folder engine/ is compiled once for
 * each; the calls (calls/) check arguments, find memory and threads, and call here.
 *
 * Common to every function: `void *` is real (float or double), aligned for it, no more; matrices are dense, in C
 * order; arguments are valid (an engine checks nothing); outputs do not overlap inputs unless said; nothing is
 * allocated, no clock read, no environment consulted.
 */
#ifndef SIGMAX_ENGINE_H
#define SIGMAX_ENGINE_H

#include <stddef.h>

#include "sigmax.h"

/* The sizes of a network and where its parameters lie. Index l = 0 ... n_layers. Offsets are counted in reals. */
struct sigmax_shape {
    size_t n_layers;              /* L */
    const size_t *sizes;          /* (L + 1) n_0, ..., n_L */
    const size_t *weight_offset;  /* (L + 1) of W_l (n_l, n_{l-1}); [0] unused */
    const size_t *bias_offset;    /* (L + 1) of b_l (n_l); [0] unused */
    const size_t *neurons_before; /* (L + 1) n_1 + ... + n_{l-1}: activations of layer l start at rows times this */
    size_t n_neurons;             /* n_1 + ... + n_L */
    size_t widest;                /* max n_0, ..., n_L */
    size_t n_weights, n_parameters;
};

/* One task of several: index is 0 ... n_tasks - 1, worker 0 ... n_threads - 1, and no two tasks that run at once have
   the same worker, so that it can choose a piece of scratch memory. */
typedef void (*sigmax_task)(void *context, size_t index, size_t worker);

/* The pool as a call may use it: its function sigmax_pool_run (machine/pool.h), and how many threads to ask it for. */
struct sigmax_pool {
    size_t n_threads;
    void (*run)(size_t n_threads, size_t n_tasks, sigmax_task task, void *context);
};

/* Some rows of the batch of one update. The others may be another call's, or another process's. */
struct sigmax_block {
    size_t position;  /* of the first in training->order; the number of the row itself where that is NULL */
    size_t rows;      /* >= 1 */
    size_t batch_row; /* the first one's place in the batch, which its dropout masks depend on */
    uint64_t step;    /* updates done before this one, likewise */
};

/* Sums over rows x, each with its weight s, 1 where there are no weights. */
struct sigmax_sums {
    double *gradient; /* (n_parameters), laid out as the parameters: sum of s dC_x/dw and s dC_x/db */
    double cost;      /* sum of s C_x in nats */
    double weight;    /* sum of s; not what a mean gradient is divided by */
    double n_correct; /* sum of s over the rows that are classified correctly */
};

struct sigmax_engine {
    const char *instruction_set;

    /* The functions of sigmax_api.h of the same names. */
    void (*exp)(const void *z, void *out, size_t n);
    void (*sigmoid)(const void *z, void *out, size_t n);
    void (*sigmoid_prime)(const void *z, void *out, size_t n);
    void (*softmax)(const void *z, void *out, size_t rows, size_t k);
    void (*softmax_jacobian)(const void *z, void *out, size_t k);
    void (*cross_entropy)(const void *z, const void *y, double *cost, size_t rows, size_t k);
    void (*output_delta)(const void *z, const void *y, void *delta, size_t rows, size_t k);
    void (*smooth_labels)(const int64_t *labels, const void *y, double e, void *targets, size_t rows, size_t k);
    size_t (*first_non_finite)(const void *values, size_t n);
    double (*peak)(size_t n); /* returns the number of floating-point operations done */

    /*
     * The three matrix products: rows examples, w (n_out, n_in). scratch holds product_scratch() bytes, 64-byte
     * aligned.
     * forward:  z (rows, n_out)   = a (rows, n_in) w^T + b (n_out)
     * delta:    out (rows, n_in)  = delta (rows, n_out) w
     * gradient: out (n_out, n_in) = scale * delta^T (n_out, rows) a (rows, n_in)
     */
    size_t (*product_scratch)(size_t rows, size_t n_in, size_t n_out, size_t n_threads);
    void (*matmul_forward)(const void *a, const void *w, const void *b, void *z, size_t rows, size_t n_in, size_t n_out,
                           void *scratch, const struct sigmax_pool *pool);
    void (*matmul_delta)(const void *delta, const void *w, void *out, size_t rows, size_t n_in, size_t n_out,
                         void *scratch, const struct sigmax_pool *pool);
    void (*matmul_gradient)(const void *delta, const void *a, double scale, void *out, size_t rows, size_t n_in,
                            size_t n_out, void *scratch, const struct sigmax_pool *pool);

    /* The bytes of workspace that infer, activations and backprop, train_batches need; SIZE_MAX when they cannot be
       counted. rows: of the data. */
    size_t (*inference_workspace)(const struct sigmax_shape *shape, size_t rows, size_t n_threads);
    size_t (*backprop_workspace)(const struct sigmax_shape *shape, size_t rows, size_t n_threads);
    size_t (*train_workspace)(const struct sigmax_shape *shape, const struct sigmax_training *training, size_t rows,
                              size_t n_threads);

    /* softmax(z_L / temperature) and what follows from it, row block by row block: probabilities (rows, n_L), labels
       (rows), and, when data has targets, the sums over the rows of s C_x and of s where classified correctly.
       probabilities and labels may be NULL. Returns SIGMAX_NOT_FINITE when X holds an infinity or NaN, looked for here
       while a block is in the cache, SIGMAX_NOT_A_NUMBER when an output is NaN, and outputs without meaning in both. */
    int (*infer)(const struct sigmax_shape *shape, const void *parameters, double temperature,
                 const struct sigmax_data *data, void *probabilities, int64_t *labels, double *cost, double *n_correct,
                 void *workspace, const struct sigmax_pool *pool);
    /* a_1, ..., a_L of all rows; workspace as for backprop. */
    void (*activations)(const struct sigmax_shape *shape, const void *parameters, const void *X, size_t rows,
                        void *activations, void *workspace, const struct sigmax_pool *pool);
    /* As sigmax_backprop; *cost is the mean. */
    void (*backprop)(const struct sigmax_shape *shape, const void *parameters, const struct sigmax_data *data,
                     double *cost, void *activations, void *deltas, void *gradient, void *workspace,
                     const struct sigmax_pool *pool);
    /* As sigmax_train, without its care for divergence: what comes out may not be finite. */
    void (*train_batches)(const struct sigmax_shape *shape, void *parameters, const struct sigmax_data *data,
                          const struct sigmax_training *training, struct sigmax_progress *progress, size_t n_batches,
                          void *workspace, const struct sigmax_pool *pool);

    /*
     * The two halves of an update that train_batches does at once. It takes the mean gradient of a batch:
     * gradient_sums of all its rows, divided by their number.
     *
     * gradient_sums adds to *sums what the rows of a block come to: sparse rows, weights, label smoothing and dropout
     * as in train_batches, of training nothing else. Passes of 512 rows at most are summed up in reals, and these sums
     * in doubles: memory is bounded, and what comes out does not depend on the number of threads. It does depend, by
     * rounding errors, on how a batch is cut into blocks. Not finite where a pass is not.
     *
     * update does update number t = 1, 2, ... of training->optimizer with gradient (n_parameters) real, clipping and
     * penalties included: what train_batches does, but for plain gradient descent, which train_batches does within BP3
     * and BP4, with other rounding errors. parameters and training->state are changed in place.
     *
     * The workspaces: of gradient_sums with blocks of at most so many rows, and of update; SIZE_MAX as above.
     */
    size_t (*gradient_workspace)(const struct sigmax_shape *shape, size_t rows, size_t n_threads);
    void (*gradient_sums)(const struct sigmax_shape *shape, const void *parameters, const struct sigmax_data *data,
                          const struct sigmax_training *training, struct sigmax_block block, struct sigmax_sums *sums,
                          void *workspace, const struct sigmax_pool *pool);
    size_t (*update_workspace)(const struct sigmax_shape *shape);
    void (*update)(const struct sigmax_shape *shape, const struct sigmax_training *training, uint64_t t,
                   const void *gradient, void *parameters, void *workspace, const struct sigmax_pool *pool);
};

#endif
