/* The network's description: sizes, where parameters lie, initial parameters. */
#include "network.h"

#include <math.h>
#include <stdlib.h>

#include "../machine/instruction_set.h"
#include "../random.h"
#include "call.h"

/* ---- the network ------------------------------------------------------------------------------------------------- */

static int sizes_are_valid(const size_t *sizes, size_t n_sizes)
{
    if (n_sizes < 2 || sizes[n_sizes - 1] < 2) return 0;
    for (size_t l = 0; l < n_sizes; l++) {
        if (sizes[l] < 1) return 0;
    }
    return 1;
}

/* Lays the parameters out: all weights, then all biases, so that what acts on weights alone is one range. Returns 0
   when their bytes, or those of one example's activations, do not fit size_t. */
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
        if (l == 0) continue;
        if (!sigmax_add_product(&weights, sizes[l], sizes[l - 1]) || !sigmax_add_product(&neurons, sizes[l], 1))
            return 0;
    }
    size_t parameters = weights;
    if (!sigmax_add_product(&parameters, neurons, 1) || !sigmax_add_product(&bytes, parameters, real_size)
        || !sigmax_add_product(&bytes, widest, real_size)) {
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
    if (!sigmax_add_product(&bytes, n_sizes, 4 * sizeof(size_t))) return SIGMAX_TOO_LARGE;
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

/* ---- initial parameters ------------------------------------------------------------------------------------------ */

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
