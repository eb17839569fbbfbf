/*
 * Several threads that call the library at once: each trains a network of its own and predicts from one that all share,
 * while the pool is now free and now busy. Each must come to the bits that it comes to alone. The thread sanitizer
 * looks at the same program.
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>

#include "check.h"
#include "fnv.h"
#include "reals.h"

#include <string.h>

enum { CALLERS = 4, N_IN = 90, N_HIDDEN = 110, N_CLASSES = 10, ROWS = 200 };
enum { N = N_HIDDEN * N_IN + N_CLASSES * N_HIDDEN + N_HIDDEN + N_CLASSES };

static struct {
    int dtype, rounds;
    sigmax_network *network;
    double parameters[N], X[ROWS * N_IN];
    int64_t labels[ROWS];
} shared; /* read only while callers run */

struct caller {
    pthread_t thread;
    int number, failed;
    uint64_t hash;
    double w[N], state[2 * N], probabilities[ROWS * N_CLASSES];
};

/* CHECK counts without locks, so failures are counted here. */
static void *call(void *argument)
{
    struct caller *const c = argument;
    const size_t size = (size_t)shared.dtype;
    sigmax_network *own = NULL;
    const size_t sizes[] = {N_IN, N_HIDDEN, N_CLASSES};
    const sigmax_data data = {.X = shared.X, .labels = shared.labels, .rows = ROWS};
    const sigmax_training training = {.batch_size = 100,
                                      .learning_rate = 0.01,
                                      .dropout = 0.25,
                                      .seed = (uint64_t)c->number,
                                      .optimizer = SIGMAX_ADAM,
                                      .beta1 = 0.9,
                                      .beta2 = 0.999,
                                      .epsilon = 1e-8,
                                      .state = c->state};
    memset(c->state, 0, sizeof c->state);
    c->hash = FNV_OF_NOTHING;
    c->failed = sigmax_network_create(&own, shared.dtype, sizes, 3) != SIGMAX_OK;
    c->failed += sigmax_initialize(own, c->w, SIGMAX_GLOROT, (uint64_t)c->number) != SIGMAX_OK;
    sigmax_progress progress = {0};
    for (int round = 0; round < shared.rounds; round++) {
        progress.position = 0;
        c->failed += sigmax_train(own, c->w, &data, &training, &progress, SIZE_MAX) != SIGMAX_OK;
        c->failed += sigmax_predict_proba(shared.network, shared.parameters, 1.0, shared.X, ROWS, c->probabilities)
                     != SIGMAX_OK;
        c->hash = fnv(c->hash, c->probabilities, ROWS * N_CLASSES * size);
    }
    c->hash = fnv(c->hash, c->w, N * size);
    c->hash = fnv(c->hash, c->state, 2 * N * size);
    c->hash = fnv(c->hash, &progress.cost, sizeof progress.cost);
    sigmax_network_free(own);
    return NULL;
}

/* Changes the number of threads while the others work. */
static void *meddle(void *argument)
{
    const int *const rounds = argument;
    for (int i = 0; i < 20 * *rounds; i++) {
        sigmax_set_num_threads(i % 4 + 1);
        if (sigmax_get_num_threads() < 1) return argument;
    }
    return NULL;
}

static void test_concurrent_callers(int dtype)
{
    static struct caller alone[CALLERS], together[CALLERS];
    const size_t sizes[] = {N_IN, N_HIDDEN, N_CLASSES};
    uint64_t state = 12;
    shared.dtype = dtype;
    shared.rounds = quick() ? 3 : 15;
    for (size_t i = 0; i < ROWS * N_IN; i++) put(dtype, shared.X, i, next_real(&state));
    for (size_t r = 0; r < ROWS; r++) shared.labels[r] = (int64_t)next_below(&state, N_CLASSES);
    CHECK(sigmax_network_create(&shared.network, dtype, sizes, 3) == SIGMAX_OK, "create");
    CHECK(sigmax_parameter_count(shared.network) == N, "%zu", sigmax_parameter_count(shared.network));
    CHECK(sigmax_initialize(shared.network, shared.parameters, SIGMAX_LARGE, 9) == SIGMAX_OK, "initialize");

    sigmax_set_num_threads(1);
    for (int i = 0; i < CALLERS; i++) {
        alone[i].number = together[i].number = i;
        call(&alone[i]);
        CHECK(alone[i].failed == 0, "caller %d alone: %d calls failed", i, alone[i].failed);
        CHECK(i == 0 || alone[i].hash != alone[i - 1].hash, "callers %d and %d come to the same", i, i - 1);
    }
    sigmax_set_num_threads(3);
    pthread_t meddler;
    int started = pthread_create(&meddler, NULL, meddle, &shared.rounds) == 0;
    CHECK(started, "no thread");
    for (int i = 0; i < CALLERS; i++) {
        CHECK(pthread_create(&together[i].thread, NULL, call, &together[i]) == 0, "no thread");
    }
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(together[i].thread, NULL);
        CHECK(together[i].failed == 0, "caller %d among others: %d calls failed", i, together[i].failed);
        CHECK(together[i].hash == alone[i].hash, "caller %d among others: other bits", i);
    }
    void *bad = NULL;
    if (started) pthread_join(meddler, &bad);
    CHECK(bad == NULL, "less than one thread");
    sigmax_set_num_threads(0);
    sigmax_network_free(shared.network);
}

int main(void)
{
    test_concurrent_callers(SIGMAX_FLOAT32);
    test_concurrent_callers(SIGMAX_FLOAT64);
    return CHECK_DONE();
}
