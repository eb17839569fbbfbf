/* z = a W^T + b, and sigmoid(z) where the layer is hidden. See matmul.h. */
#ifndef SIGMAX_ENGINE_MATMUL_FORWARD_H
#define SIGMAX_ENGINE_MATMUL_FORWARD_H

#include "../engine.h"
#include "activation.h"
#include "dots.h"
#include "real.h"
#include "tile.h"

struct forward_job {
    const real *a; /* (rows, n_in) */
    const real *w; /* (n_out, n_in) */
    const real *b; /* (n_out) */
    real *z;       /* (rows, n_out), its rows z_row apart */
    real *panels;  /* (n_in, rows) a^T as panels */
    size_t rows, n_in, n_out;
    size_t z_row; /* n_out, or more, where others compute the rest of each row */
    int sigmoid;  /* of each tile, before it is stored */
};

/* Each output a dot product over vectors of inputs, for the neurons first ... end - 1 and all examples. */
static void dots_of_neurons(const struct forward_job *job, size_t first, size_t end)
{
    const size_t n_in = job->n_in, z_row = job->z_row;
    for (size_t row = 0, height; row < job->rows; row += height) {
        height = dot_rows(job->rows - row);
        for (size_t neuron = first, at_once; neuron < end; neuron += at_once) {
            at_once = dot_neurons(height, end - neuron);
            dot_tile(height, at_once, dot_of(height, at_once), job->a + row * n_in, job->w + neuron * n_in,
                     job->b + neuron, job->z + row * z_row + neuron, n_in, z_row);
        }
    }
}

/* Task: DOT_NEURONS neurons, all examples. */
static void forward_dots(void *context, size_t index, size_t worker)
{
    const struct forward_job *const job = context;
    const size_t first = index * DOT_NEURONS;
    (void)worker;
    dots_of_neurons(job, first, smaller(first + DOT_NEURONS, job->n_out));
}

/* z[j][i] = sum[i][j] for i < height <= 8, a power of two and constant where inlined, and j < cols. The rows of sum are
   width apart, those of z z_row. */
static INLINE void store_transposed(int height, const real *sum, size_t width, size_t cols, real *restrict z,
                                    size_t z_row)
{
    real once[ROWS * LANES], twice[ROWS * LANES], thrice[ROWS * LANES];
    for (size_t first = 0; first < cols; first += LANES) {
        const size_t end = smaller(cols - first, LANES);
        const real *const block = sum + first;
        const real *const by_example = height == 8 ? thrice : height == 4 ? twice : height == 2 ? once : block;
        if (height >= 2) riffle((size_t)height, block, width, once, LANES);
        if (height >= 4) riffle((size_t)height, once, LANES, twice, LANES);
        if (height >= 8) riffle((size_t)height, twice, LANES, thrice, LANES);
        for (size_t j = 0; j < end; j++) {
            LANEWISE
            for (int i = 0; i < height; i++)
                z[(first + j) * z_row + (size_t)i] = by_example[j * (size_t)height + (size_t)i];
        }
    }
}

/*
 * DEFINE_STORE(NAME, HEIGHT)
 *     NAME    of the store_function that it defines
 *     HEIGHT  constant: rows of sum; ROWS where that is less
 */
typedef void store_function(real (*restrict sum)[COLS], size_t cols, real *restrict z, size_t z_row);

#define DEFINE_STORE(NAME, HEIGHT)                                                                                     \
    static NOINLINE void NAME(real(*restrict sum)[COLS], size_t cols, real *restrict z, size_t z_row)                  \
    {                                                                                                                  \
        store_transposed((HEIGHT) < ROWS ? (HEIGHT) : ROWS, sum[0], COLS, cols, z, z_row);                             \
    }
DEFINE_STORE(store_1, 1)
DEFINE_STORE(store_2, 2)
DEFINE_STORE(store_4, 4)
DEFINE_STORE(store_8, 8)

/* stores[h]: of a tile of 2^h rows; NULL where ROWS is less. */
static store_function *const stores[4] = {store_1, store_2, 4 <= ROWS ? store_4 : NULL, 8 <= ROWS ? store_8 : NULL};

/* height neurons by the examples of one panel; sum is (neuron, example), z is (example, neuron). */
static void forward_tile(const struct forward_job *job, size_t height, size_t neuron, size_t row, size_t cols)
{
    const size_t n_in = job->n_in, z_row = job->z_row, width = whole_vectors(cols);
    const real *const b = job->b + neuron;
    real *const z = job->z + row * z_row + neuron;
    const real *const w = job->w + neuron * n_in;
    LINE_ALIGNED real sum[ROWS][COLS];
    tile_of(height, cols)(n_in, w, n_in, 1, job->panels + row * n_in, width, sum);
    for (size_t i = 0; i < height; i++) {
        for (size_t first = 0; first < width; first += LANES) {
            LANEWISE
            for (size_t j = first; j < first + LANES; j++) sum[i][j] += b[i];
        }
    }
    if (job->sigmoid && width == COLS) sigmoids(sum[0], sum[0], height * COLS);
    for (size_t i = 0; i < height && job->sigmoid && width < COLS; i++) sigmoids(sum[i], sum[i], width);
    stores[log2_of(height)](sum, cols, z, z_row);
}

/* Task: ROWS neurons, all panels. */
static void forward_panels(void *context, size_t index, size_t worker)
{
    const struct forward_job *const job = context;
    const size_t end = smaller((index + 1) * ROWS, job->n_out);
    (void)worker;
    for (size_t row = 0, cols; row < job->rows; row += cols) {
        cols = panel_cols(job->rows - row);
        for (size_t neuron = index * ROWS, height; neuron < end; neuron += height) {
            height = tile_height(end - neuron);
            forward_tile(job, height, neuron, row, cols);
        }
    }
}

static void pack_forward(void *context, size_t index, size_t worker)
{
    const struct forward_job *const job = context;
    const size_t row = panel_begin(index, job->rows), cols = panel_begin(index + 1, job->rows) - row;
    (void)worker;
    pack_transposed(job->a + row * job->n_in, job->n_in, job->n_in, cols, job->panels + row * job->n_in);
}

/* Examples that are packed at a time: whole panels. */
static size_t forward_block(size_t rows, size_t n_in)
{
    return smaller(rows, panels_at_a_time(n_in) * COLS);
}

/*
 * Dot products waste no lane on few examples, but add up each output's lanes at the end; panels fill lanes with
 * examples, and transpose. Whichever takes fewer steps: in vector operations, a transposed real costs half of one, a
 * sum of lanes seven, and a dot product loads more for each multiplication. bench/fit_forward_cost.py measures both on
 * many shapes, fits these constants, and prints what the choice loses with those that it finds and with these.
 */
static int forward_uses_dots(size_t rows, size_t n_in, size_t n_out)
{
    const double m = (double)rows, k = (double)n_in, n = (double)n_out;
    const double dots = m * n * (1.2 * (double)count_of(n_in, LANES) + 7);
    const double panels = (double)count_of(rows, LANES) * n * k + 0.5 * m * k + m * n;
    return dots < panels;
}

/* z = a w^T + b by panels, z_row apart; sigmoid(z) where hidden. */
static void forward_by_panels(struct forward_job job, const struct sigmax_pool *pool)
{
    const size_t rows = job.rows, block = forward_block(rows, job.n_in);
    for (size_t row = 0; row < rows; row += job.rows) {
        job.rows = smaller(rows - row, block);
        const double work = (double)job.rows * (double)job.n_in * (double)job.n_out;
        run_tasks(pool, work, count_of(job.rows, COLS), pack_forward, &job);
        run_tasks(pool, work, count_of(job.n_out, ROWS), forward_panels, &job);
        job.a += job.rows * job.n_in;
        job.z += job.rows * job.z_row;
    }
}

/* z (rows, n_out) = a (rows, n_in) w^T + b, w (n_out, n_in), b (n_out); sigmoid(z) where hidden. */
static void matmul_forward(const real *a, const real *w, const real *b, real *z, size_t rows, size_t n_in, size_t n_out,
                           int hidden, void *scratch, const struct sigmax_pool *pool)
{
    const double work = (double)rows * (double)n_in * (double)n_out;
    struct forward_job job = {a, w, b, z, scratch, rows, n_in, n_out, n_out, 0};
    if (forward_uses_dots(rows, n_in, n_out)) {
        run_tasks(pool, work, count_of(n_out, DOT_NEURONS), forward_dots, &job);
    } else {
        job.sigmoid = hidden && work >= PARALLEL_WORK; /* a small z is still in the first cache afterwards */
        forward_by_panels(job, pool);
    }
    if (hidden && !job.sigmoid) sigmoids(z, z, rows * n_out);
}

#endif
