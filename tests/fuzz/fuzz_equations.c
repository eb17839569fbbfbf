/*
 * libFuzzer target: the functions of sigmax_api.h that stand by themselves, on arrays of any length, alignment and
 * content, in place and not. Each is a function of its arguments: what it writes must not depend on where they lie.
 */
#define _GNU_SOURCE /* setenv */

#include "input.h"

enum { MOST = 600 };

/* Mostly short: vectors and their tails; seldom long: blocks and theirs. */
static size_t take_length(struct input *in, size_t times)
{
    return seldom(in, 16) ? take(in) * times : choose(in, 72);
}

typedef int (*elementwise)(int dtype, const void *z, void *out, size_t n);

static int in_range(const uint8_t which, double z, double value)
{
    if (isnan(z)) return isnan(value);
    return value >= 0 && (which == 0 ? 1 : value <= (which == 1 ? 1 : 0.25));
}

static void fuzz_elementwise(struct input *in, int dtype, int shifted)
{
    static const elementwise functions[] = {sigmax_exp, sigmax_sigmoid, sigmax_sigmoid_prime};
    const uint8_t which = (uint8_t)choose(in, 3);
    const size_t n = take_length(in, 11), size = (size_t)dtype;
    const struct array z = new_array(n, size, shifted), out = new_array(n, size, !shifted);
    fill(in, dtype, z, n);
    const int status = functions[which](dtype, z.at, out.at, n);
    REQUIRE(status == SIGMAX_OK, "%d", status);
    for (size_t i = 0; i < n; i++) {
        const double z_i = get(dtype, z.at, i), value = get(dtype, out.at, i);
        REQUIRE(in_range(which, z_i, value), "function %d of %g is %g", which, z_i, value);
    }
    functions[which](dtype, z.at, z.at, n);
    for (size_t i = 0; i < n; i++) {
        const double value = get(dtype, z.at, i), expected = get(dtype, out.at, i);
        REQUIRE(isnan(value) ? isnan(expected) : memcmp(&value, &expected, sizeof value) == 0, "in place: %g, not %g",
                value, expected);
    }
    let_go(z);
    let_go(out);
}

static void fuzz_rows(struct input *in, int dtype, int shifted)
{
    const size_t size = (size_t)dtype, k = take_length(in, 9);
    const size_t most = k == 0 ? 40 : MOST / k + 1, wanted = take_length(in, 1), rows = wanted < most ? wanted : most;
    const struct array z = new_array(rows * k, size, shifted), y = new_array(rows * k, size, !shifted);
    const struct array a = new_array(rows * k, size, !shifted), delta = new_array(rows * k, size, shifted);
    const struct array cost = new_array(rows, sizeof(double), shifted);
    uint64_t state = take(in);
    const int tame = fill(in, dtype, z, rows * k);
    for (size_t i = 0; i < rows * k; i++) put(dtype, y.at, i, next_real(&state) + 1);
    REQUIRE(sigmax_softmax(dtype, z.at, a.at, rows, k) == SIGMAX_OK, "softmax");
    REQUIRE(sigmax_output_delta(dtype, z.at, y.at, delta.at, rows, k) == SIGMAX_OK, "output_delta");
    REQUIRE(sigmax_cross_entropy(dtype, z.at, y.at, cost.at, rows, k) == SIGMAX_OK, "cross_entropy");
    for (size_t r = 0; k > 0 && r < rows; r++) {
        double sum = 0;
        for (size_t i = 0; i < k; i++) sum += get(dtype, a.at, r * k + i);
        REQUIRE(tame ? fabs(sum - 1) <= ((double)k + 2) * epsilon_of(dtype) : isnan(sum) || sum <= 1.001, "sum %g",
                sum);
        const double c = ((const double *)cost.at)[r];
        REQUIRE(tame ? isfinite(c) && c >= 0 : isnan(c) || c >= 0, "cost %g", c);
    }
    REQUIRE(sigmax_softmax(dtype, z.at, z.at, rows, k) == SIGMAX_OK, "softmax in place");
    REQUIRE(!tame || same_bytes(z, a), "softmax in place has other bits");
    let_go(z);
    let_go(y);
    let_go(a);
    let_go(delta);
    let_go(cost);
}

static void fuzz_jacobian(struct input *in, int dtype, int shifted)
{
    const size_t k = choose(in, 40), size = (size_t)dtype;
    const struct array z = new_array(k, size, shifted), out = new_array(k * k, size, !shifted);
    const int tame = fill(in, dtype, z, k);
    REQUIRE(sigmax_softmax_jacobian(dtype, z.at, out.at, k) == SIGMAX_OK, "softmax_jacobian");
    for (size_t j = 0; tame && j < k; j++) {
        double sum = 0; /* the sum over all outputs stays 1, whatever z_i does */
        for (size_t i = 0; i < k; i++) sum += get(dtype, out.at, j * k + i);
        REQUIRE(fabs(sum) <= ((double)k + 4) * epsilon_of(dtype), "row %zu of %zu sums to %g", j, k, sum);
    }
    let_go(z);
    let_go(out);
}

static void fuzz_first_non_finite(struct input *in, int dtype, int shifted)
{
    const size_t n = take_length(in, 11);
    const struct array values = new_array(n, (size_t)dtype, shifted);
    fill(in, dtype, values, n);
    size_t expected = 0;
    while (expected < n && isfinite(get(dtype, values.at, expected))) expected++;
    const size_t found = sigmax_first_non_finite(dtype, values.at, n);
    REQUIRE(found == expected, "%zu, expected %zu", found, expected);
    let_go(values);
}

static void fuzz_random(struct input *in, int shifted)
{
    const size_t n = take_length(in, 5);
    const uint64_t seed = take_64_bits(in), step = take_64_bits(in);
    const size_t layer = (size_t)take(in), row = (size_t)take_64_bits(in);
    const double p = choose(in, 2) ? take_double(in) : (double)take(in) / 255;
    const struct array keep = new_array(n, 1, shifted), start = new_array(n / 2, 1, !shifted);
    sigmax_dropout_mask(seed, step, layer, row, p, keep.at, n);
    sigmax_dropout_mask(seed, step, layer, row, p, start.at, n / 2);
    for (size_t i = 0; i < n; i++) {
        const uint8_t kept = ((const uint8_t *)keep.at)[i];
        REQUIRE(kept <= 1 && (p > 0 || kept == 1) && (!(p >= 1) || kept == 0), "%d at p = %g", kept, p);
    }
    REQUIRE(n / 2 == 0 || memcmp(keep.at, start.at, n / 2) == 0, "a mask depends on its length");
    const struct array order = new_array(n, sizeof(size_t), shifted), seen = new_array(n, 1, 0);
    sigmax_permutation(seed, step, order.at, n);
    for (size_t i = 0; i < n; i++) {
        const size_t row_i = ((const size_t *)order.at)[i];
        REQUIRE(row_i < n && ((uint8_t *)seen.at)[row_i]++ == 0, "%zu of %zu, or twice", row_i, n);
    }
    let_go(keep);
    let_go(start);
    let_go(order);
    let_go(seen);
}

/* A dtype that is none is refused, and nothing is touched. */
static void fuzz_dtype(struct input *in)
{
    const int dtype = (int)(uint32_t)take_64_bits(in);
    double z[2] = {1, 2}, out[4] = {-1, -1, -1, -1}, cost[1] = {-1}, flops = -1;
    if (dtype == SIGMAX_FLOAT32 || dtype == SIGMAX_FLOAT64) return;
    const int statuses[] = {
        sigmax_exp(dtype, z, out, 2),
        sigmax_sigmoid(dtype, z, out, 2),
        sigmax_sigmoid_prime(dtype, z, out, 2),
        sigmax_softmax(dtype, z, out, 1, 2),
        sigmax_softmax_jacobian(dtype, z, out, 2),
        sigmax_cross_entropy(dtype, z, z, cost, 1, 2),
        sigmax_output_delta(dtype, z, z, out, 1, 2),
        sigmax_peak(dtype, 1, &flops),
    };
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        REQUIRE(statuses[i] == SIGMAX_BAD_ARGUMENT, "function %zu: %d", i, statuses[i]);
    }
    REQUIRE(out[0] < 0 && out[3] < 0 && cost[0] < 0 && flops < 0, "something was written");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct input in = {bytes, bytes + n};
    choose_instruction_set(&in);
    const int dtype = choose(&in, 2) ? SIGMAX_FLOAT64 : SIGMAX_FLOAT32, shifted = (int)choose(&in, 2);
    switch (choose(&in, 6)) {
    case 0:
        fuzz_elementwise(&in, dtype, shifted);
        break;
    case 1:
        fuzz_rows(&in, dtype, shifted);
        break;
    case 2:
        fuzz_jacobian(&in, dtype, shifted);
        break;
    case 3:
        fuzz_first_non_finite(&in, dtype, shifted);
        break;
    case 4:
        fuzz_random(&in, shifted);
        break;
    default:
        fuzz_dtype(&in);
    }
    return 0;
}
