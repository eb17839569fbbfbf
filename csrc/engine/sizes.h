/*
 * The sizes that speed depends on: of tiles, of what is packed, of blocks and of tasks. Some are part of the result
 * too, by rounding errors: those that cut a sum, or choose between two orders of adding. Their comments say so.
 *
 * The one that callers know, SIGMAX_INFERENCE_ROWS, is in sigmax_api.h: enough rows to use each weight many times, few
 * enough for their activations to stay in the cache. It is part of the result: inference adds up the costs of each
 * block first, and forward_uses_dots goes by the rows of a block.
 *
 * A tile is ROWS x COLS sums that stay in registers: ROWS is 2, 4 or 8, COLS 1 to 3 VECTORS of LANES reals. It needs
 * ROWS * VECTORS registers for the sums and VECTORS + 1 more. SHALLOW_ROWS is the height of the gradient's tiles for
 * few examples: the weights' way to and from memory counts then, and more of it is under way at once between smaller
 * tiles. Neighbouring sizes can be many times slower, because a compiler gives up keeping the sums in registers: choose
 * by measuring, as bench/tile_search.py does, which compiles with sizes of its own.
 */
#ifndef SIGMAX_ENGINE_SIZES_H
#define SIGMAX_ENGINE_SIZES_H

#include "../engine.h"
#include "real.h"

#if defined(__AVX512F__)
enum { VECTOR_BYTES = 64, REGISTERS = 32 };
#elif defined(__AVX2__)
enum { VECTOR_BYTES = 32, REGISTERS = 16 };
#elif defined(__aarch64__) || defined(_M_ARM64)
enum { VECTOR_BYTES = 16, REGISTERS = 32 };
#else
enum { VECTOR_BYTES = 16, REGISTERS = 16 };
#endif

#if defined(SIGMAX_TILE_ROWS)
enum { ROWS = SIGMAX_TILE_ROWS, VECTORS = SIGMAX_TILE_VECTORS, SHALLOW_ROWS = SIGMAX_TILE_SHALLOW_ROWS };
#elif defined(__AVX512F__) || defined(__aarch64__) || defined(_M_ARM64)
enum { ROWS = 8, VECTORS = 3, SHALLOW_ROWS = 4 };
#elif defined(__AVX2__)
enum { ROWS = 4, VECTORS = 3, SHALLOW_ROWS = 4 };
#else
enum { ROWS = 4, VECTORS = 2, SHALLOW_ROWS = 4 };
#endif

/* LANES is part of the result: a dot product adds up so many partial sums, and forward_uses_dots goes by it. */
enum {
    LANES = VECTOR_BYTES / (int)sizeof(real),
    COLS = VECTORS * LANES,
};

/* Dot products for few rows: at most DOT_ROWS examples at once, and DOT_FEW neurons, or DOT_NEURONS for a single
   example; each pair has a vector of partial sums. A task is DOT_NEURONS neurons. */
enum { DOT_ROWS = 5, DOT_FEW = REGISTERS == 32 ? 4 : 2, DOT_NEURONS = 8 };
enum { DOT_SUMS = DOT_ROWS * 4 }; /* 4 being the most that DOT_FEW is */

/* Packing a matrix into panels pays from this many rows on. It cuts no sum. */
enum { PACK_ROWS = 32 };

/* Rows that are packed at once, see pack_panels; and panels of W that BP2 packs together. */
enum { PACK_AT_ONCE = 16, DELTA_PANELS = 2 };

/* Bytes of packed panels that a product works on at a time: see panels_at_a_time. */
enum { PANEL_BYTES = 512 * 1024 };

/* The same for the gradient, whose panels are read once for every ROWS neurons, in order: that goes well from the third
   level too, and fewer blocks mean fewer passes over the weights. However wide a layer is, at least so many examples
   are packed at a time. Both cut the sums of BP4. */
enum { GRADIENT_BYTES = 2048 * 1024, GRADIENT_LEAST_ROWS = 128 };

/* Examples that are summed up one after the other; their sums are then added. In float32 a single chain of 60,000
   equal numbers errs by 5e-4. It cuts the sums of BP3, of BP4 and of gradient_sums. */
enum { SUM_ROWS = 512 };

/* Products of fewer multiply-adds than this stay on the calling thread. */
enum { PARALLEL_WORK = 1000000 };

/* From so many rows on inference packs the weights, unless more than MOST_FILLING / 8 of the lanes would be zeros. */
enum { PACKED_ROWS = 4 * SIGMAX_INFERENCE_ROWS, MOST_FILLING = 2 };

/* Softmax takes rows of up to so many entries LANES at a time and side by side: a single one fills no vector. Where a_L
   is not wanted, so many exponentials of a row are taken together. SHORT_ROW chooses the order in which softmax adds
   them; EXPONENTIALS cuts the sum of cross_entropy. */
enum { SHORT_ROW = 64, EXPONENTIALS = 1024 };

/* Reals of each array that an update works on at a time, so that they stay in the first cache. It cuts the sum of
   squares of clipping. */
enum { UPDATE_BLOCK = 4096 };

/* A task of dropout, and how many neurons' masks are made at a time. */
enum { DROPOUT_ROWS = 4, DROPOUT_NEURONS = 256 };

#endif
