/*
 * The update of gradient descent on C + (l2/2) sum w^2, for the mean over a batch of m examples:
 *
 *     w <- w - rate ((1/m) sum_x dC_x/dw + l2 w) = w - (rate l2) w - (rate/m) sum_x dC_x/dw
 *     b <- b - rate  (1/m) sum_x dC_x/db
 *
 * Both have the form out = out + (scale * sum over x - decay * out), so BP3 and BP4 write it straight into the
 * parameters, and the gradient itself never travels through memory.
 */
#ifndef SIGMAX_ENGINE_UPDATE_H
#define SIGMAX_ENGINE_UPDATE_H

#include "matmul_gradient.h"
#include "real.h"

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

#endif
