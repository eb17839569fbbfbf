/*
 * The update: what is done with the gradient g of a batch. The formulas stand in sigmax_api.h beside the names of the
 * optimisers.
 *
 * Plain gradient descent on C + (l2/2) sum w^2 needs no pass of its own. For the mean over a batch of m examples
 *
 *     w <- w - rate ((1/m) sum_x dC_x/dw + l2 w) = w - (rate l2) w - (rate/m) sum_x dC_x/dw
 *     b <- b - rate  (1/m) sum_x dC_x/db
 *
 * both have the form out = out + (scale * sum over x - decay * out), so BP3 and BP4 write it straight into the
 * parameters, and the gradient itself never travels through memory. All else reads a gradient laid out as the
 * parameters, once, in blocks that are each one thread's.
 */
#ifndef SIGMAX_ENGINE_UPDATE_H
#define SIGMAX_ENGINE_UPDATE_H

#include <math.h>

#include "../engine.h"
#include "matmul_gradient.h"
#include "real.h"
#include "sizes.h"
#include "tile.h"

static struct blend sgd_weights(double rate, double l2, size_t m)
{
    const struct blend blend = {(real)(rate * l2), (real)(-rate / (double)m)};
    return blend;
}

static struct blend sgd_biases(double rate, size_t m)
{
    const struct blend blend = {0, (real)(-rate / (double)m)};
    return blend;
}

/* ---- the optimisers ---------------------------------------------------------------------------------------------- */

/* The numbers of one update, for the weights or for the biases. */
struct update_numbers {
    real rate;
    real clip;             /* the factor of clip_norm */
    real l2, l1;           /* 0 for biases */
    real decay;            /* rate * weight_decay; 0 for biases */
    real momentum;         /* MOMENTUM, NESTEROV */
    real keep_m, add_m;    /* beta1 and 1 - beta1 */
    real keep_v, add_v;    /* beta2 and 1 - beta2, or rho and 1 - rho */
    real m_scale, v_scale; /* 1 / (1 - beta1^t), 1 / sqrt(1 - beta2^t) */
    real epsilon;
};

/* Of update number t = 1, 2, ... */
static struct update_numbers numbers_of_update(const struct sigmax_training *training, uint64_t t, double clip,
                                               int weights)
{
    const double keep_v = training->optimizer == SIGMAX_RMSPROP ? training->rho : training->beta2;
    const double rate = training->learning_rate;
    const struct update_numbers numbers = {
        .rate = (real)rate,
        .clip = (real)clip,
        .l2 = weights ? (real)training->l2 : 0,
        .l1 = weights ? (real)training->l1 : 0,
        .decay = weights && training->optimizer == SIGMAX_ADAMW ? (real)(rate * training->weight_decay) : 0,
        .momentum = (real)training->momentum,
        .keep_m = (real)training->beta1,
        .add_m = (real)(1 - training->beta1),
        .keep_v = (real)keep_v,
        .add_v = (real)(1 - keep_v),
        .m_scale = (real)(1 / (1 - pow(training->beta1, (double)t))),
        .v_scale = (real)(1 / sqrt(1 - pow(training->beta2, (double)t))),
        .epsilon = (real)training->epsilon,
    };
    return numbers;
}

/* g + l2 w + l1 sign(w), of a clipped g. */
static INLINE real slope(struct update_numbers u, real g, real w)
{
    const real sign = w > 0 ? (real)1 : w < 0 ? (real)-1 : (real)0;
    return u.clip * g + (u.l2 * w + u.l1 * sign);
}

static NOINLINE void update_sgd(struct update_numbers u, const real *restrict g, real *restrict w, size_t n)
{
    for (size_t i = 0; i < n; i++) w[i] -= u.rate * slope(u, g[i], w[i]);
}

static NOINLINE void update_momentum(struct update_numbers u, const real *restrict g, real *restrict v,
                                     real *restrict w, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = u.momentum * v[i] + slope(u, g[i], w[i]);
        w[i] -= u.rate * v[i];
    }
}

static NOINLINE void update_nesterov(struct update_numbers u, const real *restrict g, real *restrict v,
                                     real *restrict w, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const real slope_i = slope(u, g[i], w[i]);
        v[i] = u.momentum * v[i] + slope_i;
        w[i] -= u.rate * (slope_i + u.momentum * v[i]);
    }
}

static NOINLINE void update_rmsprop(struct update_numbers u, const real *restrict g, real *restrict v, real *restrict w,
                                    size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const real slope_i = slope(u, g[i], w[i]);
        v[i] = u.keep_v * v[i] + u.add_v * (slope_i * slope_i);
        w[i] -= u.rate * slope_i / (square_root(v[i]) + u.epsilon);
    }
}

/* decay is 0 for Adam itself. */
static NOINLINE void update_adam(struct update_numbers u, const real *restrict g, real *restrict m, real *restrict v,
                                 real *restrict w, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const real slope_i = slope(u, g[i], w[i]);
        m[i] = u.keep_m * m[i] + u.add_m * slope_i;
        v[i] = u.keep_v * v[i] + u.add_v * (slope_i * slope_i);
        const real change = u.rate * (u.m_scale * m[i]) / (u.v_scale * square_root(v[i]) + u.epsilon);
        w[i] -= u.decay * w[i] + change;
    }
}

/* ---- a pass over all parameters ---------------------------------------------------------------------------------- */

struct update_job {
    int optimizer;
    struct update_numbers weights, biases;
    const real *gradient; /* (n_parameters) */
    real *parameters;     /* (n_parameters) */
    real *state;          /* one or two arrays (n_parameters), as sigmax_state_count says; unused by SGD */
    size_t n_weights, n_parameters;
    double *squares; /* (blocks) sum of the squares of a block's gradient */
};

/* begin ... end - 1 are all weights or all biases. */
static void update_range(const struct update_job *job, size_t begin, size_t end)
{
    const struct update_numbers u = begin < job->n_weights ? job->weights : job->biases;
    const real *const g = job->gradient + begin;
    real *const w = job->parameters + begin;
    real *const first = job->optimizer == SIGMAX_SGD ? NULL : job->state + begin; /* there may be no state */
    const size_t n = end - begin;
    switch (job->optimizer) {
    case SIGMAX_MOMENTUM:
        update_momentum(u, g, first, w, n);
        break;
    case SIGMAX_NESTEROV:
        update_nesterov(u, g, first, w, n);
        break;
    case SIGMAX_RMSPROP:
        update_rmsprop(u, g, first, w, n);
        break;
    case SIGMAX_ADAM:
    case SIGMAX_ADAMW:
        update_adam(u, g, first, first + job->n_parameters, w, n);
        break;
    default:
        update_sgd(u, g, w, n);
    }
}

static void update_block(void *context, size_t index, size_t worker)
{
    const struct update_job *const job = context;
    const size_t begin = index * UPDATE_BLOCK, end = smaller(begin + UPDATE_BLOCK, job->n_parameters);
    const size_t middle = begin < job->n_weights ? smaller(end, job->n_weights) : begin;
    (void)worker;
    if (begin < middle) update_range(job, begin, middle);
    if (middle < end) update_range(job, middle, end);
}

/* The sum of squares of a block, in lanes, so that the order of adding is the same on every instruction set. */
static void square_block(void *context, size_t index, size_t worker)
{
    enum { LANES_OF_SUM = 16 };
    const struct update_job *const job = context;
    const size_t begin = index * UPDATE_BLOCK, end = smaller(begin + UPDATE_BLOCK, job->n_parameters);
    double lanes[LANES_OF_SUM] = {0}, sum = 0;
    size_t i = begin;
    (void)worker;
    for (; i + LANES_OF_SUM <= end; i += LANES_OF_SUM) {
        LANEWISE
        for (size_t j = 0; j < LANES_OF_SUM; j++) {
            const double g = (double)job->gradient[i + j];
            lanes[j] += g * g;
        }
    }
    for (; i < end; i++) sum += (double)job->gradient[i] * (double)job->gradient[i];
    for (size_t j = 0; j < LANES_OF_SUM; j++) sum += lanes[j];
    job->squares[index] = sum;
}

static size_t update_blocks(size_t n_parameters)
{
    return count_of(n_parameters, UPDATE_BLOCK);
}

static size_t update_workspace(const struct sigmax_shape *shape)
{
    return update_blocks(shape->n_parameters) * sizeof(double);
}

/* The norm of a gradient whose squares are beyond a double, though it is not. */
static double scaled_norm(const struct update_job *job)
{
    double largest = 0, sum = 0;
    for (size_t i = 0; i < job->n_parameters; i++) {
        const double g = fabs((double)job->gradient[i]);
        if (g > largest) largest = g; /* with fmax, gcc 12 for arm64 ends with an internal error */
    }
    for (size_t i = 0; i < job->n_parameters; i++) {
        const double g = (double)job->gradient[i] / largest;
        sum += g * g;
    }
    return largest * sqrt(sum);
}

/* The factor by which clipping shortens the gradient: 1 where its norm is within clip_norm. */
static double clipping(struct update_job *job, double clip_norm, const struct sigmax_pool *pool)
{
    const size_t blocks = update_blocks(job->n_parameters);
    double sum = 0;
    run_tasks(pool, (double)job->n_parameters, blocks, square_block, job);
    for (size_t i = 0; i < blocks; i++) sum += job->squares[i];
    const double norm = isinf(sum) ? scaled_norm(job) : sqrt(sum);
    const double factor = clip_norm / (norm + 1e-6);
    return factor > 1 ? 1 : factor;
}

/* Whether BP3 and BP4 can do the update by themselves. To them a decay of 1 means that weights are to be forgotten,
   even one that is infinite. */
static int update_is_fused(const struct sigmax_training *training)
{
    const real decay = (real)(training->learning_rate * training->l2);
    return training->optimizer == SIGMAX_SGD && training->l1 == 0 && training->clip_norm == 0 && decay != 1;
}

/* Update number t = 1, 2, ... with the mean gradient (n_parameters) of a batch, in update_workspace() bytes. */
static void update(const struct sigmax_shape *shape, const struct sigmax_training *training, uint64_t t,
                   const void *gradient, void *parameters, void *workspace, const struct sigmax_pool *pool)
{
    enum { WORK = 16 }; /* of one parameter, in multiplications */
    struct update_job job = {
        .optimizer = training->optimizer,
        .gradient = gradient,
        .parameters = parameters,
        .state = training->state,
        .n_weights = shape->n_weights,
        .n_parameters = shape->n_parameters,
        .squares = workspace,
    };
    const double clip = training->clip_norm == 0 ? 1 : clipping(&job, training->clip_norm, pool);
    job.weights = numbers_of_update(training, t, clip, 1);
    job.biases = numbers_of_update(training, t, clip, 0);
    run_tasks(pool, WORK * (double)shape->n_parameters, update_blocks(shape->n_parameters), update_block, &job);
}

#endif
