/*
 * Memory that runs out: each call that allocates is made with the first allocation failing, then the second, and so on
 * until it succeeds. Every failure must be SIGMAX_OUT_OF_MEMORY, free what was had before, and change nothing.
 *
 * The linker's --wrap=malloc (and calloc, realloc, free) leads the library's calls here.
 */
#include "check.h"
#include "small_network.h"

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t n, size_t bytes);
void *__real_realloc(void *block, size_t bytes);
void __real_free(void *block);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);
void *__wrap_realloc(void *block, size_t bytes);
void __wrap_free(void *block);

static size_t calls, failing_call = SIZE_MAX; /* counted from 0 */
static long blocks;                           /* allocated and not freed */

static void *counted(void *block)
{
    blocks += block != NULL;
    return block;
}

void *__wrap_malloc(size_t bytes)
{
    return calls++ == failing_call ? NULL : counted(__real_malloc(bytes));
}

void *__wrap_calloc(size_t n, size_t bytes)
{
    return calls++ == failing_call ? NULL : counted(__real_calloc(n, bytes));
}

void *__wrap_realloc(void *block, size_t bytes)
{
    if (calls++ == failing_call) return NULL;
    void *const moved = __real_realloc(block, bytes);
    blocks += block == NULL && moved != NULL;
    return moved;
}

void __wrap_free(void *block)
{
    blocks -= block != NULL;
    __real_free(block);
}

/* ---- the calls ------------------------------------------------------------------------------------------------- */

static struct small s;
static double out[N_ROWS * N_NEURONS], deltas[N_ROWS * N_NEURONS], gradient[N_PARAMETERS], cost;
static double state[2 * N_PARAMETERS], ones[N_ROWS];
static int64_t labels[N_ROWS];
static double n_correct;
static sigmax_progress progress, progress_with_all;
static sigmax_network *network;

static int call_create(void)
{
    static const size_t sizes[] = {3, 4, 2};
    return sigmax_network_create(&network, s.dtype, sizes, 3);
}

static int call_initialize(void)
{
    return sigmax_initialize(s.network, gradient, SIGMAX_LECUN, 1);
}

static int call_predict_proba(void)
{
    return sigmax_predict_proba(s.network, s.parameters, 1.0, s.X, N_ROWS, out);
}

static int call_predict(void)
{
    return sigmax_predict(s.network, s.parameters, s.X, N_ROWS, labels);
}

static int call_activations(void)
{
    return sigmax_activations(s.network, s.parameters, s.X, N_ROWS, out);
}

static int call_weighted_inputs(void)
{
    return sigmax_weighted_inputs(s.network, s.parameters, s.X, N_ROWS, out);
}

static int call_cost(void)
{
    const sigmax_data data = targeted(&s);
    return sigmax_cost(s.network, s.parameters, 2.0, &data, &cost, &n_correct);
}

static int call_backprop(void)
{
    const sigmax_data data = labelled(&s);
    return sigmax_backprop(s.network, s.parameters, &data, &cost, out, deltas, gradient);
}

static int call_train(void)
{
    const sigmax_data data = labelled(&s);
    const sigmax_training training = {.order = s.order, .batch_size = 5, .learning_rate = 0.5};
    return sigmax_train(s.network, s.parameters, &data, &training, &progress, SIZE_MAX);
}

static int optimizer; /* of call_train_with_all */

/* Everything that may need memory of its own. */
static int call_train_with_all(void)
{
    static const int64_t row_start[N_ROWS + 1] = {0, 1, 2, 2, 2};
    static const int32_t columns[] = {5, 0};
    const sigmax_sparse sparse = {row_start, columns, s.X};
    sigmax_data data = targeted(&s);
    data.X = NULL;
    data.sparse = &sparse;
    data.rows = 4;
    data.sample_weight = ones;
    const sigmax_training training = {.batch_size = 3,
                                      .learning_rate = 0.5,
                                      .l1 = 0.1,
                                      .clip_norm = 1,
                                      .dropout = 0.5,
                                      .label_smoothing = 0.1,
                                      .optimizer = optimizer,
                                      .momentum = 0.9,
                                      .beta1 = 0.9,
                                      .beta2 = 0.9,
                                      .rho = 0.9,
                                      .epsilon = 1e-8,
                                      .state = state};
    return sigmax_train(s.network, s.parameters, &data, &training, &progress_with_all, SIZE_MAX);
}

/* ---- the failures ---------------------------------------------------------------------------------------------- */

/* All that a call may write, to see that a failure has written nothing. */
struct memory {
    struct small s;
    double out[N_ROWS * N_NEURONS], deltas[N_ROWS * N_NEURONS], gradient[N_PARAMETERS], cost;
    double state[2 * N_PARAMETERS];
    int64_t labels[N_ROWS];
    double n_correct;
    sigmax_progress progress, progress_with_all;
    sigmax_network *network;
};

static void remember(struct memory *memory)
{
    memset(memory, 0, sizeof *memory);
    memory->s = s;
    memcpy(memory->out, out, sizeof out);
    memcpy(memory->deltas, deltas, sizeof deltas);
    memcpy(memory->gradient, gradient, sizeof gradient);
    memcpy(memory->state, state, sizeof state);
    memcpy(memory->labels, labels, sizeof labels);
    memory->cost = cost;
    memory->n_correct = n_correct;
    memory->progress = progress;
    memory->progress_with_all = progress_with_all;
    memory->network = network;
}

static void test_failures(const char *name, int (*call)(void), size_t least_allocations)
{
    static struct memory before, after;
    int status = SIGMAX_OUT_OF_MEMORY;
    size_t k = 0;
    for (; k < 100; k++) {
        const long blocks_before = blocks;
        remember(&before);
        calls = 0;
        failing_call = k;
        status = call();
        failing_call = SIZE_MAX;
        if (calls <= k) break; /* the call no longer needs a k-th block */
        remember(&after);
        CHECK(status == SIGMAX_OUT_OF_MEMORY, "%s, allocation %zu: %s", name, k, sigmax_status_text(status));
        CHECK(blocks == blocks_before, "%s, allocation %zu: %ld blocks leaked", name, k, blocks - blocks_before);
        CHECK(memcmp(&before, &after, sizeof before) == 0, "%s, allocation %zu: something changed", name, k);
    }
    CHECK(k >= least_allocations && k < 100, "%s: %zu allocations, expected at least %zu", name, k, least_allocations);
    CHECK(status == SIGMAX_OK, "%s with memory: %s", name, sigmax_status_text(status));
    remember(&after);
    CHECK(memcmp(&before, &after, sizeof before) != 0, "%s with memory has done nothing", name);
}

int main(void)
{
    /* The default number is read from files, with blocks that libc makes out of our sight. That of WASI keeps blocks for
       the environment, from the first look at it on. */
    sigmax_set_num_threads(2);
    getenv("SIGMAX_ISA");
    blocks = 0;
    static const int dtypes[] = {SIGMAX_FLOAT32, SIGMAX_FLOAT64};
    for (size_t d = 0; d < 2; d++) {
        begin_small(&s, dtypes[d]);
        memset(&progress, 0, sizeof progress);
        memset(&progress_with_all, 0, sizeof progress_with_all);
        memset(out, 0, sizeof out);
        memset(gradient, 0, sizeof gradient);
        memset(state, 0, sizeof state);
        for (size_t r = 0; r < N_ROWS; r++) ones[r] = 1;
        labels[0] = -1;
        cost = -1;
        network = NULL;
        test_failures("create", call_create, 1);
        test_failures("initialize", call_initialize, 0);
        test_failures("predict_proba", call_predict_proba, 1);
        test_failures("predict", call_predict, 1);
        test_failures("activations", call_activations, 1);
        test_failures("weighted_inputs", call_weighted_inputs, 1);
        test_failures("cost", call_cost, 1);
        test_failures("backprop", call_backprop, 1);
        test_failures("train", call_train, 1);
        for (optimizer = SIGMAX_SGD; optimizer <= SIGMAX_ADAMW; optimizer++) {
            memset(&progress_with_all, 0, sizeof progress_with_all);
            memset(state, 0, sizeof state);
            test_failures("train with everything", call_train_with_all, 1);
        }
        sigmax_network_free(network);
        end_small(&s);
        CHECK(blocks == 0, "%ld blocks leaked", blocks);
    }
    return CHECK_DONE();
}
