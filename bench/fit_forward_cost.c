/*
 * What bench/fit_forward_cost.py runs: the two ways of the forward product, dot products and panels, timed by
 * themselves, each as matmul_forward runs it. The engine is included, because both are static in it.
 *
 * Usage: fit_forward_cost rows n_in n_out [rows n_in n_out ...]
 * Output: a line with LANES; then for every shape a line "rows n_in n_out dots panels uses_dots": the seconds of one
 * product each way, the fastest of a few rounds, and what forward_uses_dots says.
 */
#define _POSIX_C_SOURCE 200809L
#include "engine/engine.c"

#include "driver.h"

enum { ROUNDS = 7 };
#define FLOPS_OF_A_ROUND 1e6

/* Lowers fastest[0 ... 1], in seconds, to the fastest round of dots and of panels, which run in turn. */
static void measure(size_t rows, size_t n_in, size_t n_out, double fastest[2])
{
    real *const a = zeros(rows * n_in * sizeof(real)), *const w = zeros(n_in * n_out * sizeof(real));
    real *const b = zeros(n_out * sizeof(real)), *const z = zeros(rows * n_out * sizeof(real));
    void *const scratch = zeros(product_scratch(rows, n_in, n_out, 1));
    struct forward_job job = {a, w, b, z, scratch, rows, n_in, n_out, n_out, 0};
    const size_t repeats = repeats_of(rows, n_in, n_out, FLOPS_OF_A_ROUND);
    for (int round = 0; round < ROUNDS; round++) {
        double at[3];
        at[0] = seconds();
        for (size_t i = 0; i < repeats; i++) {
            run_tasks(&alone, 0, count_of(n_out, DOT_NEURONS), forward_dots, &job);
        }
        at[1] = seconds();
        for (size_t i = 0; i < repeats; i++) forward_by_panels(job, &alone);
        at[2] = seconds();
        for (int way = 0; way < 2; way++) {
            const double once = (at[way + 1] - at[way]) / (double)repeats;
            if (once < fastest[way]) fastest[way] = once;
        }
    }
    free(a), free(w), free(b), free(z), free(scratch);
}

int main(int argc, char **argv)
{
    printf("%d\n", (int)LANES);
    for (int i = 1; i + 2 < argc; i += 3) {
        const size_t rows = strtoul(argv[i], NULL, 10), n_in = strtoul(argv[i + 1], NULL, 10),
                     n_out = strtoul(argv[i + 2], NULL, 10);
        double fastest[2] = {INFINITY, INFINITY};
        measure(rows, n_in, n_out, fastest);
        printf("%zu %zu %zu %.9g %.9g %d\n", rows, n_in, n_out, fastest[0], fastest[1],
               forward_uses_dots(rows, n_in, n_out));
    }
    return 0;
}
