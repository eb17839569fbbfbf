/*
 * The translation unit of one engine. The build compiles it once per precision (SIGMAX_REAL_BITS) and instruction set
 * (SIGMAX_ISA_NAME). Everything is static but one constant table, so that no code made for one instruction set can be
 * called, or merged by the linker, where another is in use.
 */
#include "real.h"

#include "activation.h"
#include "softmax.h"
#include "finite.h"
#include "matmul.h"
#include "forward.h"
#include "backward.h"
#include "update.h"
#include "inference.h"
#include "train.h"
#include "peak.h"

/* The table's functions take void *. What others call with reals gets a face that says so. */

static void face_exp(const void *z, void *out, size_t n)
{
    exponentials(z, out, n);
}

static void face_sigmoid(const void *z, void *out, size_t n)
{
    sigmoids(z, out, n);
}

static void face_sigmoid_prime(const void *z, void *out, size_t n)
{
    sigmoid_primes(z, out, n);
}

static void face_softmax(const void *z, void *out, size_t rows, size_t k)
{
    softmax(z, out, rows, k);
}

static void face_softmax_jacobian(const void *z, void *out, size_t k)
{
    softmax_jacobian(z, out, k);
}

static void face_cross_entropy(const void *z, const void *y, double *cost, size_t rows, size_t k)
{
    cross_entropy_targets(z, y, cost, rows, k);
}

static void face_output_delta(const void *z, const void *y, void *delta, size_t rows, size_t k)
{
    softmax(z, delta, rows, k);
    bp1_targets(delta, y, delta, rows, k);
}

static void face_smooth_labels(const int64_t *labels, const void *y, double e, void *targets, size_t rows, size_t k)
{
    smooth_labels(labels, y, e, targets, rows, k);
}

static size_t face_first_non_finite(const void *values, size_t n)
{
    return first_non_finite(values, n);
}

static void face_matmul_forward(const void *a, const void *w, const void *b, void *z, size_t rows, size_t n_in,
                                size_t n_out, void *scratch, const struct sigmax_pool *pool)
{
    matmul_forward(a, w, b, z, rows, n_in, n_out, 0, scratch, pool);
}

static void face_matmul_delta(const void *delta, const void *w, void *out, size_t rows, size_t n_in, size_t n_out,
                              void *scratch, const struct sigmax_pool *pool)
{
    matmul_delta(delta, w, NULL, 1, out, rows, n_in, n_out, scratch, pool);
}

static void face_matmul_gradient(const void *delta, const void *a, double scale, void *out, size_t rows, size_t n_in,
                                 size_t n_out, void *scratch, const struct sigmax_pool *pool)
{
    const struct blend blend = {1, (real)scale};
    matmul_gradient(delta, a, blend, out, rows, n_in, n_out, scratch, pool);
}

#define JOIN_OF(a, b, c, d) a##b##c##d
#define JOIN(a, b, c, d) JOIN_OF(a, b, c, d)
#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
#define ENGINE JOIN(sigmax_engine_f, SIGMAX_REAL_BITS, _, SIGMAX_ISA_NAME)

extern const struct sigmax_engine ENGINE;

const struct sigmax_engine ENGINE = {
    .instruction_set = TEXT(SIGMAX_ISA_NAME),
    .exp = face_exp,
    .sigmoid = face_sigmoid,
    .sigmoid_prime = face_sigmoid_prime,
    .softmax = face_softmax,
    .softmax_jacobian = face_softmax_jacobian,
    .cross_entropy = face_cross_entropy,
    .output_delta = face_output_delta,
    .smooth_labels = face_smooth_labels,
    .first_non_finite = face_first_non_finite,
    .peak = peak,
    .product_scratch = product_scratch,
    .matmul_forward = face_matmul_forward,
    .matmul_delta = face_matmul_delta,
    .matmul_gradient = face_matmul_gradient,
    .inference_workspace = inference_workspace,
    .backprop_workspace = backprop_workspace,
    .train_workspace = train_workspace,
    .infer = infer,
    .activations = activations_of,
    .backprop = backprop,
    .train_batches = train_batches,
    .gradient_workspace = gradient_workspace,
    .gradient_sums = gradient_sums,
    .update_workspace = update_workspace,
    .update = update,
};
