/*
 * Dot products, for few examples: every lane holds a partial sum of one output, and the lanes are added up at the end.
 * No lane is wasted on examples that are not there.
 */
#ifndef SIGMAX_ENGINE_DOTS_H
#define SIGMAX_ENGINE_DOTS_H

#include "real.h"
#include "tile.h"
#include "tiles.h"

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
 * sum[j][r][lane] = sum_k w[j][k, lane] x[k, r, lane] for k < depth: the lanes of the dot products of n_rows
 * examples and n_neurons neurons, constants where inlined. w (n_neurons, n_in) as it lies; x as pack_examples leaves it.
 */
static INLINE void dot_lanes(int n_rows, int n_neurons, size_t depth, const real *restrict x, const real *restrict w,
                             size_t n_in, real (*restrict out)[LANES])
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
                    sum[j][r][i] += w[(size_t)j * n_in + k * LANES + (size_t)i]
                                    * x[(k * (size_t)n_rows + (size_t)r) * LANES + (size_t)i];
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

/* dot_lanes for each size: functions of their own, since only of a function's own arguments does the compiler
   believe that they do not overlap, and only then does it load each vector of x once. */
typedef void dot_function(size_t depth, const real *restrict x, const real *restrict w, size_t n_in,
                          real (*restrict out)[LANES]);

#define DEFINE_DOT(R, N)                                                                                               \
    static NOINLINE void dot_##R##x##N(size_t depth, const real *restrict x, const real *restrict w, size_t n_in,      \
                                       real(*restrict out)[LANES])                                                     \
    {                                                                                                                  \
        dot_lanes(R, N, depth, x, w, n_in, out);                                                                       \
    }
DEFINE_DOT(1, 1)
DEFINE_DOT(1, 4)
DEFINE_DOT(1, 8)
DEFINE_DOT(2, 1)
DEFINE_DOT(2, 4)
DEFINE_DOT(4, 1)
DEFINE_DOT(4, 4)
DEFINE_DOT(5, 1)
DEFINE_DOT(5, 4)

/* z (n_rows, n_out) = a . w + b for n_rows examples and n_neurons neurons, which dot takes at once. The last inputs,
   where they fill no vector, come as a vector filled up with zeros. */
static void dot_tile(size_t n_rows, size_t n_neurons, dot_function *dot, const real *x, const real *w, const real *b,
                     real *z, size_t n_in, size_t n_out)
{
    const size_t depth = n_in / LANES, rest = n_in % LANES;
    real sum[DOT_SUMS][LANES], total[DOT_SUMS];
    dot(depth, x, w, n_in, sum);
    if (rest > 0) {
        const real *x_rest = x + depth * LANES * n_rows;
        for (size_t j = 0; j < n_neurons; j++) {
            real last[LANES] = {0};
            memcpy(last, w + j * n_in + depth * LANES, rest * sizeof *last);
            for (size_t r = 0; r < n_rows; r++) {
                LANEWISE
                for (int i = 0; i < LANES; i++) sum[j * n_rows + r][i] += last[i] * x_rest[r * LANES + (size_t)i];
            }
        }
    }
    add_lanes(sum, n_rows * n_neurons, total);
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t j = 0; j < n_neurons; j++) z[r * n_out + j] = total[j * n_rows + r] + b[j];
    }
}

/* How many of the examples that are left a dot_tile takes: few short of DOT_ROWS, none of them alone if it can be
   helped. */
static inline size_t dot_rows(size_t left)
{
    if (left % DOT_ROWS == 0 || left == 2 * DOT_ROWS - 1 || left == DOT_ROWS + 2) return DOT_ROWS;
    return left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

/* x of dot_tile: for each group of dot_rows examples (k, r, lane), filled up with zeros to whole vectors. */
static void pack_examples(const real *examples, size_t rows, size_t n_in, real *packed)
{
    const size_t width = whole_vectors(n_in);
    for (size_t row = 0, height; row < rows; row += height) {
        height = dot_rows(rows - row);
        for (size_t r = 0; r < height; r++) {
            const real *restrict a = examples + (row + r) * n_in;
            real *restrict x = packed + row * width + r * LANES;
            for (size_t k = 0; k + LANES <= n_in; k += LANES, a += LANES, x += height * LANES) {
                LANEWISE
                for (int i = 0; i < LANES; i++) x[i] = a[i];
            }
            if (n_in % LANES == 0) continue;
            LANEWISE
            for (int i = 0; i < LANES; i++) x[i] = (size_t)i < n_in % LANES ? a[i] : 0;
        }
    }
}

#endif
