/* Is every value a finite number? In one pass, at the speed of memory; inference asks only where sums leave it open. */
#ifndef SIGMAX_ENGINE_FINITE_H
#define SIGMAX_ENGINE_FINITE_H

#include "real.h"

/* x - x is 0 for a finite x, and NaN for an infinity and for NaN. */
static inline int is_finite(real x)
{
    return x - x == 0;
}

/* Without a way out of the loop, so that it becomes vector code; real_int is as wide as what is compared. */
static inline int all_finite(const real *values, size_t n)
{
    real_int others = 0;
    for (size_t i = 0; i < n; i++) others |= is_finite(values[i]) ? 0 : 1;
    return others == 0;
}

/* The position of the first infinity or NaN among values (n), or n. */
static NOINLINE size_t first_non_finite(const real *values, size_t n)
{
    enum { BLOCK = 512 };
    for (size_t begin = 0; begin < n; begin += BLOCK) {
        const size_t end = smaller(begin + BLOCK, n);
        if (all_finite(values + begin, end - begin)) continue;
        size_t i = begin;
        while (is_finite(values[i])) i++;
        return i;
    }
    return n;
}

#endif
