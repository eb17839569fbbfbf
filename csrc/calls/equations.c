/* The equations by themselves: each asks for an engine and calls it. */
#include "../engine.h"
#include "../machine/instruction_set.h"

int sigmax_exp(int dtype, const void *z, void *out, size_t n)
{
    if (n > 0 && (z == NULL || out == NULL)) return SIGMAX_BAD_ARGUMENT;
    const struct sigmax_engine *engine;
    const int status = sigmax_choose_engine(&engine, dtype);
    if (status == SIGMAX_OK) engine->exp(z, out, n);
    return status;
}

int sigmax_sigmoid(int dtype, const void *z, void *out, size_t n)
{
    if (n > 0 && (z == NULL || out == NULL)) return SIGMAX_BAD_ARGUMENT;
    const struct sigmax_engine *engine;
    const int status = sigmax_choose_engine(&engine, dtype);
    if (status == SIGMAX_OK) engine->sigmoid(z, out, n);
    return status;
}

int sigmax_sigmoid_prime(int dtype, const void *z, void *out, size_t n)
{
    if (n > 0 && (z == NULL || out == NULL)) return SIGMAX_BAD_ARGUMENT;
    const struct sigmax_engine *engine;
    const int status = sigmax_choose_engine(&engine, dtype);
    if (status == SIGMAX_OK) engine->sigmoid_prime(z, out, n);
    return status;
}

int sigmax_softmax(int dtype, const void *z, void *out, size_t rows, size_t k)
{
    if (rows > 0 && k > 0 && (z == NULL || out == NULL)) return SIGMAX_BAD_ARGUMENT;
    const struct sigmax_engine *engine;
    const int status = sigmax_choose_engine(&engine, dtype);
    if (status == SIGMAX_OK && k > 0) engine->softmax(z, out, rows, k);
    return status;
}

int sigmax_softmax_jacobian(int dtype, const void *z, void *out, size_t k)
{
    if (k > 0 && (z == NULL || out == NULL)) return SIGMAX_BAD_ARGUMENT;
    const struct sigmax_engine *engine;
    const int status = sigmax_choose_engine(&engine, dtype);
    if (status == SIGMAX_OK && k > 0) engine->softmax_jacobian(z, out, k);
    return status;
}

int sigmax_cross_entropy(int dtype, const void *z, const void *y, double *cost, size_t rows, size_t k)
{
    if (rows > 0 && (cost == NULL || (k > 0 && (z == NULL || y == NULL)))) return SIGMAX_BAD_ARGUMENT;
    const struct sigmax_engine *engine;
    const int status = sigmax_choose_engine(&engine, dtype);
    if (status != SIGMAX_OK) return status;
    for (size_t r = 0; r < rows && k == 0; r++) cost[r] = 0;
    if (k > 0) engine->cross_entropy(z, y, cost, rows, k);
    return SIGMAX_OK;
}

int sigmax_output_delta(int dtype, const void *z, const void *y, void *delta, size_t rows, size_t k)
{
    if (rows > 0 && k > 0 && (z == NULL || y == NULL || delta == NULL)) return SIGMAX_BAD_ARGUMENT;
    const struct sigmax_engine *engine;
    const int status = sigmax_choose_engine(&engine, dtype);
    if (status == SIGMAX_OK && k > 0) engine->output_delta(z, y, delta, rows, k);
    return status;
}

int sigmax_smooth_labels(int dtype, const int64_t *labels, const void *y, double e, void *targets, size_t rows,
                         size_t k)
{
    if (!(e >= 0 && e < 1)) return SIGMAX_BAD_ARGUMENT;
    if (rows > 0 && k > 0 && ((labels == NULL) == (y == NULL) || targets == NULL)) return SIGMAX_BAD_ARGUMENT;
    const struct sigmax_engine *engine;
    const int status = sigmax_choose_engine(&engine, dtype);
    if (status != SIGMAX_OK || k == 0) return status;
    for (size_t r = 0; labels != NULL && r < rows; r++) {
        if (labels[r] < 0 || (uint64_t)labels[r] >= k) return SIGMAX_BAD_LABEL;
    }
    engine->smooth_labels(labels, y, e, targets, rows, k);
    return SIGMAX_OK;
}

size_t sigmax_first_non_finite(int dtype, const void *values, size_t n)
{
    const struct sigmax_engine *engine; /* any one knows the answer, so that a bad SIGMAX_ISA must not keep it back */
    if (sigmax_choose_engine(&engine, dtype) != SIGMAX_OK) engine = sigmax_least_engine(dtype);
    return engine != NULL && values != NULL ? engine->first_non_finite(values, n) : 0;
}

int sigmax_peak(int dtype, size_t n, double *flops)
{
    if (flops == NULL) return SIGMAX_BAD_ARGUMENT;
    const struct sigmax_engine *engine;
    const int status = sigmax_choose_engine(&engine, dtype);
    if (status == SIGMAX_OK) *flops = engine->peak(n);
    return status;
}
