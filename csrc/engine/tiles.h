/*
 * The sizes that the speed of the products hangs on: one home for them all.
 *
 * A tile is ROWS x COLS sums that stay in registers, COLS being VECTORS vectors of LANES reals. It needs ROWS * VECTORS
 * registers for the sums and VECTORS + 1 more, of 32 on v4 and arm64, 16 elsewhere. Neighbouring sizes can be many
 * times slower, because a compiler gives up keeping the sums in registers: choose by measuring.
 */
#ifndef SIGMAX_ENGINE_TILES_H
#define SIGMAX_ENGINE_TILES_H

#include "real.h"

#if defined(__AVX512F__)
enum { VECTOR_BYTES = 64, VECTORS = 3, ROWS = 8 };
#elif defined(__AVX2__)
enum { VECTOR_BYTES = 32, VECTORS = 3, ROWS = 4 };
#elif defined(__aarch64__) || defined(_M_ARM64)
enum { VECTOR_BYTES = 16, VECTORS = 3, ROWS = 8 };
#else
enum { VECTOR_BYTES = 16, VECTORS = 2, ROWS = 4 };
#endif

enum {
    LANES = VECTOR_BYTES / (int)sizeof(real),
    COLS = VECTORS * LANES,
};

/* Dot products for few rows: at most DOT_ROWS examples at once, and DOT_FEW neurons, or DOT_NEURONS for a single example;
   each pair has a vector of partial sums. A task is DOT_NEURONS neurons. */
#if defined(__AVX512F__) || defined(__aarch64__) || defined(_M_ARM64)
enum { DOT_ROWS = 5, DOT_FEW = 4, DOT_NEURONS = 8 };
#else
enum { DOT_ROWS = 5, DOT_FEW = 2, DOT_NEURONS = 8 };
#endif
enum { DOT_SUMS = 20 };

/* Packing a matrix into panels pays from this many rows on. */
enum { PACK_ROWS = 32 };

/* Height of the gradient's tiles for few examples: the weights' way to and from memory counts then, and more of it is
   under way at once between smaller tiles. */
enum { SHALLOW_ROWS = 4 };

/* Bytes of packed panels that a product works on at a time, so that they stay in the second-level cache. */
enum { PANEL_BYTES = 512 * 1024 };

/* The same for the gradient, whose panels are read once for every ROWS neurons, in order: that goes well from the third
   level too, and fewer blocks mean fewer passes over the weights. */
enum { GRADIENT_BYTES = 2048 * 1024 };

/* Examples that are summed up one after the other; their sums are then added. In float32 a single chain of 60,000
   equal numbers errs by 5e-4. */
enum { SUM_ROWS = 512 };

/* Products of fewer multiply-adds than this stay on the calling thread. */
enum { PARALLEL_WORK = 500000 };

#endif
