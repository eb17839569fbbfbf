#include "call.h"

#include <stdlib.h>

#include "../machine/pool.h"

int sigmax_add_product(size_t *sum, size_t a, size_t b)
{
    if (b != 0 && a > (SIZE_MAX - *sum) / b) return 0;
    *sum += a * b;
    return 1;
}

static void *aligned(void *address)
{
    return (char *)address + (SIGMAX_ALIGNMENT - (uintptr_t)address % SIGMAX_ALIGNMENT);
}

int sigmax_workspace_allocate(struct sigmax_workspace *workspace, size_t bytes)
{
    if (bytes > SIZE_MAX - SIGMAX_ALIGNMENT) return SIGMAX_TOO_LARGE;
    workspace->block = malloc(bytes + SIGMAX_ALIGNMENT);
    if (workspace->block == NULL) return SIGMAX_OUT_OF_MEMORY;
    workspace->start = aligned(workspace->block);
    return SIGMAX_OK;
}

int sigmax_workspace_within(struct sigmax_workspace *workspace, void *given, size_t given_bytes, size_t bytes)
{
    if (given == NULL || given_bytes < SIGMAX_ALIGNMENT || given_bytes - SIGMAX_ALIGNMENT < bytes) {
        return sigmax_workspace_allocate(workspace, bytes);
    }
    workspace->block = NULL;
    workspace->start = aligned(given);
    return SIGMAX_OK;
}

struct sigmax_pool sigmax_pool_of_this_call(void)
{
    const struct sigmax_pool pool = {sigmax_pool_threads_of_this_call(), sigmax_pool_run};
    return pool;
}

int sigmax_check_rows(const sigmax_network *network, size_t rows)
{
    size_t per_row = 0, bytes = 0;
    if (!sigmax_add_product(&per_row, network->shape.widest, network->real_size)
        || !sigmax_add_product(&per_row, network->shape.n_neurons, network->real_size)
        || !sigmax_add_product(&bytes, rows, per_row)) {
        return SIGMAX_TOO_LARGE;
    }
    return SIGMAX_OK;
}

int sigmax_check_data(const sigmax_network *network, const void *parameters, const sigmax_data *data)
{
    if (network == NULL || parameters == NULL || data == NULL || data->rows == 0
        || (data->X == NULL) == (data->sparse == NULL) || (data->labels == NULL) == (data->targets == NULL)) {
        return SIGMAX_BAD_ARGUMENT;
    }
    return sigmax_check_rows(network, data->rows);
}

int sigmax_labels_in_range(const int64_t *labels, const size_t *order, size_t begin, size_t end, size_t n_classes)
{
    int outside = 0;
    for (size_t i = begin; i < end; i++) {
        const int64_t label = labels[order != NULL ? order[i] : i];
        outside |= label < 0 || (uint64_t)label >= n_classes;
    }
    return !outside;
}
