/*
 * Panels: a matrix copied for the lanes of a tile. A panel is b for COLS neighbouring j, laid out (p, j) without gaps
 * and filled up with zeros to whole vectors; b is the matrix itself, or its transpose.
 */
#ifndef SIGMAX_ENGINE_PANELS_H
#define SIGMAX_ENGINE_PANELS_H

#include "real.h"
#include "sizes.h"

static inline size_t whole_vectors(size_t n)
{
    return (n + LANES - 1) / LANES * LANES;
}

static inline size_t count_of(size_t n, size_t size)
{
    return n / size + (n % size != 0);
}

/*
 * n columns are count_of(n, COLS) panels of COLS, the last one of what is left. Where that would be a single vector, it
 * takes one of the panel before it: a tile so narrow takes half as long again for each of its sums.
 */
static NOINLINE size_t panel_begin(size_t index, size_t n)
{
    const size_t begin = index * COLS;
    if (begin >= n) return n;
    return VECTORS == 3 && index > 0 && n - begin <= LANES ? begin - LANES : begin;
}

/* The columns of the panel that begins where so many are left. */
static inline size_t panel_cols(size_t left)
{
    if (left <= COLS) return left;
    return VECTORS == 3 && left <= COLS + LANES ? COLS - LANES : COLS;
}

/* How many whole panels of so many rows are worked on at a time, so that they stay in the second-level cache. */
static inline size_t panels_at_a_time(size_t depth)
{
    const size_t fit = PANEL_BYTES / sizeof(real) / depth / COLS;
    return fit > 0 ? fit : 1;
}

/* pack_panel for a width and a cols <= width that are constants where possible. */
static INLINE void pack_vectors(size_t width, size_t cols, const real *restrict b, size_t b_p, size_t depth,
                                real *restrict panel)
{
    for (size_t p = 0; p < depth; p++) {
        LANEWISE
        for (size_t j = 0; j < width; j++) panel[p * width + j] = j < cols ? b[p * b_p + j] : 0;
    }
}

/* panel[p][j] = b[p * b_p + j] for p < depth and j < cols <= COLS, 0 up to whole vectors. */
static void pack_panel(const real *restrict b, size_t b_p, size_t depth, size_t cols, real *restrict panel)
{
    if (cols == COLS) {
        pack_vectors(COLS, COLS, b, b_p, depth, panel);
    } else if (cols == 2 * LANES) {
        pack_vectors(2 * LANES, 2 * LANES, b, b_p, depth, panel);
    } else if (cols <= LANES) {
        pack_vectors(LANES, cols, b, b_p, depth, panel);
    } else {
        pack_vectors(whole_vectors(cols), cols, b, b_p, depth, panel);
    }
}

/*
 * The same for any number of cols, panel after panel, of `depth` rows each, of which those from first to end are
 * written. A few rows at a time pass through all panels: memory is read fastest along the rows.
 */
static void pack_panels(const real *b, size_t b_p, size_t first, size_t end, size_t depth, size_t cols, real *panels)
{
    for (size_t p = first, rows; p < end; p += rows) {
        rows = smaller(end - p, PACK_AT_ONCE);
        for (size_t col = 0, width; col < cols; col += width) {
            width = panel_cols(cols - col);
            pack_panel(b + p * b_p + col, b_p, rows, width, panels + col * depth + p * whole_vectors(width));
        }
    }
}

/*
 * A riffle of n = rows * LANES cards: out[2i] = in[i], out[2i + 1] = in[i + n/2]. It moves the highest bit of every
 * index to the lowest place, so log2(rows) of them transpose a matrix of that many rows in vector operations alone.
 * rows is even, a constant where inlined; the rows of in are in_row apart, those of out out_row.
 */
static INLINE void riffle(size_t rows, const real *restrict in, size_t in_row, real *restrict out, size_t out_row)
{
    UNROLLED
    for (size_t row = 0; row < rows / 2; row++) {
        const real *const high = in + row * in_row, *const low = in + (row + rows / 2) * in_row;
        real *const even = out + 2 * row * out_row, *const odd = even + out_row;
        LANEWISE
        for (size_t i = 0; i < LANES / 2; i++) {
            even[2 * i] = high[i];
            even[2 * i + 1] = low[i];
        }
        LANEWISE
        for (size_t i = 0; i < LANES / 2; i++) {
            odd[2 * i] = high[i + LANES / 2];
            odd[2 * i + 1] = low[i + LANES / 2];
        }
    }
}

/* panel[p][j] = a[j * a_j + p] for p and j < LANES; rows of the panel are width apart. */
static void transpose_block(const real *restrict a, size_t a_j, real *restrict panel, size_t width)
{
    real once[LANES * LANES], twice[LANES * LANES], thrice[LANES * LANES];
    riffle(LANES, a, a_j, LANES == 2 ? panel : once, LANES == 2 ? width : LANES);
    if (LANES >= 4) riffle(LANES, once, LANES, LANES == 4 ? panel : twice, LANES == 4 ? width : LANES);
    if (LANES >= 8) riffle(LANES, twice, LANES, LANES == 8 ? panel : thrice, LANES == 8 ? width : LANES);
    if (LANES >= 16) riffle(LANES, thrice, LANES, panel, width);
}

/* The same for cols < LANES rows: 0 for the other j. */
static void transpose_few(const real *restrict a, size_t a_j, size_t cols, real *restrict panel, size_t width)
{
    real block[LANES * LANES] = {0};
    for (size_t j = 0; j < cols; j++) {
        LANEWISE
        for (size_t p = 0; p < LANES; p++) block[j * LANES + p] = a[j * a_j + p];
    }
    transpose_block(block, LANES, panel, width);
}

/* panel[p][j] = a[j * a_j + p] for j < cols <= COLS, 0 up to whole vectors. */
static void pack_transposed(const real *a, size_t a_j, size_t depth, size_t cols, real *panel)
{
    const size_t width = whole_vectors(cols);
    for (size_t j = 0; j < cols; j += LANES) {
        const size_t left = smaller(cols - j, LANES);
        for (size_t begin = 0; begin < depth && depth >= LANES; begin += LANES) {
            const size_t p = smaller(begin, depth - LANES); /* the last block begins within the one before */
            const real *const from = a + j * a_j + p;
            real *const to = panel + p * width + j;
            if (left == LANES) {
                transpose_block(from, a_j, to, width);
            } else {
                transpose_few(from, a_j, left, to, width);
            }
        }
        for (size_t p = 0; p < depth && depth < LANES; p++) {
            for (size_t i = 0; i < LANES; i++) panel[p * width + j + i] = i < left ? a[(j + i) * a_j + p] : 0;
        }
    }
}

#endif
