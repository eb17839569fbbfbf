/*
 * Dot products, for few examples: every lane holds a partial sum of one output, and the lanes are added up at the end.
 * No lane is wasted on examples that are not there.
 */
#ifndef SIGMAX_ENGINE_DOTS_H
#define SIGMAX_ENGINE_DOTS_H

#include "real.h"
#include "tile.h"
#include "sizes.h"

/* s[j] += s[j + width] for j < width <= LANES / 2. */
static INLINE void fold(real s[LANES], int width)
{
    LANEWISE
    for (int j = 0; j < width; j++) s[j] += s[j + width];
}

/* out[i] = the sum of v[i] (LANES), pairwise, for i < n. */
static NOINLINE void add_lanes(real v[][LANES], size_t n, real *restrict out)
{
    for (size_t i = 0; i < n; i++) {
        if (LANES >= 16) fold(v[i], 8);
        if (LANES >= 8) fold(v[i], 4);
        if (LANES >= 4) fold(v[i], 2);
        out[i] = v[i][0] + v[i][1];
    }
}

/*
 * sum[j][r][lane] = sum_k w[j][k, lane] x[r][k, lane] for k < depth: the lanes of the dot products of n_rows examples
 * and n_neurons neurons, constants where inlined. The rows of w and x are w_row and x_row apart.
 */
static INLINE void dot_lanes(int n_rows, int n_neurons, size_t depth, const real *restrict x, size_t x_row,
                             const real *restrict w, size_t w_row, real (*restrict out)[LANES])
{
    real sum[DOT_NEURONS][DOT_ROWS][LANES]; /* a corner of it */
    UNROLLED
    for (int j = 0; j < n_neurons; j++) {
        UNROLLED
        for (int r = 0; r < n_rows; r++) {
            LANEWISE
            for (int i = 0; i < LANES; i++) sum[j][r][i] = 0;
        }
    }
    for (size_t k = 0; k < depth; k++) {
        UNROLLED
        for (int j = 0; j < n_neurons; j++) {
            UNROLLED
            for (int r = 0; r < n_rows; r++) {
                LANEWISE
                for (int i = 0; i < LANES; i++) {
                    sum[j][r][i]
                        += w[(size_t)j * w_row + k * LANES + (size_t)i] * x[(size_t)r * x_row + k * LANES + (size_t)i];
                }
            }
        }
    }
    UNROLLED
    for (int j = 0; j < n_neurons; j++) {
        UNROLLED
        for (int r = 0; r < n_rows; r++) {
            LANEWISE
            for (int i = 0; i < LANES; i++) out[j * n_rows + r][i] = sum[j][r][i];
        }
    }
}

/* dot_lanes for each size: functions of their own, since a compiler uses `restrict` only of a function's own arguments,
   and only with it loads each vector of x once. */
typedef void dot_function(size_t depth, const real *restrict x, size_t x_row, const real *restrict w, size_t w_row,
                          real (*restrict out)[LANES]);

/*
 * DEFINE_DOT(NAME, N_ROWS, N_NEURONS)
 *     NAME       of the dot_function that it defines
 *     N_ROWS     constant: examples at once, DOT_ROWS at most
 *     N_NEURONS  constant: neurons at once; N_ROWS N_NEURONS sums are registers
 */
#define DEFINE_DOT(NAME, N_ROWS, N_NEURONS)                                                                            \
    static NOINLINE void NAME(size_t depth, const real *restrict x, size_t x_row, const real *restrict w,              \
                              size_t w_row, real(*restrict out)[LANES])                                                \
    {                                                                                                                  \
        dot_lanes(N_ROWS, N_NEURONS, depth, x, x_row, w, w_row, out);                                                  \
    }
DEFINE_DOT(dot_1_by_1, 1, 1)
DEFINE_DOT(dot_1_by_few, 1, DOT_FEW)
DEFINE_DOT(dot_1_by_all, 1, DOT_NEURONS)
DEFINE_DOT(dot_2_by_1, 2, 1)
DEFINE_DOT(dot_2_by_few, 2, DOT_FEW)
DEFINE_DOT(dot_4_by_1, 4, 1)
DEFINE_DOT(dot_4_by_few, 4, DOT_FEW)
DEFINE_DOT(dot_5_by_1, 5, 1)
DEFINE_DOT(dot_5_by_few, 5, DOT_FEW)

/* dots[examples][neurons: 1, DOT_FEW, DOT_NEURONS]; NULL for what dot_rows and dot_neurons do not choose. */
static dot_function *const dots[DOT_ROWS + 1][3] = {
    [1] = {dot_1_by_1, dot_1_by_few, dot_1_by_all},
    [2] = {dot_2_by_1, dot_2_by_few, NULL},
    [4] = {dot_4_by_1, dot_4_by_few, NULL},
    [5] = {dot_5_by_1, dot_5_by_few, NULL},
};

/* z (n_rows, n_out) = a . w + b for n_rows examples and n_neurons neurons, which dot takes at once. */
static void dot_tile(size_t n_rows, size_t n_neurons, dot_function *dot, const real *a, const real *w, const real *b,
                     real *z, size_t n_in, size_t n_out)
{
    const size_t whole = n_in / LANES * LANES;
    LINE_ALIGNED real sum[DOT_SUMS][LANES];
    real total[DOT_SUMS];
    dot(n_in / LANES, a, n_in, w, n_in, sum);
    if (whole < n_in) { /* the last inputs, as vectors filled up with zeros */
        real last_a[DOT_ROWS][LANES] = {{0}}, last_w[LANES] = {0};
        for (size_t r = 0; r < n_rows; r++) memcpy(last_a[r], a + r * n_in + whole, (n_in - whole) * sizeof *a);
        for (size_t j = 0; j < n_neurons; j++) {
            memcpy(last_w, w + j * n_in + whole, (n_in - whole) * sizeof *w);
            for (size_t r = 0; r < n_rows; r++) {
                LANEWISE
                for (int i = 0; i < LANES; i++) sum[j * n_rows + r][i] += last_w[i] * last_a[r][i];
            }
        }
    }
    add_lanes(sum, n_rows * n_neurons, total);
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t j = 0; j < n_neurons; j++) z[r * n_out + j] = total[j * n_rows + r] + b[j];
    }
}

/* How many of the neurons that are left a dot_tile of height examples takes. */
static inline size_t dot_neurons(size_t height, size_t left)
{
    return height == 1 && left == DOT_NEURONS ? DOT_NEURONS : left >= DOT_FEW ? DOT_FEW : 1;
}

static inline dot_function *dot_of(size_t height, size_t neurons)
{
    return dots[height][(size_t)(neurons >= DOT_FEW) + (size_t)(neurons == DOT_NEURONS)];
}

/* How many of the examples that are left a dot_tile takes: few short of DOT_ROWS, none of them alone if it can be
   helped. */
static inline size_t dot_rows(size_t left)
{
    if (left % DOT_ROWS == 0 || left == 2 * DOT_ROWS - 1 || left == DOT_ROWS + 2) return DOT_ROWS;
    return left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

#endif
