/* sigmax_train: mini-batches, and the care for those that diverge. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"

static int sparse_row_is_valid(const sigmax_sparse *sparse, size_t row, int64_t n_in)
{
    const int64_t begin = sparse->row_start[row], end = sparse->row_start[row + 1];
    int outside = begin < 0 || end < begin;
    for (int64_t i = begin; !outside && i < end; i++) outside = sparse->columns[i] < 0 || sparse->columns[i] >= n_in;
    return !outside;
}

/* Positions begin ... end of the epoch name rows, and those rows have inputs and labels in range. */
static int check_positions(const sigmax_network *network, const sigmax_data *data, const size_t *order, size_t begin,
                           size_t end)
{
    for (size_t i = begin; order != NULL && i < end; i++) {
        if (order[i] >= data->rows) return SIGMAX_BAD_ORDER;
    }
    const size_t n_classes = network->shape.sizes[network->shape.n_layers];
    if (data->sparse != NULL) {
        const int64_t n_in = (int64_t)network->shape.sizes[0];
        for (size_t i = begin; i < end; i++) {
            if (!sparse_row_is_valid(data->sparse, order != NULL ? order[i] : i, n_in)) return SIGMAX_BAD_SPARSE;
        }
    }
    if (data->labels != NULL && !sigmax_labels_in_range(data->labels, order, begin, end, n_classes))
        return SIGMAX_BAD_LABEL;
    return SIGMAX_OK;
}

/* What one sigmax_train call works on, so that a chunk can be run, checked, and run again. */
struct chunk {
    const sigmax_network *network;
    void *parameters;
    const sigmax_data *data;
    const sigmax_training *training;
    void *workspace;
    void *snapshot; /* the parameters, then the state */
    size_t parameter_bytes, state_bytes;
    struct sigmax_pool pool;
};

static void take_snapshot(const struct chunk *chunk)
{
    memcpy(chunk->snapshot, chunk->parameters, chunk->parameter_bytes);
    if (chunk->state_bytes == 0) return;
    memcpy((char *)chunk->snapshot + chunk->parameter_bytes, chunk->training->state, chunk->state_bytes);
}

static void go_back_to_snapshot(const struct chunk *chunk)
{
    memcpy(chunk->parameters, chunk->snapshot, chunk->parameter_bytes);
    if (chunk->state_bytes == 0) return;
    memcpy(chunk->training->state, (char *)chunk->snapshot + chunk->parameter_bytes, chunk->state_bytes);
}

static int is_finite(const struct chunk *chunk, const void *array, size_t bytes)
{
    const size_t n = bytes / chunk->network->real_size;
    return n == 0 || chunk->network->engine->first_non_finite(array, n) == n;
}

static int run(const struct chunk *chunk, sigmax_progress *progress, size_t n_batches)
{
    const struct sigmax_engine *const engine = chunk->network->engine;
    const struct sigmax_shape *const shape = &chunk->network->shape;
    engine->train_batches(shape, chunk->parameters, chunk->data, chunk->training, progress, n_batches, chunk->workspace,
                          &chunk->pool);
    return isfinite(progress->cost) && is_finite(chunk, chunk->parameters, chunk->parameter_bytes)
           && is_finite(chunk, chunk->training->state, chunk->state_bytes);
}

/*
 * Updates are made in place, and a parameter or a state that is infinite or NaN stays so: a check at the chunk's end
 * finds whether any batch diverged. Only then is the chunk run again from its snapshot, a batch at a time, to find
 * which.
 */
static int run_guarded(const struct chunk *chunk, sigmax_progress *progress, size_t n_batches)
{
    sigmax_progress attempt = *progress;
    take_snapshot(chunk);
    if (run(chunk, &attempt, n_batches)) {
        *progress = attempt;
        return SIGMAX_OK;
    }
    go_back_to_snapshot(chunk);
    for (size_t batch = 0; batch < n_batches; batch++) {
        attempt = *progress;
        if (!run(chunk, &attempt, 1)) {
            go_back_to_snapshot(chunk);
            return SIGMAX_DIVERGED;
        }
        take_snapshot(chunk);
        *progress = attempt;
    }
    return SIGMAX_OK;
}

/* ---- arguments --------------------------------------------------------------------------------------------------- */

/* The arrays, each laid out as the parameters, that an optimiser's state is made of; SIZE_MAX for an unknown one. */
static size_t state_arrays(int optimizer)
{
    switch (optimizer) {
    case SIGMAX_SGD:
        return 0;
    case SIGMAX_MOMENTUM:
    case SIGMAX_NESTEROV:
    case SIGMAX_RMSPROP:
        return 1;
    case SIGMAX_ADAM:
    case SIGMAX_ADAMW:
        return 2;
    default:
        return SIZE_MAX;
    }
}

size_t sigmax_state_count(const sigmax_network *network, int optimizer)
{
    const size_t arrays = state_arrays(optimizer);
    size_t count = 0;
    return sigmax_add_product(&count, arrays, network->shape.n_parameters) ? count : SIZE_MAX;
}

static int is_at_least_0(double x)
{
    return x >= 0.0 && isfinite(x);
}

static int is_share(double x)
{
    return x >= 0.0 && x < 1.0;
}

/* The numbers of training are in their ranges: those that its optimiser uses. */
static int is_valid(const sigmax_training *training)
{
    int valid = training->batch_size > 0 && training->learning_rate > 0.0 && isfinite(training->learning_rate)
                && is_at_least_0(training->l2) && is_at_least_0(training->l1) && is_at_least_0(training->clip_norm)
                && is_share(training->dropout) && is_share(training->label_smoothing);
    switch (training->optimizer) {
    case SIGMAX_MOMENTUM:
    case SIGMAX_NESTEROV:
        return valid && is_share(training->momentum);
    case SIGMAX_RMSPROP:
        return valid && is_share(training->rho) && is_at_least_0(training->epsilon);
    case SIGMAX_ADAMW:
        valid = valid && is_at_least_0(training->weight_decay);
        return valid && is_share(training->beta1) && is_share(training->beta2) && is_at_least_0(training->epsilon);
    case SIGMAX_ADAM:
        return valid && is_share(training->beta1) && is_share(training->beta2) && is_at_least_0(training->epsilon);
    default:
        return valid && training->optimizer == SIGMAX_SGD;
    }
}

static int check_arguments(const sigmax_network *network, const void *parameters, const sigmax_data *data,
                           const sigmax_training *training, const sigmax_progress *progress)
{
    const int status = sigmax_check_data(network, parameters, data);
    if (status != SIGMAX_OK) return status;
    if (training == NULL || progress == NULL || progress->position > data->rows || !is_valid(training)
        || (training->state == NULL && state_arrays(training->optimizer) > 0)) {
        return SIGMAX_BAD_ARGUMENT;
    }
    if (data->sparse != NULL
        && (data->sparse->row_start == NULL || data->sparse->columns == NULL || data->sparse->values == NULL)) {
        return SIGMAX_BAD_ARGUMENT;
    }
    return SIGMAX_OK;
}

/* ---- the call ---------------------------------------------------------------------------------------------------- */

/* The memory of a call: the engine's workspace, then the snapshot. */
struct memory_needed {
    size_t parameter_bytes, state_bytes, engine_bytes, bytes;
};

/* 0 when that cannot be counted. */
static int count_memory(const sigmax_network *network, const sigmax_training *training, size_t rows, size_t n_threads,
                        struct memory_needed *needed)
{
    *needed = (struct memory_needed){.parameter_bytes = network->shape.n_parameters * network->real_size};
    needed->engine_bytes = network->engine->train_workspace(&network->shape, training, rows, n_threads);
    needed->bytes = needed->engine_bytes;
    return sigmax_add_product(&needed->state_bytes, sigmax_state_count(network, training->optimizer),
                              network->real_size)
           && sigmax_add_product(&needed->bytes, 1, needed->parameter_bytes)
           && sigmax_add_product(&needed->bytes, 1, needed->state_bytes);
}

size_t sigmax_train_workspace(const sigmax_network *network, const sigmax_training *training, size_t rows)
{
    struct memory_needed needed;
    if (network == NULL || training == NULL || !is_valid(training) || rows == 0
        || sigmax_check_rows(network, rows) != SIGMAX_OK
        || !count_memory(network, training, rows, sigmax_pool_of_this_call().n_threads, &needed)
        || needed.bytes > SIZE_MAX - SIGMAX_ALIGNMENT) {
        return SIZE_MAX;
    }
    return needed.bytes + SIGMAX_ALIGNMENT;
}

static int train(const sigmax_network *network, void *parameters, const sigmax_data *data,
                 const sigmax_training *training, sigmax_progress *progress, size_t n_batches)
{
    const struct sigmax_pool pool = sigmax_pool_of_this_call();
    struct memory_needed needed;
    struct sigmax_workspace workspace;
    if (!count_memory(network, training, data->rows, pool.n_threads, &needed)) return SIGMAX_TOO_LARGE;
    int status = sigmax_workspace_within(&workspace, training->workspace, training->workspace_bytes, needed.bytes);
    if (status != SIGMAX_OK) return status;
    const struct chunk chunk = {
        .network = network,
        .parameters = parameters,
        .data = data,
        .training = training,
        .workspace = workspace.start,
        .snapshot = (char *)workspace.start + needed.engine_bytes,
        .parameter_bytes = needed.parameter_bytes,
        .state_bytes = needed.state_bytes,
        .pool = pool,
    };
    status = run_guarded(&chunk, progress, n_batches);
    free(workspace.block);
    return status;
}

int sigmax_train(const sigmax_network *network, void *parameters, const sigmax_data *data,
                 const sigmax_training *training, sigmax_progress *progress, size_t n_batches)
{
    int status = check_arguments(network, parameters, data, training, progress);
    if (status != SIGMAX_OK) return status;
    const size_t left = data->rows - progress->position;
    const size_t batches_left = left / training->batch_size + (left % training->batch_size != 0);
    if (n_batches > batches_left) n_batches = batches_left;
    if (n_batches == 0) return SIGMAX_OK;
    const size_t end = n_batches == batches_left ? data->rows : progress->position + n_batches * training->batch_size;
    status = check_positions(network, data, training->order, progress->position, end);
    return status != SIGMAX_OK ? status : train(network, parameters, data, training, progress, n_batches);
}
