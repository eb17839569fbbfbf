/* Use of a network: predictions, activations, the cost; and one backward pass. */
#include <math.h>
#include <stdlib.h>

#include "call.h"

static int infer(const sigmax_network *network, const void *parameters, double temperature, const sigmax_data *data,
                 void *probabilities, int64_t *labels, double *cost, double *n_correct)
{
    int status = sigmax_check_rows(network, data->rows);
    if (status != SIGMAX_OK) return status;
    const struct sigmax_pool pool = sigmax_pool_of_this_call();
    const size_t bytes = network->engine->inference_workspace(&network->shape, data->rows, pool.n_threads);
    struct sigmax_workspace workspace;
    status = sigmax_workspace_allocate(&workspace, bytes);
    if (status != SIGMAX_OK) return status;
    status = network->engine->infer(&network->shape, parameters, temperature, data, probabilities, labels, cost,
                                    n_correct, workspace.start, &pool);
    free(workspace.block);
    return status;
}

static int is_temperature(double temperature)
{
    return temperature > 0.0 && isfinite(temperature);
}

int sigmax_predict_proba(const sigmax_network *network, const void *parameters, double temperature, const void *X,
                         size_t rows, void *probabilities)
{
    if (network == NULL || parameters == NULL || !is_temperature(temperature)) return SIGMAX_BAD_ARGUMENT;
    if (rows == 0) return SIGMAX_OK;
    if (X == NULL || probabilities == NULL) return SIGMAX_BAD_ARGUMENT;
    const sigmax_data data = {.X = X, .rows = rows};
    return infer(network, parameters, temperature, &data, probabilities, NULL, NULL, NULL);
}

int sigmax_predict(const sigmax_network *network, const void *parameters, const void *X, size_t rows, int64_t *labels)
{
    if (network == NULL || parameters == NULL) return SIGMAX_BAD_ARGUMENT;
    if (rows == 0) return SIGMAX_OK;
    if (X == NULL || labels == NULL) return SIGMAX_BAD_ARGUMENT;
    const sigmax_data data = {.X = X, .rows = rows};
    return infer(network, parameters, 1.0, &data, NULL, labels, NULL, NULL);
}

static int is_finite(const sigmax_network *network, const void *values, size_t n)
{
    return network->engine->first_non_finite(values, n) == n;
}

int sigmax_activations(const sigmax_network *network, const void *parameters, const void *X, size_t rows,
                       void *activations)
{
    if (network == NULL || parameters == NULL) return SIGMAX_BAD_ARGUMENT;
    if (rows == 0) return SIGMAX_OK;
    if (X == NULL || activations == NULL) return SIGMAX_BAD_ARGUMENT;
    int status = sigmax_check_rows(network, rows);
    if (status != SIGMAX_OK) return status;
    if (!is_finite(network, X, rows * network->shape.sizes[0])) return SIGMAX_NOT_FINITE;
    const struct sigmax_pool pool = sigmax_pool_of_this_call();
    struct sigmax_workspace workspace;
    status = sigmax_workspace_allocate(&workspace,
                                       network->engine->backprop_workspace(&network->shape, rows, pool.n_threads));
    if (status != SIGMAX_OK) return status;
    network->engine->activations(&network->shape, parameters, X, rows, activations, workspace.start, &pool);
    free(workspace.block);
    return SIGMAX_OK;
}

/* The memory of sigmax_weighted_inputs: what the products need, then the activations of the widest hidden layer, which
   begin after scratch_bytes, on a cache line. 0 when that cannot be counted. */
static int count_weighted_inputs(const sigmax_network *network, size_t rows, size_t n_threads, size_t *scratch_bytes,
                                 size_t *bytes)
{
    const struct sigmax_shape *const shape = &network->shape;
    size_t widest = 0, scratch = 0;
    for (size_t l = 1; l <= shape->n_layers; l++) {
        const size_t n_in = shape->sizes[l - 1], n_out = shape->sizes[l];
        const size_t product = network->engine->product_scratch(rows, n_in, n_out, n_threads);
        if (product > scratch) scratch = product;
        if (l < shape->n_layers && n_out > widest) widest = n_out;
    }
    if (scratch > SIZE_MAX - SIGMAX_ALIGNMENT) return 0;
    *scratch_bytes = (scratch + SIGMAX_ALIGNMENT - 1) / SIGMAX_ALIGNMENT * SIGMAX_ALIGNMENT;
    *bytes = *scratch_bytes;
    return sigmax_add_product(bytes, rows, widest * network->real_size);
}

int sigmax_weighted_inputs(const sigmax_network *network, const void *parameters, const void *X, size_t rows,
                           void *weighted_inputs)
{
    if (network == NULL || parameters == NULL) return SIGMAX_BAD_ARGUMENT;
    if (rows == 0) return SIGMAX_OK;
    if (X == NULL || weighted_inputs == NULL) return SIGMAX_BAD_ARGUMENT;
    int status = sigmax_check_rows(network, rows);
    if (status != SIGMAX_OK) return status;
    const struct sigmax_engine *const engine = network->engine;
    const struct sigmax_shape *const shape = &network->shape;
    if (!is_finite(network, X, rows * shape->sizes[0])) return SIGMAX_NOT_FINITE;
    const struct sigmax_pool pool = sigmax_pool_of_this_call();
    size_t scratch_bytes, bytes;
    if (!count_weighted_inputs(network, rows, pool.n_threads, &scratch_bytes, &bytes)) return SIGMAX_TOO_LARGE;
    struct sigmax_workspace workspace;
    status = sigmax_workspace_allocate(&workspace, bytes);
    if (status != SIGMAX_OK) return status;
    const void *a = X;
    void *const hidden = (char *)workspace.start + scratch_bytes;
    for (size_t l = 1; l <= shape->n_layers; l++) {
        const char *const w = (const char *)parameters + shape->weight_offset[l] * network->real_size;
        const char *const b = (const char *)parameters + shape->bias_offset[l] * network->real_size;
        char *const z = (char *)weighted_inputs + rows * shape->neurons_before[l] * network->real_size;
        const size_t n_in = shape->sizes[l - 1], n_out = shape->sizes[l];
        engine->matmul_forward(a, w, b, z, rows, n_in, n_out, workspace.start, &pool);
        if (l < shape->n_layers) engine->sigmoid(z, hidden, rows * n_out);
        a = hidden;
    }
    free(workspace.block);
    return SIGMAX_OK;
}

/* ---- data with targets ------------------------------------------------------------------------------------------- */

int sigmax_cost(const sigmax_network *network, const void *parameters, double temperature, const sigmax_data *data,
                double *cost, double *n_correct)
{
    int status = sigmax_check_data(network, parameters, data);
    if (status != SIGMAX_OK) return status;
    if (data->X == NULL || !is_temperature(temperature)) return SIGMAX_BAD_ARGUMENT;
    const struct sigmax_shape *const shape = &network->shape;
    if (data->labels != NULL
        && !sigmax_labels_in_range(data->labels, NULL, 0, data->rows, shape->sizes[shape->n_layers])) {
        return SIGMAX_BAD_LABEL;
    }
    double sum = 0.0, correct = 0.0;
    status = infer(network, parameters, temperature, data, NULL, NULL, &sum, &correct);
    if (status != SIGMAX_OK) return status;
    if (cost != NULL) *cost = sum / (double)data->rows;
    if (n_correct != NULL) *n_correct = correct;
    return SIGMAX_OK;
}

int sigmax_backprop(const sigmax_network *network, const void *parameters, const sigmax_data *data, double *cost,
                    void *activations, void *deltas, void *gradient)
{
    int status = sigmax_check_data(network, parameters, data);
    if (status != SIGMAX_OK) return status;
    if (data->X == NULL || cost == NULL || activations == NULL || deltas == NULL || gradient == NULL)
        return SIGMAX_BAD_ARGUMENT;
    const struct sigmax_shape *const shape = &network->shape;
    if (data->labels != NULL
        && !sigmax_labels_in_range(data->labels, NULL, 0, data->rows, shape->sizes[shape->n_layers])) {
        return SIGMAX_BAD_LABEL;
    }
    if (!is_finite(network, data->X, data->rows * shape->sizes[0])) return SIGMAX_NOT_FINITE;
    const struct sigmax_pool pool = sigmax_pool_of_this_call();
    struct sigmax_workspace workspace;
    status
        = sigmax_workspace_allocate(&workspace, network->engine->backprop_workspace(shape, data->rows, pool.n_threads));
    if (status != SIGMAX_OK) return status;
    network->engine->backprop(shape, parameters, data, cost, activations, deltas, gradient, workspace.start, &pool);
    free(workspace.block);
    const size_t outputs = data->rows * shape->sizes[shape->n_layers];
    const char *const a_L = (const char *)activations + (data->rows * shape->n_neurons - outputs) * network->real_size;
    return is_finite(network, a_L, outputs) ? SIGMAX_OK : SIGMAX_NOT_A_NUMBER;
}
