/* Inference in blocks: the bits of a row's answer are the same whether its block is one of many, whose weights are
   packed, or the only one; and no infinity or NaN is missed where sums tell of it instead of a look at X. */
#define _GNU_SOURCE /* setenv */

#include <math.h>
#include <string.h>

#include "engines.h"
#include "reals.h"

enum {
    BLOCK = SIGMAX_INFERENCE_ROWS,
    BLOCKS = 5,
    LAST = 29,
    ROWS = BLOCKS * BLOCK + LAST,
    MOST_IN = 200,
    MOST_OUT = 150
};

static double parameters[MOST_IN * MOST_OUT + MOST_OUT * (MOST_OUT + 2)], X[ROWS * MOST_IN];
static double whole[ROWS * MOST_OUT], part[ROWS * MOST_OUT];

static void test_one_call_or_many(const struct table *table, const size_t *sizes, size_t n_sizes)
{
    const int dtype = table->dtype;
    const size_t n_in = sizes[0], k = sizes[n_sizes - 1], size = (size_t)dtype;
    sigmax_network *network;
    CHECK(sigmax_network_create(&network, dtype, sizes, n_sizes) == SIGMAX_OK, "no network");
    CHECK(sigmax_initialize(network, parameters, SIGMAX_LECUN, 7) == SIGMAX_OK, "initialize");
    uint64_t state = 3;
    for (size_t i = 0; i < ROWS * n_in; i++) put(dtype, X, i, next_real(&state));
    int status = sigmax_predict_proba(network, parameters, 1.0, X, ROWS, whole);
    CHECK(status == SIGMAX_OK, "%s", sigmax_status_text(status));
    for (size_t row = 0; row < ROWS; row += BLOCK) {
        const size_t rows = ROWS - row < BLOCK ? ROWS - row : BLOCK;
        status = sigmax_predict_proba(network, parameters, 1.0, (char *)X + row * n_in * size, rows, part);
        CHECK(status == SIGMAX_OK && memcmp((char *)whole + row * k * size, part, rows * k * size) == 0,
              "%s f%d, %zu-%zu-...-%zu, row %zu: other bits by itself", table->engine->instruction_set, 8 * dtype, n_in,
              sizes[1], k, row);
    }

    /* Even where every weight is 0. */
    static const double bad[] = {(double)INFINITY, -(double)INFINITY, (double)NAN};
    memset(parameters, 0, sizeof parameters);
    for (size_t i = 0; i < (quick() ? 10 : 60); i++) {
        const size_t at = next_below(&state, ROWS * n_in);
        const double kept = get(dtype, X, at);
        put(dtype, X, at, bad[i % 3]);
        status = sigmax_predict_proba(network, parameters, 1.0, X, ROWS, whole);
        CHECK(status == SIGMAX_NOT_FINITE, "%s f%d, %zu inputs: X[%zu] = %g is %s", table->engine->instruction_set,
              8 * dtype, n_in, at, bad[i % 3], sigmax_status_text(status));
        put(dtype, X, at, kept);
    }
    sigmax_network_free(network);
}

int main(void)
{
    static const size_t shapes[][3] = {{200, 100, 10}, {130, 17, 3}, {200, 48, 2},  {129, 64, 16},  {7, 31, 5},
                                       {200, 1, 2},    {200, 3, 4},  {150, 20, 19}, {200, 150, 33}, {128, 67, 150}};
    find_tables();
    for (size_t t = 0; t < n_tables; t++) {
        setenv("SIGMAX_ISA", tables[t].engine->instruction_set, 1);
        for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
            test_one_call_or_many(&tables[t], shapes[s], 3);
            const size_t two[] = {shapes[s][0], shapes[s][2]};
            test_one_call_or_many(&tables[t], two, 2);
        }
    }
    return CHECK_DONE();
}
