/* The optimisers: updates by hand from sigmax_backprop's gradient, any chunks and threads, a state that diverges. */
#include <math.h>

#include "check.h"
#include "small_network.h"

static const int dtypes[] = {SIGMAX_FLOAT32, SIGMAX_FLOAT64};

enum { N_OPTIMIZERS = 6 };
static const char *const names[N_OPTIMIZERS] = {"sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw"};

/* ---- by hand --------------------------------------------------------------------------------------------------- */

/* One parameter's update, in double: g with clipping and penalties in it, m and v its state. */
static double updated(const sigmax_training *t, double w, double g, double *m, double *v, double step, int is_weight)
{
    const double rate = t->learning_rate;
    switch (t->optimizer) {
    case SIGMAX_MOMENTUM:
        *m = t->momentum * *m + g;
        return w - rate * *m;
    case SIGMAX_NESTEROV:
        *m = t->momentum * *m + g;
        return w - rate * (g + t->momentum * *m);
    case SIGMAX_RMSPROP:
        *m = t->rho * *m + (1 - t->rho) * g * g;
        return w - rate * g / (sqrt(*m) + t->epsilon);
    case SIGMAX_ADAMW:
        if (is_weight) w -= rate * t->weight_decay * w;
        break;
    case SIGMAX_ADAM:
        break;
    default:
        return w - rate * g;
    }
    *m = t->beta1 * *m + (1 - t->beta1) * g;
    *v = t->beta2 * *v + (1 - t->beta2) * g * g;
    return w - rate * (*m / (1 - pow(t->beta1, step))) / (sqrt(*v / (1 - pow(t->beta2, step))) + t->epsilon);
}

static void test_updates_by_hand(int dtype, int optimizer)
{
    static double activations[N_ROWS * N_NEURONS], deltas[N_ROWS * N_NEURONS], gradient[N_PARAMETERS];
    double state[2 * N_PARAMETERS] = {0}, cost;
    struct small s;
    begin_small(&s, dtype);
    const sigmax_data data = optimizer % 2 == 0 ? labelled(&s) : targeted(&s);
    sigmax_training training = every_number(optimizer);
    training.batch_size = N_ROWS;
    training.state = optimizer == SIGMAX_SGD ? NULL : state;
    for (size_t step = 1; step <= 3; step++) {
        double w[N_PARAMETERS], m[N_PARAMETERS], v[N_PARAMETERS], norm = 0, worst = 0, furthest = 0;
        const size_t second = sigmax_state_count(s.network, optimizer) / 2;
        CHECK(sigmax_backprop(s.network, s.parameters, &data, &cost, activations, deltas, gradient) == SIGMAX_OK,
              "backprop");
        for (size_t i = 0; i < N_PARAMETERS; i++) {
            norm += get(dtype, gradient, i) * get(dtype, gradient, i);
            m[i] = get(dtype, state, i);
            v[i] = get(dtype, state, second + i);
        }
        CHECK(sqrt(norm) > 2 * training.clip_norm, "a norm of %g leaves nothing to clip", sqrt(norm));
        for (size_t i = 0; i < N_PARAMETERS; i++) {
            const int is_weight = i < N_WEIGHTS;
            double g = get(dtype, gradient, i) * training.clip_norm / (sqrt(norm) + 1e-6);
            w[i] = get(dtype, s.parameters, i);
            if (is_weight) g += training.l2 * w[i] + (w[i] > 0 ? training.l1 : -training.l1);
            w[i] = updated(&training, w[i], g, &m[i], &v[i], (double)step, is_weight);
            furthest = fmax(furthest, fabs(w[i] - get(dtype, s.parameters, i)));
        }
        sigmax_progress progress = {.step = step - 1};
        const int status = sigmax_train(s.network, s.parameters, &data, &training, &progress, 1);
        CHECK(status == SIGMAX_OK && progress.step == step, "%s: %s", names[optimizer], sigmax_status_text(status));
        for (size_t i = 0; i < N_PARAMETERS; i++) {
            worst = fmax(worst, fabs(get(dtype, s.parameters, i) - w[i]));
            if (optimizer != SIGMAX_SGD) worst = fmax(worst, fabs(get(dtype, state, i) - m[i]));
            if (optimizer >= SIGMAX_ADAM) worst = fmax(worst, fabs(get(dtype, state, second + i) - v[i]));
        }
        CHECK(furthest > 1e-3, "%s: hardly moved, %g", names[optimizer], furthest);
        CHECK(worst <= 500 * epsilon_of(dtype) * furthest + 4 * epsilon_of(dtype), "%s, step %zu: off by %g of %g",
              names[optimizer], step, worst, furthest);
    }
    end_small(&s);
}

/* ---- chunks and threads ---------------------------------------------------------------------------------------- */

/* Layers wide enough for the pool, every term of the objective: the same bits however the epoch is worked off. */
static void test_chunks_and_threads(int dtype, int optimizer)
{
    enum { N = 100, ROWS = 70, COUNT = 2 * N * N + 10 * N + 2 * N + 10 };
    const size_t sizes[] = {N, N, N, 10};
    static double first[3 * COUNT], arena[3 * COUNT], X[ROWS * N], sample_weight[ROWS];
    static int64_t labels[ROWS];
    uint64_t state = 9;
    sigmax_network *network = NULL;
    CHECK(sigmax_network_create(&network, dtype, sizes, 4) == SIGMAX_OK, "create");
    CHECK(sigmax_parameter_count(network) == COUNT, "%zu", sigmax_parameter_count(network));
    for (size_t i = 0; i < ROWS * N; i++) put(dtype, X, i, next_real(&state));
    for (size_t r = 0; r < ROWS; r++) {
        labels[r] = (int64_t)next_below(&state, 10);
        sample_weight[r] = next_real(&state) + 1;
    }
    const sigmax_data data = {.X = X, .labels = labels, .rows = ROWS, .sample_weight = sample_weight};
    sigmax_training training = every_number(optimizer);
    training.batch_size = 32;
    training.dropout = 0.25;
    training.label_smoothing = 0.125;
    training.state = optimizer == SIGMAX_SGD ? NULL : arena + COUNT;
    sigmax_progress expected = {0};
    for (int n_threads = 1; n_threads <= 4; n_threads++) {
        sigmax_progress progress = {.step = 7};
        memset(arena, 0, sizeof arena);
        sigmax_set_num_threads(n_threads);
        sigmax_initialize(network, arena, SIGMAX_GLOROT, 4);
        for (int calls = 0; progress.position < ROWS && calls < 9; calls++) {
            const size_t chunk = n_threads % 2 == 0 ? 1 : 3;
            const int status = sigmax_train(network, arena, &data, &training, &progress, chunk);
            CHECK(status == SIGMAX_OK, "%s", sigmax_status_text(status));
        }
        CHECK(progress.step == 10 && progress.position == ROWS, "position %zu", progress.position);
        if (n_threads == 1) {
            memcpy(first, arena, sizeof first);
            expected = progress;
        }
        CHECK(memcmp(first, arena, sizeof first) == 0, "%s, %d threads: other bits", names[optimizer], n_threads);
        CHECK(memcmp(&expected.cost, &progress.cost, sizeof progress.cost) == 0, "%.17g, expected %.17g", progress.cost,
              expected.cost);
    }
    sigmax_set_num_threads(0);
    sigmax_network_free(network);
}

/* ---- divergence ------------------------------------------------------------------------------------------------ */

/* g is about `huge` and its square more than a real holds: v becomes infinite, cost and parameters stay finite. */
static void test_state_that_diverges(int dtype, int optimizer, size_t chunk)
{
    enum { ROWS = 12, COUNT = 3 * 2 + 2 };
    const size_t sizes[] = {3, 2};
    const double huge = dtype == SIGMAX_FLOAT32 ? 1e25 : 1e200;
    double arena[3 * COUNT] = {0}, before[3 * COUNT] = {0}, X[ROWS * 3];
    int64_t labels[ROWS];
    uint64_t state = 2;
    sigmax_network *network = NULL;
    CHECK(sigmax_network_create(&network, dtype, sizes, 2) == SIGMAX_OK, "create");
    for (size_t i = 0; i < ROWS * 3; i++) put(dtype, X, i, i / 3 == 9 ? huge : next_real(&state));
    for (size_t r = 0; r < ROWS; r++) labels[r] = (int64_t)(r % 2);
    const sigmax_data data = {.X = X, .labels = labels, .rows = ROWS};
    sigmax_training training = every_number(optimizer);
    training.batch_size = 2;
    training.clip_norm = 0;
    sigmax_progress expected = {0}, progress = {0};
    training.state = (char *)before + COUNT * (size_t)dtype;
    int status = sigmax_train(network, before, &data, &training, &expected, 4);
    CHECK(status == SIGMAX_OK && expected.batch == 4, "%s", sigmax_status_text(status));
    training.state = (char *)arena + COUNT * (size_t)dtype;
    for (size_t calls = 0; status == SIGMAX_OK && calls < 9; calls++) {
        status = sigmax_train(network, arena, &data, &training, &progress, chunk);
    }
    CHECK(status == SIGMAX_DIVERGED, "%s: %s", names[optimizer], sigmax_status_text(status));
    CHECK(progress.batch == 4 && progress.step == 4 && progress.position == 8, "batch %zu", progress.batch);
    CHECK(memcmp(arena, before, sizeof arena) == 0, "%s, chunks of %zu: not the state from before", names[optimizer],
          chunk);
    sigmax_network_free(network);
}

int main(void)
{
    for (size_t d = 0; d < 2; d++) {
        for (int optimizer = 0; optimizer < N_OPTIMIZERS; optimizer++) {
            test_updates_by_hand(dtypes[d], optimizer);
            test_chunks_and_threads(dtypes[d], optimizer);
        }
        for (int optimizer = SIGMAX_RMSPROP; optimizer < N_OPTIMIZERS; optimizer++) {
            for (size_t chunk = 1; chunk <= 7; chunk += 2) test_state_that_diverges(dtypes[d], optimizer, chunk);
        }
    }
    return CHECK_DONE();
}
