/* Numbers and sizes at their limits: the largest and the smallest reals, layers of one neuron, ten thousand classes,
   workspaces that cannot be counted, and the floating-point environment, which every call leaves alone. */
#define _GNU_SOURCE /* setenv */

#include <fenv.h>
#include <math.h>

#include "engines.h"
#include "reals.h"

static double largest(int dtype)
{
    return dtype == SIGMAX_FLOAT32 ? (double)FLT_MAX : DBL_MAX;
}

static double smallest(int dtype)
{
    return dtype == SIGMAX_FLOAT32 ? 0x1p-149 : 0x1p-1074;
}

static sigmax_network *new_network(int dtype, const size_t *sizes, size_t n_sizes)
{
    sigmax_network *network = NULL;
    const int status = sigmax_network_create(&network, dtype, sizes, n_sizes);
    CHECK(status == SIGMAX_OK, "%s", sigmax_status_text(status));
    return network;
}

/* ---- subnormal numbers ----------------------------------------------------------------------------------------- */

/* delta is -1/2 and 1/2 where parameters are 0, so dC/dw is half of X exactly, and X may be subnormal. */
static void test_subnormal_gradient(const struct table *table)
{
    enum { N_IN = 37, N_CLASSES = 2 };
    const int dtype = table->dtype;
    const size_t sizes[] = {N_IN, N_CLASSES};
    double w[(N_IN + 1) * N_CLASSES] = {0}, X[N_IN], a[2], delta[2], gradient[(N_IN + 1) * N_CLASSES], cost;
    const int64_t label[] = {1};
    sigmax_network *const network = new_network(dtype, sizes, 2);
    for (size_t i = 0; i < N_IN; i++) put(dtype, X, i, (double)(2 * i + 2) * smallest(dtype));
    const sigmax_data data = {.X = X, .labels = label, .rows = 1};
    const int status = sigmax_backprop(network, w, &data, &cost, a, delta, gradient);
    CHECK(status == SIGMAX_OK, "%s", sigmax_status_text(status));
    for (size_t i = 0; i < N_IN; i++) {
        const double expected = (double)(i + 1) * smallest(dtype);
        const double up = get(dtype, gradient, i), down = get(dtype, gradient, N_IN + i);
        CHECK(memcmp(&up, &expected, sizeof up) == 0 && fabs(up + down) <= 0, "%s f%d: %g and %g, expected +-%g",
              table->engine->instruction_set, 8 * dtype, up, down, expected);
    }

    /* The same step by every optimiser but those that divide by the gradient's size: w ends subnormal, not at 0. */
    for (int optimizer = SIGMAX_SGD; optimizer <= SIGMAX_NESTEROV; optimizer++) {
        double state[(N_IN + 1) * N_CLASSES] = {0}, parameters[(N_IN + 1) * N_CLASSES] = {0};
        const sigmax_training training
            = {.batch_size = 1, .learning_rate = 1, .optimizer = optimizer, .momentum = 0, .state = state};
        sigmax_progress progress = {0};
        CHECK(sigmax_train(network, parameters, &data, &training, &progress, 1) == SIGMAX_OK, "train");
        for (size_t i = 0; i < N_IN; i++) {
            const double moved = get(dtype, parameters, i), expected = -(double)(i + 1) * smallest(dtype);
            CHECK(memcmp(&moved, &expected, sizeof moved) == 0, "%s f%d, optimiser %d: %g, expected %g",
                  table->engine->instruction_set, 8 * dtype, optimizer, moved, expected);
        }
    }
    sigmax_network_free(network);
}

/* ---- the largest numbers --------------------------------------------------------------------------------------- */

static void test_largest(const struct table *table)
{
    enum { N_IN = 21, N_HIDDEN = 5, N_CLASSES = 3, N = N_HIDDEN * (N_IN + 1) + N_CLASSES * (N_HIDDEN + 1) };
    const int dtype = table->dtype;
    const size_t sizes[] = {N_IN, N_HIDDEN, N_CLASSES};
    double w[N] = {0}, before[N], X[N_IN], probabilities[N_CLASSES], activations[N_HIDDEN + N_CLASSES], cost;
    int64_t label[] = {2};
    sigmax_network *const network = new_network(dtype, sizes, 3);
    const char *const name = table->engine->instruction_set;
    for (size_t i = 0; i < N_IN; i++) put(dtype, X, i, i % 2 ? -largest(dtype) : largest(dtype));
    const sigmax_data data = {.X = X, .labels = label, .rows = 1};

    /* Weights of 0 take the largest inputs. */
    CHECK(sigmax_predict_proba(network, w, 1.0, X, 1, probabilities) == SIGMAX_OK, "predict_proba");
    CHECK(fabs(get(dtype, probabilities, 0) - 1.0 / 3) <= epsilon_of(dtype), "%s f%d: %g", name, 8 * dtype,
          get(dtype, probabilities, 0));
    CHECK(sigmax_cost(network, w, 1.0, &data, &cost, NULL) == SIGMAX_OK && fabs(cost - log(3)) < 1e-6, "%g", cost);

    /* A hidden layer whose z is infinite saturates: 0 or 1, and the output is a distribution. */
    for (size_t j = 0; j < N_HIDDEN; j++) put(dtype, w, j * N_IN + 1, j % 2 ? 2.0 : -2.0);
    for (size_t i = 0; i < N_HIDDEN * N_CLASSES; i++) put(dtype, w, N_HIDDEN * N_IN + i, (double)(i % 4) - 1);
    CHECK(sigmax_activations(network, w, X, 1, activations) == SIGMAX_OK, "activations");
    double sum = 0;
    for (size_t j = 0; j < N_HIDDEN; j++) {
        const double a = get(dtype, activations, j), expected = j % 2 ? 0 : 1;
        CHECK(fabs(a - expected) <= 0, "%s f%d: a saturated neuron is %g, expected %g", name, 8 * dtype, a, expected);
    }
    for (size_t j = 0; j < N_CLASSES; j++) sum += get(dtype, activations, N_HIDDEN + j);
    CHECK(fabs(sum - 1) <= 4 * epsilon_of(dtype), "%s f%d: sum %g", name, 8 * dtype, sum);

    /* Weights of the output layer that make z infinite: training says so, and changes nothing. */
    for (size_t i = 0; i < N_HIDDEN * N_CLASSES; i++) put(dtype, w, N_HIDDEN * N_IN + i, largest(dtype));
    memcpy(before, w, sizeof before);
    const sigmax_training training = {.batch_size = 1, .learning_rate = 0.5};
    sigmax_progress progress = {0};
    const int status = sigmax_train(network, w, &data, &training, &progress, 1);
    CHECK(status == SIGMAX_DIVERGED && progress.batch == 0 && progress.position == 0, "%s f%d: %s", name, 8 * dtype,
          sigmax_status_text(status));
    CHECK(memcmp(before, w, sizeof before) == 0, "%s f%d: parameters changed", name, 8 * dtype);

    /* z of +-max/4, at any temperature: a distribution, and a cost that is a number. */
    static const double temperatures[] = {0x1p-1074, 1e-300, 0x1p-149, 1e-30, 1, 1e30, 1e300, DBL_MAX};
    memset(w, 0, sizeof w);
    for (size_t j = 0; j < N_CLASSES; j++) {
        put(dtype, w, N_HIDDEN * (N_IN + N_CLASSES + 1) + j, ((double)j - 1) * largest(dtype) / 4);
    }
    for (size_t i = 0; i < sizeof temperatures / sizeof temperatures[0]; i++) {
        const double T = temperatures[i];
        CHECK(sigmax_predict_proba(network, w, T, X, 1, probabilities) == SIGMAX_OK, "predict_proba");
        sum = 0;
        for (size_t j = 0; j < N_CLASSES; j++) sum += get(dtype, probabilities, j);
        CHECK(fabs(sum - 1) <= 4 * epsilon_of(dtype), "%s f%d, temperature %g: probabilities %g, %g, %g", name,
              8 * dtype, T, get(dtype, probabilities, 0), get(dtype, probabilities, 1), get(dtype, probabilities, 2));
        for (label[0] = 0; label[0] < N_CLASSES; label[0]++) {
            double targets[N_CLASSES] = {0}, of_targets;
            const sigmax_data soft = {.X = X, .targets = targets, .rows = 1};
            put(dtype, targets, (size_t)label[0], 1.0);
            CHECK(sigmax_cost(network, w, T, &data, &cost, NULL) == SIGMAX_OK && isfinite(cost) && cost >= 0,
                  "%s f%d, temperature %g, label %d: cost %g", name, 8 * dtype, T, (int)label[0], cost);
            CHECK(sigmax_cost(network, w, T, &soft, &of_targets, NULL) == SIGMAX_OK && isfinite(of_targets),
                  "%s f%d, temperature %g, target %d: cost %g", name, 8 * dtype, T, (int)label[0], of_targets);
        }
    }
    sigmax_network_free(network);
}

/* ---- narrow and wide ------------------------------------------------------------------------------------------- */

/* Layers of one neuron: gradients against central differences, and a cost that training lowers. */
static void test_one_neuron(const struct table *table, size_t n_sizes)
{
    enum { ROWS = 9, MOST = 20 };
    const int dtype = table->dtype;
    const size_t sizes[] = {1, 1, 1, 1, 2};
    double w[MOST], X[ROWS], a[ROWS * 6], deltas[ROWS * 6], gradient[MOST], cost, first, again;
    int64_t labels[ROWS];
    sigmax_network *const network = new_network(dtype, sizes + 5 - n_sizes, n_sizes);
    const size_t n = sigmax_parameter_count(network);
    for (size_t r = 0; r < ROWS; r++) {
        put(dtype, X, r, (double)r - 4);
        labels[r] = r > 4;
    }
    const sigmax_data data = {.X = X, .labels = labels, .rows = ROWS};
    CHECK(sigmax_initialize(network, w, SIGMAX_LARGE, 3) == SIGMAX_OK, "initialize");
    CHECK(sigmax_backprop(network, w, &data, &first, a, deltas, gradient) == SIGMAX_OK, "backprop");
    const double h = dtype == SIGMAX_FLOAT32 ? 0x1p-8 : 0x1p-17, tolerance = dtype == SIGMAX_FLOAT32 ? 1e-3 : 1e-9;
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        const double kept = get(dtype, w, i);
        put(dtype, w, i, kept + h);
        sigmax_cost(network, w, 1.0, &data, &cost, NULL);
        put(dtype, w, i, kept - h);
        sigmax_cost(network, w, 1.0, &data, &again, NULL);
        put(dtype, w, i, kept);
        const double slope = (cost - again) / (2 * h);
        most = fmax(most, fabs(slope));
        CHECK(fabs(slope - get(dtype, gradient, i)) < tolerance, "%s f%d, %zu layers, parameter %zu: %g, expected %g",
              table->engine->instruction_set, 8 * dtype, n_sizes, i, get(dtype, gradient, i), slope);
    }
    CHECK(most > 0.01, "the gradient is 0");
    const sigmax_training training = {.batch_size = SIZE_MAX, .learning_rate = 0.5};
    for (int epoch = 0; epoch < 20; epoch++) {
        sigmax_progress progress = {0};
        CHECK(sigmax_train(network, w, &data, &training, &progress, 1) == SIGMAX_OK, "train");
        CHECK(progress.position == ROWS && progress.batch == 1, "a batch of %zu rows", progress.position);
    }
    CHECK(sigmax_cost(network, w, 1.0, &data, &cost, NULL) == SIGMAX_OK && cost < first - 0.01, "from %g to %g", first,
          cost);
    sigmax_network_free(network);
}

static void test_ten_thousand_classes(const struct table *table)
{
    enum { N_IN = 3, K = 10000, ROWS = 5, N = (N_IN + 1) * K };
    const int dtype = table->dtype;
    const size_t sizes[] = {N_IN, K};
    static double w[N], probabilities[ROWS * K], targets[ROWS * K];
    double X[ROWS * N_IN], cost, of_targets;
    int64_t predicted[ROWS];
    static const int64_t labels[ROWS] = {0, 1, 4999, K - 2, K - 1};
    uint64_t state = 4;
    sigmax_network *const network = new_network(dtype, sizes, 2);
    memset(w, 0, sizeof w);
    memset(targets, 0, sizeof targets);
    for (size_t i = 0; i < ROWS * N_IN; i++) put(dtype, X, i, 4 * next_real(&state));
    for (size_t r = 0; r < ROWS; r++) put(dtype, targets, r * K + (size_t)labels[r], 1.0);
    const sigmax_data data = {.X = X, .labels = labels, .rows = ROWS};
    const sigmax_data soft = {.X = X, .targets = targets, .rows = ROWS};
    CHECK(sigmax_cost(network, w, 1.0, &data, &cost, NULL) == SIGMAX_OK && fabs(cost - log(K)) < 1e-9, "%.17g", cost);
    const sigmax_training training = {.batch_size = 1, .learning_rate = 1};
    for (int epoch = 0; epoch < 60; epoch++) {
        sigmax_progress progress = {0};
        const int status = sigmax_train(network, w, epoch % 2 ? &soft : &data, &training, &progress, SIZE_MAX);
        CHECK(status == SIGMAX_OK, "%s", sigmax_status_text(status));
    }
    CHECK(sigmax_cost(network, w, 1.0, &data, &cost, NULL) == SIGMAX_OK && cost < 0.5, "%.17g", cost);
    CHECK(sigmax_cost(network, w, 1.0, &soft, &of_targets, NULL) == SIGMAX_OK
              && fabs(cost - of_targets) <= 100 * epsilon_of(dtype) * cost,
          "%.17g by labels, %.17g by targets", cost, of_targets);
    CHECK(sigmax_predict(network, w, X, ROWS, predicted) == SIGMAX_OK, "predict");
    CHECK(memcmp(predicted, labels, sizeof labels) == 0, "%s f%d: not the labels that were learnt",
          table->engine->instruction_set, 8 * dtype);
    CHECK(sigmax_predict_proba(network, w, 1.0, X, ROWS, probabilities) == SIGMAX_OK, "predict_proba");
    for (size_t r = 0; r < ROWS; r++) {
        double sum = 0;
        for (size_t j = 0; j < K; j++) sum += get(dtype, probabilities, r * K + j);
        CHECK(fabs(sum - 1) <= 4 * epsilon_of(dtype) + (double)K * DBL_EPSILON, "row %zu sums to 1 + %g", r, sum - 1);
    }
    sigmax_network_free(network);
}

/* ---- what cannot be counted ------------------------------------------------------------------------------------ */

/* An array whose bytes come within a cache line of half of what size_t holds must not let the next ones wrap around. */
static void test_workspace_overflow(const struct table *table)
{
    const size_t size = (size_t)table->dtype, half = SIZE_MAX / 2;
    const sigmax_training training = {.batch_size = SIZE_MAX, .learning_rate = 1, .optimizer = SIGMAX_ADAM};
    for (size_t n_in = 1; n_in < 70; n_in++) {
        const size_t sizes[] = {n_in, 2}, offset[] = {0, 0}, bias_offset[] = {0, 2 * n_in}, before[] = {0, 0};
        const struct sigmax_shape shape = {.n_layers = 1,
                                           .sizes = sizes,
                                           .weight_offset = offset,
                                           .bias_offset = bias_offset,
                                           .neurons_before = before,
                                           .n_neurons = 2,
                                           .widest = n_in > 2 ? n_in : 2,
                                           .n_weights = 2 * n_in,
                                           .n_parameters = 2 * n_in + 2};
        for (size_t less = 0; less < 3; less++) {
            const size_t rows = half / (n_in * size) - less;
            const size_t bytes = table->engine->train_workspace(&shape, &training, rows, 1);
            CHECK(bytes == SIZE_MAX, "%zu inputs, %zu rows: %zu bytes", n_in, rows, bytes);
            CHECK(table->engine->backprop_workspace(&shape, SIZE_MAX / 8 - less, 1) >= half, "%zu inputs", n_in);
        }
    }
}

/* ---- the environment ------------------------------------------------------------------------------------------- */

/* Rounding to nearest, and subnormal numbers neither flushed as results nor read as 0. */
static void check_environment(const char *when)
{
    volatile float small = FLT_MIN, smallest_float = 0x1p-149F;
    volatile double small_double = DBL_MIN, smallest_double = 0x1p-1074;
    CHECK(fegetround() == FE_TONEAREST, "%s: rounding mode %d", when, fegetround());
    CHECK(small / 2 > 0 && small_double / 2 > 0, "%s: subnormal results are flushed to 0", when);
    CHECK(smallest_float * 0x1p127F > 0 && smallest_double * 0x1p1000 > 0, "%s: subnormals are read as 0", when);
}

int main(void)
{
    check_environment("before the first call");
    find_tables();
    for (size_t t = 0; t < n_tables; t++) {
        setenv("SIGMAX_ISA", tables[t].engine->instruction_set, 1);
        for (int n_threads = 1; n_threads <= 3; n_threads += 2) {
            sigmax_set_num_threads(n_threads);
            test_subnormal_gradient(&tables[t]);
            test_largest(&tables[t]);
            test_ten_thousand_classes(&tables[t]);
            check_environment("afterwards");
        }
        for (size_t n_sizes = 2; n_sizes <= 5; n_sizes++) test_one_neuron(&tables[t], n_sizes);
        test_workspace_overflow(&tables[t]);
        check_environment("at the end");
    }
    return CHECK_DONE();
}
