/* The probe of the bench: how many multiply-adds per second can this instruction set do, with nothing else to do? */
#ifndef SIGMAX_ENGINE_PEAK_H
#define SIGMAX_ENGINE_PEAK_H

#include "sizes.h"
#include "real.h"

/*
 * n rounds of acc = acc * x + y on accumulators that stay in registers: enough of them that the latency of one is
 * hidden behind the others. Returns the number of floating-point operations, two for each multiply-add.
 */
static double peak(size_t n)
{
    enum { SUMS = 12 };
    volatile real source = (real)0.5; /* the compiler may not know x and y, nor drop the result */
    const real x = source, y = source;
    real acc[SUMS][LANES];
    for (int i = 0; i < SUMS; i++) {
        for (int j = 0; j < LANES; j++) acc[i][j] = (real)(i + j);
    }
    for (size_t round = 0; round < n; round++) {
        UNROLLED
        for (int i = 0; i < SUMS; i++) {
            LANEWISE
            for (int j = 0; j < LANES; j++) acc[i][j] = acc[i][j] * x + y;
        }
    }
    real sum = 0;
    for (int i = 0; i < SUMS; i++) {
        for (int j = 0; j < LANES; j++) sum += acc[i][j];
    }
    source = sum * 0 + x;
    return 2.0 * SUMS * LANES * (double)n;
}

#endif
