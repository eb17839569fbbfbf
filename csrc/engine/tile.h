/*
 * What the three products are made of: one tile of sums, and the tasks that own the tiles. Panels feed it (panels.h).
 *
 * A tile is sum[i][j] = sum_p a(p, i) b(p, j), with i over ROWS broadcast numbers and j over the COLS lanes of a few
 * vectors. The inner loop runs over independent sums, so it becomes vector code without any sum being reordered.
 */
#ifndef SIGMAX_ENGINE_TILE_H
#define SIGMAX_ENGINE_TILE_H

#include "../engine.h"
#include "panels.h"
#include "real.h"
#include "sizes.h"

/* ---- the tile ---------------------------------------------------------------------------------------------------- */

/*
 * sum[i][j] = sum_p a[i * a_i + p * a_p] b[p * b_p + j] for i < height <= ROWS, j < width <= COLS, p < depth >= 1;
 * height and width are constants where this is inlined, width a multiple of LANES. If `ahead`, which is constant too,
 * the rows of a that come next are brought near meanwhile, where they lie without gaps.
 *
 * Where it is inlined, what follows must take the sums as whole vectors, in one way: where ways part after a tile, or
 * one of them looks at single sums, compilers put all sums into memory first. A mere copy of the sums is taken for a
 * memcpy, with the same result: where nothing else is done to them, callers add 0.
 */
static INLINE void tile(int height, int width, int ahead, size_t depth, const real *restrict a, size_t a_i, size_t a_p,
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
        if (ahead) prefetch(a, (size_t)height * (a_i + p));
        UNROLLED
        for (int i = 0; i < height; i++) {
            LANEWISE
            for (int j = 0; j < width; j++) sum[i][j] += a[(size_t)i * a_i + p * a_p] * b[p * b_p + (size_t)j];
        }
    } while (++p < depth);
}

/*
 * A tile by itself, its sums in memory at the end: the same code for every product. In a function of its own all
 * registers are its own; inlined into what is done with the sums, some pointers of its loop would be in memory.
 */
typedef void tile_function(size_t depth, const real *restrict a, size_t a_i, size_t a_p, const real *restrict b,
                           size_t b_p, real (*restrict sum)[COLS]);

/*
 * DEFINE_TILE(NAME, HEIGHT, WIDE)
 *     NAME    of the tile_function that it defines
 *     HEIGHT  constant: rows of a, and of sum; ROWS where that is less
 *     WIDE    constant: vectors of b, and of a row of sum; VECTORS where that is less
 */
#define DEFINE_TILE(NAME, HEIGHT, WIDE)                                                                                \
    static NOINLINE void NAME(size_t depth, const real *restrict a, size_t a_i, size_t a_p, const real *restrict b,    \
                              size_t b_p, real(*restrict sum)[COLS])                                                   \
    {                                                                                                                  \
        enum { H = (HEIGHT) < ROWS ? (HEIGHT) : ROWS, W = ((WIDE) < VECTORS ? (WIDE) : VECTORS) * LANES };             \
        real own[ROWS][COLS];                                                                                          \
        tile(H, W, 1, depth, a, a_i, a_p, b, b_p, own);                                                                \
        UNROLLED                                                                                                       \
        for (int i = 0; i < H; i++) {                                                                                  \
            LANEWISE                                                                                                   \
            for (int j = 0; j < W; j++) sum[i][j] = own[i][j] + 0;                                                     \
        }                                                                                                              \
    }
DEFINE_TILE(tile_1_by_1, 1, 1)
DEFINE_TILE(tile_1_by_2, 1, 2)
DEFINE_TILE(tile_1_by_3, 1, 3)
DEFINE_TILE(tile_2_by_1, 2, 1)
DEFINE_TILE(tile_2_by_2, 2, 2)
DEFINE_TILE(tile_2_by_3, 2, 3)
DEFINE_TILE(tile_4_by_1, 4, 1)
DEFINE_TILE(tile_4_by_2, 4, 2)
DEFINE_TILE(tile_4_by_3, 4, 3)
DEFINE_TILE(tile_8_by_1, 8, 1)
DEFINE_TILE(tile_8_by_2, 8, 2)
DEFINE_TILE(tile_8_by_3, 8, 3)

/* tiles[h][v]: 2^h rows by v + 1 vectors; NULL where ROWS or VECTORS is less. */
#define TILES_OF_HEIGHT(HEIGHT)                                                                                        \
    {                                                                                                                  \
        (HEIGHT) <= ROWS ? tile_##HEIGHT##_by_1 : NULL,                                                                \
        (HEIGHT) <= ROWS && 2 <= VECTORS ? tile_##HEIGHT##_by_2 : NULL,                                                \
        (HEIGHT) <= ROWS && 3 <= VECTORS ? tile_##HEIGHT##_by_3 : NULL,                                                \
    }
static tile_function *const tiles[4][3] = {
    TILES_OF_HEIGHT(1),
    TILES_OF_HEIGHT(2),
    TILES_OF_HEIGHT(4),
    TILES_OF_HEIGHT(8),
};

/* The rows that the next tile takes, when so many are left. */
static inline size_t tile_height(size_t left)
{
    return left >= ROWS ? ROWS : ROWS > 4 && left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

/* The h of 2^h = height <= 8: the place of a height in a table. */
static inline size_t log2_of(size_t height)
{
    return (size_t)(height > 1) + (size_t)(height > 2) + (size_t)(height > 4);
}

/* The tile of a height that tile_height gave, and as wide as the vectors that cols fills. Inlined, it would take
   registers from the loops around it. */
static NOINLINE tile_function *tile_of(size_t height, size_t cols)
{
    return tiles[log2_of(height)][count_of(cols, LANES) - 1];
}

/*
 * Calls f(height, width, ...) with a constant width, that of the vectors which cols fills: for what is inlined into its
 * caller's loop, where a table of functions costs too much (gradient_tile: 5 to 9 % of the steps of a single example).
 */
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

/* Brings the lines of height rows of cols reals near, row_length apart, that will be needed after a tile. */
static inline void prefetch_rows(const real *rows, size_t row_length, size_t height, size_t cols)
{
    for (size_t i = 0; i < height; i++) {
        for (size_t j = 0; j < cols; j += CACHE_LINE / sizeof(real)) prefetch(rows, i * row_length + j);
    }
}

/* ---- tasks ------------------------------------------------------------------------------------------------------ */

/* Runs the tasks of a product of `work` multiply-adds. */
static void run_tasks(const struct sigmax_pool *pool, double work, size_t n_tasks, sigmax_task task, void *context)
{
    if (pool->n_threads > 1 && n_tasks > 1 && work >= PARALLEL_WORK) {
        pool->run(smaller(pool->n_threads, n_tasks), n_tasks, task, context);
    } else {
        for (size_t i = 0; i < n_tasks; i++) task(context, i, 0);
    }
}

#endif
