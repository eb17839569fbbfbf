/*
 * What the three products are made of: one tile of sums, the panels that feed it, and the tasks that own the tiles.
 *
 * A tile is sum[i][j] = sum_p a(p, i) b(p, j), with i over ROWS broadcast numbers and j over the COLS lanes of a few
 * vectors. The inner loop runs over independent sums, so it becomes vector code without any sum being reordered.
 */
#ifndef SIGMAX_ENGINE_TILE_H
#define SIGMAX_ENGINE_TILE_H

#include "../engine.h"
#include "real.h"
#include "tiles.h"

/* ---- the tile ---------------------------------------------------------------------------------------------------- */

/*
 * sum[i][j] = sum_p a[i * a_i + p * a_p] b[p * b_p + j] for i < height <= ROWS, j < width <= COLS, p < depth >= 1; height
 * and width are constants where this is inlined, width a multiple of LANES.
 *
 * What follows must take the sums as whole vectors, in one way: where ways part after a tile, or one of them looks at
 * single sums, compilers put all sums into memory first, which costs a shallow tile a third of its speed (measured).
 * Therefore callers choose their way first, and have a tile in each. A mere copy of the sums is taken for a memcpy, with
 * the same result: where nothing else is done to them, callers add 0.
 */
static INLINE void tile(int height, int width, size_t depth, const real *restrict a, size_t a_i, size_t a_p,
                        const real *restrict b, size_t b_p, real sum[ROWS][COLS])
{
    UNROLLED
    for (int i = 0; i < height; i++) {
        LANEWISE
        for (int j = 0; j < width; j++) sum[i][j] = 0;
    }
    size_t p = 0;
    UNROLLED_BY_2
    do { /* a loop that might not run would need its sums in memory, too */
        UNROLLED
        for (int i = 0; i < height; i++) {
            LANEWISE
            for (int j = 0; j < width; j++) sum[i][j] += a[(size_t)i * a_i + p * a_p] * b[p * b_p + (size_t)j];
        }
    } while (++p < depth);
}

/* Calls f(height, width, ...) with constants: the largest height of ROWS, 4, 2, 1 that fits rows, and width for the
   number of vectors that cols fills. height is left in `done`. */
#define WITH_CONSTANT_WIDTH(f, height, cols, ...)                                                                      \
    do {                                                                                                               \
        if (VECTORS >= 3 && (cols) > 2 * LANES) {                                                                      \
            f(height, VECTORS *LANES, __VA_ARGS__);                                                                    \
        } else if (VECTORS >= 2 && (cols) > LANES) {                                                                   \
            f(height, 2 * LANES, __VA_ARGS__);                                                                         \
        } else {                                                                                                       \
            f(height, LANES, __VA_ARGS__);                                                                             \
        }                                                                                                              \
    } while (0)

#define WITH_CONSTANT_SIZE(f, done, rows, cols, ...)                                                                   \
    do {                                                                                                               \
        if ((rows) >= ROWS) {                                                                                          \
            WITH_CONSTANT_WIDTH(f, ROWS, cols, __VA_ARGS__);                                                           \
            (done) = ROWS;                                                                                             \
        } else if (ROWS > 4 && (rows) >= 4) {                                                                          \
            WITH_CONSTANT_WIDTH(f, 4, cols, __VA_ARGS__);                                                              \
            (done) = 4;                                                                                                \
        } else if ((rows) >= 2) {                                                                                      \
            WITH_CONSTANT_WIDTH(f, 2, cols, __VA_ARGS__);                                                              \
            (done) = 2;                                                                                                \
        } else {                                                                                                       \
            WITH_CONSTANT_WIDTH(f, 1, cols, __VA_ARGS__);                                                              \
            (done) = 1;                                                                                                \
        }                                                                                                              \
    } while (0)

/* ---- panels ------------------------------------------------------------------------------------------------------ */

static inline size_t whole_vectors(size_t n)
{
    return (n + LANES - 1) / LANES * LANES;
}

static inline size_t count_of(size_t n, size_t size)
{
    return n / size + (n % size != 0);
}

/* panel[p][j] = b[p * b_p + j] for j < cols <= COLS, 0 up to whole vectors. */
static void pack_panel(const real *restrict b, size_t b_p, size_t depth, size_t cols, real *restrict panel)
{
    if (cols == COLS) {
        for (size_t p = 0; p < depth; p++) {
            LANEWISE
            for (size_t j = 0; j < COLS; j++) panel[p * COLS + j] = b[p * b_p + j];
        }
        return;
    }
    const size_t width = whole_vectors(cols);
    for (size_t p = 0; p < depth; p++) {
        for (size_t j = 0; j < width; j++) panel[p * width + j] = j < cols ? b[p * b_p + j] : 0;
    }
}

/*
 * A riffle of n = rows * LANES cards: out[2i] = in[i], out[2i + 1] = in[i + n/2]. It moves the highest bit of every
 * index to the lowest place, so log2(rows) of them transpose a matrix of that many rows in vector operations alone. rows
 * is even, a constant where inlined; the rows of in are in_row apart, those of out out_row.
 */
static INLINE void riffle(size_t rows, const real *restrict in, size_t in_row, real *restrict out, size_t out_row)
{
    UNROLLED
    for (size_t row = 0; row < rows / 2; row++) {
        const real *const high = in + row * in_row, *const low = in + (row + rows / 2) * in_row;
        real *const even = out + 2 * row * out_row, *const odd = even + out_row;
        LANEWISE
        for (size_t i = 0; i < LANES / 2; i++) {
            even[2 * i] = high[i];
            even[2 * i + 1] = low[i];
        }
        LANEWISE
        for (size_t i = 0; i < LANES / 2; i++) {
            odd[2 * i] = high[i + LANES / 2];
            odd[2 * i + 1] = low[i + LANES / 2];
        }
    }
}

/* panel[p][j] = a[j * a_j + p] for p and j < LANES; rows of the panel are width apart. */
static void transpose_block(const real *restrict a, size_t a_j, real *restrict panel, size_t width)
{
    real once[LANES * LANES], twice[LANES * LANES], thrice[LANES * LANES];
    riffle(LANES, a, a_j, LANES == 2 ? panel : once, LANES == 2 ? width : LANES);
    if (LANES >= 4) riffle(LANES, once, LANES, LANES == 4 ? panel : twice, LANES == 4 ? width : LANES);
    if (LANES >= 8) riffle(LANES, twice, LANES, LANES == 8 ? panel : thrice, LANES == 8 ? width : LANES);
    if (LANES >= 16) riffle(LANES, thrice, LANES, panel, width);
}

/* The same at the edges, for p < depth and j < cols; 0 for the other j. */
static void transpose_edge(const real *restrict a, size_t a_j, size_t depth, size_t cols, real *restrict panel,
                           size_t width)
{
    for (size_t p = 0; p < depth; p++) {
        for (size_t j = 0; j < LANES; j++) panel[p * width + j] = j < cols ? a[j * a_j + p] : 0;
    }
}

/* panel[p][j] = a[j * a_j + p] for j < cols <= COLS, 0 up to whole vectors. */
static void pack_transposed(const real *a, size_t a_j, size_t depth, size_t cols, real *panel)
{
    const size_t width = whole_vectors(cols);
    for (size_t j = 0; j < cols; j += LANES) {
        const size_t left = smaller(cols - j, LANES), whole = left == LANES ? depth / LANES * LANES : 0;
        for (size_t p = 0; p < whole; p += LANES) {
            transpose_block(a + j * a_j + p, a_j, panel + p * width + j, width);
        }
        transpose_edge(a + j * a_j + whole, a_j, depth - whole, left, panel + whole * width + j, width);
    }
}

/* Runs the tasks of a product of `work` multiply-adds. */
static void run_tasks(const struct sigmax_team *team, double work, size_t n_tasks, sigmax_task task, void *context)
{
    if (team->n_threads > 1 && n_tasks > 1 && work >= PARALLEL_WORK) {
        team->parallel(smaller(team->n_threads, n_tasks), n_tasks, task, context);
    } else {
        for (size_t i = 0; i < n_tasks; i++) task(context, i, 0);
    }
}

#endif
