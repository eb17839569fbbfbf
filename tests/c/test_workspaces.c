/*
 * The engine's functions in workspaces of exactly the bytes that they ask for: each ends at a guard page and is full of
 * NaN. The bits of the results depend on no number of threads. Which worker a thread of the pool becomes is chance, so
 * some of the pools here run every task as the last worker, whose part of the workspace lies furthest back.
 */
#define _GNU_SOURCE /* setenv, MAP_ANONYMOUS */

#include <string.h>

#include "calls/network.h"
#include "engines.h"
#include "guarded.h"
#include "machine/pool.h"
#include "reals.h"

static void run_as_last_worker(size_t n_threads, size_t n_tasks, sigmax_task task, void *context)
{
    for (size_t i = 0; i < n_tasks; i++) task(context, i, n_threads - 1);
}

static const struct sigmax_pool pools[] = {
    {1, sigmax_pool_run}, {8, sigmax_pool_run}, {8, run_as_last_worker}, {4, sigmax_pool_run}, {4, run_as_last_worker},
};

enum { N_POOLS = sizeof pools / sizeof pools[0], N_QUICK_POOLS = 3 };

/* ---- a workspace ----------------------------------------------------------------------------------------------- */

struct lent {
    struct arena arena;
    unsigned char *at;
    size_t bytes;
};

static struct lent lend(size_t bytes)
{
    static struct arena arena;
    if (arena.begin == NULL) arena = new_arena(1 << 24);
    const struct lent lent = {arena, place(arena, bytes, 1, AT_END), bytes};
    poison(arena, lent.at, bytes);
    return lent;
}

static void take_back(struct lent lent, const char *what)
{
    CHECK(neighbourhood_is_untouched(lent.arena, lent.at, lent.bytes), "%s wrote beside its workspace", what);
}

/* ---- passes ---------------------------------------------------------------------------------------------------- */

/* BP2 of W_2 (400, 100) has enough to do for the pool, packs W_2, and needs more scratch than the other products as
   soon as several workers do so. */
enum { FEW = 32, MANY = 400, N_IN = 50, HIDDEN = 100, WIDE = 400, N_CLASSES = 10 }; /* FEW rows; MANY for inference */
enum { N_NEURONS = HIDDEN + WIDE + N_CLASSES };
enum { N_PARAMETERS = N_IN * HIDDEN + HIDDEN * WIDE + WIDE * N_CLASSES + N_NEURONS };

/* Room for reals of either precision is counted in doubles. */
struct results {
    double activations[2][FEW * N_NEURONS], deltas[FEW * N_NEURONS], gradient[N_PARAMETERS];
    double fused[N_PARAMETERS], clipped[N_PARAMETERS], sums[N_PARAMETERS], probabilities[MANY * N_CLASSES];
    int64_t predicted[MANY];
    double cost[5], n_correct[4];
};

struct inputs {
    double parameters[N_PARAMETERS], X[MANY * N_IN];
    int64_t labels[MANY];
};

static void train(const sigmax_network *network, double clip_norm, void *parameters, const sigmax_data *data,
                  const struct sigmax_pool *pool, double *cost, double *n_correct)
{
    const struct sigmax_engine *const engine = network->engine;
    const sigmax_training training
        = {.batch_size = FEW, .learning_rate = 0.5, .clip_norm = clip_norm, .dropout = 0.25, .optimizer = SIGMAX_SGD};
    sigmax_progress progress = {0};
    const struct lent w = lend(engine->train_workspace(&network->shape, &training, FEW, pool->n_threads));
    engine->train_batches(&network->shape, parameters, data, &training, &progress, 1, w.at, pool);
    take_back(w, "train_batches");
    *cost = progress.cost;
    *n_correct = progress.n_correct;
}

static void use_all(const sigmax_network *network, const struct inputs *in, const struct sigmax_pool *pool,
                    struct results *out)
{
    const struct sigmax_engine *const engine = network->engine;
    const struct sigmax_shape *const shape = &network->shape;
    const sigmax_data few = {.X = in->X, .labels = in->labels, .rows = FEW};
    const sigmax_data many = {.X = in->X, .labels = in->labels, .rows = MANY};
    const size_t n = pool->n_threads;
    memset(out, 0, sizeof *out);
    memcpy(out->fused, in->parameters, sizeof out->fused);
    memcpy(out->clipped, in->parameters, sizeof out->clipped);

    struct lent w = lend(engine->backprop_workspace(shape, FEW, n));
    engine->activations(shape, in->parameters, in->X, FEW, out->activations[0], w.at, pool);
    take_back(w, "activations");

    w = lend(engine->backprop_workspace(shape, FEW, n));
    engine->backprop(shape, in->parameters, &few, &out->cost[0], out->activations[1], out->deltas, out->gradient, w.at,
                     pool);
    take_back(w, "backprop");

    train(network, 0, out->fused, &few, pool, &out->cost[1], &out->n_correct[1]);
    train(network, 0.125, out->clipped, &few, pool, &out->cost[2], &out->n_correct[2]);

    const sigmax_training training = {.batch_size = FEW, .dropout = 0.25};
    const struct sigmax_block block = {.rows = FEW};
    struct sigmax_sums sums = {.gradient = out->sums};
    w = lend(engine->gradient_workspace(shape, FEW, n));
    engine->gradient_sums(shape, in->parameters, &few, &training, block, &sums, w.at, pool);
    take_back(w, "gradient_sums");
    out->cost[3] = sums.cost;
    out->n_correct[3] = sums.n_correct;

    w = lend(engine->inference_workspace(shape, MANY, n));
    const int status = engine->infer(shape, in->parameters, 1, &many, out->probabilities, out->predicted, &out->cost[4],
                                     &out->n_correct[0], w.at, pool);
    CHECK(status == SIGMAX_OK, "infer: %s", sigmax_status_text(status));
    take_back(w, "infer");
}

static void test_passes(int dtype)
{
    static const size_t sizes[] = {N_IN, HIDDEN, WIDE, N_CLASSES};
    static struct inputs in;
    static struct results expected, seen;
    uint64_t state = 6;
    sigmax_network *network;
    CHECK(sigmax_network_create(&network, dtype, sizes, 4) == SIGMAX_OK, "create");
    CHECK(sigmax_initialize(network, in.parameters, SIGMAX_LECUN, 3) == SIGMAX_OK, "initialize");
    for (size_t i = 0; i < MANY * N_IN; i++) put(dtype, in.X, i, next_real(&state));
    for (size_t r = 0; r < MANY; r++) in.labels[r] = (int64_t)next_below(&state, N_CLASSES);
    const struct sigmax_engine *const engine = network->engine;
    const size_t one = engine->backprop_workspace(&network->shape, FEW, 1);
    const size_t eight = engine->backprop_workspace(&network->shape, FEW, 8);
    CHECK(one < eight, "%zu bytes for one thread, %zu for eight: nothing is the workers' own", one, eight);

    use_all(network, &in, &pools[0], &expected);
    CHECK(memcmp(expected.fused, in.parameters, sizeof expected.fused) != 0
              && memcmp(expected.clipped, in.parameters, sizeof expected.clipped) != 0,
          "no parameter has changed");
    for (size_t i = 1; i < (quick() ? N_QUICK_POOLS : N_POOLS); i++) {
        use_all(network, &in, &pools[i], &seen);
        CHECK(memcmp(&expected, &seen, sizeof seen) == 0, "%s f%d: other bits with pool %zu of %zu threads",
              engine->instruction_set, 8 * dtype, i, pools[i].n_threads);
    }
    sigmax_network_free(network);
}

/* ---- the update ------------------------------------------------------------------------------------------------ */

/* Enough parameters for the pool, in the squares of clipping as in the update itself. */
static void test_update(int dtype, int optimizer)
{
    enum { SIDE = 1000, MOST = SIDE * SIDE + 10 * SIDE + SIDE + 10 };
    static double gradient[MOST], initial[MOST], parameters[2][MOST], states[2][2 * MOST];
    const size_t side = quick() ? 300 : SIDE, sizes[] = {side, side, 10};
    uint64_t state = 7;
    sigmax_network *network;
    CHECK(sigmax_network_create(&network, dtype, sizes, 3) == SIGMAX_OK, "create");
    CHECK(sigmax_initialize(network, initial, SIGMAX_LECUN, 3) == SIGMAX_OK, "initialize");
    const struct sigmax_engine *const engine = network->engine;
    const size_t count = sigmax_parameter_count(network), bytes = count * (size_t)dtype;
    for (size_t i = 0; i < count; i++) put(dtype, gradient, i, next_real(&state));
    for (size_t i = 0; i < 2; i++) {
        const struct sigmax_pool pool = {i == 0 ? 1 : 3, sigmax_pool_run};
        const sigmax_training training = {
            .learning_rate = 0.25,
            .l2 = 0.03125,
            .l1 = 0.0078125,
            .clip_norm = 8,
            .optimizer = optimizer,
            .momentum = 0.75,
            .beta1 = 0.875,
            .beta2 = 0.96875,
            .rho = 0.9375,
            .epsilon = 1e-3,
            .weight_decay = 0.25,
            .state = states[i],
        };
        memcpy(parameters[i], initial, bytes);
        memset(states[i], 0, 2 * bytes);
        const struct lent w = lend(engine->update_workspace(&network->shape));
        engine->update(&network->shape, &training, 1, gradient, parameters[i], w.at, &pool);
        take_back(w, "update");
    }
    CHECK(memcmp(parameters[0], initial, bytes) != 0, "optimiser %d: no parameter has changed", optimizer);
    CHECK(engine->first_non_finite(parameters[0], count) == count, "optimiser %d: not finite", optimizer);
    CHECK(memcmp(parameters[0], parameters[1], bytes) == 0 && memcmp(states[0], states[1], 2 * bytes) == 0,
          "%s f%d, optimiser %d: other bits with three threads", engine->instruction_set, 8 * dtype, optimizer);
    sigmax_network_free(network);
}

int main(void)
{
    find_tables();
    for (size_t t = 0; t < n_tables; t++) {
        setenv("SIGMAX_ISA", tables[t].engine->instruction_set, 1);
        test_passes(tables[t].dtype);
        for (int optimizer = SIGMAX_SGD; optimizer <= SIGMAX_ADAMW; optimizer++) {
            test_update(tables[t].dtype, optimizer);
        }
    }
    return CHECK_DONE();
}
