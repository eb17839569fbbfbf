/*
 * The seeded generator: Philox4x32-10 (Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as
 * 1, 2, 3"), which is a function of (seed, stream, counter, index) without any state. So a deviate can be had in any
 * order and on any thread, and what a seed gives is the same on every platform: random.c is compiled without
 * contraction and uses no transcendental function of libm.
 */
#ifndef SIGMAX_RANDOM_H
#define SIGMAX_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* What a deviate is for; two uses never see the same ones. The numbers are part of what a seed means. */
enum sigmax_stream { SIGMAX_STREAM_PARAMETERS = 1, SIGMAX_STREAM_PERMUTATION = 2, SIGMAX_STREAM_DROPOUT = 3 };

/* Uniform in (0, 1]: a multiple of 2^-53 plus 2^-54, rounded; 1 itself once in 2^53 times. */
double sigmax_random_uniform(uint64_t seed, enum sigmax_stream stream, uint64_t index);

/* Standard normal, by inversion (Wichura 1988, algorithm AS 241, PPND16: about 1e-16 relative). */
double sigmax_random_normal(uint64_t seed, enum sigmax_stream stream, uint64_t index);

/* sigmax_dropout_mask of sigmax_api.h, for the neurons first ... first + n - 1; first is a multiple of 64. */
void sigmax_dropout_mask_from(uint64_t seed, uint64_t step, size_t layer, size_t row, double p, size_t first,
                              uint8_t *keep, size_t n);

#endif
