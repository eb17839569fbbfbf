/*
 * `real`: the one floating-point type of a translation unit. The build defines SIGMAX_REAL_BITS as 32 or 64 and
 * compiles every file of this folder once for each, and once for each instruction set.
 */
#ifndef SIGMAX_ENGINE_REAL_H
#define SIGMAX_ENGINE_REAL_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if SIGMAX_REAL_BITS == 32
typedef float real;
typedef int32_t real_int; /* an integer as wide as a real, for its bit pattern */
#elif SIGMAX_REAL_BITS == 64
typedef double real;
typedef int64_t real_int;
#else
#error "compile with SIGMAX_REAL_BITS=32 or 64"
#endif

/*
 * INLINE: inlined wherever it is used, because sizes that are constants at the call must be constants in the loops.
 * LINE_ALIGNED: before an array whose vectors one function writes and another reads; across cache lines both are slow.
 */
#if defined(_MSC_VER) && !defined(__clang__)
#define INLINE __forceinline
#define NOINLINE __declspec(noinline)
#define LINE_ALIGNED __declspec(align(64))
#elif defined(__GNUC__) || defined(__clang__)
#define INLINE inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))
#define LINE_ALIGNED __attribute__((aligned(64)))
#else
#define INLINE inline
#define NOINLINE
#define LINE_ALIGNED
#endif

/*
 * Before a loop over lanes: its iterations are independent, take them a vector at a time. Without it a compiler may
 * unroll a short constant loop first, and then fails to find the vectors again (measured: a factor of three). The flag
 * -fopenmp-simd gives this pragma its meaning, without OpenMP and its runtime; elsewhere it is ignored.
 */
#if defined(_MSC_VER) && !defined(__clang__)
#define LANEWISE __pragma(loop(ivdep)) /* its omp simd wants signed counters */
#else
#define LANEWISE _Pragma("omp simd")
#endif

/* Before a loop over the rows of a tile, a constant number: unroll it whole, so that the tile's sums can be
   registers. UNROLLED_BY_2: before a loop whose own counting costs something, beside so few vectors as AVX-512 needs
   for a tile. */
#if defined(__clang__)
#define UNROLLED _Pragma("unroll")
#define UNROLLED_BY_2 /* clang 14 then gives up the registers */
#elif defined(__GNUC__)
#define UNROLLED _Pragma("GCC unroll 16")
#if defined(__AVX512F__)
#define UNROLLED_BY_2 _Pragma("GCC unroll 2")
#else
#define UNROLLED_BY_2
#endif
#else
#define UNROLLED
#define UNROLLED_BY_2
#endif

enum { CACHE_LINE = 64 }; /* bytes */

/* A hint that x[i] will be needed soon, with its cache line. It may lie beyond the array: then nothing happens. */
static inline void prefetch(const real *x, size_t i)
{
#if defined(__GNUC__) || defined(__clang__)
    __builtin_prefetch((const void *)((uintptr_t)x + i * sizeof *x));
#else
    (void)x;
    (void)i;
#endif
}

/* The bit pattern of x, and the real that has the given one (C99 6.5: memcpy is the defined way to look). */
static inline real_int bits_of(real x)
{
    real_int i;
    memcpy(&i, &x, sizeof i);
    return i;
}

static inline real real_of_bits(real_int i)
{
    real x;
    memcpy(&x, &i, sizeof x);
    return x;
}

static inline real square_root(real x)
{
#if SIGMAX_REAL_BITS == 32
    return sqrtf(x);
#else
    return sqrt(x);
#endif
}

static inline size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

#endif
