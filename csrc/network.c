/* The network's description, the checks of every argument, and the memory of every call. The arithmetic is engine/'s. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "instruction_set.h"
#include "random.h"
#include "threads.h"

struct sigmax_network {
    const struct sigmax_engine *engine;
    size_t real_size; /* 4 or 8 */
    struct sigmax_shape shape;
    size_t table[]; /* the arrays that shape points to, one after the other */
};

/* ---- memory ------------------------------------------------------------------------------------------------------- */

/* *sum += a * b, or 0 when that does not fit size_t. */
static int add_product(size_t *sum, size_t a, size_t b)
{
    if (b != 0 && a > (SIZE_MAX - *sum) / b) return 0;
    *sum += a * b;
    return 1;
}

enum { ALIGNMENT = 64 };

/* Workspace aligned to a cache line within a block that free() takes back; NULL when there is no memory. */
struct workspace {
    void *block, *start;
};

static int workspace_allocate(struct workspace *workspace, size_t bytes)
{
    workspace->block = bytes > SIZE_MAX - ALIGNMENT ? NULL : malloc(bytes + ALIGNMENT);
    if (workspace->block == NULL) return SIGMAX_OUT_OF_MEMORY;
    const uintptr_t address = (uintptr_t)workspace->block;
    workspace->start = (char *)workspace->block + (ALIGNMENT - address % ALIGNMENT);
    return SIGMAX_OK;
}

static struct sigmax_team team_of_this_call(void)
{
    const struct sigmax_team team = {(size_t)sigmax_get_num_threads(), sigmax_parallel};
    return team;
}

/* ---- the network -------------------------------------------------------------------------------------------------- */

static int sizes_are_valid(const size_t *sizes, size_t n_sizes)
{
    if (n_sizes < 2 || sizes[n_sizes - 1] < 2) return 0;
    for (size_t l = 0; l < n_sizes; l++) {
        if (sizes[l] < 1) return 0;
    }
    return 1;
}

/* Lays the parameters out: all weights, then all biases, so that what acts on weights alone is one range. Returns 0 when their
   bytes, or those of one example's activations, do not fit size_t. */
static int lay_out(struct sigmax_shape *shape, size_t *table, const size_t *sizes, size_t n_sizes, size_t real_size)
{
    size_t *const own_sizes = table;
    size_t *const weight_offset = table + n_sizes, *const bias_offset = table + 2 * n_sizes;
    size_t *const neurons_before = table + 3 * n_sizes;
    size_t weights = 0, neurons = 0, widest = 0, bytes = 0;
    for (size_t l = 0; l < n_sizes; l++) {
        own_sizes[l] = sizes[l];
        if (sizes[l] > widest) widest = sizes[l];
        weight_offset[l] = weights;
        neurons_before[l] = neurons;
        if (l > 0 && !(add_product(&weights, sizes[l], sizes[l - 1]) && add_product(&neurons, sizes[l], 1))) return 0;
    }
    size_t parameters = weights;
    if (!add_product(&parameters, neurons, 1) || !add_product(&bytes, parameters, real_size)
        || !add_product(&bytes, widest, real_size)) {
        return 0;
    }
    for (size_t l = 0; l < n_sizes; l++) bias_offset[l] = weights + neurons_before[l];
    *shape = (struct sigmax_shape){
        .n_layers = n_sizes - 1,
        .sizes = own_sizes,
        .weight_offset = weight_offset,
        .bias_offset = bias_offset,
        .neurons_before = neurons_before,
        .n_neurons = neurons,
        .widest = widest,
        .n_weights = weights,
        .n_parameters = parameters,
    };
    return 1;
}

int sigmax_network_create(sigmax_network **network, int dtype, const size_t *sizes, size_t n_sizes)
{
    if (network == NULL || sizes == NULL) return SIGMAX_BAD_ARGUMENT;
    const struct sigmax_engine *engine;
    const int status = sigmax_choose_engine(&engine, dtype);
    if (status != SIGMAX_OK) return status;
    if (!sizes_are_valid(sizes, n_sizes)) return SIGMAX_BAD_SIZES;
    size_t bytes = sizeof **network;
    if (!add_product(&bytes, n_sizes, 4 * sizeof(size_t))) return SIGMAX_TOO_LARGE;
    sigmax_network *const made = malloc(bytes);
    if (made == NULL) return SIGMAX_OUT_OF_MEMORY;
    made->engine = engine;
    made->real_size = (size_t)dtype;
    if (!lay_out(&made->shape, made->table, sizes, n_sizes, made->real_size)) {
        free(made);
        return SIGMAX_TOO_LARGE;
    }
    *network = made;
    return SIGMAX_OK;
}

void sigmax_network_free(sigmax_network *network)
{
    free(network);
}

size_t sigmax_parameter_count(const sigmax_network *network)
{
    return network->shape.n_parameters;
}

size_t sigmax_weight_count(const sigmax_network *network)
{
    return network->shape.n_weights;
}

size_t sigmax_weight_offset(const sigmax_network *network, size_t layer)
{
    return network->shape.weight_offset[layer];
}

size_t sigmax_bias_offset(const sigmax_network *network, size_t layer)
{
    return network->shape.bias_offset[layer];
}

const char *sigmax_instruction_set(const sigmax_network *network)
{
    return network->engine->instruction_set;
}

/* ---- initial parameters ------------------------------------------------------------------------------------------- */

static void store(const sigmax_network *network, void *parameters, size_t i, double value)
{
    if (network->real_size == sizeof(float)) {
        ((float *)parameters)[i] = (float)value;
    } else {
        ((double *)parameters)[i] = value;
    }
}

static double initial_weight(int init, size_t n_in, size_t n_out, uint64_t seed, size_t i)
{
    switch (init) {
    case SIGMAX_GLOROT: {
        const double limit = sqrt(6.0 / ((double)n_in + (double)n_out));
        return limit * (2.0 * sigmax_random_uniform(seed, SIGMAX_STREAM_PARAMETERS, i) - 1.0);
    }
    case SIGMAX_LARGE:
        return sigmax_random_normal(seed, SIGMAX_STREAM_PARAMETERS, i);
    default:
        return sigmax_random_normal(seed, SIGMAX_STREAM_PARAMETERS, i) / sqrt((double)n_in);
    }
}

int sigmax_initialize(const sigmax_network *network, void *parameters, int init, uint64_t seed)
{
    if (network == NULL || parameters == NULL || init < SIGMAX_LECUN || init > SIGMAX_LARGE) return SIGMAX_BAD_ARGUMENT;
    const struct sigmax_shape *const shape = &network->shape;
    for (size_t l = 1; l <= shape->n_layers; l++) {
        const size_t n_in = shape->sizes[l - 1], n_out = shape->sizes[l], first = shape->weight_offset[l];
        for (size_t i = first; i < first + n_out * n_in; i++) {
            store(network, parameters, i, initial_weight(init, n_in, n_out, seed, i));
        }
    }
    for (size_t i = shape->n_weights; i < shape->n_parameters; i++) {
        store(network, parameters, i,
              init == SIGMAX_LARGE ? sigmax_random_normal(seed, SIGMAX_STREAM_PARAMETERS, i) : 0.0);
    }
    return SIGMAX_OK;
}

/* ---- use ---------------------------------------------------------------------------------------------------------- */

/* SIGMAX_OK when rows of the input and of every activation can be counted in bytes. */
static int check_rows(const sigmax_network *network, size_t rows)
{
    size_t per_row = 0, bytes = 0;
    if (!add_product(&per_row, network->shape.widest, network->real_size)
        || !add_product(&per_row, network->shape.n_neurons, network->real_size) || !add_product(&bytes, rows, per_row)) {
        return SIGMAX_TOO_LARGE;
    }
    return SIGMAX_OK;
}

static int infer(const sigmax_network *network, const void *parameters, const sigmax_data *data, void *probabilities,
                 int64_t *labels, double *cost, size_t *n_correct)
{
    int status = check_rows(network, data->rows);
    if (status != SIGMAX_OK) return status;
    const struct sigmax_team team = team_of_this_call();
    const size_t bytes = network->engine->inference_workspace(&network->shape, data->rows, team.n_threads);
    struct workspace workspace;
    status = workspace_allocate(&workspace, bytes);
    if (status != SIGMAX_OK) return status;
    network->engine->infer(&network->shape, parameters, data, probabilities, labels, cost, n_correct, workspace.start,
                           &team);
    free(workspace.block);
    return SIGMAX_OK;
}

int sigmax_predict_proba(const sigmax_network *network, const void *parameters, const void *X, size_t rows,
                         void *probabilities)
{
    if (network == NULL || parameters == NULL) return SIGMAX_BAD_ARGUMENT;
    if (rows == 0) return SIGMAX_OK;
    if (X == NULL || probabilities == NULL) return SIGMAX_BAD_ARGUMENT;
    const sigmax_data data = {X, NULL, NULL, rows};
    return infer(network, parameters, &data, probabilities, NULL, NULL, NULL);
}

int sigmax_predict(const sigmax_network *network, const void *parameters, const void *X, size_t rows,
                   int64_t *labels)
{
    if (network == NULL || parameters == NULL) return SIGMAX_BAD_ARGUMENT;
    if (rows == 0) return SIGMAX_OK;
    if (X == NULL || labels == NULL) return SIGMAX_BAD_ARGUMENT;
    const sigmax_data data = {X, NULL, NULL, rows};
    return infer(network, parameters, &data, NULL, labels, NULL, NULL);
}

int sigmax_activations(const sigmax_network *network, const void *parameters, const void *X, size_t rows,
                       void *activations)
{
    if (network == NULL || parameters == NULL) return SIGMAX_BAD_ARGUMENT;
    if (rows == 0) return SIGMAX_OK;
    if (X == NULL || activations == NULL) return SIGMAX_BAD_ARGUMENT;
    int status = check_rows(network, rows);
    if (status != SIGMAX_OK) return status;
    const struct sigmax_team team = team_of_this_call();
    struct workspace workspace;
    status = workspace_allocate(&workspace, network->engine->backprop_workspace(&network->shape, rows, team.n_threads));
    if (status != SIGMAX_OK) return status;
    network->engine->activations(&network->shape, parameters, X, rows, activations, workspace.start, &team);
    free(workspace.block);
    return SIGMAX_OK;
}

/* ---- data with targets -------------------------------------------------------------------------------------------- */

static int labels_in_range(const int64_t *labels, const size_t *order, size_t begin, size_t end, size_t n_classes)
{
    int outside = 0;
    for (size_t i = begin; i < end; i++) {
        const int64_t label = labels[order != NULL ? order[i] : i];
        outside |= label < 0 || (uint64_t)label >= n_classes;
    }
    return !outside;
}

static int check_data(const sigmax_network *network, const void *parameters, const sigmax_data *data)
{
    if (network == NULL || parameters == NULL || data == NULL || data->X == NULL || data->rows == 0
        || (data->labels == NULL) == (data->targets == NULL)) {
        return SIGMAX_BAD_ARGUMENT;
    }
    return check_rows(network, data->rows);
}

int sigmax_cost(const sigmax_network *network, const void *parameters, const sigmax_data *data, double *cost,
                size_t *n_correct)
{
    int status = check_data(network, parameters, data);
    if (status != SIGMAX_OK) return status;
    const struct sigmax_shape *const shape = &network->shape;
    if (data->labels != NULL && !labels_in_range(data->labels, NULL, 0, data->rows, shape->sizes[shape->n_layers])) {
        return SIGMAX_BAD_LABEL;
    }
    double sum = 0.0;
    size_t correct = 0;
    status = infer(network, parameters, data, NULL, NULL, &sum, &correct);
    if (status != SIGMAX_OK) return status;
    if (cost != NULL) *cost = sum / (double)data->rows;
    if (n_correct != NULL) *n_correct = correct;
    return SIGMAX_OK;
}

int sigmax_backprop(const sigmax_network *network, const void *parameters, const sigmax_data *data, double *cost,
                    void *activations, void *deltas, void *gradient)
{
    int status = check_data(network, parameters, data);
    if (status != SIGMAX_OK) return status;
    if (cost == NULL || activations == NULL || deltas == NULL || gradient == NULL) return SIGMAX_BAD_ARGUMENT;
    const struct sigmax_shape *const shape = &network->shape;
    if (data->labels != NULL && !labels_in_range(data->labels, NULL, 0, data->rows, shape->sizes[shape->n_layers])) {
        return SIGMAX_BAD_LABEL;
    }
    const struct sigmax_team team = team_of_this_call();
    struct workspace workspace;
    status = workspace_allocate(&workspace, network->engine->backprop_workspace(shape, data->rows, team.n_threads));
    if (status != SIGMAX_OK) return status;
    network->engine->backprop(shape, parameters, data, cost, activations, deltas, gradient, workspace.start, &team);
    free(workspace.block);
    return SIGMAX_OK;
}

/* ---- training ----------------------------------------------------------------------------------------------------- */

/* Positions begin ... end of the epoch name rows, and those rows have labels in range. */
static int check_positions(const sigmax_network *network, const sigmax_data *data, const size_t *order, size_t begin,
                           size_t end)
{
    for (size_t i = begin; order != NULL && i < end; i++) {
        if (order[i] >= data->rows) return SIGMAX_BAD_ORDER;
    }
    const size_t n_classes = network->shape.sizes[network->shape.n_layers];
    if (data->labels != NULL && !labels_in_range(data->labels, order, begin, end, n_classes)) return SIGMAX_BAD_LABEL;
    return SIGMAX_OK;
}

/* What one sigmax_train call works on, so that a chunk can be run, judged, and run again. */
struct chunk {
    const sigmax_network *network;
    void *parameters;
    const sigmax_data *data;
    const sigmax_training *training;
    void *workspace, *snapshot; /* snapshot: as many reals as parameters */
    struct sigmax_team team;
};

static int run(const struct chunk *chunk, sigmax_progress *progress, size_t n_batches)
{
    const struct sigmax_engine *const engine = chunk->network->engine;
    const struct sigmax_shape *const shape = &chunk->network->shape;
    engine->train_batches(shape, chunk->parameters, chunk->data, chunk->training, progress, n_batches,
                          chunk->workspace, &chunk->team);
    return isfinite(progress->cost)
           && engine->first_non_finite(chunk->parameters, shape->n_parameters) == shape->n_parameters;
}

/*
 * Updates are made in place, and a parameter that is infinite or NaN stays so: one look at the chunk's end tells
 * whether any batch diverged. Only then is the chunk run again from its snapshot, a batch at a time, to find which.
 */
static int run_guarded(const struct chunk *chunk, sigmax_progress *progress, size_t n_batches)
{
    const size_t bytes = chunk->network->shape.n_parameters * chunk->network->real_size;
    sigmax_progress attempt = *progress;
    memcpy(chunk->snapshot, chunk->parameters, bytes);
    if (run(chunk, &attempt, n_batches)) {
        *progress = attempt;
        return SIGMAX_OK;
    }
    memcpy(chunk->parameters, chunk->snapshot, bytes);
    for (size_t batch = 0; batch < n_batches; batch++) {
        attempt = *progress;
        if (!run(chunk, &attempt, 1)) {
            memcpy(chunk->parameters, chunk->snapshot, bytes);
            return SIGMAX_DIVERGED;
        }
        memcpy(chunk->snapshot, chunk->parameters, bytes);
        *progress = attempt;
    }
    return SIGMAX_OK;
}

int sigmax_train(const sigmax_network *network, void *parameters, const sigmax_data *data,
                 const sigmax_training *training, sigmax_progress *progress, size_t n_batches)
{
    int status = check_data(network, parameters, data);
    if (status != SIGMAX_OK) return status;
    if (training == NULL || progress == NULL || training->batch_size == 0 || progress->position > data->rows
        || !(training->learning_rate > 0.0) || !isfinite(training->learning_rate) || !(training->l2 >= 0.0)
        || !isfinite(training->l2)) {
        return SIGMAX_BAD_ARGUMENT;
    }
    const size_t left = data->rows - progress->position;
    const size_t batches_left = left / training->batch_size + (left % training->batch_size != 0);
    if (n_batches > batches_left) n_batches = batches_left;
    if (n_batches == 0) return SIGMAX_OK;
    const size_t end = n_batches == batches_left ? data->rows : progress->position + n_batches * training->batch_size;
    status = check_positions(network, data, training->order, progress->position, end);
    if (status != SIGMAX_OK) return status;

    const struct sigmax_shape *const shape = &network->shape;
    const size_t batch_size = training->batch_size < data->rows ? training->batch_size : data->rows;
    const struct sigmax_team team = team_of_this_call();
    struct workspace workspace;
    status = workspace_allocate(&workspace, network->engine->train_workspace(shape, batch_size, team.n_threads));
    if (status != SIGMAX_OK) return status;
    void *const snapshot = malloc(shape->n_parameters * network->real_size);
    if (snapshot == NULL) {
        free(workspace.block);
        return SIGMAX_OUT_OF_MEMORY;
    }
    const struct chunk chunk = {network, parameters, data, training, workspace.start, snapshot, team};
    status = run_guarded(&chunk, progress, n_batches);
    free(snapshot);
    free(workspace.block);
    return status;
}

/* ---- the equations by themselves ---------------------------------------------------------------------------------- */

int sigmax_exp(int dtype, const void *z, void *out, size_t n)
{
    const struct sigmax_engine *engine;
    const int status = sigmax_choose_engine(&engine, dtype);
    if (status == SIGMAX_OK) engine->exp(z, out, n);
    return status;
}

int sigmax_sigmoid(int dtype, const void *z, void *out, size_t n)
{
    const struct sigmax_engine *engine;
    const int status = sigmax_choose_engine(&engine, dtype);
    if (status == SIGMAX_OK) engine->sigmoid(z, out, n);
    return status;
}

int sigmax_sigmoid_prime(int dtype, const void *z, void *out, size_t n)
{
    const struct sigmax_engine *engine;
    const int status = sigmax_choose_engine(&engine, dtype);
    if (status == SIGMAX_OK) engine->sigmoid_prime(z, out, n);
    return status;
}

int sigmax_softmax(int dtype, const void *z, void *out, size_t rows, size_t k)
{
    const struct sigmax_engine *engine;
    const int status = sigmax_choose_engine(&engine, dtype);
    if (status == SIGMAX_OK && k > 0) engine->softmax(z, out, rows, k);
    return status;
}

int sigmax_softmax_jacobian(int dtype, const void *z, void *out, size_t k)
{
    const struct sigmax_engine *engine;
    const int status = sigmax_choose_engine(&engine, dtype);
    if (status == SIGMAX_OK && k > 0) engine->softmax_jacobian(z, out, k);
    return status;
}

int sigmax_cross_entropy(int dtype, const void *z, const void *y, double *cost, size_t rows, size_t k)
{
    const struct sigmax_engine *engine;
    const int status = sigmax_choose_engine(&engine, dtype);
    if (status == SIGMAX_OK && k > 0) engine->cross_entropy(z, y, cost, rows, k);
    return status;
}

int sigmax_output_delta(int dtype, const void *z, const void *y, void *delta, size_t rows, size_t k)
{
    const struct sigmax_engine *engine;
    const int status = sigmax_choose_engine(&engine, dtype);
    if (status == SIGMAX_OK && k > 0) engine->output_delta(z, y, delta, rows, k);
    return status;
}

size_t sigmax_first_non_finite(int dtype, const void *values, size_t n)
{
    const struct sigmax_engine *engine;
    return sigmax_choose_engine(&engine, dtype) == SIGMAX_OK ? engine->first_non_finite(values, n) : n;
}

int sigmax_peak(int dtype, size_t n, double *flops)
{
    if (flops == NULL) return SIGMAX_BAD_ARGUMENT;
    const struct sigmax_engine *engine;
    const int status = sigmax_choose_engine(&engine, dtype);
    if (status == SIGMAX_OK) *flops = engine->peak(n);
    return status;
}
