/*
 * Softmax with its Jacobian, and the cross-entropy cost from z: rows of k >= 1 reals, m being the largest entry of a
 * row.
 *
 *     a_i = e^(z_i - m) / sum_j e^(z_j - m)
 *     C_x = -sum_i y_i ln a_i = sum_i y_i (m - z_i) + (sum_i y_i) ln sum_j e^(z_j - m)
 *
 * Softmax errs by less than (max|z - m| + k + 4) eps, relative.
 */
#ifndef SIGMAX_ENGINE_SOFTMAX_H
#define SIGMAX_ENGINE_SOFTMAX_H

#include <math.h>

#include "activation.h"
#include "panels.h"
#include "real.h"
#include "sizes.h"

/* ---- a row and its sums ------------------------------------------------------------------------------------------ */

/*
 * Rows are reduced into PARTIALS independent results, combined in pairs: no chain in which each addition waits for the
 * one before, and the same order on every instruction set.
 */
enum { PARTIALS = 8 };

static INLINE void larger_of_pairs(int width, real partial[PARTIALS])
{
    LANEWISE
    for (int j = 0; j < width; j++) partial[j] = partial[j + width] > partial[j] ? partial[j + width] : partial[j];
}

static INLINE void add_pairs(int width, double partial[PARTIALS])
{
    LANEWISE
    for (int j = 0; j < width; j++) partial[j] += partial[j + width];
}

/* m = max_i z_i, for z (k) */
static NOINLINE real row_max(const real *z, size_t k)
{
    real max = z[0];
    size_t i = 1;
    if (k >= PARTIALS) {
        real partial[PARTIALS];
        LANEWISE
        for (int j = 0; j < PARTIALS; j++) partial[j] = z[j];
        for (i = PARTIALS; i + PARTIALS <= k; i += PARTIALS) {
            LANEWISE
            for (int j = 0; j < PARTIALS; j++)
                partial[j] = z[i + (size_t)j] > partial[j] ? z[i + (size_t)j] : partial[j];
        }
        larger_of_pairs(4, partial);
        larger_of_pairs(2, partial);
        max = partial[1] > partial[0] ? partial[1] : partial[0];
    }
    for (; i < k; i++) max = z[i] > max ? z[i] : max;
    return max;
}

/* sum_j e^(z_j - m), as how many terms are 1 and the sum of the others, which would drown in that 1 where a row is all
   but certain. */
struct exponential_sum {
    double ones, others;
};

/* Adds the exponentials e (n), each in 0 ... 1 or NaN. */
static NOINLINE void add_exponentials(struct exponential_sum *sum, const real *e, size_t n)
{
    double ones = sum->ones, others = sum->others;
    size_t i = 0;
    if (n >= PARTIALS) {
        double partial_ones[PARTIALS] = {0}, partial_others[PARTIALS] = {0};
        for (; i + PARTIALS <= n; i += PARTIALS) {
            double e_j[PARTIALS];
            LANEWISE
            for (int j = 0; j < PARTIALS; j++) e_j[j] = (double)e[i + (size_t)j];
            LANEWISE
            for (int j = 0; j < PARTIALS; j++) {
                const double one = e_j[j] == 1 ? 1.0 : 0.0;
                partial_ones[j] += one;
                partial_others[j] += e_j[j] - one;
            }
        }
        add_pairs(4, partial_ones);
        add_pairs(2, partial_ones);
        add_pairs(4, partial_others);
        add_pairs(2, partial_others);
        ones += partial_ones[0] + partial_ones[1];
        others += partial_others[0] + partial_others[1];
    }
    for (; i < n; i++) {
        const double one = (double)(e[i] == 1); /* which of them is known to no branch prediction */
        ones += one;
        others += (double)e[i] - one;
    }
    sum->ones = ones;
    sum->others = others;
}

/* ln sum_j e^(z_j - m) = ln(1 + x) with x = the sum without one largest term. ln u of the rounded u = 1 + x misses
   x - (u - 1); adding that over u keeps the relative precision for small x. */
static inline double log_of_sum(struct exponential_sum sum)
{
    double x = (sum.ones - 1) + sum.others;
    double u = 1 + x;
    return log(u) + (x - (u - 1)) / u;
}

/* The cost of a row is linear + y_sum ln sum_j e^(z_j - m), where linear = sum_i y_i (m - z_i), y_sum = sum_i y_i. */
struct cost_terms {
    double linear, y_sum;
};

/* y given as the class j of a one-hot row: m - z_j */
static inline struct cost_terms cost_terms_of_label(const real *z, int64_t label, real max)
{
    return (struct cost_terms){(double)max - (double)z[label], 1};
}

/* y (k), entries >= 0 */
static inline struct cost_terms cost_terms_of_targets(const real *z, const real *y, real max, size_t k)
{
    struct cost_terms terms = {0, 0};
    for (size_t i = 0; i < k; i++) {
        const double gap = y[i] != 0 ? (double)max - (double)z[i] : 0; /* it may be infinite, and 0 times it NaN */
        terms.linear += (double)y[i] * gap;
        terms.y_sum += (double)y[i];
    }
    return terms;
}

static inline double cost_of(struct cost_terms terms, struct exponential_sum sum)
{
    return terms.linear + terms.y_sum * log_of_sum(sum);
}

/* ---- a_L and the cost in one pass ------------------------------------------------------------------------------- */

/* What a row of z_L comes to beside a_L: C_x = -sum_i y_i ln a_i in nats, and the position of the first largest a_i. */
struct row_result {
    double cost;
    size_t largest;
};

/* What the rows are compared with: y as labels (rows), each 0 ... k-1, or, where that is NULL, as targets (rows, k),
   entries >= 0, which need not sum to 1. Where both are NULL there is no cost. */
static inline struct cost_terms cost_terms_of(const real *z, const int64_t *labels, const real *targets, real max,
                                              size_t row, size_t k)
{
    const struct cost_terms none = {0, 0};
    if (labels != NULL) return cost_terms_of_label(z, labels[row], max);
    return targets != NULL ? cost_terms_of_targets(z, targets + row * k, max, k) : none;
}

/* The position of the first largest of a (k). */
static NOINLINE size_t first_largest(const real *a, size_t k)
{
    size_t best = 0;
    for (size_t i = 1; i < k; i++) {
        if (a[i] > a[best]) best = i;
    }
    return best;
}

/* n <= LANES rows of k <= SHORT_ROW entries; labels, targets and results those of the first of them. */
static NOINLINE void softmax_of_short_rows(const real *z, real *a, const int64_t *labels, const real *targets,
                                           struct row_result *results, size_t n, size_t k)
{
    LINE_ALIGNED real e[SHORT_ROW][LANES]; /* entry j of each row; zeros where there are no more rows */
    real max[LANES], total[LANES], top[LANES];
    real_int largest[LANES];
    double ones[LANES], others[LANES];
    pack_transposed(z, k, k, n, e[0]);
    LANEWISE
    for (int r = 0; r < LANES; r++) {
        max[r] = e[0][r];
        ones[r] = others[r] = 0;
        largest[r] = 0;
    }
    for (size_t j = 1; j < k; j++) {
        LANEWISE
        for (int r = 0; r < LANES; r++) max[r] = e[j][r] > max[r] ? e[j][r] : max[r];
    }
    for (size_t j = 0; j < k; j++) {
        double e_j[LANES];
        LANEWISE
        for (int r = 0; r < LANES; r++) e[j][r] = exponential_decay(e[j][r] - max[r]);
        LANEWISE
        for (int r = 0; r < LANES; r++) e_j[r] = (double)e[j][r];
        LANEWISE
        for (int r = 0; r < LANES; r++) {
            const double one = e_j[r] == 1 ? 1.0 : 0.0;
            ones[r] += one;
            others[r] += e_j[r] - one;
        }
    }
    LANEWISE
    for (int r = 0; r < LANES; r++) {
        total[r] = (real)(ones[r] + others[r]);
        top[r] = -1;
    }
    for (size_t j = 0; j < k; j++) {
        LANEWISE
        for (int r = 0; r < LANES; r++) {
            e[j][r] /= total[r];
            largest[r] = e[j][r] > top[r] ? (real_int)j : largest[r];
            top[r] = e[j][r] > top[r] ? e[j][r] : top[r];
        }
    }
    for (size_t r = 0; r < n && results != NULL; r++) {
        const struct exponential_sum sum = {ones[r], others[r]};
        results[r].cost = cost_of(cost_terms_of(z + r * k, labels, targets, max[r], r, k), sum);
        results[r].largest = (size_t)largest[r];
    }
    for (size_t r = 0; r < n; r++) {
        for (size_t j = 0; j < k; j++) a[r * k + j] = e[j][r];
    }
}

/* One row of any length; labels, targets and result its own. */
static void softmax_of_row(const real *z, real *a, const int64_t *labels, const real *targets,
                           struct row_result *result, size_t k)
{
    const real max = row_max(z, k);
    const struct cost_terms terms = cost_terms_of(z, labels, targets, max, 0, k);
    struct exponential_sum sum = {0, 0};
    exponential_decays(z, max, a, k);
    add_exponentials(&sum, a, k);
    const real total = (real)(sum.ones + sum.others);
    for (size_t i = 0; i < k; i++) a[i] /= total;
    if (result == NULL) return;
    result->cost = cost_of(terms, sum);
    result->largest = first_largest(a, k);
}

/* z, a (rows, k), a may be z; a_i = e^(z_i - m) / sum_j e^(z_j - m). labels and targets as above; results (rows), or
   NULL where they are not wanted. */
static void softmax_and_cost(const real *z, real *a, const int64_t *labels, const real *targets,
                             struct row_result *results, size_t rows, size_t k)
{
    for (size_t row = 0, n; row < rows; row += n) {
        const int64_t *const label = labels != NULL ? labels + row : NULL;
        const real *const target = targets != NULL ? targets + row * k : NULL;
        struct row_result *const result = results != NULL ? results + row : NULL;
        if (k <= SHORT_ROW) {
            n = smaller(rows - row, LANES);
            softmax_of_short_rows(z + row * k, a + row * k, label, target, result, n, k);
        } else {
            n = 1;
            softmax_of_row(z + row * k, a + row * k, label, target, result, k);
        }
    }
}

static void softmax(const real *z, real *a, size_t rows, size_t k)
{
    softmax_and_cost(z, a, NULL, NULL, NULL, rows, k);
}

/* ---- the cost alone, and the Jacobian ---------------------------------------------------------------------------- */

/* sum_j e^(z_j - m) of z (k), where a_L itself is not wanted */
static inline struct exponential_sum exponential_sum_of(const real *z, real max, size_t k)
{
    struct exponential_sum sum = {0, 0};
    for (size_t first = 0; first < k; first += EXPONENTIALS) {
        real e[EXPONENTIALS];
        size_t n = smaller(EXPONENTIALS, k - first);
        exponential_decays(z + first, max, e, n);
        add_exponentials(&sum, e, n);
    }
    return sum;
}

/* The cost alone. z, y (rows, k), entries of y >= 0, which need not sum to 1; cost (rows). */
static inline void cross_entropy_targets(const real *z, const real *y, double *cost, size_t rows, size_t k)
{
    for (size_t row = 0; row < rows; row++, z += k, y += k) {
        real max = row_max(z, k);
        cost[row] = cost_of(cost_terms_of_targets(z, y, max, k), exponential_sum_of(z, max, k));
    }
}

/*
 * da_j/dz_i = a_i (1 - a_i) where j = i, and -a_j a_i elsewhere. z (k); jacobian (k, k), row j, column i. The last row
 * holds a until its own turn comes.
 */
static inline void softmax_jacobian(const real *z, real *jacobian, size_t k)
{
    const real *a = jacobian + (k - 1) * k;
    softmax(z, jacobian + (k - 1) * k, 1, k);
    for (size_t j = 0; j < k; j++) {
        real a_j = a[j];
        for (size_t i = 0; i < k; i++) jacobian[j * k + i] = -a_j * a[i];
        jacobian[j * k + j] = a_j * ((real)1 - a_j);
    }
}

#endif
