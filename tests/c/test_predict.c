/* Inference by many paths: whichever way probabilities, labels, activations and z are asked for, they agree; zero rows;
   refusals. */
#include <math.h>

#include "check.h"
#include "small_network.h"

static const int dtypes[] = {SIGMAX_FLOAT32, SIGMAX_FLOAT64};

static void test_paths_agree(int dtype)
{
    struct small s;
    begin_small(&s, dtype);
    double probabilities[N_ROWS * N_CLASSES], activations[N_ROWS * N_NEURONS], cost;
    int64_t labels[N_ROWS];
    double n_correct, expected_correct = 0;
    const sigmax_data data = labelled(&s);
    CHECK(sigmax_predict_proba(s.network, s.parameters, 1.0, s.X, N_ROWS, probabilities) == SIGMAX_OK, "predict_proba");
    CHECK(sigmax_predict(s.network, s.parameters, s.X, N_ROWS, labels) == SIGMAX_OK, "predict");
    CHECK(sigmax_activations(s.network, s.parameters, s.X, N_ROWS, activations) == SIGMAX_OK, "activations");
    CHECK(sigmax_cost(s.network, s.parameters, 1.0, &data, &cost, &n_correct) == SIGMAX_OK, "cost");
    double expected_cost = 0, worst = 0;
    for (size_t r = 0; r < N_ROWS; r++) {
        size_t best = 0;
        double sum = 0;
        for (size_t j = 0; j < N_CLASSES; j++) {
            const double p = get(dtype, probabilities, r * N_CLASSES + j);
            const double a_L = get(dtype, activations, N_ROWS * (N_NEURONS - N_CLASSES) + r * N_CLASSES + j);
            sum += p;
            worst = fmax(worst, fabs(p - a_L));
            if (p > get(dtype, probabilities, r * N_CLASSES + best)) best = j;
        }
        CHECK(fabs(sum - 1) <= 8 * epsilon_of(dtype), "row %zu sums to %.17g", r, sum);
        CHECK(labels[r] == (int64_t)best, "row %zu: %d, expected %zu", r, (int)labels[r], best);
        expected_correct += labels[r] == s.labels[r];
        expected_cost -= log(get(dtype, probabilities, r * N_CLASSES + (size_t)s.labels[r])) / (double)N_ROWS;
    }
    CHECK(worst <= 8 * epsilon_of(dtype), "predict_proba and activations differ by %g", worst);
    CHECK(n_correct == expected_correct, "%g, expected %g", n_correct, expected_correct);
    CHECK(fabs(cost - expected_cost) <= 20 * epsilon_of(dtype) * expected_cost, "%.17g, expected %.17g", cost,
          expected_cost);
    end_small(&s);
}

/* z_l is a_{l-1} W_l^T + b_l, of which the activations are sigmoid and softmax, to the bit, for any number of rows. */
static void test_weighted_inputs(int dtype)
{
    static const size_t sizes[] = {N_IN, 9, 5, N_CLASSES};
    struct small s;
    begin_small(&s, dtype);
    const size_t size = (size_t)dtype;
    for (size_t rows = 1; rows <= N_ROWS; rows++) {
        double z[N_ROWS * N_NEURONS], activations[N_ROWS * N_NEURONS], a_l[N_ROWS * 9];
        CHECK(sigmax_weighted_inputs(s.network, s.parameters, s.X, rows, z) == SIGMAX_OK, "weighted_inputs");
        CHECK(sigmax_activations(s.network, s.parameters, s.X, rows, activations) == SIGMAX_OK, "activations");
        const char *z_l = (const char *)z, *a = (const char *)activations, *a_before = (const char *)s.X;
        for (size_t l = 1; l < 4; l++) {
            const size_t n_in = sizes[l - 1], n = sizes[l], bytes = rows * n * size;
            const size_t w = sigmax_weight_offset(s.network, l), b = sigmax_bias_offset(s.network, l);
            double worst = 0;
            for (size_t i = 0; i < rows * n; i++) {
                double sum = get(dtype, s.parameters, b + i % n);
                for (size_t k = 0; k < n_in; k++)
                    sum += get(dtype, s.parameters, w + i % n * n_in + k) * get(dtype, a_before, i / n * n_in + k);
                worst = fmax(worst, fabs(get(dtype, z_l, i) - sum));
            }
            CHECK(worst <= 60 * epsilon_of(dtype), "layer %zu, %zu rows: z is off by %g", l, rows, worst);
            if (l < 3)
                sigmax_sigmoid(dtype, z_l, a_l, rows * n);
            else
                sigmax_softmax(dtype, z_l, a_l, rows, n);
            CHECK(memcmp(a_l, a, bytes) == 0, "layer %zu, %zu rows: the activations are of another z", l, rows);
            a_before = a;
            z_l += bytes;
            a += bytes;
        }
    }
    end_small(&s);
}

/* Rows that are 1 at the label and 0 elsewhere cost what the labels cost; other rows, what the definition says. */
static void test_targets(int dtype)
{
    struct small s;
    begin_small(&s, dtype);
    double probabilities[N_ROWS * N_CLASSES], by_labels, by_rows, cost, expected = 0;
    double n_by_labels, n_by_rows;
    const sigmax_data labels = labelled(&s), targets = targeted(&s);
    CHECK(sigmax_predict_proba(s.network, s.parameters, 1.0, s.X, N_ROWS, probabilities) == SIGMAX_OK, "predict_proba");
    CHECK(sigmax_cost(s.network, s.parameters, 1.0, &targets, &cost, NULL) == SIGMAX_OK, "cost of targets");
    for (size_t i = 0; i < N_ROWS * N_CLASSES; i++) {
        expected -= get(dtype, s.targets, i) * log(get(dtype, probabilities, i)) / (double)N_ROWS;
        put(dtype, s.targets, i, s.labels[i / N_CLASSES] == (int64_t)(i % N_CLASSES));
    }
    CHECK(fabs(cost - expected) <= 20 * epsilon_of(dtype) * expected, "%.17g, expected %.17g", cost, expected);
    CHECK(sigmax_cost(s.network, s.parameters, 1.0, &labels, &by_labels, &n_by_labels) == SIGMAX_OK, "cost of labels");
    CHECK(sigmax_cost(s.network, s.parameters, 1.0, &targets, &by_rows, &n_by_rows) == SIGMAX_OK,
          "cost of one-hot rows");
    CHECK(fabs(by_labels - by_rows) <= 20 * epsilon_of(dtype) * by_labels && n_by_labels == n_by_rows,
          "labels %.17g, %g correct; one-hot rows %.17g, %g correct", by_labels, n_by_labels, by_rows, n_by_rows);
    end_small(&s);
}

/* At a temperature T the probabilities are p_i^(1/T) / sum_j p_j^(1/T), p being those at 1, and the cost is theirs. */
static void test_temperature(int dtype, double temperature)
{
    struct small s;
    begin_small(&s, dtype);
    double plain[N_ROWS * N_CLASSES], probabilities[N_ROWS * N_CLASSES], cost, n_correct, n_plain, worst = 0;
    const sigmax_data data = labelled(&s);
    CHECK(sigmax_predict_proba(s.network, s.parameters, 1.0, s.X, N_ROWS, plain) == SIGMAX_OK, "at 1");
    CHECK(sigmax_predict_proba(s.network, s.parameters, temperature, s.X, N_ROWS, probabilities) == SIGMAX_OK, "at T");
    CHECK(sigmax_cost(s.network, s.parameters, 1.0, &data, NULL, &n_plain) == SIGMAX_OK, "cost at 1");
    CHECK(sigmax_cost(s.network, s.parameters, temperature, &data, &cost, &n_correct) == SIGMAX_OK, "cost at T");
    double expected_cost = 0;
    for (size_t r = 0; r < N_ROWS; r++) {
        double sum = 0;
        for (size_t j = 0; j < N_CLASSES; j++) sum += pow(get(dtype, plain, r * N_CLASSES + j), 1 / temperature);
        for (size_t j = 0; j < N_CLASSES; j++) {
            const double p = pow(get(dtype, plain, r * N_CLASSES + j), 1 / temperature) / sum;
            worst = fmax(worst, fabs(p - get(dtype, probabilities, r * N_CLASSES + j)));
            if (s.labels[r] == (int64_t)j) expected_cost -= log(p) / (double)N_ROWS;
        }
    }
    CHECK(worst <= 40 * epsilon_of(dtype) / fmin(1, temperature), "T = %g: off by %g", temperature, worst);
    CHECK(fabs(cost - expected_cost) <= 100 * epsilon_of(dtype) * expected_cost, "T = %g: %.17g, expected %.17g",
          temperature, cost, expected_cost);
    CHECK(n_correct >= n_plain && n_correct <= n_plain, "T = %g: %g correct, %g at 1", temperature, n_correct, n_plain);
    end_small(&s);
}

/* More rows than a block of inference holds: the same bits on any number of threads, and the same rows again and again
   give the same answer again and again. */
static void test_many_rows(int dtype)
{
    enum { COPIES = 30, ROWS = COPIES * N_ROWS };
    struct small s;
    begin_small(&s, dtype);
    static double X[ROWS * N_IN], first[ROWS * N_CLASSES], probabilities[ROWS * N_CLASSES];
    const size_t bytes = ROWS * N_CLASSES * (size_t)dtype, row = N_CLASSES * (size_t)dtype;
    for (size_t i = 0; i < ROWS * N_IN; i++) put(dtype, X, i, get(dtype, s.X, i % (N_ROWS * N_IN)));
    for (int n_threads = 1; n_threads <= 4; n_threads++) {
        sigmax_set_num_threads(n_threads);
        const int status = sigmax_predict_proba(s.network, s.parameters, 1.0, X, ROWS, probabilities);
        CHECK(status == SIGMAX_OK, "%s", sigmax_status_text(status));
        if (n_threads == 1) memcpy(first, probabilities, bytes);
        CHECK(memcmp(first, probabilities, bytes) == 0, "%d threads: other bits", n_threads);
    }
    sigmax_set_num_threads(0);
    double worst = 0;
    for (size_t i = 0; i < ROWS * N_CLASSES; i++) {
        worst = fmax(worst, fabs(get(dtype, first, i) - get(dtype, first, i % (N_ROWS * N_CLASSES))));
    }
    CHECK(worst <= 8 * epsilon_of(dtype), "copies of a row differ by %g", worst);
    CHECK(memcmp(first, (char *)first + row, row) != 0, "different rows have the same answer");
    end_small(&s);
}

/* An infinity or NaN anywhere in X is refused, in the first block of rows or a later one. */
static void test_not_finite(int dtype)
{
    enum { ROWS = 400 };
    static const double bad[] = {(double)INFINITY, -(double)INFINITY, (double)NAN};
    static double X[ROWS * N_IN], probabilities[ROWS * N_CLASSES], neurons[ROWS * N_NEURONS];
    static int64_t labels[ROWS], answer[ROWS];
    struct small s;
    begin_small(&s, dtype);
    for (size_t i = 0; i < ROWS * N_IN; i++) put(dtype, X, i, get(dtype, s.X, i % (N_ROWS * N_IN)));
    const sigmax_data data = {.X = X, .labels = labels, .rows = ROWS};
    double cost = 0;
    CHECK(sigmax_cost(s.network, s.parameters, 1.0, &data, &cost, NULL) == SIGMAX_OK && cost > 0, "finite, cost %g",
          cost);
    cost = -1;
    for (size_t at = 0; at < ROWS * N_IN; at += 479) {
        const double kept = get(dtype, X, at);
        put(dtype, X, at, bad[at % 3]);
        int status = sigmax_predict_proba(s.network, s.parameters, 1.0, X, ROWS, probabilities);
        CHECK(status == SIGMAX_NOT_FINITE, "predict_proba, X[%zu]: %s", at, sigmax_status_text(status));
        status = sigmax_predict(s.network, s.parameters, X, ROWS, answer);
        CHECK(status == SIGMAX_NOT_FINITE, "predict, X[%zu]: %s", at, sigmax_status_text(status));
        status = sigmax_cost(s.network, s.parameters, 1.0, &data, &cost, NULL);
        CHECK(status == SIGMAX_NOT_FINITE && cost < 0, "cost, X[%zu]: %s", at, sigmax_status_text(status));
        neurons[0] = 7;
        status = sigmax_weighted_inputs(s.network, s.parameters, X, ROWS, neurons);
        CHECK(status == SIGMAX_NOT_FINITE && neurons[0] > 6, "weighted_inputs, X[%zu]: %s", at,
              sigmax_status_text(status));
        put(dtype, X, at, kept);
    }
    /* The last block's input is named, and not the NaN that the blocks before it come to. */
    put(dtype, s.parameters, 0, (double)NAN);
    put(dtype, X, ROWS * N_IN - 1, (double)INFINITY);
    const int status = sigmax_predict(s.network, s.parameters, X, ROWS, answer);
    CHECK(status == SIGMAX_NOT_FINITE, "NaN first: %s", sigmax_status_text(status));
    end_small(&s);
}

/* No answer is NaN in silence, whichever parameter makes it so and however many rows there are. */
static void test_not_a_number(int dtype)
{
    enum { ROWS = 400 };
    static double X[ROWS * N_IN], probabilities[ROWS * N_CLASSES];
    static double activations[ROWS * N_NEURONS], deltas[ROWS * N_NEURONS], gradient[N_PARAMETERS];
    static int64_t labels[ROWS], answer[ROWS];
    struct small s;
    begin_small(&s, dtype);
    for (size_t i = 0; i < ROWS * N_IN; i++) put(dtype, X, i, get(dtype, s.X, i % (N_ROWS * N_IN)));
    for (size_t at = 0; at < N_PARAMETERS; at++) {
        const size_t rows = at % 2 ? ROWS : 1;
        const sigmax_data data = {.X = X, .labels = labels, .rows = rows};
        const double kept = get(dtype, s.parameters, at);
        double cost = -1;
        put(dtype, s.parameters, at, (double)NAN);
        int status = sigmax_predict_proba(s.network, s.parameters, 1.0, X, rows, probabilities);
        CHECK(status == SIGMAX_NOT_A_NUMBER, "predict_proba, w[%zu]: %s", at, sigmax_status_text(status));
        status = sigmax_predict_proba(s.network, s.parameters, 2.0, X, rows, probabilities);
        CHECK(status == SIGMAX_NOT_A_NUMBER, "at a temperature, w[%zu]: %s", at, sigmax_status_text(status));
        status = sigmax_predict(s.network, s.parameters, X, rows, answer);
        CHECK(status == SIGMAX_NOT_A_NUMBER, "predict, w[%zu]: %s", at, sigmax_status_text(status));
        status = sigmax_cost(s.network, s.parameters, 1.0, &data, &cost, NULL);
        CHECK(status == SIGMAX_NOT_A_NUMBER && cost < 0, "cost, w[%zu]: %s", at, sigmax_status_text(status));
        status = sigmax_backprop(s.network, s.parameters, &data, &cost, activations, deltas, gradient);
        CHECK(status == SIGMAX_NOT_A_NUMBER, "backprop, w[%zu]: %s", at, sigmax_status_text(status));
        status = sigmax_activations(s.network, s.parameters, X, rows, activations);
        CHECK(status == SIGMAX_OK && isnan(get(dtype, activations, rows * N_NEURONS - 1)), "activations, w[%zu]: %s",
              at, sigmax_status_text(status));
        status = sigmax_weighted_inputs(s.network, s.parameters, X, rows, activations);
        int somewhere = 0;
        for (size_t i = 0; i < rows * N_NEURONS; i++) somewhere |= isnan(get(dtype, activations, i));
        CHECK(status == SIGMAX_OK && somewhere, "weighted_inputs, w[%zu]: %s", at, sigmax_status_text(status));
        put(dtype, s.parameters, at, kept);
    }
    end_small(&s);
}

static void test_zero_rows(int dtype)
{
    struct small s;
    begin_small(&s, dtype);
    double out[1] = {7};
    int64_t label[1] = {7};
    CHECK(sigmax_predict_proba(s.network, s.parameters, 1.0, NULL, 0, NULL) == SIGMAX_OK, "predict_proba, no arrays");
    CHECK(sigmax_predict_proba(s.network, s.parameters, 1.0, s.X, 0, out) == SIGMAX_OK, "predict_proba");
    CHECK(sigmax_predict(s.network, s.parameters, s.X, 0, label) == SIGMAX_OK, "predict");
    CHECK(sigmax_activations(s.network, s.parameters, s.X, 0, out) == SIGMAX_OK, "activations");
    CHECK(sigmax_weighted_inputs(s.network, s.parameters, s.X, 0, out) == SIGMAX_OK, "weighted_inputs");
    CHECK(out[0] > 6 && label[0] == 7, "zero rows have written something");
    end_small(&s);
}

static void test_refuses(int dtype)
{
    struct small s;
    begin_small(&s, dtype);
    double out[N_NEURONS];
    int64_t label[1];
    const size_t many = SIZE_MAX / 8;
    CHECK(sigmax_predict_proba(NULL, s.parameters, 1.0, s.X, 1, out) == SIGMAX_BAD_ARGUMENT, "network");
    CHECK(sigmax_predict_proba(s.network, NULL, 1.0, s.X, 1, out) == SIGMAX_BAD_ARGUMENT, "parameters");
    CHECK(sigmax_predict_proba(s.network, s.parameters, 1.0, NULL, 1, out) == SIGMAX_BAD_ARGUMENT, "X");
    CHECK(sigmax_predict_proba(s.network, s.parameters, 1.0, s.X, 1, NULL) == SIGMAX_BAD_ARGUMENT, "probabilities");
    CHECK(sigmax_predict_proba(s.network, s.parameters, 1.0, s.X, many, out) == SIGMAX_TOO_LARGE, "rows");
    static const double no_temperatures[] = {0.0, -1.0, (double)INFINITY, (double)NAN};
    for (size_t i = 0; i < 4; i++) {
        const sigmax_data data = labelled(&s);
        int status = sigmax_predict_proba(s.network, s.parameters, no_temperatures[i], s.X, 1, out);
        CHECK(status == SIGMAX_BAD_ARGUMENT, "temperature %g", no_temperatures[i]);
        status = sigmax_cost(s.network, s.parameters, no_temperatures[i], &data, NULL, NULL);
        CHECK(status == SIGMAX_BAD_ARGUMENT, "temperature %g", no_temperatures[i]);
    }
    CHECK(sigmax_predict(NULL, s.parameters, s.X, 1, label) == SIGMAX_BAD_ARGUMENT, "network");
    CHECK(sigmax_predict(s.network, NULL, s.X, 1, label) == SIGMAX_BAD_ARGUMENT, "parameters");
    CHECK(sigmax_predict(s.network, s.parameters, NULL, 1, label) == SIGMAX_BAD_ARGUMENT, "X");
    CHECK(sigmax_predict(s.network, s.parameters, s.X, 1, NULL) == SIGMAX_BAD_ARGUMENT, "labels");
    CHECK(sigmax_predict(s.network, s.parameters, s.X, many, label) == SIGMAX_TOO_LARGE, "rows");
    CHECK(sigmax_activations(NULL, s.parameters, s.X, 1, out) == SIGMAX_BAD_ARGUMENT, "network");
    CHECK(sigmax_activations(s.network, NULL, s.X, 1, out) == SIGMAX_BAD_ARGUMENT, "parameters");
    CHECK(sigmax_activations(s.network, s.parameters, NULL, 1, out) == SIGMAX_BAD_ARGUMENT, "X");
    CHECK(sigmax_activations(s.network, s.parameters, s.X, 1, NULL) == SIGMAX_BAD_ARGUMENT, "activations");
    CHECK(sigmax_activations(s.network, s.parameters, s.X, many, out) == SIGMAX_TOO_LARGE, "rows");
    CHECK(sigmax_weighted_inputs(NULL, s.parameters, s.X, 1, out) == SIGMAX_BAD_ARGUMENT, "network");
    CHECK(sigmax_weighted_inputs(s.network, NULL, s.X, 1, out) == SIGMAX_BAD_ARGUMENT, "parameters");
    CHECK(sigmax_weighted_inputs(s.network, s.parameters, NULL, 1, out) == SIGMAX_BAD_ARGUMENT, "X");
    CHECK(sigmax_weighted_inputs(s.network, s.parameters, s.X, 1, NULL) == SIGMAX_BAD_ARGUMENT, "weighted_inputs");
    CHECK(sigmax_weighted_inputs(s.network, s.parameters, s.X, many, out) == SIGMAX_TOO_LARGE, "rows");
    end_small(&s);
}

static void test_equations_refuse_null(int dtype)
{
    double z[2] = {0, 0}, out[4], cost[1];
    CHECK(sigmax_exp(dtype, NULL, out, 1) == SIGMAX_BAD_ARGUMENT, "z");
    CHECK(sigmax_sigmoid(dtype, z, NULL, 1) == SIGMAX_BAD_ARGUMENT, "out");
    CHECK(sigmax_sigmoid_prime(dtype, NULL, out, 1) == SIGMAX_BAD_ARGUMENT, "z");
    CHECK(sigmax_softmax(dtype, z, NULL, 1, 2) == SIGMAX_BAD_ARGUMENT, "out");
    CHECK(sigmax_softmax_jacobian(dtype, NULL, out, 2) == SIGMAX_BAD_ARGUMENT, "z");
    CHECK(sigmax_cross_entropy(dtype, z, NULL, cost, 1, 2) == SIGMAX_BAD_ARGUMENT, "y");
    cost[0] = 7;
    CHECK(sigmax_cross_entropy(dtype, NULL, NULL, cost, 1, 0) == SIGMAX_OK && fabs(cost[0]) <= 0, "no classes: %g",
          cost[0]);
    CHECK(sigmax_output_delta(dtype, z, z, NULL, 1, 2) == SIGMAX_BAD_ARGUMENT, "delta");
    const int64_t label = 1, beyond = 2, below = -1;
    CHECK(sigmax_smooth_labels(dtype, &label, NULL, 0.1, NULL, 1, 2) == SIGMAX_BAD_ARGUMENT, "targets");
    CHECK(sigmax_smooth_labels(dtype, &label, z, 0.1, out, 1, 2) == SIGMAX_BAD_ARGUMENT, "labels and y");
    CHECK(sigmax_smooth_labels(dtype, NULL, NULL, 0.1, out, 1, 2) == SIGMAX_BAD_ARGUMENT, "neither");
    CHECK(sigmax_smooth_labels(dtype, &label, NULL, 1.0, out, 1, 2) == SIGMAX_BAD_ARGUMENT, "e = 1");
    CHECK(sigmax_smooth_labels(dtype, &label, NULL, NAN, out, 1, 2) == SIGMAX_BAD_ARGUMENT, "e is NaN");
    CHECK(sigmax_smooth_labels(dtype, &beyond, NULL, 0.1, out, 1, 2) == SIGMAX_BAD_LABEL, "label 2 of 2");
    CHECK(sigmax_smooth_labels(dtype, &below, NULL, 0.1, out, 1, 2) == SIGMAX_BAD_LABEL, "label -1");
    CHECK(sigmax_smooth_labels(dtype, NULL, NULL, 0.1, NULL, 0, 2) == SIGMAX_OK, "no rows");
    CHECK(sigmax_sigmoid(dtype, NULL, NULL, 0) == SIGMAX_OK, "nothing to do");
    CHECK(sigmax_sigmoid(3, z, out, 1) == SIGMAX_BAD_ARGUMENT, "dtype");
}

int main(void)
{
    for (size_t d = 0; d < 2; d++) {
        test_paths_agree(dtypes[d]);
        test_weighted_inputs(dtypes[d]);
        test_targets(dtypes[d]);
        for (double temperature = 0.125; temperature < 100; temperature *= 2) test_temperature(dtypes[d], temperature);
        test_many_rows(dtypes[d]);
        test_not_finite(dtypes[d]);
        test_not_a_number(dtypes[d]);
        test_zero_rows(dtypes[d]);
        test_refuses(dtypes[d]);
        test_equations_refuse_null(dtypes[d]);
    }
    return CHECK_DONE();
}
