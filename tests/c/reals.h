/* Arrays of float or double, whichever a dtype says, seen as doubles; a generator of numbers; quick runs. */
#ifndef SIGMAX_REALS_H
#define SIGMAX_REALS_H

#include <float.h>
#include <stdint.h>
#include <stdlib.h>

#include "sigmax.h"

static inline double get(int dtype, const void *values, size_t i)
{
    return dtype == SIGMAX_FLOAT32 ? (double)((const float *)values)[i] : ((const double *)values)[i];
}

static inline void put(int dtype, void *values, size_t i, double value)
{
    if (dtype == SIGMAX_FLOAT32) {
        ((float *)values)[i] = (float)value;
    } else {
        ((double *)values)[i] = value;
    }
}

static inline double epsilon_of(int dtype)
{
    return dtype == SIGMAX_FLOAT32 ? (double)FLT_EPSILON : DBL_EPSILON;
}

/* The next of a fixed sequence of numbers (a linear congruential generator's upper bits), 0 ... 2^32 - 1. */
static inline uint32_t next_number(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 32);
}

/* Uniform in (-1, 1). */
static inline double next_real(uint64_t *state)
{
    return ((double)next_number(state) + 0.5) * 0x1p-31 - 1.0;
}

/* Uniform in 0 ... n - 1. */
static inline size_t next_below(uint64_t *state, size_t n)
{
    return (size_t)((uint64_t)next_number(state) * n >> 32);
}

/* Under a sanitizer or Valgrind, which slow everything down, SIGMAX_QUICK asks for a sample. */
static inline int quick(void)
{
    return getenv("SIGMAX_QUICK") != NULL;
}

#endif
