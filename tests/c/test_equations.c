/*
 * The kernels that are no products, of every engine table that this machine can run, at every tail length: operands end
 * right before a guard page, begin right after one, and lie unaligned. Nothing beside the output is written, and the
 * bits do not depend on where operands lie. That the values are right is tested in Python (tests/equations).
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS, setenv */

#include <math.h>

#include "engines.h"
#include "guarded.h"
#include "reals.h"

enum { MOST = 40000, MOST_K = 1100 };
static struct arena z_arena, y_arena, out_arena;
static double z_values[MOST], y_values[MOST];
static unsigned char first[MOST_K * MOST_K * sizeof(double)];

/* z at the placement, and y (n_y) at the next one: not all operands share an alignment. */
struct operands {
    void *z, *y;
    unsigned char *out;
    size_t out_bytes;
};

static struct operands lay_out(int dtype, size_t n_z, size_t n_y, size_t out_bytes, size_t out_element, int placement)
{
    const size_t size = (size_t)dtype;
    struct operands o = {.out_bytes = out_bytes};
    o.z = place(z_arena, n_z * size, size, (enum placement)placement);
    o.y = place(y_arena, n_y * size, size, (enum placement)((placement + 1) % N_PLACEMENTS));
    o.out = place(out_arena, out_bytes, out_element, (enum placement)placement);
    for (size_t i = 0; i < n_z; i++) put(dtype, o.z, i, z_values[i]);
    for (size_t i = 0; i < n_y; i++) put(dtype, o.y, i, y_values[i]);
    poison(out_arena, o.out, out_bytes);
    return o;
}

/* The same bits as with the first placement, and not one that was left as poison() made it. */
static void check_result(const struct table *table, const char *what, size_t rows, size_t k, struct operands o,
                         size_t element, int placement)
{
    static const unsigned char untouched[sizeof(double)]
        = {POISON, POISON, POISON, POISON, POISON, POISON, POISON, POISON};
    size_t left = 0;
    for (size_t i = 0; i < o.out_bytes; i += element) left += memcmp(o.out + i, untouched, element) == 0;
    if (placement == 0) memcpy(first, o.out, o.out_bytes);
    CHECK(left == 0, "%s f%d %s, %zu x %zu: %zu not written", table->engine->instruction_set, 8 * table->dtype, what,
          rows, k, left);
    CHECK(memcmp(first, o.out, o.out_bytes) == 0, "%s f%d %s, %zu x %zu: other bits with placement %d",
          table->engine->instruction_set, 8 * table->dtype, what, rows, k, placement);
    CHECK(neighbourhood_is_untouched(out_arena, o.out, o.out_bytes), "%s f%d %s, %zu x %zu: wrote beside out",
          table->engine->instruction_set, 8 * table->dtype, what, rows, k);
}

/* ---- exp, sigmoid, sigmoid_prime ------------------------------------------------------------------------------- */

static void check_elementwise(const struct table *t, size_t n)
{
    void (*const functions[])(const void *, void *, size_t)
        = {t->engine->exp, t->engine->sigmoid, t->engine->sigmoid_prime};
    static const char *const names[] = {"exp", "sigmoid", "sigmoid_prime"};
    const size_t size = (size_t)t->dtype;
    for (size_t f = 0; f < 3; f++) {
        for (int placement = 0; placement < N_PLACEMENTS; placement++) {
            struct operands o = lay_out(t->dtype, n, 0, n * size, size, placement);
            functions[f](o.z, o.out, n);
            check_result(t, names[f], 1, n, o, size, placement);
            for (size_t i = 0; i < n; i++) put(t->dtype, o.out, i, z_values[i]);
            functions[f](o.out, o.out, n);
            check_result(t, names[f], 1, n, o, size, 1); /* in place: the bits of the first placement */
        }
    }
}

/* ---- softmax and what follows from it -------------------------------------------------------------------------- */

static void check_rows(const struct table *t, size_t rows, size_t k)
{
    const size_t n = rows * k, size = (size_t)t->dtype;
    for (int placement = 0; placement < N_PLACEMENTS; placement++) {
        struct operands o = lay_out(t->dtype, n, 0, n * size, size, placement);
        t->engine->softmax(o.z, o.out, rows, k);
        check_result(t, "softmax", rows, k, o, size, placement);
        for (size_t i = 0; i < n; i++) put(t->dtype, o.out, i, z_values[i]);
        t->engine->softmax(o.out, o.out, rows, k);
        check_result(t, "softmax in place", rows, k, o, size, 1);
    }
    for (int placement = 0; placement < N_PLACEMENTS; placement++) {
        const struct operands o = lay_out(t->dtype, n, n, n * size, size, placement);
        t->engine->output_delta(o.z, o.y, o.out, rows, k);
        check_result(t, "output_delta", rows, k, o, size, placement);
    }
    for (int placement = 0; placement < N_PLACEMENTS; placement++) {
        const struct operands o = lay_out(t->dtype, n, n, rows * sizeof(double), sizeof(double), placement);
        t->engine->cross_entropy(o.z, o.y, (double *)(void *)o.out, rows, k);
        check_result(t, "cross_entropy", rows, k, o, sizeof(double), placement);
    }
}

static void check_jacobian(const struct table *t, size_t k)
{
    const size_t size = (size_t)t->dtype;
    for (int placement = 0; placement < N_PLACEMENTS; placement++) {
        const struct operands o = lay_out(t->dtype, k, 0, k * k * size, size, placement);
        t->engine->softmax_jacobian(o.z, o.out, k);
        check_result(t, "softmax_jacobian", k, k, o, size, placement);
    }
}

/* ---- the search for what is not finite ------------------------------------------------------------------------- */

static void check_first_non_finite(const struct table *t, size_t n, size_t step)
{
    static const double bad[] = {(double)INFINITY, -(double)INFINITY, (double)NAN};
    for (int placement = 0; placement < N_PLACEMENTS; placement++) {
        const struct operands o = lay_out(t->dtype, n, 0, 0, 1, placement);
        CHECK(t->engine->first_non_finite(o.z, n) == n, "%s f%d: %zu finite values, and one is found",
              t->engine->instruction_set, 8 * t->dtype, n);
        for (size_t i = 0; i < n; i += step) {
            put(t->dtype, o.z, i, bad[i % 3]);
            put(t->dtype, o.z, n - 1, bad[0]); /* a later one does not matter */
            CHECK(t->engine->first_non_finite(o.z, n) == i, "%s f%d: found at %zu of %zu, expected %zu",
                  t->engine->instruction_set, 8 * t->dtype, t->engine->first_non_finite(o.z, n), n, i);
            put(t->dtype, o.z, n - 1, z_values[n - 1]);
            put(t->dtype, o.z, i, z_values[i]);
        }
    }
}

/* ---- seeds ----------------------------------------------------------------------------------------------------- */

static void check_permutation(size_t n)
{
    for (int placement = 0; placement < N_PLACEMENTS; placement++) {
        unsigned char *const order = place(out_arena, n * sizeof(size_t), sizeof(size_t), (enum placement)placement);
        poison(out_arena, order, n * sizeof(size_t));
        sigmax_permutation(9, 4, (size_t *)(void *)order, n);
        if (placement == 0) memcpy(first, order, n * sizeof(size_t));
        CHECK(memcmp(first, order, n * sizeof(size_t)) == 0, "permutation of %zu: placement %d", n, placement);
        CHECK(neighbourhood_is_untouched(out_arena, order, n * sizeof(size_t)), "permutation of %zu", n);
    }
}

/* ---- lengths --------------------------------------------------------------------------------------------------- */

/* Every tail of vectors and of the short sums, then the edges of blocks. */
/* ---- the dot product --------------------------------------------------------------------------------------------- */

/* The same bits wherever the operands lie, also where they are the same; nothing outside them is read. */
static void check_dot(size_t n)
{
    double first_sum = 0, first_square = 0;
    for (int placement = 0; placement < N_PLACEMENTS; placement++) {
        const struct operands o = lay_out(SIGMAX_FLOAT64, n, n, n * sizeof(double), sizeof(double), placement);
        const double sum = sigmax_dot(o.z, o.y, n), square = sigmax_dot(o.z, o.z, n);
        double expected = 0, size = 0;
        for (size_t i = 0; i < n; i++) {
            expected += z_values[i] * y_values[i];
            size += fabs(z_values[i] * y_values[i]);
        }
        if (placement == 0) first_sum = sum, first_square = square;
        CHECK(fabs(sum - expected) <= (double)n * DBL_EPSILON * size, "dot of %zu: %g, expected %g", n, sum, expected);
        CHECK(sum == first_sum && square == first_square, "dot of %zu: other bits with placement %d", n, placement);
        CHECK(square > 0, "dot of %zu with itself: %g", n, square);
    }
}

static size_t lengths(size_t *into)
{
    static const size_t edges[] = {127, 128, 129, 255, 256, 257, 511, 512, 513, 527, 528, 1023, 1024, 1025, 1040, 1041};
    size_t n = 0;
    for (size_t length = 1; length <= 80; length += quick() ? 7 : 1) into[n++] = length;
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i += quick() ? 5 : 1) into[n++] = edges[i];
    return n;
}

int main(void)
{
    static const size_t row_counts[] = {1, 2, 3, 5, 15, 16, 17, 63, 64, 65, 129};
    size_t k[100];
    uint64_t state = 6;
    const size_t n_k = lengths(k);
    z_arena = new_arena((MOST + 1) * sizeof(double));
    y_arena = new_arena((MOST + 1) * sizeof(double));
    out_arena = new_arena(sizeof first + sizeof(double));
    for (size_t i = 0; i < MOST; i++) {
        z_values[i] = 6 * next_real(&state);
        y_values[i] = next_real(&state) + 1;
    }
    find_tables();
    for (size_t t = 0; t < n_tables; t++) {
        for (size_t i = 0; i < n_k; i++) {
            check_elementwise(&tables[t], k[i]);
            check_first_non_finite(&tables[t], k[i], k[i] > 100 ? 37 : 1);
            if (k[i] <= 257) check_jacobian(&tables[t], k[i]);
            for (size_t r = 0; r < sizeof row_counts / sizeof row_counts[0]; r += quick() ? 3 : 1) {
                if (row_counts[r] * k[i] <= MOST) check_rows(&tables[t], row_counts[r], k[i]);
            }
        }
    }
    for (size_t i = 0; i < n_k; i++) check_permutation(k[i]);
    for (size_t i = 0; i < n_k; i++) check_dot(k[i]);
    CHECK(sigmax_dot(NULL, NULL, 0) == 0, "dot of nothing");
    return CHECK_DONE();
}
