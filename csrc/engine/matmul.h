/*
 * The three matrix products, named by what they are for:
 *
 *     matmul_forward    z = a W^T + b              and sigmoid(z) where the layer is hidden
 *     matmul_delta      delta W                    and * a (1 - a), which makes it BP2
 *     matmul_gradient   delta^T a                  blended into the gradient (BP4) or the weights (the update)
 *
 * All three are made of one tile: sum[i][j] = sum_p a(p, i) b(p, j), with i over ROWS broadcast numbers and j over the
 * COLS lanes of a few vectors. The inner loop runs over independent sums, so it becomes vector code without any sum
 * being reordered. What differs is which matrix is broadcast and which one lies along the lanes:
 *
 *     product     i         j         p         b
 *     forward     neurons   examples  inputs    a, transposed into panels (few examples: dot products instead)
 *     delta       examples  inputs    neurons   W, copied into panels
 *     gradient    neurons   inputs    examples  a, copied into panels
 *
 * A panel is b for COLS neighbouring j, laid out (p, j) without gaps and filled up with zeros to whole vectors. W is
 * never transposed. Tiles are cut by the sizes alone and each has one owner, so the number of threads changes nothing.
 */
#ifndef SIGMAX_ENGINE_MATMUL_H
#define SIGMAX_ENGINE_MATMUL_H

#include "../engine.h"
#include "activation.h"
#include "real.h"
#include "tiles.h"

/* out = keep * out + scale * sum; out is not read where keep is 0. */
struct blend {
    real keep, scale;
};

/* ---- the tile ----------------------------------------------------------------------------------------------------- */

/* sum[i][j] += sum_p a[i * a_i + p * a_p] b[p * b_p + j] for i < height <= ROWS, j < width <= COLS; both are constants
   where this is inlined, and width is a multiple of LANES. */
static INLINE void add_products(int height, int width, size_t depth, const real *restrict a, size_t a_i, size_t a_p,
                                const real *restrict b, size_t b_p, real sum[ROWS][COLS])
{
    for (size_t p = 0; p < depth; p++) {
        UNROLLED
        for (int i = 0; i < height; i++) {
            LANEWISE
            for (int j = 0; j < width; j++) sum[i][j] += a[(size_t)i * a_i + p * a_p] * b[p * b_p + (size_t)j];
        }
    }
}

/* The same from sums of 0 on. */
static INLINE void tile(int height, int width, size_t depth, const real *restrict a, size_t a_i, size_t a_p,
                        const real *restrict b, size_t b_p, real sum[ROWS][COLS])
{
    UNROLLED
    for (int i = 0; i < height; i++) {
        LANEWISE
        for (int j = 0; j < width; j++) sum[i][j] = 0;
    }
    add_products(height, width, depth, a, a_i, a_p, b, b_p, sum);
}

/* Calls f(height, width, ...) with constants: the largest height of ROWS, 4, 2, 1 that fits rows, and width for the number of
   vectors that cols fills. height is left in `done`. */
#define WITH_CONSTANT_WIDTH(f, height, cols, ...)                                                                      \
    do {                                                                                                               \
        if (VECTORS >= 3 && (cols) > 2 * LANES) {                                                                      \
            f(height, VECTORS *LANES, __VA_ARGS__);                                                                    \
        } else if ((cols) > LANES) {                                                                                   \
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

/* ---- panels ------------------------------------------------------------------------------------------------------- */

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

/* panel[p][j] = a[j * a_j + p] for j < cols <= COLS, 0 up to whole vectors: a transposed, TRANSPOSED inputs at a time so
   that what is written stays in the first-level cache. */
static void pack_transposed(const real *restrict a, size_t a_j, size_t depth, size_t cols, real *restrict panel)
{
    const size_t width = whole_vectors(cols);
    for (size_t p = 0; p < depth; p += TRANSPOSED) {
        const size_t end = smaller(p + TRANSPOSED, depth);
        for (size_t j = 0; j < cols; j++) {
            for (size_t q = p; q < end; q++) panel[q * width + j] = a[j * a_j + q];
        }
        for (size_t q = p; q < end; q++) {
            for (size_t j = cols; j < width; j++) panel[q * width + j] = 0;
        }
    }
}

/* Runs the tasks of a product of `work` multiply-adds. */
static void run_tasks(const struct sigmax_team *team, double work, size_t n_tasks, sigmax_task task, void *context)
{
    if (team->n_threads > 1 && n_tasks > 1 && work >= PARALLEL_WORK) {
        team->parallel(team->n_threads, n_tasks, task, context);
    } else {
        for (size_t i = 0; i < n_tasks; i++) task(context, i, 0);
    }
}

/* ---- forward ------------------------------------------------------------------------------------------------------ */

struct forward_job {
    const real *a, *w, *b;
    real *z, *panels;
    size_t rows, n_in, n_out;
    int hidden;
};

/* out[i] = the sum of v[i] (LANES), pairwise, for i < n. */
static NOINLINE void add_lanes(real v[][LANES], size_t n, real *restrict out)
{
    for (size_t i = 0; i < n; i++) {
        real s[LANES];
        LANEWISE
        for (int j = 0; j < LANES; j++) s[j] = v[i][j];
        for (int width = LANES / 2; width > 0; width /= 2) {
            LANEWISE
            for (int j = 0; j < width; j++) s[j] += s[j + width];
        }
        out[i] = s[0];
    }
}

/*
 * sum[j][r][lane] = sum_k w[j][k, lane] x[k, r, lane] for k < depth: the lanes of the dot products of n_rows examples and n_neurons
 * neurons, constants where inlined. w (n_neurons, n_in) as it lies; x as pack_examples leaves it.
 */
static INLINE void dot_lanes(int n_rows, int n_neurons, size_t depth, const real *restrict x, const real *restrict w,
                             size_t n_in, real (*restrict out)[LANES])
{
    real sum[DOT_NEURONS][DOT_ROWS][LANES];
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

/* dot_lanes for each size: functions of their own, since only of a function's own arguments does the compiler believe that
   they do not overlap, and only then does it load each vector of x once. */
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
DEFINE_DOT(2, 1)
DEFINE_DOT(2, 4)
DEFINE_DOT(4, 1)
DEFINE_DOT(4, 4)
DEFINE_DOT(5, 1)
DEFINE_DOT(5, 4)

/* z = a . w + b for n_rows examples and n_neurons neurons, which dot takes at once. The last inputs, where they fill no
   vector, come as a vector filled up with zeros. */
static void dot_tile(size_t n_rows, size_t n_neurons, dot_function *dot, const struct forward_job *job, size_t row,
                     size_t neuron)
{
    const size_t n_in = job->n_in, n_out = job->n_out, depth = n_in / LANES, rest = n_in % LANES;
    const real *restrict w = job->w + neuron * n_in, *restrict x = job->panels + row * whole_vectors(n_in);
    real sum[DOT_NEURONS * DOT_ROWS][LANES], total[DOT_NEURONS * DOT_ROWS];
    dot(depth, x, w, n_in, sum);
    if (rest > 0) {
        const real *restrict x_rest = x + depth * LANES * n_rows;
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
        for (size_t j = 0; j < n_neurons; j++) {
            job->z[(row + r) * n_out + neuron + j] = total[j * n_rows + r] + job->b[neuron + j];
        }
    }
}

/* How many of the examples that are left a dot_tile takes: few short of DOT_ROWS, none of them alone if it can be helped. */
static inline size_t dot_rows(size_t left)
{
    if (left % DOT_ROWS == 0 || left == 2 * DOT_ROWS - 1 || left == DOT_ROWS + 2) return DOT_ROWS;
    return left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

/* x of dot_tile: for each group of dot_rows examples (k, r, lane), filled up with zeros to whole vectors. */
static void pack_examples(const struct forward_job *job)
{
    const size_t n_in = job->n_in, width = whole_vectors(n_in);
    for (size_t row = 0, height; row < job->rows; row += height) {
        height = dot_rows(job->rows - row);
        for (size_t r = 0; r < height; r++) {
            const real *restrict a = job->a + (row + r) * n_in;
            real *restrict x = job->panels + row * width + r * LANES;
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

/* Each output a dot product over vectors of inputs. Task: DOT_NEURONS neurons, all examples. */
static void forward_dots(void *context, size_t index, size_t worker)
{
    const struct forward_job *const job = context;
    const size_t first = index * DOT_NEURONS, end = smaller(first + DOT_NEURONS, job->n_out);
    (void)worker;
    for (size_t row = 0, height; row < job->rows; row += height) {
        height = dot_rows(job->rows - row);
        dot_function *const four = height == 5 ? dot_5x4 : height == 4 ? dot_4x4 : height == 2 ? dot_2x4 : dot_1x4;
        dot_function *const one = height == 5 ? dot_5x1 : height == 4 ? dot_4x1 : height == 2 ? dot_2x1 : dot_1x1;
        if (end - first == DOT_NEURONS) {
            dot_tile(height, DOT_NEURONS, four, job, row, first);
        } else {
            for (size_t neuron = first; neuron < end; neuron++) dot_tile(height, 1, one, job, row, neuron);
        }
    }
}

/* height neurons by the examples of one panel; acc is (neuron, example), z is (example, neuron). */
static INLINE void forward_tile(int height, int width, const struct forward_job *job, size_t neuron, size_t row,
                                size_t cols)
{
    const size_t n_in = job->n_in, n_out = job->n_out;
    real sum[ROWS][COLS];
    tile(height, width, n_in, job->w + neuron * n_in, n_in, 1, job->panels + row * n_in, whole_vectors(cols), sum);
    UNROLLED
    for (int i = 0; i < height; i++) {
        const real bias = job->b[neuron + (size_t)i];
        LANEWISE
        for (int j = 0; j < width; j++) sum[i][j] += bias;
    }
    if (job->hidden) {
        UNROLLED
        for (int i = 0; i < height; i++) {
            LANEWISE
            for (int j = 0; j < width; j++) sum[i][j] = sigmoid(sum[i][j]);
        }
    }
    real *restrict z = job->z + row * n_out + neuron;
    for (size_t j = 0; j < cols; j++) {
        UNROLLED
        for (int i = 0; i < height; i++) z[j * n_out + (size_t)i] = sum[i][j];
    }
}

/* Task: ROWS neurons, all panels. */
static void forward_panels(void *context, size_t index, size_t worker)
{
    const struct forward_job *const job = context;
    const size_t end = smaller((index + 1) * ROWS, job->n_out);
    (void)worker;
    for (size_t row = 0; row < job->rows; row += COLS) {
        const size_t cols = smaller(job->rows - row, COLS);
        for (size_t neuron = index * ROWS, done; neuron < end; neuron += done) {
            WITH_CONSTANT_SIZE(forward_tile, done, end - neuron, cols, job, neuron, row, cols);
        }
    }
}

static void pack_forward(void *context, size_t index, size_t worker)
{
    const struct forward_job *const job = context;
    const size_t row = index * COLS, cols = smaller(job->rows - row, COLS);
    (void)worker;
    pack_transposed(job->a + row * job->n_in, job->n_in, job->n_in, cols, job->panels + row * job->n_in);
}

/* Examples that are packed at a time: whole panels. */
static size_t forward_block(size_t rows, size_t n_in)
{
    const size_t fits = PANEL_BYTES / sizeof(real) / n_in / COLS;
    return smaller(rows, (fits > 0 ? fits : 1) * COLS);
}

/*
 * Dot products waste no lane on few examples, but add up each output's lanes at the end; panels fill lanes with
 * examples, and transpose. Whichever takes fewer steps, in vector operations (a transposed real costs one, a sum of lanes seven).
 */
static int forward_by_dots(size_t rows, size_t n_in, size_t n_out)
{
    const double m = (double)rows, k = (double)n_in, n = (double)n_out;
    const double dots = m * n * ((double)count_of(n_in, LANES) + 7);
    const double panels = (double)count_of(rows, LANES) * n * k + m * k + m * n;
    return dots < panels;
}

/* z (rows, n_out) = a (rows, n_in) w^T + b, w (n_out, n_in), b (n_out); sigmoid(z) where hidden. */
static void matmul_forward(const real *a, const real *w, const real *b, real *z, size_t rows, size_t n_in,
                           size_t n_out, int hidden, void *scratch, const struct sigmax_team *team)
{
    struct forward_job job = {a, w, b, z, scratch, rows, n_in, n_out, hidden};
    const int by_dots = forward_by_dots(rows, n_in, n_out);
    const size_t block = forward_block(rows, n_in);
    for (size_t row = 0; row < rows; row += block) {
        job.a = a + row * n_in;
        job.z = z + row * n_out;
        job.rows = smaller(rows - row, block);
        const double work = (double)job.rows * (double)n_in * (double)n_out;
        if (by_dots) {
            pack_examples(&job);
            run_tasks(team, work, count_of(n_out, DOT_NEURONS), forward_dots, &job);
            if (hidden) sigmoids(job.z, job.z, job.rows * n_out);
        } else {
            run_tasks(team, work, count_of(job.rows, COLS), pack_forward, &job);
            run_tasks(team, work, count_of(n_out, ROWS), forward_panels, &job);
        }
    }
}

/* ---- delta -------------------------------------------------------------------------------------------------------- */

struct delta_job {
    const real *delta, *w, *a;
    real *out, *panels; /* one panel per worker */
    size_t rows, n_in, n_out;
};

/* out[i][j] = sum[i][j] a[i][j] (1 - a[i][j]) for j < cols <= width, or sum[i][j] where a is NULL. */
static INLINE void delta_store(int height, int width, size_t cols, real sum[ROWS][COLS], const real *restrict a,
                               real *restrict out, size_t n_in)
{
    if (a != NULL) {
        UNROLLED
        for (int i = 0; i < height; i++) {
            LANEWISE
            for (int j = 0; j < width; j++) {
                if ((size_t)j < cols) sum[i][j] *= sigmoid_prime_of(a[(size_t)i * n_in + (size_t)j]);
            }
        }
    }
    UNROLLED
    for (int i = 0; i < height; i++) {
        LANEWISE
        for (int j = 0; j < width; j++) {
            if ((size_t)j < cols) out[(size_t)i * n_in + (size_t)j] = sum[i][j];
        }
    }
}

/* height examples by the inputs of one panel b. */
static INLINE void delta_tile(int height, int width, const struct delta_job *job, size_t row, size_t col, size_t cols,
                              const real *b, size_t b_p)
{
    const size_t n_in = job->n_in, n_out = job->n_out, at = row * n_in + col;
    real sum[ROWS][COLS];
    tile(height, width, n_out, job->delta + row * n_out, n_out, 1, b, b_p, sum);
    const real *const a = job->a == NULL ? NULL : job->a + at;
    if (cols == (size_t)width) {
        delta_store(height, width, (size_t)width, sum, a, job->out + at, n_in);
    } else {
        delta_store(height, width, cols, sum, a, job->out + at, n_in);
    }
}

/* Task: one panel of inputs, all examples. */
static void delta_panel(void *context, size_t index, size_t worker)
{
    const struct delta_job *const job = context;
    const size_t col = index * COLS, cols = smaller(job->n_in - col, COLS);
    const real *b = job->w + col;
    size_t b_p = job->n_in;
    if (job->rows >= PACK_ROWS || cols % LANES != 0) {
        real *const panel = job->panels + worker * job->n_out * COLS;
        pack_panel(b, b_p, job->n_out, cols, panel);
        b = panel;
        b_p = whole_vectors(cols);
    }
    for (size_t row = 0, done; row < job->rows; row += done) {
        WITH_CONSTANT_SIZE(delta_tile, done, job->rows - row, cols, job, row, col, cols, b, b_p);
    }
}

/* out (rows, n_in) = delta (rows, n_out) w, w (n_out, n_in); times a (1 - a), a (rows, n_in), unless a is NULL. */
static void matmul_delta(const real *delta, const real *w, const real *a, real *out, size_t rows, size_t n_in,
                         size_t n_out, void *scratch, const struct sigmax_team *team)
{
    struct delta_job job = {delta, w, a, out, scratch, rows, n_in, n_out};
    run_tasks(team, (double)rows * (double)n_in * (double)n_out, count_of(n_in, COLS), delta_panel, &job);
}

/* ---- gradient ----------------------------------------------------------------------------------------------------- */

struct gradient_job {
    const real *delta, *a;
    real *out, *delta_panels;
    real *a_panels; /* every panel of a, or, where a is used as it lies, its last inputs when they fill no vector */
    int packed;
    size_t rows, n_in, n_out;
    struct blend blend;
};

/* sum[i][j] = keep out[i][j] for j < cols <= width, 0 beyond; keep = 0 does not look at out. */
static INLINE void start_tile(int height, int width, size_t cols, real keep, const real *restrict out, size_t n_in,
                              real sum[ROWS][COLS])
{
    UNROLLED
    for (int i = 0; i < height; i++) {
        if (keep == 0) {
            LANEWISE
            for (int j = 0; j < width; j++) sum[i][j] = 0;
        } else {
            LANEWISE
            for (int j = 0; j < width; j++) {
                sum[i][j] = (size_t)j < cols ? keep * out[(size_t)i * n_in + (size_t)j] : 0;
            }
        }
    }
}

/* out[i][j] = sum[i][j] + d[i] b[j] for j < cols <= width: the last example, whose products go straight to memory. */
static INLINE void end_tile(int height, int width, size_t cols, const real *restrict d, const real *restrict b,
                            real sum[ROWS][COLS], real *restrict out, size_t n_in)
{
    UNROLLED
    for (int i = 0; i < height; i++) {
        LANEWISE
        for (int j = 0; j < width; j++) {
            if ((size_t)j < cols) out[(size_t)i * n_in + (size_t)j] = sum[i][j] + d[i] * b[j];
        }
    }
}

/* height neurons by the inputs of one panel b: out = keep out + d^T b, d (rows, ROWS) being delta scaled. */
static INLINE void gradient_tile(int height, int width, const struct gradient_job *job, size_t neuron, size_t col,
                                 size_t cols, const real *restrict d, const real *restrict b, size_t b_p)
{
    const size_t n_in = job->n_in, last = job->rows - 1;
    real *restrict out = job->out + neuron * n_in + col;
    real sum[ROWS][COLS];
    if (cols == (size_t)width) {
        start_tile(height, width, (size_t)width, job->blend.keep, out, n_in, sum);
        add_products(height, width, last, d, 1, ROWS, b, b_p, sum);
        end_tile(height, width, (size_t)width, d + last * ROWS, b + last * b_p, sum, out, n_in);
    } else {
        start_tile(height, width, cols, job->blend.keep, out, n_in, sum);
        add_products(height, width, last, d, 1, ROWS, b, b_p, sum);
        end_tile(height, width, cols, d + last * ROWS, b + last * b_p, sum, out, n_in);
    }
}

/* Task: ROWS neurons, all inputs. */
static void gradient_rows(void *context, size_t index, size_t worker)
{
    const struct gradient_job *const job = context;
    const size_t first = index * ROWS, end = smaller(first + ROWS, job->n_out);
    (void)worker;
    for (size_t col = 0; col < job->n_in; col += COLS) {
        const size_t cols = smaller(job->n_in - col, COLS);
        const real *b = job->a + col;
        size_t b_p = job->n_in;
        if (job->packed || cols % LANES != 0) {
            b = job->packed ? job->a_panels + col * job->rows : job->a_panels;
            b_p = whole_vectors(cols);
        }
        for (size_t neuron = first, done; neuron < end; neuron += done) {
            const real *const d = job->delta_panels + first * job->rows + (neuron - first);
            const size_t left = smaller(end - neuron, job->packed ? ROWS : SHALLOW_ROWS);
            WITH_CONSTANT_SIZE(gradient_tile, done, left, cols, job, neuron, col, cols, d, b, b_p);
        }
    }
}

static void pack_gradient_inputs(void *context, size_t index, size_t worker)
{
    const struct gradient_job *const job = context;
    const size_t col = index * COLS;
    (void)worker;
    pack_panel(job->a + col, job->n_in, job->rows, smaller(job->n_in - col, COLS), job->a_panels + col * job->rows);
}

/* The errors of ROWS neurons, (p, i), scaled. */
static void pack_gradient_deltas(void *context, size_t index, size_t worker)
{
    const struct gradient_job *const job = context;
    const size_t neuron = index * ROWS, height = smaller(job->n_out - neuron, ROWS);
    const real scale = job->blend.scale;
    const real *restrict delta = job->delta + neuron;
    real *restrict panel = job->delta_panels + neuron * job->rows;
    (void)worker;
    for (size_t p = 0; p < job->rows; p++) {
        for (size_t i = 0; i < height; i++) panel[p * ROWS + i] = scale * delta[p * job->n_out + i];
    }
}

/* Examples that are packed at a time. The number of them is the depth of the tiles. */
static size_t gradient_block(size_t rows, size_t n_in)
{
    const size_t fits = PANEL_BYTES / sizeof(real) / n_in;
    return smaller(rows, fits > 4 * PACK_ROWS ? fits : 4 * PACK_ROWS);
}

/* out (n_out, n_in) = keep * out + scale * delta^T a, delta (rows, n_out), a (rows, n_in). */
static void matmul_gradient(const real *delta, const real *a, struct blend blend, real *out, size_t rows, size_t n_in,
                            size_t n_out, void *scratch, const struct sigmax_team *team)
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
        const size_t whole = n_in / COLS * COLS;
        if (job.packed) {
            run_tasks(team, work, count_of(n_in, COLS), pack_gradient_inputs, &job);
        } else if (n_in % LANES != 0) {
            pack_panel(job.a + whole, n_in, job.rows, n_in - whole, job.a_panels);
        }
        run_tasks(team, work, count_of(n_out, ROWS), pack_gradient_deltas, &job);
        run_tasks(team, work, count_of(n_out, ROWS), gradient_rows, &job);
        job.blend.keep = 1;
    }
}

/* ---- scratch ------------------------------------------------------------------------------------------------------ */

/* Bytes of scratch for any of the three products of these sizes, or SIZE_MAX where they cannot be counted. */
static size_t product_scratch(size_t rows, size_t n_in, size_t n_out, size_t n_threads)
{
    const double limit = (double)(SIZE_MAX / 4);
    const double forward_rows = (double)whole_vectors(forward_block(rows, n_in));
    const double forward = forward_rows * (double)n_in;
    const double delta = (double)n_threads * (double)n_out * COLS;
    const double gradient
        = (double)gradient_block(rows, n_in) * ((double)whole_vectors(n_in) + (double)count_of(n_out, ROWS) * ROWS);
    const double most = forward > delta ? forward : delta;
    const double reals = most > gradient ? most : gradient;
    return reals * sizeof(real) < limit ? (size_t)reals * sizeof(real) : SIZE_MAX;
}

#endif
