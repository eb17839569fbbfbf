/*
 * The activation functions and the cost: exponential, sigmoid, softmax with its Jacobian, cross-entropy from z.
 *
 * Method of the exponential: e^z = 2^n e^r with n = round(z / ln 2) and r = z - n ln 2, so |r| <= (ln 2) / 2. ln 2 is
 * split in two, the first part short enough for n * LN2_HIGH to be exact (Cody and Waite). e^r is
 * 1 + r + r^2 q(r), with q of degree 4 in float32 and 9 in float64: the polynomial of least relative error, found with
 * the Remez algorithm in 50 digits for this file. With its coefficients rounded it errs by 3.8e-9 and 1.1e-17, which is
 * 0.03 and 0.05 ulp of 1.
 *
 * Everything per element is free of branches and of calls, so that a loop around it becomes vector code on any
 * instruction set: rounding to an integer is adding and subtracting a number of 1.5 * 2^(mantissa bits), whose last
 * bits then hold the integer, and a power of two is made by shifting those bits into the exponent's place.
 *
 * The largest errors measured, in units in the last place (of the smallest subnormal, where results are subnormal),
 * with gcc 12 and clang 14, which give the same bits; tests/test_activation.py measures again:
 *
 *                               float32, all finite z      float64, 10^7 z spread over every exponent
 *                               baseline     v3, v4        baseline     v3, v4
 *     exponential               0.98         1.01          1.01         1.02
 *     sigmoid                   2.41         2.41          2.02         2.02
 *
 * Exact: e^-inf = 0, e^inf = inf, sigma(-inf) = 0, sigma(inf) = 1, and a NaN stays NaN. Softmax errs by less than
 * (max|z - m| + K + 4) eps, relative, for K entries.
 */
#ifndef SIGMAX_ENGINE_ACTIVATION_H
#define SIGMAX_ENGINE_ACTIVATION_H

#include <math.h>

#include "real.h"

#if SIGMAX_REAL_BITS == 32
typedef uint32_t real_bits; /* as real_int, but wraps: shifting into the sign is defined */
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#define EXP_LOWEST (-(real)104) /* e^z rounds to 0 from here down: below half the smallest subnormal */
#define EXP_HIGHEST ((real)89)  /* e^z rounds to infinity from here up */
#define LOG2_E ((real)0x1.715476p+0)
#define LN2_HIGH ((real)0x1.62e4p-1) /* 16 bits; times |n| <= 150 it is exact */
#define LN2_LOW ((real)0x1.7f7d1cp-20)
#else
typedef uint64_t real_bits;
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#define EXP_LOWEST (-(real)746)
#define EXP_HIGHEST ((real)710)
#define LOG2_E ((real)0x1.71547652b82fep+0)
#define LN2_HIGH ((real)0x1.62e42fefa38p-1) /* 42 bits; |n| <= 1077 */
#define LN2_LOW ((real)0x1.ef35793c7673p-45)
#endif

#define TWO_TO(n) ((real)((uint64_t)1 << (n)))
#define SUBNORMAL_LIFT 60 /* 2^(n + SUBNORMAL_LIFT) is a normal number, however small 2^n */

/* q(r) = (e^r - 1 - r) / r^2 for |r| <= (ln 2) / 2 */
static inline real exponential_remainder(real r)
{
#if SIGMAX_REAL_BITS == 32
    real q = (real)0x1.6a2434p-10;
    q = q * r + (real)0x1.1239e2p-7;
    q = q * r + (real)0x1.5558f2p-5;
    q = q * r + (real)0x1.555492p-3;
    q = q * r + (real)0x1.fffffcp-2;
#else
    real q = (real)0x1.ad7f6f0799ee2p-26;
    q = q * r + (real)0x1.28ad72cc30daap-22;
    q = q * r + (real)0x1.71df2552390c2p-19;
    q = q * r + (real)0x1.a0199a0c677acp-16;
    q = q * r + (real)0x1.a01a012a57b51p-13;
    q = q * r + (real)0x1.6c16c1842a11dp-10;
    q = q * r + (real)0x1.1111111127be5p-7;
    q = q * r + (real)0x1.555555555087cp-5;
    q = q * r + (real)0x1.55555555554fap-3;
    q = q * r + (real)0x1.000000000000ap-1;
#endif
    return q;
}

/* e^z = 2^n e^r: returns e^r; the low bits of *biased_n hold n + bias. z within EXP_LOWEST ... EXP_HIGHEST, or NaN. */
static inline real exponential_reduced(real z, int bias, real_bits *biased_n)
{
    const real integer_grid = (real)1.5 * TWO_TO(MANTISSA_BITS) + (real)bias;
    real shifted = z * LOG2_E + integer_grid;
    real n = shifted - integer_grid;
    real r = (z - n * LN2_HIGH) - n * LN2_LOW;
    *biased_n = (real_bits)bits_of(shifted);
    return (real)1 + (r + r * r * exponential_remainder(r));
}

/* 2^n from n + EXPONENT_BIAS in the low bits */
static inline real power_of_two(real_bits biased_n)
{
    return real_of_bits((real_int)(biased_n << MANTISSA_BITS));
}

/* e^z. The power of two is applied in two halves: 2^n itself may be subnormal, or infinite where e^z is not. */
static inline real exponential(real z)
{
    real_bits biased_n;
    z = z < EXP_LOWEST ? EXP_LOWEST : z; /* in this order a NaN stays */
    z = z > EXP_HIGHEST ? EXP_HIGHEST : z;
    real e_r = exponential_reduced(z, 2 * EXPONENT_BIAS, &biased_n);
    real_bits half = biased_n >> 1;
    return e_r * power_of_two(half) * power_of_two(biased_n - half);
}

/* e^z for z <= 0, the same bits as exponential(z) for less work: only towards 0 can 2^n leave the normal range. */
static inline real exponential_decay(real z)
{
    real_bits biased_n;
    z = z < EXP_LOWEST ? EXP_LOWEST : z;
    real e_r = exponential_reduced(z, EXPONENT_BIAS + SUBNORMAL_LIFT, &biased_n);
    return e_r * power_of_two(biased_n) * ((real)1 / TWO_TO(SUBNORMAL_LIFT));
}

/* sigma(z) = 1 / (1 + e^-z) = e^z / (1 + e^z). With e = e^-|z| <= 1 each half takes the form that cannot overflow. */
static inline real sigmoid(real z)
{
    real e = exponential_decay(-(real)fabs(z));
    return (z < 0 ? e : (real)1) / ((real)1 + e);
}

/* sigma'(z) = a (1 - a), from a = sigma(z) */
static inline real sigmoid_prime_of(real a)
{
    return a * ((real)1 - a);
}

/* ---- arrays: z, a (n); a may be z itself, and overlaps it in no other way --------------------------------------- */

/* Every loop below works on one array in place, after this: a compiler then sees for itself that elements are
   independent, where two pointers would need `restrict` and so forbid a == z. */
static inline void copy_of(const real *z, real *a, size_t n)
{
    if (a != z && n > 0) memcpy(a, z, n * sizeof *a);
}

static inline void exponentials(const real *z, real *a, size_t n)
{
    copy_of(z, a, n);
    for (size_t i = 0; i < n; i++) a[i] = exponential(a[i]);
}

static inline void sigmoids(const real *z, real *a, size_t n)
{
    copy_of(z, a, n);
    for (size_t i = 0; i < n; i++) a[i] = sigmoid(a[i]);
}

static inline void sigmoid_primes(const real *z, real *a, size_t n)
{
    copy_of(z, a, n);
    for (size_t i = 0; i < n; i++) a[i] = sigmoid_prime_of(sigmoid(a[i]));
}

/* ---- softmax and the cost; rows of k >= 1 reals, m = the largest entry of a row --------------------------------- */

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
static inline real row_max(const real *z, size_t k)
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
static inline void add_exponentials(struct exponential_sum *sum, const real *e, size_t n)
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
        terms.linear += (double)y[i] * ((double)max - (double)z[i]);
        terms.y_sum += (double)y[i];
    }
    return terms;
}

static inline double cost_of(struct cost_terms terms, struct exponential_sum sum)
{
    return terms.linear + terms.y_sum * log_of_sum(sum);
}

/* Rows are taken in blocks that stay in the first cache: their exponentials are then one long vector loop, however
   short a row is. */
enum { BLOCK_ROWS = 64, BLOCK_REALS = 1024 };

/*
 * a_L and the cost in one pass. z, a (rows, k), a may be z; a_i = e^(z_i - m) / sum_j e^(z_j - m).
 * cost (rows), or NULL when it is not wanted: C_x = -sum_i y_i ln a_i in nats, from z, with y given as labels (rows),
 * each 0 ... k-1, or, where labels is NULL, as targets (rows, k), entries >= 0, which need not sum to 1.
 */
static inline void softmax_and_cost(const real *z, real *a, const int64_t *labels, const real *targets, double *cost,
                                    size_t rows, size_t k)
{
    size_t block_rows = k < BLOCK_REALS ? smaller(BLOCK_ROWS, BLOCK_REALS / k) : 1;
    for (size_t first = 0; first < rows; first += block_rows) {
        size_t n = smaller(block_rows, rows - first);
        struct cost_terms terms[BLOCK_ROWS]; /* filled when there is a cost */
        real *block = a + first * k;
        copy_of(z + first * k, block, n * k);
        for (size_t row = 0; row < n; row++) {
            real *a_row = block + row * k; /* z still */
            real max = row_max(a_row, k);
            if (cost != NULL)
                terms[row] = labels != NULL ? cost_terms_of_label(a_row, labels[first + row], max)
                                            : cost_terms_of_targets(a_row, targets + (first + row) * k, max, k);
            for (size_t i = 0; i < k; i++) a_row[i] -= max;
        }
        for (size_t i = 0; i < n * k; i++) block[i] = exponential_decay(block[i]);
        for (size_t row = 0; row < n; row++) {
            real *a_row = block + row * k;
            struct exponential_sum sum = {0, 0};
            add_exponentials(&sum, a_row, k);
            const real total = (real)(sum.ones + sum.others);
            for (size_t i = 0; i < k; i++) a_row[i] /= total;
            if (cost != NULL) cost[first + row] = cost_of(terms[row], sum);
        }
    }
}

static inline void softmax(const real *z, real *a, size_t rows, size_t k)
{
    softmax_and_cost(z, a, NULL, NULL, NULL, rows, k);
}

/* sum_j e^(z_j - m) of z (k), where a_L itself is not wanted */
static inline struct exponential_sum exponential_sum_of(const real *z, real max, size_t k)
{
    struct exponential_sum sum = {0, 0};
    for (size_t first = 0; first < k; first += BLOCK_REALS) {
        real e[BLOCK_REALS];
        size_t n = smaller(BLOCK_REALS, k - first);
        for (size_t i = 0; i < n; i++) e[i] = exponential_decay(z[first + i] - max);
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
