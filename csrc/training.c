/* sigmax_train: mini-batches, and the care for those that diverge. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "network.h"

/* Positions begin ... end of the epoch name rows, and those rows have labels in range. */
static int check_positions(const sigmax_network *network, const sigmax_data *data, const size_t *order, size_t begin,
                           size_t end)
{
    for (size_t i = begin; order != NULL && i < end; i++) {
        if (order[i] >= data->rows) return SIGMAX_BAD_ORDER;
    }
    const size_t n_classes = network->shape.sizes[network->shape.n_layers];
    if (data->labels != NULL && !sigmax_labels_in_range(data->labels, order, begin, end, n_classes))
        return SIGMAX_BAD_LABEL;
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
    engine->train_batches(shape, chunk->parameters, chunk->data, chunk->training, progress, n_batches, chunk->workspace,
                          &chunk->team);
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
    int status = sigmax_check_data(network, parameters, data);
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
    const struct sigmax_team team = sigmax_team_of_this_call();
    struct sigmax_workspace workspace;
    status = sigmax_workspace_allocate(&workspace, network->engine->train_workspace(shape, batch_size, team.n_threads));
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
