/*
 * What bench/tile_search.py runs for every choice of tile sizes: the three products of one engine, timed.
 *
 * Output: a line with the sizes that the engine was compiled with, then for every shape a line
 * "rows n_in n_out forward delta gradient", the last three in seconds for one product, the fastest of a few rounds.
 */
#define _POSIX_C_SOURCE 200809L /* -std=c99 hides clock_gettime otherwise */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine.h"
#include "engine/sizes.h"

extern const struct sigmax_engine SEARCHED_ENGINE;

enum { ROUNDS = 5, ALIGNMENT = 64 };
#define FLOPS_OF_A_ROUND 2e7

static const size_t SHAPES[][3] = {
    {1, 784, 30}, {10, 784, 30},   {10, 784, 100},  {10, 30, 10},   {32, 16, 64},
    {32, 64, 26}, {128, 784, 800}, {128, 500, 300}, {128, 800, 10}, {256, 1024, 1024},
};

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* n bytes of zeros, aligned as the arenas are. */
static void *zeros(size_t n)
{
    void *block = NULL;
    if (posix_memalign(&block, ALIGNMENT, n + ALIGNMENT) != 0) {
        fprintf(stderr, "tile_search: no memory for %zu bytes\n", n);
        exit(1);
    }
    return memset(block, 0, n + ALIGNMENT);
}

static void run_alone(size_t n_threads, size_t n_tasks, sigmax_task task, void *context)
{
    (void)n_threads;
    for (size_t i = 0; i < n_tasks; i++) task(context, i, 0);
}

/* seconds[0 ... 2] of forward, delta and gradient. */
static void measure(size_t rows, size_t n_in, size_t n_out, double fastest[3])
{
    const struct sigmax_engine *const engine = &SEARCHED_ENGINE;
    const struct sigmax_pool alone = {1, run_alone};
    void *const a = zeros(rows * n_in * sizeof(real)), *const w = zeros(n_in * n_out * sizeof(real));
    void *const b = zeros(n_out * sizeof(real)), *const z = zeros(rows * n_out * sizeof(real));
    void *const delta = zeros(rows * n_in * sizeof(real));
    void *const scratch = zeros(engine->product_scratch(rows, n_in, n_out, 1));
    const double flops = 2.0 * (double)rows * (double)n_in * (double)n_out;
    const size_t repeats = (size_t)(FLOPS_OF_A_ROUND / flops) + 1;
    for (int round = 0; round < ROUNDS; round++) {
        double at[4];
        at[0] = seconds();
        for (size_t i = 0; i < repeats; i++) engine->matmul_forward(a, w, b, z, rows, n_in, n_out, scratch, &alone);
        at[1] = seconds();
        for (size_t i = 0; i < repeats; i++) engine->matmul_delta(z, w, delta, rows, n_in, n_out, scratch, &alone);
        at[2] = seconds();
        for (size_t i = 0; i < repeats; i++) engine->matmul_gradient(z, a, 1.0, w, rows, n_in, n_out, scratch, &alone);
        at[3] = seconds();
        for (int product = 0; product < 3; product++) {
            const double once = (at[product + 1] - at[product]) / (double)repeats;
            if (round == 0 || once < fastest[product]) fastest[product] = once;
        }
    }
    free(a), free(w), free(b), free(z), free(delta), free(scratch);
}

int main(void)
{
    printf("%d %d %d\n", (int)ROWS, (int)VECTORS, (int)SHALLOW_ROWS);
    for (size_t i = 0; i < sizeof SHAPES / sizeof *SHAPES; i++) {
        const size_t *const shape = SHAPES[i];
        double fastest[3];
        measure(shape[0], shape[1], shape[2], fastest);
        printf("%zu %zu %zu %.9g %.9g %.9g\n", shape[0], shape[1], shape[2], fastest[0], fastest[1], fastest[2]);
    }
    return 0;
}
