/*
 * The three matrix products, named by what they are for:
 *
 *     matmul_forward    z = a W^T + b              and sigmoid(z) where the layer is hidden
 *     matmul_delta      delta W                    and * a (1 - a), which makes it BP2
 *     matmul_gradient   delta^T a                  blended into the gradient (BP4) or the weights (the update)
 *
 * All three are made of one tile (tile.h): sum[i][j] = sum_p a(p, i) b(p, j), with i over a few broadcast numbers and j
 * over the lanes of a few vectors. What differs is which matrix is broadcast and which one lies along the lanes:
 *
 *     product     i         j         p         b
 *     forward     neurons   examples  inputs    a, transposed into panels (few examples: dot products instead)
 *     delta       examples  inputs    neurons   W, copied into panels
 *     gradient    neurons   inputs    examples  a, copied into panels
 *
 * A panel is b for COLS neighbouring j, laid out (p, j) without gaps and filled up with zeros to whole vectors.
 * Inference over many rows transposes W, once, and broadcasts examples (matmul_packed). Tiles are cut by the sizes
 * alone and each has one owner, so the number of threads changes nothing.
 */
#ifndef SIGMAX_ENGINE_MATMUL_H
#define SIGMAX_ENGINE_MATMUL_H

#include "matmul_delta.h"
#include "matmul_forward.h"
#include "matmul_gradient.h"

/* Bytes of scratch for any of the three products of these sizes, or SIZE_MAX where they cannot be counted. */
static size_t product_scratch(size_t rows, size_t n_in, size_t n_out, size_t n_threads)
{
    const double limit = (double)(SIZE_MAX / 4);
    const double forward = (double)whole_vectors(forward_block(rows, n_in)) * (double)whole_vectors(n_in);
    const double delta = (double)smaller(n_threads, count_of(n_in, DELTA_PANELS * COLS)) * (double)n_out
                         * (double)smaller(whole_vectors(n_in), DELTA_PANELS * COLS);
    const double gradient
        = (double)gradient_block(rows, n_in) * ((double)whole_vectors(n_in) + (double)count_of(n_out, ROWS) * ROWS);
    const double most = forward > delta ? forward : delta;
    const double reals = most > gradient ? most : gradient;
    return reals * sizeof(real) < limit ? (size_t)reals * sizeof(real) : SIZE_MAX;
}

#endif
