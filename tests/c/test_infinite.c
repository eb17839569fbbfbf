/* Numbers that are infinite on the way to an answer that is not, or that must be noticed: logits, a weight that a
   decay of 1 would forget, and the square of a gradient. */
#define _GNU_SOURCE /* setenv */

#include <math.h>

#include "engines.h"
#include "reals.h"

static double largest(int dtype)
{
    return dtype == SIGMAX_FLOAT32 ? (double)FLT_MAX : DBL_MAX;
}

static sigmax_network *new_network(int dtype, const size_t *sizes, size_t n_sizes)
{
    sigmax_network *network = NULL;
    const int status = sigmax_network_create(&network, dtype, sizes, n_sizes);
    CHECK(status == SIGMAX_OK, "%s", sigmax_status_text(status));
    return network;
}

/* z_L = (0, -infinity): the first class is certain, its cost 0, whether y is a label or a row of targets, and an entry
   of 0 in the targets counts for nothing. */
static void test_certain(const struct table *table)
{
    const int dtype = table->dtype;
    const size_t sizes[] = {1, 2};
    sigmax_network *const network = new_network(dtype, sizes, 2);
    double w[4] = {0}, X[2], targets[4] = {0}, cost, activations[4], deltas[4], gradient[4];
    const int64_t labels[] = {0, 0};
    const double certain = 1, never[] = {1, 0};
    put(dtype, w, 1, -0.9 * largest(dtype));
    put(dtype, X, 0, 2.0);
    put(dtype, X, 1, 2.0);
    for (size_t r = 0; r < 2; r++) put(dtype, targets, 2 * r, certain);
    const sigmax_data by_label = {.X = X, .labels = labels, .rows = 2},
                      by_row = {.X = X, .targets = targets, .rows = 2};
    CHECK(sigmax_cost(network, w, 1.0, &by_label, &cost, NULL) == SIGMAX_OK && fabs(cost) <= 0, "label: %g", cost);
    CHECK(sigmax_cost(network, w, 1.0, &by_row, &cost, NULL) == SIGMAX_OK && fabs(cost) <= 0, "row: %g", cost);
    CHECK(sigmax_cost(network, w, 2.0, &by_row, &cost, NULL) == SIGMAX_OK && fabs(cost) <= 0, "T = 2: %g", cost);
    CHECK(sigmax_backprop(network, w, &by_row, &cost, activations, deltas, gradient) == SIGMAX_OK && fabs(cost) <= 0,
          "backprop: %g", cost);
    const sigmax_training training = {.batch_size = 1, .learning_rate = 0.5};
    sigmax_progress progress = {0};
    int status = sigmax_train(network, w, &by_row, &training, &progress, 2);
    CHECK(status == SIGMAX_OK && fabs(progress.cost) <= 0, "training: %s, cost %g", sigmax_status_text(status),
          progress.cost);

    /* A row that is infinitely wrong, and has a weight of 0. */
    const int64_t wrong[] = {0, 1};
    const sigmax_data unweighed = {.X = X, .labels = wrong, .rows = 2},
                      weighed = {.X = X, .labels = wrong, .rows = 2, .sample_weight = never};
    CHECK(sigmax_cost(network, w, 1.0, &unweighed, &cost, NULL) == SIGMAX_OK && isinf(cost), "not infinite: %g", cost);
    CHECK(sigmax_cost(network, w, 1.0, &weighed, &cost, NULL) == SIGMAX_OK && fabs(cost) <= 0, "weight 0: %g", cost);
    progress = (sigmax_progress){0};
    status = sigmax_train(network, w, &weighed, &training, &progress, 2);
    CHECK(status == SIGMAX_OK, "weight 0: %s", sigmax_status_text(status));

    double z[2], y[2];
    put(dtype, z, 0, 0.9 * largest(dtype));
    put(dtype, z, 1, -0.9 * largest(dtype));
    put(dtype, y, 0, 1);
    put(dtype, y, 1, 0);
    CHECK(sigmax_cross_entropy(dtype, z, y, &cost, 1, 2) == SIGMAX_OK && fabs(cost) <= 0, "cross_entropy: %g", cost);
    sigmax_network_free(network);
}

/* rate * l2 = 1 multiplies weights by 0. One that a batch has made infinite is noticed all the same, at that batch. */
static void test_decay_of_one(const struct table *table, size_t chunk)
{
    const int dtype = table->dtype;
    const size_t sizes[] = {1, 1, 2};
    sigmax_network *const network = new_network(dtype, sizes, 3);
    double w[7] = {0}, X[4];
    const int64_t labels[] = {1, 0, 1, 0};
    for (size_t r = 0; r < 4; r++) put(dtype, X, r, r == 0 ? 0.9 * largest(dtype) : 0.5);
    put(dtype, w, 1, 100.0);
    const sigmax_data data = {.X = X, .labels = labels, .rows = 4};
    const sigmax_training training = {.batch_size = 1, .learning_rate = 10, .l2 = 0.1};
    sigmax_progress progress = {0};
    int status = SIGMAX_OK;
    while (status == SIGMAX_OK && progress.position < 4) {
        status = sigmax_train(network, w, &data, &training, &progress, chunk);
    }
    CHECK(status == SIGMAX_DIVERGED && progress.batch == 0, "%s f%d, chunks of %zu: %s, batch %zu",
          table->engine->instruction_set, 8 * dtype, chunk, sigmax_status_text(status), progress.batch);
    sigmax_network_free(network);
}

/* A gradient that is clipped to a length has that length, however large its square. */
static void test_clipping(const struct table *table)
{
    const int dtype = table->dtype;
    const size_t sizes[] = {1, 2};
    sigmax_network *const network = new_network(dtype, sizes, 2);
    const int64_t label[] = {0};
    for (double x = 1; x < largest(dtype) / 1e8; x *= 1e7) {
        double w[4] = {0}, X[1], norm = 0;
        put(dtype, X, 0, x);
        const sigmax_data data = {.X = X, .labels = label, .rows = 1};
        const sigmax_training training = {.batch_size = 1, .learning_rate = 1, .clip_norm = 0.5};
        sigmax_progress progress = {0};
        const int status = sigmax_train(network, w, &data, &training, &progress, 1);
        for (size_t i = 0; i < 4; i++) norm += get(dtype, w, i) * get(dtype, w, i);
        CHECK(status == SIGMAX_OK && fabs(sqrt(norm) - 0.5) < 1e-5, "%s f%d, x = %g: %s, a step of %g",
              table->engine->instruction_set, 8 * dtype, x, sigmax_status_text(status), sqrt(norm));
    }
    sigmax_network_free(network);
}

/* Whatever SIGMAX_ISA says, a NaN is found; and what cannot be looked at is not called finite. */
static void test_first_non_finite(int dtype)
{
    double values[2];
    put(dtype, values, 0, 1);
    put(dtype, values, 1, (double)NAN);
    setenv("SIGMAX_ISA", "v99", 1);
    CHECK(sigmax_first_non_finite(dtype, values, 2) == 1, "under SIGMAX_ISA=v99");
    unsetenv("SIGMAX_ISA");
    CHECK(sigmax_first_non_finite(dtype, values, 2) == 1, "NaN");
    CHECK(sigmax_first_non_finite(dtype, values, 1) == 1, "finite");
    CHECK(sigmax_first_non_finite(dtype, NULL, 2) == 0, "NULL");
    CHECK(sigmax_first_non_finite(3, values, 2) == 0, "dtype");
}

int main(void)
{
    find_tables();
    for (size_t t = 0; t < n_tables; t++) {
        setenv("SIGMAX_ISA", tables[t].engine->instruction_set, 1);
        test_certain(&tables[t]);
        for (size_t chunk = 1; chunk <= 4; chunk++) test_decay_of_one(&tables[t], chunk);
        test_clipping(&tables[t]);
    }
    test_first_non_finite(SIGMAX_FLOAT32);
    test_first_non_finite(SIGMAX_FLOAT64);
    return CHECK_DONE();
}
