/*
 * Networks whose every buffer touches a guard page: the caller's arrays, at three alignments, and the memory that the
 * library takes for itself (guarded_malloc.h). Widths run through every tail length in every layer, with every
 * optimiser, dropout, sparse rows, gathered rows, weights and smoothing. The bits must depend on none of it, nor on the
 * number of threads, and nothing is written beside an output.
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS, setenv */

#include "engines.h"
#include "fnv.h"
#include "guarded_malloc.h"
#include "reals.h"

enum { MOST = 270000, WORKSPACE_BYTES = 1 << 23 }; /* reals of an array; what may be lent to sigmax_train */

/* One use of one network. */
struct problem {
    int dtype, optimizer, with_targets, shuffled, sparse, with_weights;
    double dropout, label_smoothing, l1, clip_norm;
    size_t sizes[4], n_sizes, rows, n_neurons;
};

/* ---- arrays ---------------------------------------------------------------------------------------------------- */

enum array {
    PARAMETERS,
    X,
    LABELS,
    TARGETS,
    WEIGHT,
    ORDER,
    ROW_START,
    COLUMNS,
    VALUES,
    STATE,
    PROBABILITIES,
    PREDICTED,
    ACTIVATIONS,
    WEIGHTED_INPUTS,
    DELTAS,
    GRADIENT,
    N_ARRAYS
};

static struct arena arenas[N_ARRAYS], lent;
static size_t n_lent;

struct laid_out {
    unsigned char *at[N_ARRAYS];
    size_t bytes[N_ARRAYS];
};

static void *lay(struct laid_out *a, enum array which, size_t count, size_t element, int placement)
{
    /* neighbours in the list get different alignments */
    const enum placement own = (enum placement)((placement + (int)which) % N_PLACEMENTS);
    a->bytes[which] = count * element;
    a->at[which] = place(arenas[which], count * element, element, placement == 0 ? AT_END : own);
    poison(arenas[which], a->at[which], count * element);
    return a->at[which];
}

static void fill(int dtype, void *at, size_t n, double size, uint64_t *state)
{
    for (size_t i = 0; i < n; i++) put(dtype, at, i, size * next_real(state));
}

/* ---- one use --------------------------------------------------------------------------------------------------- */

static sigmax_data lay_out_data(const struct problem *p, struct laid_out *a, sigmax_sparse *sparse, int placement)
{
    const size_t size = (size_t)p->dtype, n_in = p->sizes[0], k = p->sizes[p->n_sizes - 1], rows = p->rows;
    uint64_t state = 3;
    sigmax_data data = {.rows = rows, .X = lay(a, X, rows * n_in, size, placement)};
    fill(p->dtype, a->at[X], rows * n_in, 1, &state);

    int64_t *const row_start = lay(a, ROW_START, rows + 1, sizeof(int64_t), placement);
    int32_t *const columns = lay(a, COLUMNS, 2 * rows, sizeof(int32_t), placement);
    fill(p->dtype, lay(a, VALUES, 2 * rows, size, placement), 2 * rows, 1, &state);
    for (size_t r = 0; r <= rows; r++) row_start[r] = (int64_t)(2 * r);
    for (size_t r = 0; r < rows; r++) {
        columns[2 * r] = (int32_t)next_below(&state, n_in);
        columns[2 * r + 1] = (int32_t)n_in - 1;
    }
    *sparse = (sigmax_sparse){row_start, columns, a->at[VALUES]};

    int64_t *const labels = lay(a, LABELS, rows, sizeof(int64_t), placement);
    double *const weight = lay(a, WEIGHT, rows, sizeof(double), placement);
    void *const targets = lay(a, TARGETS, rows * k, size, placement);
    for (size_t r = 0; r < rows; r++) {
        labels[r] = (int64_t)next_below(&state, k);
        weight[r] = next_real(&state) + 1;
    }
    for (size_t i = 0; i < rows * k; i++) put(p->dtype, targets, i, (next_real(&state) + 1) / (double)k);
    if (p->with_targets) data.targets = targets;
    if (!p->with_targets) data.labels = labels;
    if (p->with_weights) data.sample_weight = weight;
    return data;
}

static void expect_ok(int status, const char *what)
{
    CHECK(status == SIGMAX_OK, "%s: %s", what, sigmax_status_text(status));
}

/* Everything that a network can be used for; the answer is a hash of all results. */
static uint64_t use(const struct problem *p, int placement, int n_threads)
{
    static struct laid_out a;
    const size_t size = (size_t)p->dtype, k = p->sizes[p->n_sizes - 1], rows = p->rows;
    sigmax_network *network = NULL;
    sigmax_sparse sparse;
    memset(&a, 0, sizeof a);
    sigmax_set_num_threads(n_threads);
    expect_ok(sigmax_network_create(&network, p->dtype, p->sizes, p->n_sizes), "create");
    const size_t n_parameters = sigmax_parameter_count(network), n_state = sigmax_state_count(network, p->optimizer);
    void *const w = lay(&a, PARAMETERS, n_parameters, size, placement);
    expect_ok(sigmax_initialize(network, w, SIGMAX_LARGE, 8), "initialize");
    sigmax_data data = lay_out_data(p, &a, &sparse, placement);

    double cost[2], n_correct;
    expect_ok(sigmax_predict_proba(network, w, 2.0, data.X, rows, lay(&a, PROBABILITIES, rows * k, size, placement)),
              "predict_proba");
    expect_ok(sigmax_predict(network, w, data.X, rows, lay(&a, PREDICTED, rows, sizeof(int64_t), placement)),
              "predict");
    lay(&a, ACTIVATIONS, rows * p->n_neurons, size, placement);
    expect_ok(sigmax_activations(network, w, data.X, rows, a.at[ACTIVATIONS]), "activations");
    lay(&a, WEIGHTED_INPUTS, rows * p->n_neurons, size, placement);
    expect_ok(sigmax_weighted_inputs(network, w, data.X, rows, a.at[WEIGHTED_INPUTS]), "weighted_inputs");
    expect_ok(sigmax_cost(network, w, 1.0, &data, &cost[0], &n_correct), "cost");
    expect_ok(sigmax_backprop(network, w, &data, &cost[1], a.at[ACTIVATIONS],
                              lay(&a, DELTAS, rows * p->n_neurons, size, placement),
                              lay(&a, GRADIENT, n_parameters, size, placement)),
              "backprop");

    size_t *const order = lay(&a, ORDER, rows, sizeof(size_t), placement);
    sigmax_permutation(1, 1, order, rows);
    memset(lay(&a, STATE, n_state, size, placement), 0, n_state * size);
    if (p->sparse) {
        data.X = NULL;
        data.sparse = &sparse;
    }
    sigmax_training training = {
        .order = p->shuffled ? order : NULL,
        .batch_size = rows > 2 ? rows / 2 + 1 : 2, /* a full batch and a shorter one */
        .learning_rate = 0.01,
        .l2 = 0.01,
        .l1 = p->l1,
        .clip_norm = p->clip_norm,
        .dropout = p->dropout,
        .label_smoothing = p->label_smoothing,
        .seed = 4,
        .optimizer = p->optimizer,
        .momentum = 0.5,
        .beta1 = 0.5,
        .beta2 = 0.75,
        .rho = 0.75,
        .epsilon = 1e-3,
        .weight_decay = 0.1,
        .state = n_state > 0 ? a.at[STATE] : NULL,
    };
    const size_t workspace_bytes = sigmax_train_workspace(network, &training, rows);
    unsigned char *workspace = NULL;
    if (placement % 2 != 0 && workspace_bytes <= WORKSPACE_BYTES) { /* in turn the library's own, and one lent to it */
        workspace = place(lent, workspace_bytes, 1, placement == 1 ? AT_END : AT_START);
        poison(lent, workspace, workspace_bytes);
        memset(workspace, 0xff, workspace_bytes); /* NaN */
        training.workspace = workspace;
        training.workspace_bytes = workspace_bytes;
        n_lent++;
    }
    sigmax_progress progress = {0};
    expect_ok(sigmax_train(network, w, &data, &training, &progress, SIZE_MAX), "train");
    if (workspace != NULL)
        CHECK(neighbourhood_is_untouched(lent, workspace, workspace_bytes), "wrote beside the workspace");
    CHECK(progress.position == rows, "position %zu", progress.position);
    sigmax_network_free(network);

    uint64_t hash = FNV_OF_NOTHING;
    hash = fnv(hash, cost, sizeof cost);
    hash = fnv(hash, &n_correct, sizeof n_correct);
    hash = fnv(hash, &progress.cost, sizeof progress.cost);
    for (size_t i = 0; i < N_ARRAYS; i++) {
        hash = fnv(hash, a.at[i], a.bytes[i]);
        CHECK(neighbourhood_is_untouched(arenas[i], a.at[i], a.bytes[i]), "wrote beside array %zu", i);
    }
    return hash;
}

/* ---- the problems ---------------------------------------------------------------------------------------------- */

static void check_problem(const struct problem *p, const char *instruction_set)
{
    const uint64_t expected = use(p, 0, 1);
    for (int way = 1; way < 4; way++) {
        const uint64_t hash = use(p, way, way);
        CHECK(hash == expected,
              "%s f%d, optimiser %d, sizes %zu %zu %zu, %zu rows: other bits with placement %d, %d threads",
              instruction_set, 8 * p->dtype, p->optimizer, p->sizes[0], p->sizes[1], p->sizes[2], p->rows, way, way);
    }
}

/* The options go through all their combinations as the problems go by. */
static void check_width(int dtype, const char *instruction_set, size_t width, size_t rows)
{
    static unsigned number;
    const size_t k = width < 2 ? 2 : width;
    const size_t sizes[][3] = {{width, 3, 2}, {3, width, 2}, {2, 3, k}, {width, width, k}};
    for (size_t i = 0; i < 4; i++, number++) {
        struct problem p = {.dtype = dtype,
                            .optimizer = (int)(number % 6),
                            .with_targets = number / 2 % 2,
                            .shuffled = number / 3 % 2,
                            .sparse = number / 5 % 2,
                            .with_weights = number / 7 % 2,
                            .dropout = number / 11 % 2 ? 0.25 : 0,
                            .label_smoothing = number / 13 % 2 ? 0.125 : 0,
                            .l1 = number / 17 % 2 ? 0.01 : 0,
                            .clip_norm = number / 19 % 2 ? 0.5 : 0,
                            .sizes = {sizes[i][0], sizes[i][1], sizes[i][2]},
                            .n_sizes = 3,
                            .rows = rows};
        p.n_neurons = p.sizes[1] + p.sizes[2];
        check_problem(&p, instruction_set);
    }
}

int main(void)
{
    static const size_t wide[] = {95, 96, 97, 127, 128, 129, 255, 256, 257};
    static const size_t packed[] = {30, 31, 32, 48, 61, 64, 97, 129, 131}; /* where inference packs weights */
    for (size_t i = 0; i < N_ARRAYS; i++) arenas[i] = new_arena(MOST * sizeof(double));
    lent = new_arena(WORKSPACE_BYTES);
    find_tables();
    for (size_t t = 0; t < n_tables; t++) {
        const char *const name = tables[t].engine->instruction_set;
        setenv("SIGMAX_ISA", name, 1);
        for (size_t width = quick() ? 3 : 1; width <= 70; width += quick() ? 13 : 1) {
            for (size_t rows = 1; rows <= 30; rows += quick() ? 13 : rows < 4 ? 1 : 11) {
                check_width(tables[t].dtype, name, width, rows);
            }
            check_width(tables[t].dtype, name, 5, width); /* and every tail of the rows */
        }
        for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i += quick() ? 4 : 1) {
            check_width(tables[t].dtype, name, wide[i], 10);
            check_width(tables[t].dtype, name, 10, wide[i] + 100); /* more than one block of inference */
        }
        for (size_t i = 0; i < sizeof packed / sizeof packed[0]; i += quick() ? 4 : 1) {
            check_width(tables[t].dtype, name, packed[i], 384);
            check_width(tables[t].dtype, name, packed[i], 481);
        }
    }
    CHECK(n_lent > 100, "only %zu workspaces were lent", n_lent);
    CHECK(guarded_mallocs > 1000, "only %zu blocks of the library's own were guarded", guarded_mallocs);
    return CHECK_DONE();
}
