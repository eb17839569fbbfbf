/*
 * The exponential and the sigmoid.
 *
 * Method of the exponential: e^z = 2^n e^r with n = round(z / ln 2) and r = z - n ln 2, so |r| <= (ln 2) / 2. ln 2 is
 * split in two, the first part short enough for n * LN2_HIGH to be exact (Cody and Waite). e^r is
 * 1 + r + r^2 q(r), with q of degree 4 in float32 and 9 in float64: the polynomial of least relative error. With its
 * coefficients rounded it errs by 3.8e-9 and 1.1e-17, which is 0.03 and 0.05 ulp of 1. bench/remez.py derives them, and
 * LOG2_E, LN2_HIGH and LN2_LOW, to the last bit: `python bench/remez.py --check` compares.
 *
 * Everything per element is free of branches and of calls, so that a loop around it becomes vector code on any
 * instruction set: rounding to an integer is adding and subtracting a number of 1.5 * 2^(mantissa bits), whose last
 * bits then hold the integer, and a power of two is made by shifting those bits into the exponent's place.
 *
 * The largest errors measured, in units in the last place (of the smallest subnormal, where results are subnormal),
 * with gcc 12 and clang 14, which give the same bits; tests/equations/test_activation.py measures again:
 *
 *                               float32, all finite z      float64, 10^7 z spread over every exponent
 *                               baseline     v3, v4        baseline     v3, v4
 *     exponential               0.98         1.01          1.01         1.02
 *     sigmoid                   2.41         2.41          2.02         2.02
 *
 * Exact: e^-inf = 0, e^inf = inf, sigma(-inf) = 0, sigma(inf) = 1, and a NaN stays NaN.
 */
#ifndef SIGMAX_ENGINE_ACTIVATION_H
#define SIGMAX_ENGINE_ACTIVATION_H

#include <math.h>

#include "real.h"
#include "sizes.h"

#if SIGMAX_REAL_BITS == 32
typedef uint32_t real_bits; /* as real_int, but wraps: shifting into the sign is defined */
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#define EXP_LOWEST (-(real)104) /* e^z rounds to 0 from here down: below half the smallest subnormal */
#define EXP_HIGHEST ((real)89)  /* e^z rounds to infinity from here up */
#define LOG2_E ((real)0x1.715476p+0)
#define LN2_HIGH ((real)0x1.62e4p-1) /* 15 bits; times |n| <= 150 it is exact */
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

/* Not inlined, since copies of a few bytes become long code where a compiler knows that they are few. */
static NOINLINE void copy_of(const real *z, real *a, size_t n)
{
    memcpy(a, z, n * sizeof *a);
}

/*
 * a[i] = f(z[i]) in whole vectors, the last of them filled up with zeros: no other loop for the elements left over.
 * Functions of their own, since each is the same code wherever it is used. x is a second argument for f.
 */
#define DEFINE_MAP(NAME, f)                                                                                            \
    static NOINLINE void NAME(const real *z, real x, real *a, size_t n)                                                \
    {                                                                                                                  \
        const size_t whole = n / LANES * LANES;                                                                        \
        (void)x;                                                                                                       \
        LANEWISE                                                                                                       \
        for (size_t i = 0; i < whole; i++) a[i] = f(z[i]);                                                             \
        if (whole < n) {                                                                                               \
            real last[LANES] = {0};                                                                                    \
            copy_of(z + whole, last, n - whole);                                                                       \
            NAME(last, x, last, LANES);                                                                                \
            copy_of(last, a + whole, n - whole);                                                                       \
        }                                                                                                              \
    }
#define SIGMOID_PRIME(z) sigmoid_prime_of(sigmoid(z))
#define DECAY_BELOW_X(z) exponential_decay((z) - x)
DEFINE_MAP(map_exponential, exponential)
DEFINE_MAP(map_sigmoid, sigmoid)
DEFINE_MAP(map_sigmoid_prime, SIGMOID_PRIME)
DEFINE_MAP(map_decay, DECAY_BELOW_X)

static inline void exponentials(const real *z, real *a, size_t n)
{
    map_exponential(z, 0, a, n);
}

static inline void sigmoids(const real *z, real *a, size_t n)
{
    map_sigmoid(z, 0, a, n);
}

static inline void sigmoid_primes(const real *z, real *a, size_t n)
{
    map_sigmoid_prime(z, 0, a, n);
}

/* a = e^(z - max), for a max that no z exceeds */
static inline void exponential_decays(const real *z, real max, real *a, size_t n)
{
    map_decay(z, max, a, n);
}

#endif
