/* delta W, and times a (1 - q a), which makes it BP2; q is 1 without dropout (dropout.h). See matmul.h. */
#ifndef SIGMAX_ENGINE_MATMUL_DELTA_H
#define SIGMAX_ENGINE_MATMUL_DELTA_H

#include "../engine.h"
#include "activation.h"
#include "real.h"
#include "tile.h"

struct delta_job {
    const real *delta, *w, *a;
    real q;
    real *out, *panels; /* DELTA_PANELS panels per worker */
    size_t rows, n_in, n_out;
};

/* out[i][j] = sum[i][j] a[i][j] (1 - q a[i][j]) for j < cols <= width, or sum[i][j] where a is NULL. */
static INLINE void store_delta(int height, int width, size_t cols, real sum[ROWS][COLS], const real *restrict a, real q,
                               real *restrict out, size_t n_in)
{
    UNROLLED
    for (int i = 0; i < height; i++) {
        LANEWISE
        for (int j = 0; j < width; j++) {
            const size_t at = (size_t)i * n_in + (size_t)j;
            if ((size_t)j < cols) out[at] = a == NULL ? sum[i][j] + 0 : sum[i][j] * (a[at] * (1 - q * a[at]));
        }
    }
}

/* The same for the last inputs, where they fill no vector. */
static NOINLINE void store_delta_edge(int height, size_t cols, real sum[ROWS][COLS], const real *a, real q, real *out,
                                      size_t n_in)
{
    for (int i = 0; i < height; i++) {
        const size_t at = (size_t)i * n_in;
        store_delta(1, COLS, cols, sum + i, a == NULL ? NULL : a + at, q, out + at, n_in);
    }
}

/* height examples by the inputs of one panel b. */
static INLINE void delta_tile(int height, int width, const struct delta_job *job, size_t row, size_t col, size_t cols,
                              const real *b, size_t b_p)
{
    const size_t n_in = job->n_in, n_out = job->n_out, at = row * n_in + col;
    const real *const a = job->a == NULL ? NULL : job->a + at;
    real *const out = job->out + at;
    if (cols == (size_t)width && a != NULL) {
        real sum[ROWS][COLS];
        tile(height, width, n_out, job->delta + row * n_out, n_out, 1, b, b_p, sum);
        store_delta(height, width, (size_t)width, sum, a, job->q, out, n_in);
    } else if (cols == (size_t)width) {
        real sum[ROWS][COLS];
        tile(height, width, n_out, job->delta + row * n_out, n_out, 1, b, b_p, sum);
        store_delta(height, width, (size_t)width, sum, NULL, 1, out, n_in);
    } else {
        real sum[ROWS][COLS];
        tile(height, width, n_out, job->delta + row * n_out, n_out, 1, b, b_p, sum);
        store_delta_edge(height, cols, sum, a, job->q, out, n_in);
    }
}

/* Task: DELTA_PANELS panels of inputs, all examples; a few examples meet all the panels while they are in the nearest
   cache. */
static void delta_panels(void *context, size_t index, size_t worker)
{
    const struct delta_job *const job = context;
    const size_t n_in = job->n_in, n_out = job->n_out;
    const size_t first = index * DELTA_PANELS * COLS, end = smaller(first + DELTA_PANELS * COLS, n_in);
    real *const panels = job->panels + worker * n_out * smaller(whole_vectors(n_in), DELTA_PANELS * COLS);
    /* the inputs that are packed: all of them, or the last, where they fill no vector */
    const size_t packed = job->rows >= PACK_ROWS ? first : end % LANES == 0 ? end : end / COLS * COLS;
    pack_panels(job->w + packed, n_in, 0, n_out, n_out, end - packed, panels);
    for (size_t row = 0, height; row < job->rows; row += height) {
        height = tile_height(job->rows - row);
        for (size_t col = first; col < end; col += COLS) {
            const size_t cols = smaller(end - col, COLS);
            const real *const b = col < packed ? job->w + col : panels + (col - packed) * n_out;
            const size_t b_p = col < packed ? n_in : whole_vectors(cols);
            WITH_CONSTANT_SIZE(delta_tile, height, cols, job, row, col, cols, b, b_p);
        }
    }
}

/* out (rows, n_in) = delta (rows, n_out) w, w (n_out, n_in); times a (1 - q a), a (rows, n_in), unless a is NULL. */
static void matmul_delta(const real *delta, const real *w, const real *a, real q, real *out, size_t rows, size_t n_in,
                         size_t n_out, void *scratch, const struct sigmax_team *team)
{
    struct delta_job job = {delta, w, a, q, out, scratch, rows, n_in, n_out};
    run_tasks(team, (double)rows * (double)n_in * (double)n_out, count_of(n_in, DELTA_PANELS * COLS), delta_panels,
              &job);
}

#endif
