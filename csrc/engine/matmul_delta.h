/* delta W, and times a (1 - q a), which makes it BP2; q is 1 without dropout (dropout.h). See matmul.h. */
#ifndef SIGMAX_ENGINE_MATMUL_DELTA_H
#define SIGMAX_ENGINE_MATMUL_DELTA_H

#include "../engine.h"
#include "activation.h"
#include "real.h"
#include "tile.h"

struct delta_job {
    const real *delta; /* (rows, n_out) */
    const real *w;     /* (n_out, n_in) */
    const real *a;     /* (rows, n_in), or NULL */
    real q;            /* 1 - p of dropout */
    real *out;         /* (rows, n_in) */
    real *panels;      /* for each worker: columns of w, (n_out, DELTA_PANELS * COLS) at most, as panels */
    size_t rows, n_in, n_out;
};

/* out[j] = sum[j] a[j] (1 - q a[j]) for j < n, or sum[j] where a is NULL; n is a constant where that pays. */
static INLINE void store_delta(size_t n, const real *restrict sum, const real *restrict a, real q, real *restrict out)
{
    if (a != NULL) {
        LANEWISE
        for (size_t j = 0; j < n; j++) out[j] = sum[j] * (a[j] * (1 - q * a[j]));
    } else {
        LANEWISE
        for (size_t j = 0; j < n; j++) out[j] = sum[j] + 0;
    }
}

/* height examples by the inputs of one panel b: out = sum, times a (1 - q a) unless a is NULL. */
static void delta_tile(const struct delta_job *job, size_t height, size_t row, size_t col, size_t cols, const real *b,
                       size_t b_p)
{
    const size_t n_in = job->n_in, n_out = job->n_out;
    const real *const delta = job->delta + row * n_out;
    LINE_ALIGNED real sum[ROWS][COLS];
    if (job->rows >= PACK_ROWS) {
        prefetch_rows(job->out + row * n_in + col, n_in, height, cols);
        if (job->a != NULL) prefetch_rows(job->a + row * n_in + col, n_in, height, cols);
    }
    tile_of(height, cols)(n_out, delta, n_out, 1, b, b_p, sum);
    for (size_t i = 0; i < height; i++) {
        const size_t at = (row + i) * n_in + col;
        for (size_t j = 0, n; j < cols; j += n) {
            const real *const a = job->a != NULL ? job->a + at + j : NULL;
            n = smaller(cols - j, LANES);
            if (n == LANES) {
                store_delta(LANES, sum[i] + j, a, job->q, job->out + at + j);
            } else {
                store_delta(n, sum[i] + j, a, job->q, job->out + at + j);
            }
        }
    }
}

/* All examples by the inputs first ... end - 1, those from `packed` on out of panels. Examples are the outer loop:
   the errors of one tile's examples stay in the nearest cache while all of these inputs are computed. */
static void delta_tiles(const struct delta_job *job, size_t first, size_t end, size_t packed, const real *panels)
{
    const size_t n_in = job->n_in, n_out = job->n_out;
    for (size_t row = 0, height; row < job->rows; row += height) {
        height = tile_height(job->rows - row);
        for (size_t col = first, cols; col < end; col += cols) {
            cols = panel_cols(end - col);
            const real *const b = col < packed ? job->w + col : panels + (col - packed) * n_out;
            const size_t b_p = col < packed ? n_in : whole_vectors(cols);
            delta_tile(job, height, row, col, cols, b, b_p);
        }
    }
}

/* Task: DELTA_PANELS panels of inputs, all examples. */
static void delta_panels(void *context, size_t index, size_t worker)
{
    const struct delta_job *const job = context;
    const size_t n_in = job->n_in, n_out = job->n_out;
    const size_t first = panel_begin(index * DELTA_PANELS, n_in), end = panel_begin((index + 1) * DELTA_PANELS, n_in);
    real *const panels = job->panels + worker * n_out * smaller(whole_vectors(n_in), DELTA_PANELS * COLS);
    /* the inputs that are packed: all of them, or the last, where they fill no vector */
    const size_t last = first + panel_begin(count_of(end - first, COLS) - 1, end - first);
    const size_t packed = job->rows >= PACK_ROWS ? first : end % LANES == 0 ? end : last;
    pack_panels(job->w + packed, n_in, 0, n_out, n_out, end - packed, panels);
    delta_tiles(job, first, end, packed, panels);
}

/* out (rows, n_in) = delta (rows, n_out) w, w (n_out, n_in); times a (1 - q a), a (rows, n_in), unless a is NULL. */
static void matmul_delta(const real *delta, const real *w, const real *a, real q, real *out, size_t rows, size_t n_in,
                         size_t n_out, void *scratch, const struct sigmax_pool *pool)
{
    struct delta_job job = {delta, w, a, q, out, scratch, rows, n_in, n_out};
    run_tasks(pool, (double)rows * (double)n_in * (double)n_out, count_of(n_in, DELTA_PANELS * COLS), delta_panels,
              &job);
}

/* out (rows, cols) = a (rows, depth) b, of a matrix b (depth, cols) that was packed before: the same tiles, without
   anything to pack. The rows of out are out_row apart. */
static void matmul_packed(const real *a, const real *panels, real *out, size_t out_row, size_t rows, size_t depth,
                          size_t cols)
{
    const struct delta_job job = {a, NULL, NULL, 1, out, NULL, rows, out_row, depth};
    const size_t group = panels_at_a_time(depth);
    for (size_t index = 0; index < count_of(cols, COLS); index += group) {
        const size_t first = panel_begin(index, cols);
        delta_tiles(&job, first, panel_begin(index + group, cols), first, panels + first * depth);
    }
}

#endif
