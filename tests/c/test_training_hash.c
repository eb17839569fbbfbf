/*
 * The result of fixed training runs, to the bit, at one compiler and one instruction set: a hash of the parameters, the
 * optimiser's state, the running cost and the predictions, compared with training_hashes.h. Where no hash is stored
 * for this compiler nothing is compared, and that is said. `make hashes` stores those of CC, after a change that is
 * meant to change results.
 *
 * The program prints the lines to be stored when it is called with --print. A sanitized library is other code, so this
 * test is for the plain one.
 */
#define _GNU_SOURCE /* setenv */

#include "engines.h"
#include "fnv.h"
#include "reals.h"

struct stored {
    const char *compiler, *instruction_set, *run;
    uint64_t hash;
};

static const struct stored all_stored[] = {
#include "training_hashes.h"
    {"", "", "", 0},
};

enum { N_IN = 67, N_HIDDEN = 41, N_CLASSES = 7, ROWS = 150 };
enum {
    N_WEIGHTS = N_HIDDEN * N_IN + N_HIDDEN * N_HIDDEN + N_CLASSES * N_HIDDEN,
    N = N_WEIGHTS + 2 * N_HIDDEN + N_CLASSES
};

/* Two epochs from the same start, with the same data. */
static uint64_t hash_of_run(int dtype, int optimizer, double dropout, int n_threads)
{
    static double w[N], state[2 * N], X[ROWS * N_IN], probabilities[ROWS * N_CLASSES];
    static int64_t labels[ROWS];
    static size_t order[ROWS];
    const size_t sizes[] = {N_IN, N_HIDDEN, N_HIDDEN, N_CLASSES}, size = (size_t)dtype;
    uint64_t random = 1, hash = FNV_OF_NOTHING;
    sigmax_network *network = NULL;
    sigmax_set_num_threads(n_threads);
    CHECK(sigmax_network_create(&network, dtype, sizes, 4) == SIGMAX_OK, "create");
    CHECK(sigmax_parameter_count(network) == N, "%zu", sigmax_parameter_count(network));
    CHECK(sigmax_initialize(network, w, SIGMAX_GLOROT, 6) == SIGMAX_OK, "initialize");
    memset(state, 0, sizeof state);
    for (size_t i = 0; i < ROWS * N_IN; i++) put(dtype, X, i, next_real(&random));
    for (size_t r = 0; r < ROWS; r++) labels[r] = (int64_t)next_below(&random, N_CLASSES);
    const sigmax_data data = {.X = X, .labels = labels, .rows = ROWS};
    const sigmax_training training = {
        .order = order,
        .batch_size = 32,
        .learning_rate = optimizer < SIGMAX_RMSPROP ? 0.5 : 0.01,
        .l2 = 1e-4,
        .l1 = optimizer == SIGMAX_SGD ? 0 : 1e-5,
        .clip_norm = optimizer == SIGMAX_SGD ? 0 : 1,
        .dropout = dropout,
        .seed = 5,
        .optimizer = optimizer,
        .momentum = 0.9,
        .beta1 = 0.9,
        .beta2 = 0.999,
        .rho = 0.9,
        .epsilon = 1e-8,
        .weight_decay = 0.01,
        .state = state,
    };
    sigmax_progress progress = {0};
    for (uint64_t epoch = 0; epoch < 2; epoch++) {
        sigmax_permutation(2, epoch, order, ROWS);
        progress.position = 0;
        const int status = sigmax_train(network, w, &data, &training, &progress, SIZE_MAX);
        CHECK(status == SIGMAX_OK, "%s", sigmax_status_text(status));
    }
    CHECK(sigmax_predict_proba(network, w, 1.0, X, ROWS, probabilities) == SIGMAX_OK, "predict_proba");
    hash = fnv(hash, w, N * size);
    hash = fnv(hash, state, sigmax_state_count(network, optimizer) * size);
    hash = fnv(hash, &progress.cost, sizeof progress.cost);
    hash = fnv(hash, &progress.n_correct, sizeof progress.n_correct);
    hash = fnv(hash, probabilities, ROWS * N_CLASSES * size);
    sigmax_network_free(network);
    return hash;
}

/* What results depend on beside the instruction set: the least one has other instructions where it is not x86-64's, but
   in WebAssembly. There are vectors of 16 bytes too, and no fused multiply-add, so its results are x86-64's with any
   compiler. */
static const char *compiler_and_machine(void)
{
    static char text[100];
#if defined(__x86_64__) || defined(_M_X64)
    snprintf(text, sizeof text, "%s", sigmax_compiler());
#elif defined(__wasm__)
    snprintf(text, sizeof text, "%s", all_stored[0].compiler);
#else
    snprintf(text, sizeof text, "%s, not x86-64", sigmax_compiler());
#endif
    return text;
}

static const struct stored *find_stored(const char *instruction_set, const char *run)
{
    for (const struct stored *s = all_stored; s->run[0] != '\0'; s++) {
        if (strcmp(s->compiler, compiler_and_machine()) == 0 && strcmp(s->instruction_set, instruction_set) == 0
            && strcmp(s->run, run) == 0) {
            return s;
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static const char *const optimizers[] = {"sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw"};
    const int print = argc > 1 && strcmp(argv[1], "--print") == 0;
    size_t compared = 0;
    find_tables();
    for (size_t t = 0; t < n_tables; t++) {
        const char *const name = tables[t].engine->instruction_set;
        setenv("SIGMAX_ISA", name, 1);
        for (int optimizer = SIGMAX_SGD; optimizer <= SIGMAX_ADAMW; optimizer++) {
            for (int dropped = 0; dropped < 2; dropped++) {
                char run[60];
                snprintf(run, sizeof run, "float%d %s%s", 8 * tables[t].dtype, optimizers[optimizer],
                         dropped ? " dropout" : "");
                const uint64_t hash = hash_of_run(tables[t].dtype, optimizer, dropped ? 0.25 : 0, 1);
                const uint64_t on_three = hash_of_run(tables[t].dtype, optimizer, dropped ? 0.25 : 0, 3);
                CHECK(hash == on_three, "%s, %s: other bits on three threads", name, run);
                if (print) {
                    printf("    {\"%s\", \"%s\", \"%s\", 0x%016llXu},\n", compiler_and_machine(), name, run,
                           (unsigned long long)hash);
                    continue;
                }
                const struct stored *const stored = find_stored(name, run);
                if (stored == NULL) continue;
                compared++;
                CHECK(hash == stored->hash,
                      "%s, %s: 0x%016llX, stored is 0x%016llX; if results are meant to change: make -C tests/c hashes",
                      name, run, (unsigned long long)hash, (unsigned long long)stored->hash);
            }
        }
    }
    if (print) return check_failed != 0;
#ifdef __wasm__
    CHECK(compared == 24, "compared %zu of 6 optimisers x dropout x 2 precisions", compared);
#endif
    if (compared == 0) printf("no hash is stored for %s: nothing compared; ", compiler_and_machine());
    return CHECK_DONE();
}
