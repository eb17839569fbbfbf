/*
 * What the C programs of bench/ share: a clock, memory, and a pool of one thread. Included after engine.h, by programs
 * that define _POSIX_C_SOURCE 200809L before anything else, since -std=c99 hides clock_gettime and posix_memalign.
 */
#ifndef SIGMAX_BENCH_DRIVER_H
#define SIGMAX_BENCH_DRIVER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ALIGNMENT = 64 };

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* n bytes of zeros, on a cache line. */
static void *zeros(size_t n)
{
    void *block = NULL;
    if (posix_memalign(&block, ALIGNMENT, n + ALIGNMENT) != 0) {
        fprintf(stderr, "no memory for %zu bytes\n", n);
        exit(1);
    }
    return memset(block, 0, n + ALIGNMENT);
}

static void run_alone(size_t n_threads, size_t n_tasks, sigmax_task task, void *context)
{
    (void)n_threads;
    for (size_t i = 0; i < n_tasks; i++) task(context, i, 0);
}

static const struct sigmax_pool alone = {1, run_alone};

/* How often a product is repeated, so that it does about `flops` operations. */
static size_t repeats_of(size_t rows, size_t n_in, size_t n_out, double flops)
{
    return (size_t)(flops / (2.0 * (double)rows * (double)n_in * (double)n_out)) + 1;
}

#endif
