/* The probe of the bench: how many multiply-adds per second can this instruction set do, with nothing else to do? */
#ifndef SIGMAX_ENGINE_PEAK_H
#define SIGMAX_ENGINE_PEAK_H

#include "tiles.h"
#include "real.h"

/*
 * n rounds of acc = acc * x + y on accumulators that stay in registers: enough of them that the latency of one is
 * hidden behind the others. Returns the number of floating-point operations, two for each multiply-add.
 */
static double peak(size_t n)
{
    enum { VECTORS = 12, WIDTH = VECTORS * LANES };
    static volatile real source = (real)0.5; /* the compiler may not know x and y, nor drop the result */
    const real x = source, y = source;
    real acc[WIDTH];
    for (int i = 0; i < WIDTH; i++) acc[i] = (real)i;
    for (size_t round = 0; round < n; round++) {
        for (int i = 0; i < WIDTH; i++) acc[i] = acc[i] * x + y;
    }
    real sum = 0;
    for (int i = 0; i < WIDTH; i++) sum += acc[i];
    source = sum * 0 + x;
    return 2.0 * WIDTH * (double)n;
}

#endif
