/* Is every value a finite number? Asked once of all data, in one pass at the speed of memory. */
#ifndef SIGMAX_ENGINE_FINITE_H
#define SIGMAX_ENGINE_FINITE_H

#include "real.h"

/* x - x is 0 for a finite x, and NaN for an infinity and for NaN. */
static inline int is_finite(real x)
{
    return x - x == 0;
}

/* The position of the first infinity or NaN among values (n), or n. */
static size_t first_non_finite(const real *values, size_t n)
{
    enum { BLOCK = 512 };
    for (size_t begin = 0; begin < n; begin += BLOCK) {
        const size_t end = smaller(begin + BLOCK, n);
        real sum = 0; /* of |x - x|, all of them 0 or NaN, so the order of adding is free: kept as lanes */
        real lanes[16] = {0};
        size_t i = begin;
        for (; i + 16 <= end; i += 16) {
            for (size_t j = 0; j < 16; j++) lanes[j] += values[i + j] - values[i + j];
        }
        for (; i < end; i++) sum += values[i] - values[i];
        for (size_t j = 0; j < 16; j++) sum += lanes[j];
        if (is_finite(sum)) continue;
        for (i = begin; is_finite(values[i]); i++) continue;
        return i;
    }
    return n;
}

#endif
