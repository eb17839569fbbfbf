/*
 * The dot product in one order of additions: 16 partial sums, of every 16th product each, then these in pairs. This
 * file is compiled once and without contraction, so that the bits are the same on every platform.
 */
#include "sigmax.h"

enum { LANES = 16 };

double sigmax_dot(const double *x, const double *y, size_t n)
{
    double sum[LANES] = {0};
    const size_t whole = n - n % LANES;
    for (size_t i = 0; i < whole; i += LANES) {
        for (size_t j = 0; j < LANES; j++) sum[j] += x[i + j] * y[i + j];
    }
    for (size_t i = whole; i < n; i++) sum[i - whole] += x[i] * y[i];
    for (size_t width = LANES / 2; width > 0; width /= 2) {
        for (size_t j = 0; j < width; j++) sum[j] += sum[j + width];
    }
    return sum[0];
}
