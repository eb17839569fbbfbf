/* delta^T a, blended into the gradient (BP4) or into the weights (the update). See matmul.h. */
#ifndef SIGMAX_ENGINE_MATMUL_GRADIENT_H
#define SIGMAX_ENGINE_MATMUL_GRADIENT_H

#include "../engine.h"
#include "real.h"
#include "tile.h"

/*
 * out = out + (scale * sum - decay * out). decay = 0 adds to out, decay = 1 forgets it: then out is not even read. What
 * is small is summed up first, so that neither the sum nor a decay far below 1 is lost in the rounding of out.
 */
struct blend {
    real decay, scale;
};

struct gradient_job {
    const real *delta;  /* (rows, n_out) */
    const real *a;      /* (rows, n_in) */
    real *out;          /* (n_out, n_in) */
    real *delta_panels; /* for each ROWS neurons: their errors times blend.scale, (rows, ROWS) */
    real *a_panels;     /* (rows, n_in) a as panels; of an a used as it lies its last inputs, if they fill no vector */
    int packed;
    size_t rows, n_in, n_out;
    struct blend blend;
};

/* out[j] = out[j] + (sum[j] - decay out[j]) for j < n, a constant where that pays. See struct blend. */
static INLINE void decay_into(size_t n, real decay, const real *restrict sum, real *restrict out)
{
    LANEWISE
    for (size_t j = 0; j < n; j++) out[j] += sum[j] - decay * out[j];
}

/* The same, where decay may be 1, in fewer steps where it is 1 or 0. */
static INLINE void blend_into(size_t n, real decay, const real *restrict sum, real *restrict out)
{
    if (decay == 1) {
        LANEWISE
        for (size_t j = 0; j < n; j++) out[j] = sum[j] + 0;
    } else if (decay == 0) {
        LANEWISE
        for (size_t j = 0; j < n; j++) out[j] += sum[j];
    } else {
        decay_into(n, decay, sum, out);
    }
}

/*
 * height neurons by the inputs of one panel b: out += d^T b - decay out, d (rows, ROWS) being delta scaled. height and
 * width are constants where this is inlined, width the cols of whole vectors. Below COLS, where tiles are few, all
 * decays but 1 are one code, and 1 is not taken. The sums go from their registers to the weights: a way through memory
 * takes a twentieth of the time of 128 examples, a third of that of 10 (measured).
 */
static INLINE void gradient_tile(int height, int width, const struct gradient_job *job, size_t neuron, size_t col,
                                 const real *restrict d, const real *restrict b, size_t b_p)
{
    const size_t n_in = job->n_in;
    const real decay = job->blend.decay;
    real *restrict out = job->out + neuron * n_in + col;
    if (width < COLS) { /* a tile in each branch: see tile() */
        real sum[ROWS][COLS];
        tile(height, width, 0, job->rows, d, 1, ROWS, b, b_p, sum);
        UNROLLED
        for (int i = 0; i < height; i++) decay_into((size_t)width, decay, sum[i], out + (size_t)i * n_in);
    } else if (decay == 1) {
        real sum[ROWS][COLS];
        tile(height, width, 0, job->rows, d, 1, ROWS, b, b_p, sum);
        UNROLLED
        for (int i = 0; i < height; i++) blend_into((size_t)width, 1, sum[i], out + (size_t)i * n_in);
    } else {
        real sum[ROWS][COLS];
        tile(height, width, 0, job->rows, d, 1, ROWS, b, b_p, sum);
        UNROLLED
        for (int i = 0; i < height; i++) blend_into((size_t)width, decay, sum[i], out + (size_t)i * n_in);
    }
}

/* The same for the last neurons, and for the last inputs, where they fill no vector, or out is forgotten. */
static void gradient_edge(const struct gradient_job *job, size_t height, size_t neuron, size_t col, size_t cols,
                          const real *d, const real *b, size_t b_p)
{
    LINE_ALIGNED real sum[ROWS][COLS];
    tile_of(height, cols)(job->rows, d, 1, ROWS, b, b_p, sum);
    for (size_t i = 0; i < height; i++) {
        blend_into(cols, job->blend.decay, sum[i], job->out + (neuron + i) * job->n_in + col);
    }
}

/* Task: ROWS neurons, all inputs. */
static void gradient_rows(void *context, size_t index, size_t worker)
{
    const struct gradient_job *const job = context;
    const size_t first = index * ROWS, end = smaller(first + ROWS, job->n_out);
    (void)worker;
    for (size_t col = 0, cols; col < job->n_in; col += cols) {
        cols = panel_cols(job->n_in - col);
        const int whole = cols == COLS || (cols % LANES == 0 && job->blend.decay != 1);
        const real *b = job->a + col;
        size_t b_p = job->n_in;
        if (job->packed || cols % LANES != 0) {
            b = job->packed ? job->a_panels + col * job->rows : job->a_panels;
            b_p = whole_vectors(cols);
        }
        for (size_t neuron = first, height; neuron < end; neuron += height) {
            const real *const d = job->delta_panels + first * job->rows + (neuron - first);
            height = tile_height(smaller(end - neuron, job->packed ? ROWS : SHALLOW_ROWS));
            if (job->packed) prefetch_rows(job->out + neuron * job->n_in + col, job->n_in, height, cols);
            if (whole && height == ROWS) {
                WITH_CONSTANT_WIDTH(gradient_tile, ROWS, cols, job, neuron, col, d, b, b_p);
            } else if (whole && height == SHALLOW_ROWS) {
                WITH_CONSTANT_WIDTH(gradient_tile, SHALLOW_ROWS, cols, job, neuron, col, d, b, b_p);
            } else {
                gradient_edge(job, height, neuron, col, cols, d, b, b_p);
            }
        }
    }
}

static void pack_gradient_inputs(void *context, size_t index, size_t worker)
{
    const struct gradient_job *const job = context;
    const size_t first = index * PACK_ROWS, end = smaller(first + PACK_ROWS, job->rows);
    (void)worker;
    pack_panels(job->a, job->n_in, first, end, job->rows, job->n_in, job->a_panels);
}

/* panel[p][i] = scale delta[p][i] for i < height, a constant where inlined. */
static INLINE void scale_deltas(int height, size_t rows, size_t n_out, real scale, const real *restrict delta,
                                real *restrict panel)
{
    for (size_t p = 0; p < rows; p++) {
        LANEWISE
        for (int i = 0; i < height; i++) panel[p * ROWS + (size_t)i] = scale * delta[p * n_out + (size_t)i];
    }
}

/* The errors of ROWS neurons, (p, i), scaled. */
static void pack_gradient_deltas(void *context, size_t index, size_t worker)
{
    const struct gradient_job *const job = context;
    const size_t neuron = index * ROWS, height = smaller(job->n_out - neuron, ROWS);
    const real *const delta = job->delta + neuron;
    real *const panel = job->delta_panels + neuron * job->rows;
    (void)worker;
    if (height == ROWS) {
        scale_deltas(ROWS, job->rows, job->n_out, job->blend.scale, delta, panel);
    } else {
        size_t i = 0;
        for (; height - i >= 2; i += 2) {
            scale_deltas(2, job->rows, job->n_out, job->blend.scale, delta + i, panel + i);
        }
        if (i < height) scale_deltas(1, job->rows, job->n_out, job->blend.scale, delta + i, panel + i);
    }
}

/* Examples that are packed at a time. The number of them is the depth of the tiles. */
static size_t gradient_block(size_t rows, size_t n_in)
{
    const size_t fits = GRADIENT_BYTES / sizeof(real) / n_in;
    return smaller(rows, smaller(fits > GRADIENT_LEAST_ROWS ? fits : GRADIENT_LEAST_ROWS, SUM_ROWS));
}

/* out (n_out, n_in) = out + (scale * delta^T a - decay * out), delta (rows, n_out), a (rows, n_in). */
static void matmul_gradient(const real *delta, const real *a, struct blend blend, real *out, size_t rows, size_t n_in,
                            size_t n_out, void *scratch, const struct sigmax_pool *pool)
{
    const size_t block = gradient_block(rows, n_in), neurons = count_of(n_out, ROWS) * ROWS;
    real *const panels = scratch;
    struct gradient_job job = {
        delta, a, out, panels, panels + block * neurons, rows >= PACK_ROWS, rows, n_in, n_out, blend,
    };
    for (size_t row = 0; row < rows; row += block) {
        job.delta = delta + row * n_out;
        job.a = a + row * n_in;
        job.rows = smaller(rows - row, block);
        const double work = (double)job.rows * (double)n_in * (double)n_out;
        const size_t last = panel_begin(count_of(n_in, COLS) - 1, n_in);
        if (job.packed) {
            run_tasks(pool, work, count_of(job.rows, PACK_ROWS), pack_gradient_inputs, &job);
        } else if (n_in % LANES != 0) {
            pack_panel(job.a + last, n_in, job.rows, n_in - last, job.a_panels);
        }
        run_tasks(pool, work, count_of(n_out, ROWS), pack_gradient_deltas, &job);
        run_tasks(pool, work, count_of(n_out, ROWS), gradient_rows, &job);
        job.blend.decay = 0;
    }
}

#endif
