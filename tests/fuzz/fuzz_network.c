/*
 * libFuzzer target: a network of any sizes, parameters, data and options is made, used and trained through
 * sigmax_api.h. What must hold, beside the sanitizers' peace: a refusal changes nothing; what was finite stays so;
 * answers are the same bits on another number of threads, and training in any chunks; sparse rows are the dense ones.
 */
#define _GNU_SOURCE /* setenv */

#include "case.h"

/* ---- use --------------------------------------------------------------------------------------------------------- */

static void require_distributions(const struct fuzz_case *c, const void *probabilities, double temperature)
{
    const size_t k = c->sizes[c->n_sizes - 1];
    for (size_t r = 0; r < c->rows; r++) {
        double sum = 0;
        for (size_t j = 0; j < k; j++) {
            const double p = get(c->dtype, probabilities, r * k + j);
            REQUIRE(p >= 0 && p <= 1, "probability %g at temperature %g", p, temperature);
            sum += p;
        }
        REQUIRE(fabs(sum - 1) <= ((double)k + 2) * epsilon_of(c->dtype), "row %zu sums to %.9g", r, sum);
    }
}

/* Whether the status is the expected one; outputs of parameters that are not tame may be NaN instead. */
static int is_one_of(int status, int expected, const struct fuzz_case *c)
{
    return status == expected || (expected == SIGMAX_OK && !c->tame && status == SIGMAX_NOT_A_NUMBER);
}

static int no_nan(int dtype, const void *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (isnan(get(dtype, values, i))) return 0;
    }
    return 1;
}

/* The hidden activations (rows * (n_1 + ... + n_{L-1})) are the sigmoid of sigmax_weighted_inputs, where none is NaN. */
static void require_weighted_inputs(const struct fuzz_case *c, const struct array activations)
{
    const size_t hidden = c->rows * (c->n_neurons - c->sizes[c->n_sizes - 1]);
    const struct array z = new_array(c->rows * c->n_neurons, (size_t)c->dtype, c->shifted);
    const int status = sigmax_weighted_inputs(c->network, c->parameters.at, c->X.at, c->rows, z.at);
    REQUIRE(status == SIGMAX_OK, "%d", status);
    if (no_nan(c->dtype, activations.at, hidden)) {
        sigmax_sigmoid(c->dtype, z.at, z.at, hidden);
        REQUIRE(memcmp(z.at, activations.at, hidden * (size_t)c->dtype) == 0, "activations of another z");
    }
    let_go(z);
}

/* sigmax_predict_proba, sigmax_predict and the last of sigmax_activations say the same. */
static void use(struct input *in, const struct fuzz_case *c)
{
    const size_t k = c->sizes[c->n_sizes - 1], size = (size_t)c->dtype, outputs = c->rows * k;
    const double temperature = seldom(in, 2) ? take_double(in) : 1.0;
    const int finite = all_finite(c->dtype, c->X.at, c->rows * c->sizes[0]);
    const int valid = temperature > 0 && isfinite(temperature);
    const struct array first = new_array(outputs, size, c->shifted), second = new_array(outputs, size, c->shifted);
    int status = sigmax_predict_proba(c->network, c->parameters.at, temperature, c->X.at, c->rows, first.at);
    REQUIRE(is_one_of(status, !valid ? SIGMAX_BAD_ARGUMENT : finite ? SIGMAX_OK : SIGMAX_NOT_FINITE, c), "%d", status);
    if (status == SIGMAX_OK) {
        require_distributions(c, first.at, temperature);
        choose_threads(in);
        sigmax_predict_proba(c->network, c->parameters.at, temperature, c->X.at, c->rows, second.at);
        REQUIRE(same_bytes(first, second), "other bits on %d threads", sigmax_get_num_threads());
    }
    const struct array labels = new_array(c->rows, sizeof(int64_t), c->shifted);
    const struct array activations = new_array(c->rows * c->n_neurons, size, c->shifted);
    const int predicted = sigmax_predict(c->network, c->parameters.at, c->X.at, c->rows, labels.at);
    status = sigmax_activations(c->network, c->parameters.at, c->X.at, c->rows, activations.at);
    REQUIRE(status == (finite ? SIGMAX_OK : SIGMAX_NOT_FINITE), "%d", status);
    if (status == SIGMAX_OK) {
        const int numbers
            = no_nan(c->dtype, (const char *)activations.at + activations.bytes - outputs * size, outputs);
        REQUIRE(predicted == (numbers ? SIGMAX_OK : SIGMAX_NOT_A_NUMBER), "%d, %d", status, predicted);
        require_weighted_inputs(c, activations);
    } else {
        REQUIRE(predicted == status, "%d, %d", status, predicted);
    }
    for (size_t r = 0; predicted == SIGMAX_OK && r < c->rows; r++) {
        const int64_t label = ((const int64_t *)labels.at)[r];
        REQUIRE(label >= 0 && (uint64_t)label < k, "label %lld", (long long)label);
    }
    let_go(first);
    let_go(second);
    let_go(labels);
    let_go(activations);
}

static void judge(struct input *in, const struct fuzz_case *c)
{
    const size_t size = (size_t)c->dtype;
    const int finite = all_finite(c->dtype, c->X.at, c->rows * c->sizes[0]);
    const int expected = c->faults & 1u << SIGMAX_BAD_LABEL ? SIGMAX_BAD_LABEL : finite ? SIGMAX_OK : SIGMAX_NOT_FINITE;
    double cost = -1, again = -1, n_correct = -1;
    int status = sigmax_cost(c->network, c->parameters.at, 1.0, &c->data, &cost, &n_correct);
    REQUIRE(is_one_of(status, expected, c), "%s", sigmax_status_text(status));
    if (status == SIGMAX_OK) {
        REQUIRE(isnan(cost) || cost >= 0, "cost %g", cost);
        REQUIRE(!c->tame || isfinite(cost), "cost %g", cost);
        REQUIRE(n_correct >= 0 && n_correct <= c->weight_sum, "%g of %g are correct", n_correct, c->weight_sum);
    } else {
        REQUIRE(cost < 0 && n_correct < 0, "%s, and a result was written", sigmax_status_text(status));
    }
    struct array out[2][3];
    for (size_t i = 0; i < 2; i++) {
        out[i][0] = new_array(c->rows * c->n_neurons, size, c->shifted);
        out[i][1] = new_array(c->rows * c->n_neurons, size, c->shifted);
        out[i][2] = new_array(c->n_parameters, size, c->shifted);
        double *const result = i == 0 ? &cost : &again;
        status
            = sigmax_backprop(c->network, c->parameters.at, &c->data, result, out[i][0].at, out[i][1].at, out[i][2].at);
        REQUIRE(is_one_of(status, expected, c), "%s", sigmax_status_text(status));
        choose_threads(in);
    }
    if (status == SIGMAX_OK) REQUIRE(memcmp(&cost, &again, sizeof cost) == 0, "%g and %g", cost, again);
    for (size_t j = 0; j < 3; j++) {
        REQUIRE(same_bytes(out[0][j], out[1][j]), "backprop: array %zu has other bits on other threads", j);
        if (status == SIGMAX_OK && c->tame) {
            REQUIRE(all_finite(c->dtype, out[0][j].at, out[0][j].bytes / size), "array %zu is not finite", j);
        }
        let_go(out[0][j]);
        let_go(out[1][j]);
    }
}

/* ---- training ---------------------------------------------------------------------------------------------------- */

/* What sigmax_train changes. */
struct trained {
    struct array parameters, state;
    sigmax_progress progress;
    int status;
};

static struct trained before_training(const struct fuzz_case *c)
{
    const struct trained t = {copy_of_array(c->parameters), copy_of_array(c->state), {0}, SIGMAX_OK};
    return t;
}

static void forget(struct trained *t)
{
    let_go(t->parameters);
    let_go(t->state);
}

static int same_trained(const struct trained *x, const struct trained *y)
{
    return same_bytes(x->parameters, y->parameters) && same_bytes(x->state, y->state)
           && memcmp(&x->progress.cost, &y->progress.cost, sizeof(double)) == 0
           && memcmp(&x->progress.n_correct, &y->progress.n_correct, sizeof(double)) == 0
           && x->progress.position == y->progress.position && x->progress.batch == y->progress.batch
           && x->progress.step == y->progress.step;
}

/* An epoch in calls of `chunk` batches. */
static void train(const struct fuzz_case *c, const sigmax_data *data, size_t chunk, struct trained *t)
{
    sigmax_training training = c->training;
    if (training.state != NULL) training.state = t->state.at;
    do {
        t->status = sigmax_train(c->network, t->parameters.at, data, &training, &t->progress, chunk);
    } while (t->status == SIGMAX_OK && t->progress.position < c->rows);
}

static void require_care(const struct fuzz_case *c, const struct trained *before, const struct trained *after)
{
    const size_t size = (size_t)c->dtype;
    REQUIRE(after->status == SIGMAX_OK || after->status == SIGMAX_DIVERGED || (c->faults >> after->status & 1), "%s",
            sigmax_status_text(after->status));
    if (after->status == SIGMAX_OK) {
        REQUIRE(after->progress.position == c->rows, "an epoch ends at %zu", after->progress.position);
        REQUIRE(isfinite(after->progress.cost), "cost %g", after->progress.cost);
    }
    if (after->status == SIGMAX_DIVERGED && !all_finite(c->dtype, before->parameters.at, c->n_parameters)) {
        REQUIRE(same_trained(before, after), "the first batch diverged, and something changed");
    } else if (after->status == SIGMAX_OK || after->status == SIGMAX_DIVERGED) {
        REQUIRE(all_finite(c->dtype, after->parameters.at, c->n_parameters), "a parameter is not finite");
        REQUIRE(all_finite(c->dtype, after->state.at, after->state.bytes / size), "the state is not finite");
    } else {
        REQUIRE(same_trained(before, after), "refused, and something changed");
    }
}

/* The rows of the sparse matrix, one real for each entry; NULL where a row is faulty. */
static struct array dense(const struct fuzz_case *c)
{
    const size_t n_in = c->sizes[0];
    const struct array X = new_array(c->rows * n_in, (size_t)c->dtype, 0);
    for (size_t r = 0; r < c->rows; r++) {
        for (int64_t i = c->sparse.row_start[r]; i < c->sparse.row_start[r + 1]; i++) {
            const size_t at = r * n_in + (size_t)c->sparse.columns[i];
            put(c->dtype, X.at, at, get(c->dtype, X.at, at) + get(c->dtype, c->sparse.values, (size_t)i));
        }
    }
    return X;
}

static void learn(struct input *in, const struct fuzz_case *c)
{
    struct trained before = before_training(c), whole = before_training(c), chunked = before_training(c);
    train(c, &c->data, SIZE_MAX, &whole);
    require_care(c, &before, &whole);
    choose_threads(in);
    if (c->faults == 0) {
        train(c, &c->data, choose(in, 3) + 1, &chunked);
        REQUIRE(chunked.status == whole.status && same_trained(&whole, &chunked),
                "chunks or threads change the result");
    }
    if (c->faults == 0 && c->data.sparse != NULL) {
        struct trained of_dense = before_training(c);
        const struct array X = dense(c);
        sigmax_data data = c->data;
        data.X = X.at;
        data.sparse = NULL;
        train(c, &data, SIZE_MAX, &of_dense);
        REQUIRE(of_dense.status == whole.status && same_trained(&whole, &of_dense), "dense rows give another result");
        forget(&of_dense);
        let_go(X);
    }
    forget(&before);
    forget(&whole);
    forget(&chunked);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct input in = {bytes, bytes + n};
    struct fuzz_case c;
    memset(&c, 0, sizeof c);
    choose_instruction_set(&in);
    choose_threads(&in);
    c.shifted = (int)choose(&in, 2);
    if (make_network(&in, &c)) {
        const size_t job = choose(&in, 4);
        make_parameters(&in, &c);
        make_data(&in, &c);
        if (job == 0 && c.data.X != NULL) {
            use(&in, &c);
        } else if (job == 1 && c.data.X != NULL) {
            judge(&in, &c);
        } else {
            make_training(&in, &c);
            learn(&in, &c);
        }
    }
    end_case(&c);
    return 0;
}
