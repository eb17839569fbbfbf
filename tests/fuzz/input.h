/*
 * The bytes of one fuzzed input, read as choices and numbers. Past the end every byte is 0, so any input is a case.
 *
 * Arrays are allocated to the byte, so that the address sanitizer sees the first one outside.
 */
#ifndef SIGMAX_FUZZ_INPUT_H
#define SIGMAX_FUZZ_INPUT_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../c/reals.h"
#include "sigmax.h"

/* What must hold for every input; libFuzzer keeps the input of an abort. */
#define REQUIRE(condition, ...)                                                                                        \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            printf("%s:%d: %s: ", __FILE__, __LINE__, #condition);                                                     \
            printf(__VA_ARGS__);                                                                                       \
            printf("\n");                                                                                              \
            fflush(stdout);                                                                                            \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct input {
    const uint8_t *next, *end;
};

static inline uint8_t take(struct input *in)
{
    return in->next < in->end ? *in->next++ : 0;
}

/* One of 0 ... n - 1, n <= 256. */
static inline size_t choose(struct input *in, size_t n)
{
    return take(in) % n;
}

/* A chance of 1 in n. */
static inline int seldom(struct input *in, size_t n)
{
    return take(in) % n == n - 1;
}

static inline uint64_t take_64_bits(struct input *in)
{
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++) bits = bits << 8 | take(in);
    return bits;
}

/* Any double, NaN and infinities among them. */
static inline double take_double(struct input *in)
{
    static const double often[] = {0.0,       -0.0,    1.0,     0.5,      0.1,      1e-3,      1e3,
                                   -1.0,      DBL_MAX, DBL_MIN, 0x1p-126, 0x1p-149, 0x1p-1074, (double)FLT_MAX,
                                   0x1.8p127, 1e-300};
    const size_t kind = choose(in, 24);
    if (kind < sizeof often / sizeof often[0]) return often[kind];
    if (kind == 16) return (double)INFINITY;
    if (kind == 17) return (double)NAN;
    if (kind < 20) return (double)take(in) / 256.0;
    const uint64_t bits = take_64_bits(in);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* ---- arrays ------------------------------------------------------------------------------------------------------ */

/* count elements; shifted by one from the allocator's alignment, or not. Freed with let_go. */
struct array {
    void *block, *at;
    size_t bytes;
};

static inline struct array new_array(size_t count, size_t size, int shifted)
{
    const size_t before = shifted ? size : 0;
    struct array array = {malloc(before + count * size), NULL, count * size};
    REQUIRE(array.block != NULL, "%zu elements of %zu bytes", count, size);
    array.at = (char *)array.block + before;
    memset(array.at, 0, array.bytes);
    return array;
}

static inline struct array copy_of_array(struct array array)
{
    struct array copy = new_array(1, array.bytes, 0);
    if (array.bytes > 0) memcpy(copy.at, array.at, array.bytes);
    return copy;
}

static inline int same_bytes(struct array x, struct array y)
{
    return x.bytes == y.bytes && (x.bytes == 0 || memcmp(x.at, y.at, x.bytes) == 0);
}

static inline void let_go(struct array array)
{
    free(array.block);
}

/* n reals in a manner that two bytes choose; `tame` ones lie in -4 ... 4. Returns whether they are tame. */
static inline int fill(struct input *in, int dtype, struct array array, size_t n)
{
    static const double extremes[] = {0.0,      -0.0,       DBL_MAX,         -DBL_MAX,         DBL_MIN, 0x1p-1074,
                                      0x1p-149, 0x1.8p-130, (double)FLT_MAX, -(double)FLT_MAX, 1.0,     -1.0};
    const size_t manner = choose(in, 8);
    uint64_t state = take(in);
    for (size_t i = 0; i < n; i++) {
        const double uniform = next_real(&state);
        double value = 4 * uniform;
        if (manner == 1) value = 0;
        if (manner == 2) value = 1e3 * uniform;
        if (manner == 3) value = extremes[next_below(&state, 12)];
        if (manner == 4) value = next_below(&state, 8) == 0 ? extremes[next_below(&state, 12)] : value;
        /* extremes of float64 are infinite in float32 */
        put(dtype, array.at, i, dtype == SIGMAX_FLOAT32 ? fmin(fmax(value, -(double)FLT_MAX), (double)FLT_MAX) : value);
    }
    if (manner == 5) { /* any bits */
        for (size_t i = 0; i < n * (size_t)dtype; i++) ((uint8_t *)array.at)[i] = (uint8_t)next_number(&state);
    }
    if (manner == 6 && n > 0) put(dtype, array.at, next_below(&state, n), take_double(in));
    return manner < 2 || manner == 7;
}

static inline int all_finite(int dtype, const void *values, size_t n)
{
    int finite = 1;
    for (size_t i = 0; i < n; i++) finite &= isfinite(get(dtype, values, i)) != 0;
    return finite;
}

/* ---- the machine ------------------------------------------------------------------------------------------------- */

/* An instruction set that can run here. */
static inline void choose_instruction_set(struct input *in)
{
    static size_t present = SIZE_MAX, available[8], n;
    for (size_t i = 0; present == SIZE_MAX && i < 8 && sigmax_instruction_set_name(i) != NULL; i++) {
        if (sigmax_instruction_set_available(i)) available[n++] = i;
    }
    const size_t wanted = available[choose(in, n)];
    if (wanted != present) setenv("SIGMAX_ISA", sigmax_instruction_set_name(wanted), 1);
    present = wanted;
}

/* 1 ... 4 threads; the library asks the system anew after each change, so there are not many. */
static inline void choose_threads(struct input *in)
{
    static int present = 0;
    const int wanted = seldom(in, 4) ? (int)choose(in, 4) + 1 : 1;
    if (wanted != present) sigmax_set_num_threads(wanted);
    present = wanted;
}

#endif
