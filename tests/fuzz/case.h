/* A network, data for it and a training, as the fuzzed bytes say: valid, or with faults whose status is known. */
#ifndef SIGMAX_FUZZ_CASE_H
#define SIGMAX_FUZZ_CASE_H

#include "input.h"

enum { MOST_PARAMETERS = 3000, MOST_WORK = 3000 };

struct fuzz_case {
    int dtype, shifted, tame; /* tame: parameters and X in -4 ... 4 */
    size_t sizes[6], n_sizes, n_neurons, n_parameters;
    sigmax_network *network;
    struct array parameters;
    size_t rows;
    struct array X, labels, targets, sample_weight, order, row_start, columns, values, state, workspace;
    double weight_sum;
    sigmax_sparse sparse;
    sigmax_data data;
    sigmax_training training;
    unsigned faults; /* bit s: a call may answer status s, because of what was put in; 0: nothing is wrong */
};

/* ---- the network ------------------------------------------------------------------------------------------------- */

static size_t take_size(struct input *in)
{
    static const size_t huge[] = {SIZE_MAX, SIZE_MAX / 2 + 1, SIZE_MAX / 8, (size_t)1 << 32, (size_t)1 << 31, 0};
    const uint8_t byte = take(in);
    if (byte < 160) return byte % 6 + (size_t)1; /* mostly small, so that there can be many */
    if (byte < 240) return byte % 18 + (size_t)1;
    if (byte < 252) return (size_t)(byte - 239) * 23;
    return huge[byte % 6];
}

/* Returns whether there is a network, small enough to be used. */
static int make_network(struct input *in, struct fuzz_case *c)
{
    c->dtype = seldom(in, 64) ? (int)take(in) - 5 : choose(in, 2) ? SIGMAX_FLOAT64 : SIGMAX_FLOAT32;
    c->n_sizes = seldom(in, 64) ? choose(in, 2) : choose(in, 4) + 2;
    size_t least = SIZE_MAX;
    for (size_t l = 0; l < c->n_sizes; l++) {
        c->sizes[l] = take_size(in);
        if (c->sizes[l] < least) least = c->sizes[l];
    }
    const int status = sigmax_network_create(&c->network, c->dtype, c->sizes, c->n_sizes);
    if (status != SIGMAX_OK) {
        REQUIRE(c->network == NULL, "%s, and *network was written", sigmax_status_text(status));
        REQUIRE(status == SIGMAX_BAD_ARGUMENT || status == SIGMAX_BAD_SIZES || status == SIGMAX_TOO_LARGE, "%d",
                status);
        return 0;
    }
    REQUIRE(c->n_sizes >= 2 && least >= 1 && c->sizes[c->n_sizes - 1] >= 2, "bad sizes are taken");
    c->n_parameters = sigmax_parameter_count(c->network);
    const size_t L = c->n_sizes - 1, n_weights = sigmax_weight_count(c->network);
    REQUIRE(sigmax_bias_offset(c->network, L) + c->sizes[L] == c->n_parameters, "biases do not end the parameters");
    REQUIRE(sigmax_weight_offset(c->network, L) + c->sizes[L] * c->sizes[L - 1] == n_weights, "nor weights theirs");
    if (c->n_parameters > MOST_PARAMETERS) return 0;
    for (size_t l = 1; l <= L; l++) c->n_neurons += c->sizes[l];
    return 1;
}

static void make_parameters(struct input *in, struct fuzz_case *c)
{
    c->parameters = new_array(c->n_parameters, (size_t)c->dtype, c->shifted);
    if (choose(in, 2) == 0) {
        const int status = sigmax_initialize(c->network, c->parameters.at, (int)choose(in, 3), take(in));
        REQUIRE(status == SIGMAX_OK, "%s", sigmax_status_text(status));
        c->tame = 1; /* a normal deviate beyond 4 is harmless too */
    } else {
        c->tame = fill(in, c->dtype, c->parameters, c->n_parameters);
    }
}

/* ---- data -------------------------------------------------------------------------------------------------------- */

static void make_labels(struct input *in, struct fuzz_case *c)
{
    const size_t k = c->sizes[c->n_sizes - 1];
    uint64_t state = take(in);
    c->labels = new_array(c->rows, sizeof(int64_t), c->shifted);
    int64_t *const labels = c->labels.at;
    for (size_t r = 0; r < c->rows; r++) labels[r] = (int64_t)next_below(&state, k);
    if (seldom(in, 32)) {
        static const int64_t bad[] = {-1, INT64_MIN, INT64_MAX};
        const size_t i = choose(in, 4);
        labels[choose(in, c->rows < 256 ? c->rows : 256)] = i < 3 ? bad[i] : (int64_t)k;
        c->faults |= 1u << SIGMAX_BAD_LABEL;
    }
    c->data.labels = labels;
}

static void make_targets(struct input *in, struct fuzz_case *c)
{
    const size_t k = c->sizes[c->n_sizes - 1];
    uint64_t state = take(in);
    const size_t manner = choose(in, 4);
    c->targets = new_array(c->rows * k, (size_t)c->dtype, c->shifted);
    for (size_t i = 0; i < c->rows * k; i++) {
        const double share = manner == 0 ? (double)(i % k == i / k % k) : (next_real(&state) + 1) / (double)k;
        put(c->dtype, c->targets.at, i, manner == 3 ? 1e3 * share : share);
    }
    c->data.targets = c->targets.at;
}

static void make_sparse(struct input *in, struct fuzz_case *c)
{
    const size_t n_in = c->sizes[0], per_row = choose(in, 4), n = c->rows * per_row;
    uint64_t state = take(in);
    c->row_start = new_array(c->rows + 1, sizeof(int64_t), c->shifted);
    c->columns = new_array(n, sizeof(int32_t), c->shifted);
    c->values = new_array(n, (size_t)c->dtype, c->shifted);
    c->tame &= fill(in, c->dtype, c->values, n);
    int64_t *const row_start = c->row_start.at;
    int32_t *const columns = c->columns.at;
    for (size_t r = 1; r <= c->rows; r++) {
        row_start[r] = row_start[r - 1] + (int64_t)next_below(&state, per_row + 1);
    }
    for (size_t i = 0; i < n; i++) columns[i] = (int32_t)next_below(&state, n_in);
    if (seldom(in, 16)) {
        static const int32_t bad_columns[] = {-1, INT32_MIN, INT32_MAX};
        c->faults |= 1u << SIGMAX_BAD_SPARSE;
        const size_t i = choose(in, 6), at = choose(in, c->rows < 256 ? c->rows : 256);
        if (i == 5) row_start[at] = INT64_MIN;
        if (i == 4) row_start[at] = -(int64_t)take(in) - 1;
        if (i == 3 && n > 0) columns[at % n] = (int32_t)n_in;
        if (i < 3 && n > 0) columns[at % n] = bad_columns[i];
    }
    c->sparse = (sigmax_sparse){row_start, columns, c->values.at};
    c->data.sparse = &c->sparse;
}

static void make_data(struct input *in, struct fuzz_case *c)
{
    const size_t most = MOST_WORK / c->n_parameters + 1;
    c->rows = take(in) % 12 + (size_t)1;
    if (seldom(in, 16)) c->rows += take(in); /* several blocks of inference */
    if (c->rows > most) c->rows = most;
    c->data.rows = c->rows;
    if (seldom(in, 4)) {
        make_sparse(in, c);
    } else {
        c->X = new_array(c->rows * c->sizes[0], (size_t)c->dtype, c->shifted);
        c->tame &= fill(in, c->dtype, c->X, c->rows * c->sizes[0]);
        c->data.X = c->X.at;
    }
    if (choose(in, 2)) {
        make_targets(in, c);
    } else {
        make_labels(in, c);
    }
    c->weight_sum = (double)c->rows;
    if (seldom(in, 4)) {
        uint64_t state = take(in);
        c->sample_weight = new_array(c->rows, sizeof(double), c->shifted);
        double *const weight = c->sample_weight.at;
        c->weight_sum = 0;
        for (size_t r = 0; r < c->rows; r++) c->weight_sum += weight[r] = (double)next_below(&state, 4);
        c->data.sample_weight = weight;
    }
}

/* ---- training ---------------------------------------------------------------------------------------------------- */

/* A share in 0 ... 1, without 1; or, seldom, any double, which then may be a fault. */
static double take_share(struct input *in, struct fuzz_case *c)
{
    if (!seldom(in, 64)) return (double)take(in) / 256.0;
    const double value = take_double(in);
    if (!(value >= 0 && value < 1)) c->faults |= 1u << SIGMAX_BAD_ARGUMENT;
    return value;
}

static double take_amount(struct input *in, struct fuzz_case *c)
{
    if (!seldom(in, 32)) return (double)take(in) / 64.0;
    const double value = take_double(in);
    if (!(value >= 0 && isfinite(value))) c->faults |= 1u << SIGMAX_BAD_ARGUMENT;
    return value;
}

static void make_order(struct input *in, struct fuzz_case *c)
{
    c->order = new_array(c->rows, sizeof(size_t), c->shifted);
    size_t *const order = c->order.at;
    sigmax_permutation(take(in), take(in), order, c->rows);
    if (seldom(in, 32)) {
        order[choose(in, c->rows < 256 ? c->rows : 256)] = choose(in, 2) ? SIZE_MAX : c->rows;
        c->faults |= 1u << SIGMAX_BAD_ORDER;
    }
    c->training.order = order;
}

static void make_training(struct input *in, struct fuzz_case *c)
{
    sigmax_training *const t = &c->training;
    if (choose(in, 2)) make_order(in, c);
    t->batch_size = seldom(in, 32) ? SIZE_MAX : take(in) % 16 + (size_t)1;
    t->learning_rate = take_amount(in, c);
    if (!(t->learning_rate > 0)) c->faults |= 1u << SIGMAX_BAD_ARGUMENT;
    const uint8_t with = take(in);
    if (with & 1) t->l2 = take_amount(in, c);
    if (with & 2) t->l1 = take_amount(in, c);
    if (with & 4) t->clip_norm = take_amount(in, c);
    if (with & 8) t->dropout = take_share(in, c);
    if (with & 16) t->label_smoothing = take_share(in, c);
    t->seed = take(in);
    t->optimizer = seldom(in, 64) ? (int)take(in) - 100 : (int)choose(in, 6);
    if (t->optimizer < SIGMAX_SGD || t->optimizer > SIGMAX_ADAMW) c->faults |= 1u << SIGMAX_BAD_ARGUMENT;
    t->momentum = take_share(in, c);
    t->beta1 = take_share(in, c);
    t->beta2 = take_share(in, c);
    t->rho = take_share(in, c);
    t->epsilon = with & 32 ? take_amount(in, c) : 1e-8;
    t->weight_decay = with & 64 ? take_amount(in, c) : 0;
    const size_t n_state = sigmax_state_count(c->network, t->optimizer);
    REQUIRE(n_state == SIZE_MAX || n_state % c->n_parameters == 0, "%zu", n_state);
    if (n_state > 0 && n_state != SIZE_MAX) {
        c->state = new_array(n_state, (size_t)c->dtype, c->shifted);
        t->state = c->state.at;
    }
    const size_t workspace_bytes = sigmax_train_workspace(c->network, t, c->rows);
    REQUIRE(workspace_bytes != SIZE_MAX || c->faults & 1u << SIGMAX_BAD_ARGUMENT, "workspace");
    if (with & 128 && workspace_bytes != SIZE_MAX) {
        c->workspace = new_array(workspace_bytes, 1, c->shifted);
        t->workspace = c->workspace.at;
        t->workspace_bytes = workspace_bytes;
    }
}

static void end_case(struct fuzz_case *c)
{
    const struct array arrays[] = {c->parameters, c->X,       c->labels, c->targets, c->sample_weight, c->order,
                                   c->row_start,  c->columns, c->values, c->state,   c->workspace};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) let_go(arrays[i]);
    sigmax_network_free(c->network);
}

#endif
