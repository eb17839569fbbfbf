/* The network's description: layout, initial values, permutations, and every refusal of a bad argument. */
#define _GNU_SOURCE /* setenv */

#include <math.h>
#include <string.h>

#include "check.h"
#include "reals.h"

/* FNV-1a over the low `bytes` bytes of each word, least significant first, so that byte order does not matter. */
static uint64_t hash(uint64_t h, uint64_t word, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) h = (h ^ (word >> 8 * i & 0xFF)) * 0x100000001B3u;
    return h;
}

static const uint64_t HASH_OF_NOTHING = 0xCBF29CE484222325u;

/* ---- create, count, lay out ------------------------------------------------------------------------------------ */

static void test_layout(int dtype)
{
    const size_t sizes[] = {5, 3, 7, 2};
    size_t own_sizes[4];
    sigmax_network *network = NULL;
    memcpy(own_sizes, sizes, sizeof sizes);
    CHECK(sigmax_network_create(&network, dtype, own_sizes, 4) == SIGMAX_OK, "dtype %d", dtype);
    memset(own_sizes, 0, sizeof own_sizes); /* the network keeps no pointer to them */
    CHECK(sigmax_weight_count(network) == 5 * 3 + 3 * 7 + 7 * 2, "%zu", sigmax_weight_count(network));
    CHECK(sigmax_parameter_count(network) == 50 + 3 + 7 + 2, "%zu", sigmax_parameter_count(network));
    size_t weights = 0, biases = sigmax_weight_count(network);
    for (size_t l = 1; l < 4; l++) {
        CHECK(sigmax_weight_offset(network, l) == weights, "W_%zu at %zu", l, sigmax_weight_offset(network, l));
        CHECK(sigmax_bias_offset(network, l) == biases, "b_%zu at %zu", l, sigmax_bias_offset(network, l));
        weights += sizes[l] * sizes[l - 1];
        biases += sizes[l];
    }
    CHECK(sigmax_instruction_set(network)[0] != '\0', "no name");
    sigmax_network_free(network);
    sigmax_network_free(NULL);
}

static int create(int dtype, const size_t *sizes, size_t n_sizes)
{
    static double anything;
    sigmax_network *const untouched = (sigmax_network *)(void *)&anything, *network = untouched;
    const int status = sigmax_network_create(&network, dtype, sizes, n_sizes);
    if (status == SIGMAX_OK) {
        sigmax_network_free(network);
    } else {
        CHECK(network == untouched, "changed although %s", sigmax_status_text(status));
    }
    return status;
}

static void test_create_refuses(void)
{
    enum { HALF = sizeof(size_t) * 4 }; /* half the bits of a size_t */
    const size_t wide = (size_t)1 << HALF;
    const struct {
        int expected, dtype;
        size_t n_sizes, sizes[3];
    } cases[] = {
        {SIGMAX_OK, SIGMAX_FLOAT32, 2, {1, 2}},
        {SIGMAX_OK, SIGMAX_FLOAT64, 3, {1, 1, 2}},
        {SIGMAX_BAD_ARGUMENT, 0, 2, {1, 2}},
        {SIGMAX_BAD_ARGUMENT, 5, 2, {1, 2}},
        {SIGMAX_BAD_ARGUMENT, -4, 2, {1, 2}},
        {SIGMAX_BAD_SIZES, SIGMAX_FLOAT32, 0, {1, 2}},
        {SIGMAX_BAD_SIZES, SIGMAX_FLOAT32, 1, {2}},
        {SIGMAX_BAD_SIZES, SIGMAX_FLOAT32, 2, {0, 2}},
        {SIGMAX_BAD_SIZES, SIGMAX_FLOAT32, 3, {3, 0, 2}},
        {SIGMAX_BAD_SIZES, SIGMAX_FLOAT32, 3, {3, 3, 0}},
        {SIGMAX_BAD_SIZES, SIGMAX_FLOAT32, 3, {3, 3, 1}},
        {SIGMAX_TOO_LARGE, SIGMAX_FLOAT32, 2, {wide, wide}},
        {SIGMAX_TOO_LARGE, SIGMAX_FLOAT32, 2, {SIZE_MAX, SIZE_MAX}},
        {SIGMAX_TOO_LARGE, SIGMAX_FLOAT32, 3, {1, SIZE_MAX, 2}},
        {SIGMAX_TOO_LARGE, SIGMAX_FLOAT32, 2, {SIZE_MAX / 8, 2}}, /* fits as a count, not as bytes */
        {SIGMAX_TOO_LARGE, SIGMAX_FLOAT64, 2, {wide / 8, wide}},
        {SIGMAX_OK, SIGMAX_FLOAT64, 2, {wide / 64, wide}}, /* a description is small, whatever it describes */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const int status = create(cases[i].dtype, cases[i].sizes, cases[i].n_sizes);
        CHECK(status == cases[i].expected, "case %zu: %s, expected %s", i, sigmax_status_text(status),
              sigmax_status_text(cases[i].expected));
    }
    sigmax_network *network = NULL;
    CHECK(sigmax_network_create(NULL, SIGMAX_FLOAT32, cases[0].sizes, 2) == SIGMAX_BAD_ARGUMENT, "network NULL");
    CHECK(sigmax_network_create(&network, SIGMAX_FLOAT32, NULL, 2) == SIGMAX_BAD_ARGUMENT, "sizes NULL");
}

/* ---- instruction sets ------------------------------------------------------------------------------------------ */

static void test_instruction_sets(void)
{
    const size_t sizes[] = {1, 2};
    const char *name, *best = NULL;
    size_t n = 0;
    for (; (name = sigmax_instruction_set_name(n)) != NULL; n++) {
        const int available = sigmax_instruction_set_available(n);
        if (available) best = name;
        setenv("SIGMAX_ISA", name, 1);
        sigmax_network *network = NULL;
        const int status = sigmax_network_create(&network, SIGMAX_FLOAT32, sizes, 2);
        CHECK(status == (available ? SIGMAX_OK : SIGMAX_BAD_INSTRUCTION_SET), "%s: %s", name,
              sigmax_status_text(status));
        if (status == SIGMAX_OK) {
            CHECK(strcmp(sigmax_instruction_set(network), name) == 0, "%s, asked for %s",
                  sigmax_instruction_set(network), name);
            sigmax_network_free(network);
        }
    }
    CHECK(n >= 1 && sigmax_instruction_set_available(0), "%zu sets", n);
    CHECK(!sigmax_instruction_set_available(n) && sigmax_instruction_set_name(SIZE_MAX) == NULL, "past the last");

    setenv("SIGMAX_ISA", "v99", 1);
    double flops = -1;
    float one[1] = {1};
    CHECK(create(SIGMAX_FLOAT64, sizes, 2) == SIGMAX_BAD_INSTRUCTION_SET, "unknown name");
    CHECK(sigmax_exp(SIGMAX_FLOAT32, one, one, 1) == SIGMAX_BAD_INSTRUCTION_SET, "unknown name");
    CHECK(sigmax_peak(SIGMAX_FLOAT32, 1, &flops) == SIGMAX_BAD_INSTRUCTION_SET && flops < 0, "unknown name");
    setenv("SIGMAX_ISA", "", 1);
    sigmax_network *network = NULL;
    CHECK(sigmax_network_create(&network, SIGMAX_FLOAT32, sizes, 2) == SIGMAX_OK, "empty is not set");
    CHECK(best != NULL && strcmp(sigmax_instruction_set(network), best) == 0, "%s", sigmax_instruction_set(network));
    sigmax_network_free(network);
    unsetenv("SIGMAX_ISA");
}

/* SIGMAX_WITHOUT is read at each call. A set that it names is not there; the first one always is. */
static void test_sets_left_out(void)
{
    static const char *const forms[] = {"%s", " %s", "%s,", "other,%s", "other , %s other", "\t%s ,,other"};
    static const char *const others[] = {"", ",", " , ", "other", "%s2", "2%s", "%s-%s", "%s;%s"};
    const size_t sizes[] = {1, 2};
    const char *name, *least = sigmax_instruction_set_name(0);
    const char *const before = getenv("SIGMAX_WITHOUT");
    char kept[100] = "", list[100];
    if (before != NULL) snprintf(kept, sizeof kept, "%s", before);
    for (size_t i = 1; (name = sigmax_instruction_set_name(i)) != NULL; i++) {
        unsetenv("SIGMAX_WITHOUT");
        if (!sigmax_instruction_set_available(i)) continue;
        for (size_t f = 0; f < sizeof forms / sizeof forms[0]; f++) {
            snprintf(list, sizeof list, forms[f], name);
            setenv("SIGMAX_WITHOUT", list, 1);
            CHECK(!sigmax_instruction_set_available(i) && sigmax_instruction_set_available(0), "'%s'", list);
            setenv("SIGMAX_ISA", name, 1);
            CHECK(create(SIGMAX_FLOAT32, sizes, 2) == SIGMAX_BAD_INSTRUCTION_SET, "'%s', asked for %s", list, name);
            unsetenv("SIGMAX_ISA");
            sigmax_network *network = NULL;
            CHECK(sigmax_network_create(&network, SIGMAX_FLOAT32, sizes, 2) == SIGMAX_OK, "'%s'", list);
            CHECK(strcmp(sigmax_instruction_set(network), name) != 0, "'%s': %s was chosen", list, name);
            sigmax_network_free(network);
        }
        for (size_t f = 0; f < sizeof others / sizeof others[0]; f++) {
            snprintf(list, sizeof list, others[f], name, name);
            setenv("SIGMAX_WITHOUT", list, 1);
            CHECK(sigmax_instruction_set_available(i), "'%s' leaves %s out", list, name);
        }
    }
    setenv("SIGMAX_WITHOUT", least, 1);
    float one[1] = {1};
    CHECK(sigmax_instruction_set_available(0), "%s was left out", least);
    CHECK(create(SIGMAX_FLOAT32, sizes, 2) == SIGMAX_BAD_INSTRUCTION_SET, "without %s", least);
    CHECK(sigmax_exp(SIGMAX_FLOAT32, one, one, 1) == SIGMAX_BAD_INSTRUCTION_SET, "without %s", least);
    CHECK(sigmax_first_non_finite(SIGMAX_FLOAT32, one, 1) == 1, "without %s", least);
    if (before != NULL)
        setenv("SIGMAX_WITHOUT", kept, 1);
    else
        unsetenv("SIGMAX_WITHOUT");
}

static void test_equations_refuse(void)
{
    double z[4] = {0, 1, 2, 3}, y[4] = {0, 1, 0, 1}, out[16] = {-1}, cost[2] = {-1, -1}, flops = -1;
    CHECK(sigmax_exp(7, z, out, 4) == SIGMAX_BAD_ARGUMENT, "exp");
    CHECK(sigmax_sigmoid(7, z, out, 4) == SIGMAX_BAD_ARGUMENT, "sigmoid");
    CHECK(sigmax_sigmoid_prime(7, z, out, 4) == SIGMAX_BAD_ARGUMENT, "sigmoid_prime");
    CHECK(sigmax_softmax(7, z, out, 2, 2) == SIGMAX_BAD_ARGUMENT, "softmax");
    CHECK(sigmax_softmax_jacobian(7, z, out, 4) == SIGMAX_BAD_ARGUMENT, "softmax_jacobian");
    CHECK(sigmax_cross_entropy(7, z, y, cost, 2, 2) == SIGMAX_BAD_ARGUMENT, "cross_entropy");
    CHECK(sigmax_output_delta(7, z, y, out, 2, 2) == SIGMAX_BAD_ARGUMENT, "output_delta");
    CHECK(sigmax_peak(7, 1, &flops) == SIGMAX_BAD_ARGUMENT && flops < 0, "peak");
    CHECK(sigmax_peak(SIGMAX_FLOAT32, 1, NULL) == SIGMAX_BAD_ARGUMENT, "peak, flops NULL");
    CHECK(out[0] < 0 && cost[0] < 0, "something was written");
    CHECK(sigmax_softmax(SIGMAX_FLOAT64, z, out, 2, 0) == SIGMAX_OK && out[0] < 0, "k = 0 has nothing to do");
    CHECK(sigmax_peak(SIGMAX_FLOAT64, 10, &flops) == SIGMAX_OK && flops >= 20, "%g flops", flops);
}

static void test_status_texts(void)
{
    for (int i = SIGMAX_OK; i <= SIGMAX_NOT_A_NUMBER; i++) {
        for (int j = i + 1; j <= SIGMAX_NOT_A_NUMBER + 1; j++) {
            CHECK(strcmp(sigmax_status_text(i), sigmax_status_text(j)) != 0, "%d and %d: %s", i, j,
                  sigmax_status_text(i));
        }
    }
    CHECK(sigmax_status_text(-1)[0] != '\0' && sigmax_status_text(99)[0] != '\0', "no text");
    CHECK(sigmax_compiler()[0] != '\0', "no compiler");
}

static void test_thread_numbers(void)
{
    CHECK(sigmax_set_num_threads(3) == SIGMAX_OK && sigmax_get_num_threads() == 3, "%d", sigmax_get_num_threads());
    CHECK(sigmax_set_num_threads(-1) == SIGMAX_BAD_ARGUMENT && sigmax_get_num_threads() == 3, "-1 threads");
    CHECK(sigmax_set_num_threads(0) == SIGMAX_OK && sigmax_get_num_threads() >= 1, "%d", sigmax_get_num_threads());
}

/* ---- what a seed means ----------------------------------------------------------------------------------------- */

/* These values were written down once. Another compiler, platform or version must come to the same. */
static void test_initial_values(void)
{
    static const struct {
        int dtype, init;
        uint64_t seed, expected;
    } cases[] = {
        {SIGMAX_FLOAT32, SIGMAX_LECUN, 0, 0x837CD8ACFB382FB3u},
        {SIGMAX_FLOAT32, SIGMAX_GLOROT, 0, 0xBA92F02603ED7859u},
        {SIGMAX_FLOAT32, SIGMAX_LARGE, 0, 0x1AB46DAE3B4FF7EBu},
        {SIGMAX_FLOAT64, SIGMAX_LECUN, 0, 0x598AF1583EEE7F5Du},
        {SIGMAX_FLOAT64, SIGMAX_GLOROT, 12345, 0xCDC472AA73BE48A8u},
        {SIGMAX_FLOAT64, SIGMAX_LARGE, UINT64_MAX, 0xC7FF579CA9A5C45Au},
    };
    const size_t sizes[] = {30, 20, 10};
    enum { N = 30 * 20 + 20 * 10 + 30 };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sigmax_network *network = NULL;
        double values[N + 1] = {0};
        const size_t size = (size_t)cases[i].dtype;
        CHECK(sigmax_network_create(&network, cases[i].dtype, sizes, 3) == SIGMAX_OK, "case %zu", i);
        put(cases[i].dtype, values, N, 77.0);
        CHECK(sigmax_initialize(network, values, cases[i].init, cases[i].seed) == SIGMAX_OK, "case %zu", i);
        uint64_t h = HASH_OF_NOTHING;
        for (size_t j = 0; j < N; j++) {
            uint64_t word = 0;
            if (size == 4) {
                uint32_t half;
                memcpy(&half, (float *)(void *)values + j, sizeof half);
                word = half;
            } else {
                memcpy(&word, values + j, sizeof word);
            }
            h = hash(h, word, size);
        }
        CHECK(h == cases[i].expected, "case %zu: 0x%016llX, expected 0x%016llX", i, (unsigned long long)h,
              (unsigned long long)cases[i].expected);
        CHECK(get(cases[i].dtype, values, N) > 76, "case %zu: wrote past the last parameter", i);
        if (cases[i].init != SIGMAX_LARGE) {
            size_t zeros = 0;
            for (size_t j = sigmax_weight_count(network); j < N; j++) {
                zeros += fabs(get(cases[i].dtype, values, j)) <= 0;
            }
            CHECK(zeros == 30, "case %zu: %zu of 30 biases are 0", i, zeros);
        }
        sigmax_network_free(network);
    }
}

static void test_initialize_refuses(void)
{
    const size_t sizes[] = {1, 2};
    sigmax_network *network = NULL;
    float values[4] = {7, 7, 7, 7};
    CHECK(sigmax_network_create(&network, SIGMAX_FLOAT32, sizes, 2) == SIGMAX_OK, "create");
    CHECK(sigmax_initialize(NULL, values, SIGMAX_LECUN, 0) == SIGMAX_BAD_ARGUMENT, "network NULL");
    CHECK(sigmax_initialize(network, NULL, SIGMAX_LECUN, 0) == SIGMAX_BAD_ARGUMENT, "parameters NULL");
    CHECK(sigmax_initialize(network, values, 3, 0) == SIGMAX_BAD_ARGUMENT, "init 3");
    CHECK(sigmax_initialize(network, values, -1, 0) == SIGMAX_BAD_ARGUMENT, "init -1");
    CHECK(values[0] > 6 && values[3] > 6, "something was written");
    sigmax_network_free(network);
}

static void test_permutation(void)
{
    enum { N = 1000 };
    static size_t order[N + 1], other[N];
    for (size_t n = 0; n <= N; n += n < 20 ? 1 : 140) {
        unsigned char seen[N] = {0};
        order[n] = 12345;
        sigmax_permutation(7, 3, order, n);
        size_t twice = 0;
        for (size_t i = 0; i < n; i++) twice += order[i] >= n || seen[order[i]]++;
        CHECK(twice == 0, "%zu entries of %zu are out of range or come twice", twice, n);
        CHECK(order[n] == 12345, "wrote past entry %zu", n);
    }
    static const uint64_t seeds[][2] = {{7, 4}, {8, 3}, {7, 3 + ((uint64_t)1 << 32)}};
    sigmax_permutation(7, 3, order, N);
    uint64_t h = HASH_OF_NOTHING;
    for (size_t i = 0; i < N; i++) h = hash(h, order[i], 8);
    CHECK(h == 0xA121516435662AA1u, "0x%016llX: a seed has changed its meaning", (unsigned long long)h);
    for (size_t i = 0; i < sizeof seeds / sizeof seeds[0]; i++) {
        sigmax_permutation(seeds[i][0], seeds[i][1], other, N);
        CHECK(memcmp(order, other, sizeof other) != 0, "case %zu: the same permutation", i);
    }
}

int main(void)
{
    test_layout(SIGMAX_FLOAT32);
    test_layout(SIGMAX_FLOAT64);
    test_create_refuses();
    test_instruction_sets();
    test_sets_left_out();
    test_equations_refuse();
    test_status_texts();
    test_thread_numbers();
    test_initial_values();
    test_initialize_refuses();
    test_permutation();
    return CHECK_DONE();
}
