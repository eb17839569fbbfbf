/*
 * The three matrix products of every engine table that this machine can run, against plain loops, at sizes around
 * every tile edge. Operands end right before a guard page, begin right after one, and lie unaligned; nothing beside
 * the output is written; the bits depend neither on where operands lie nor on the number of threads.
 *
 * Whole numbers make sums without rounding, so most results must be exact. Numbers with rounding must keep the error
 * bound of any order of summation.
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS, setenv */

#include <math.h>

#include "engines.h"
#include "guarded.h"
#include "machine/pool.h"
#include "reals.h"

/* ---- plain loops ----------------------------------------------------------------------------------------------- */

enum product { FORWARD, DELTA, GRADIENT, N_PRODUCTS };
static const char *const product_names[] = {"forward", "delta", "gradient"};

enum { MOST = 400000 }; /* reals of an operand */
static double a[MOST], w[MOST], b[MOST], delta[MOST];
static double expected[MOST], magnitude[MOST]; /* magnitude: the same sums over absolute values */

struct problem {
    size_t rows, n_in, n_out;
    double scale; /* of the gradient */
    int whole;    /* numbers whose sums need no rounding */
};

/* Numbers that a float holds, for both precisions. */
static void fill(double *values, size_t n, const struct problem *problem, uint64_t *state)
{
    for (size_t i = 0; i < n; i++) {
        values[i] = (double)(float)(problem->whole ? (double)next_below(state, 9) - 4.0 : next_real(state));
    }
}

/* expected (n_rows, n_cols) = scale * sum_p left(i, p) right(p, j) + bias[j] */
static void multiply(size_t n_rows, size_t n_cols, size_t depth, const double *left, size_t left_i, size_t left_p,
                     const double *right, size_t right_p, size_t right_j, const double *bias, double scale)
{
    for (size_t i = 0; i < n_rows; i++) {
        for (size_t j = 0; j < n_cols; j++) {
            double sum = 0, size = 0;
            for (size_t p = 0; p < depth; p++) {
                const double term = left[i * left_i + p * left_p] * right[p * right_p + j * right_j];
                sum += term;
                size += fabs(term);
            }
            expected[i * n_cols + j] = scale * sum + (bias != NULL ? bias[j] : 0);
            magnitude[i * n_cols + j] = fabs(scale) * size + (bias != NULL ? fabs(bias[j]) : 0);
        }
    }
}

static void reference(enum product product, const struct problem *q)
{
    if (product == FORWARD) multiply(q->rows, q->n_out, q->n_in, a, q->n_in, 1, w, 1, q->n_in, b, 1.0);
    if (product == DELTA) multiply(q->rows, q->n_in, q->n_out, delta, q->n_out, 1, w, q->n_in, 1, NULL, 1.0);
    if (product == GRADIENT) multiply(q->n_out, q->n_in, q->rows, delta, 1, q->n_out, a, q->n_in, 1, NULL, q->scale);
}

/* ---- one call -------------------------------------------------------------------------------------------------- */

static struct arena left_arena, right_arena, bias_arena, out_arena, scratch_arena;

static void *place_operand(struct arena arena, const double *values, size_t n, int dtype, enum placement placement)
{
    void *const at = place(arena, n * (size_t)dtype, (size_t)dtype, placement);
    for (size_t i = 0; i < n; i++) put(dtype, at, i, values[i]);
    return at;
}

/* Runs the product and leaves the result where the answer points, n_expected reals. */
static const unsigned char *run(const struct table *table, enum product product, const struct problem *q,
                                enum placement placement, size_t n_threads)
{
    const struct sigmax_engine *const engine = table->engine;
    const int dtype = table->dtype;
    const size_t rows = q->rows, n_in = q->n_in, n_out = q->n_out, size = (size_t)dtype;
    const size_t n_expected = product == FORWARD ? rows * n_out : product == DELTA ? rows * n_in : n_out * n_in;
    const struct sigmax_pool pool = {n_threads, sigmax_pool_run};

    /* Scratch must begin on a cache line, so up to 63 bytes may lie before the guard page, filled with poison. */
    const size_t scratch_bytes = engine->product_scratch(rows, n_in, n_out, n_threads);
    const size_t whole_lines = (scratch_bytes + 63) / 64 * 64;
    unsigned char *const scratch = place(scratch_arena, whole_lines, 64, AT_END);
    poison(scratch_arena, scratch, scratch_bytes);
    unsigned char *const out = place(out_arena, n_expected * size, size, placement);
    poison(out_arena, out, n_expected * size);

    if (product == FORWARD) {
        engine->matmul_forward(place_operand(left_arena, a, rows * n_in, dtype, placement),
                               place_operand(right_arena, w, n_out * n_in, dtype, placement),
                               place_operand(bias_arena, b, n_out, dtype, placement), out, rows, n_in, n_out, scratch,
                               &pool);
    } else if (product == DELTA) {
        engine->matmul_delta(place_operand(left_arena, delta, rows * n_out, dtype, placement),
                             place_operand(right_arena, w, n_out * n_in, dtype, placement), out, rows, n_in, n_out,
                             scratch, &pool);
    } else {
        engine->matmul_gradient(place_operand(left_arena, delta, rows * n_out, dtype, placement),
                                place_operand(right_arena, a, rows * n_in, dtype, placement), q->scale, out, rows, n_in,
                                n_out, scratch, &pool);
    }
    CHECK(neighbourhood_is_untouched(out_arena, out, n_expected * size), "%s f%d %s, %zu x %zu x %zu: wrote beside out",
          engine->instruction_set, 8 * dtype, product_names[product], rows, n_in, n_out);
    CHECK(neighbourhood_is_untouched(scratch_arena, scratch, scratch_bytes),
          "%s f%d %s, %zu x %zu x %zu: wrote beside scratch", engine->instruction_set, 8 * dtype,
          product_names[product], rows, n_in, n_out);
    return out;
}

/* ---- one problem, in every way --------------------------------------------------------------------------------- */

static void check_values(const struct table *table, enum product product, const struct problem *q, const void *out,
                         size_t n, size_t depth)
{
    /* Any order of summing `depth` products and a bias errs by at most (depth + 2) eps of the absolute sum, to first
       order; scaling the errors beforehand adds one rounding, the reference's own at most as much again. */
    const double factor = q->whole ? 0 : 2.0 * ((double)depth + 4.0) * epsilon_of(table->dtype);
    size_t wrong = n;
    for (size_t i = n; i-- > 0;) {
        if (!(fabs(get(table->dtype, out, i) - expected[i]) <= factor * magnitude[i])) wrong = i;
    }
    CHECK(wrong == n, "%s f%d %s, rows %zu, n_in %zu, n_out %zu: out[%zu] = %.17g, expected %.17g",
          table->engine->instruction_set, 8 * table->dtype, product_names[product], q->rows, q->n_in, q->n_out, wrong,
          get(table->dtype, out, wrong), expected[wrong]);
}

static void check_problem(const struct problem *q, int threaded)
{
    static unsigned char first[MOST * sizeof(double)];
    static const size_t n_threads[] = {1, 1, 1, 2, 3, 7};
    static uint64_t state = 2;
    const size_t ways = threaded ? 6 : N_PLACEMENTS;
    fill(a, q->rows * q->n_in, q, &state);
    fill(w, q->n_out * q->n_in, q, &state);
    fill(b, q->n_out, q, &state);
    fill(delta, q->rows * q->n_out, q, &state);
    for (enum product product = FORWARD; product < N_PRODUCTS; product++) {
        const size_t counts[] = {q->rows * q->n_out, q->rows * q->n_in, q->n_out * q->n_in};
        const size_t depths[] = {q->n_in, q->n_out, q->rows};
        reference(product, q);
        for (size_t t = 0; t < n_tables; t++) {
            const size_t bytes = counts[product] * (size_t)tables[t].dtype;
            for (size_t i = 0; i < ways; i++) {
                const unsigned char *const out = run(&tables[t], product, q, (enum placement)(i % 3), n_threads[i]);
                if (i == 0) {
                    check_values(&tables[t], product, q, out, counts[product], depths[product]);
                    memcpy(first, out, bytes);
                }
                CHECK(memcmp(first, out, bytes) == 0,
                      "%s f%d %s, rows %zu, n_in %zu, n_out %zu: other bits with placement %zu, %zu threads",
                      tables[t].engine->instruction_set, 8 * tables[t].dtype, product_names[product], q->rows, q->n_in,
                      q->n_out, i % 3, n_threads[i]);
            }
        }
    }
}

/* ---- the problems ---------------------------------------------------------------------------------------------- */

static const size_t edges[]
    = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 23, 24, 25, 31, 32, 33, 47, 48, 49, 63, 64, 65, 100, 127, 129};
enum { N_EDGES = sizeof edges / sizeof edges[0], N_SMALL = 8 };

/* Every size together with two small ones. */
static void check_small(void)
{
    const size_t step = quick() ? 41 : 1;
    size_t number = 0;
    for (size_t i = 0; i < N_EDGES; i++) {
        for (size_t j = 0; j < N_EDGES; j++) {
            for (size_t k = 0; k < N_EDGES; k++) {
                if ((i < N_SMALL) + (j < N_SMALL) + (k < N_SMALL) < 2 || number++ % step != 0) continue;
                const struct problem q = {edges[i], edges[j], edges[k], -0.25, 1};
                check_problem(&q, 0);
            }
        }
    }
}

/* A sample of all, with rounding and without. */
static void check_sample(void)
{
    uint64_t state = 1;
    for (int i = 0, n = quick() ? 16 : 300; i < n; i++) {
        const size_t rows = edges[next_below(&state, N_EDGES)], n_in = edges[next_below(&state, N_EDGES)];
        const size_t n_out = edges[next_below(&state, N_EDGES)];
        const int whole = i % 2;
        const struct problem q = {rows, n_in, n_out, whole ? 0.5 : 1.0 / 3.0, whole};
        check_problem(&q, 1);
    }
}

/* More than one block of panels, in each direction. */
static void check_large(void)
{
    static const size_t sizes[][3] = {{300, 500, 70}, {700, 300, 33}, {129, 1500, 20}, {1000, 130, 7},
                                      {70, 5000, 9},  {33, 97, 2000}, {1, 3000, 100},  {10, 784, 100}};
    const size_t n = quick() ? 1 : sizeof sizes / sizeof sizes[0];
    for (size_t i = 0; i < n; i++) {
        for (int whole = 0; whole < 2; whole++) {
            const struct problem q = {sizes[i][0], sizes[i][1], sizes[i][2], whole ? 0.125 : -0.1, whole};
            check_problem(&q, 1);
        }
    }
}

/* Sizes whose scratch cannot be counted are said to be so, not wrapped around. */
static void check_scratch_overflow(void)
{
    for (size_t t = 0; t < n_tables; t++) {
        const size_t huge = SIZE_MAX / 16;
        const size_t bytes = tables[t].engine->product_scratch(huge, huge, huge, 1);
        CHECK(bytes == SIZE_MAX, "%s: %zu bytes", tables[t].engine->instruction_set, bytes);
    }
}

int main(void)
{
    left_arena = new_arena(MOST * sizeof(double));
    right_arena = new_arena(MOST * sizeof(double));
    bias_arena = new_arena(MOST * sizeof(double));
    out_arena = new_arena(MOST * sizeof(double));
    scratch_arena = new_arena(64 * MOST * sizeof(double));
    find_tables();
    check_small();
    check_sample();
    check_large();
    check_scratch_overflow();
    return CHECK_DONE();
}
