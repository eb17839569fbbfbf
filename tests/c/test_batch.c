/* What a batch is made of: rows, weights and targets beside guard pages, sparse rows, masks of dropout. */
#define _GNU_SOURCE /* for MAP_ANONYMOUS */

#include <math.h>

#include "check.h"
#include "guarded.h"
#include "small_network.h"

static const int dtypes[] = {SIGMAX_FLOAT32, SIGMAX_FLOAT64};

/* Adam, with every term of the objective. */
static sigmax_training numbers(const size_t *order, void *state)
{
    const sigmax_training training = {
        .order = order,
        .batch_size = 5,
        .learning_rate = 0.015625,
        .l2 = 0.03125,
        .l1 = 0.0078125,
        .clip_norm = 0.125,
        .dropout = 0.25,
        .label_smoothing = 0.125,
        .seed = 77,
        .optimizer = SIGMAX_ADAM,
        .beta1 = 0.875,
        .beta2 = 0.96875,
        .epsilon = 1e-3,
        .state = state,
    };
    return training;
}

/* The entries of X that are not 0. Room for all of them. */
struct entries {
    int64_t row_start[N_ROWS + 1];
    int32_t columns[N_ROWS * N_IN];
    double values[N_ROWS * N_IN];
    size_t n;
};

static void thin_out(struct small *s, struct entries *entries)
{
    entries->n = 0;
    for (size_t r = 0; r < N_ROWS; r++) {
        entries->row_start[r] = (int64_t)entries->n;
        for (size_t k = 0; k < N_IN; k++) {
            if ((r * N_IN + k) % 3 != 0 || r == 8) {
                put(s->dtype, s->X, r * N_IN + k, 0);
                continue;
            }
            entries->columns[entries->n] = (int32_t)k;
            put(s->dtype, entries->values, entries->n++, get(s->dtype, s->X, r * N_IN + k));
        }
    }
    entries->row_start[N_ROWS] = (int64_t)entries->n;
}

/* ---- beside guard pages ---------------------------------------------------------------------------------------- */

/* A copy that touches a guard page. */
static void *guarded(const void *from, size_t bytes, size_t element, enum placement placement)
{
    unsigned char *const at = place(new_arena(bytes + element), bytes, element, placement);
    memcpy(at, from, bytes);
    return at;
}

static void test_guarded(int dtype, int with_targets, int shuffled, int sparse, enum placement placement)
{
    struct small s;
    struct entries entries;
    double sample_weight[N_ROWS], state[2 * N_PARAMETERS] = {0};
    const size_t size = (size_t)dtype;
    uint64_t random = 3;
    begin_small(&s, dtype);
    thin_out(&s, &entries);
    for (size_t r = 0; r < N_ROWS; r++) sample_weight[r] = next_real(&random) + 1;

    sigmax_data data = with_targets ? targeted(&s) : labelled(&s);
    data.sample_weight = sample_weight;
    const struct arena arena = new_arena(3 * N_PARAMETERS * size + size);
    unsigned char *const parameters = place(arena, 3 * N_PARAMETERS * size, size, placement);
    poison(arena, parameters, 3 * N_PARAMETERS * size);
    memcpy(parameters, s.parameters, N_PARAMETERS * size);
    memset(parameters + N_PARAMETERS * size, 0, 2 * N_PARAMETERS * size);
    const sigmax_training training = numbers(shuffled ? s.order : NULL, state);
    sigmax_progress expected = {0}, progress = {0};
    int status = sigmax_train(s.network, s.parameters, &data, &training, &expected, SIZE_MAX);
    CHECK(status == SIGMAX_OK, "%s", sigmax_status_text(status));

    const sigmax_sparse rows = {
        guarded(entries.row_start, sizeof entries.row_start, sizeof(int64_t), placement),
        guarded(entries.columns, entries.n * sizeof(int32_t), sizeof(int32_t), placement),
        guarded(entries.values, entries.n * size, size, placement),
    };
    sigmax_data beside = {.rows = N_ROWS};
    if (sparse) {
        beside.sparse = &rows;
    } else {
        beside.X = guarded(s.X, N_ROWS * N_IN * size, size, placement);
    }
    if (with_targets) {
        beside.targets = guarded(s.targets, N_ROWS * N_CLASSES * size, size, placement);
    } else {
        beside.labels = guarded(s.labels, sizeof s.labels, sizeof(int64_t), placement);
    }
    beside.sample_weight = guarded(sample_weight, sizeof sample_weight, sizeof(double), placement);
    const size_t *const order = shuffled ? guarded(s.order, sizeof s.order, sizeof(size_t), placement) : NULL;
    const sigmax_training again = numbers(order, parameters + N_PARAMETERS * size);
    status = sigmax_train(s.network, parameters, &beside, &again, &progress, SIZE_MAX);
    CHECK(status == SIGMAX_OK, "%s", sigmax_status_text(status));
    CHECK(memcmp(parameters, s.parameters, N_PARAMETERS * size) == 0, "other parameters");
    CHECK(memcmp(parameters + N_PARAMETERS * size, state, 2 * N_PARAMETERS * size) == 0, "another state");
    CHECK(memcmp(&progress.cost, &expected.cost, sizeof(double)) == 0, "%.17g, expected %.17g", progress.cost,
          expected.cost);
    CHECK(neighbourhood_is_untouched(arena, parameters, 3 * N_PARAMETERS * size), "written beside the arrays");
    end_small(&s);
}

/* ---- weights of rows ------------------------------------------------------------------------------------------- */

/* In full batch, a weight of 2 is the row twice and a weight of 0 the row left out, but for their mean. */
static void test_weights(int dtype)
{
    static double activations[N_ROWS * N_NEURONS], deltas[N_ROWS * N_NEURONS], X[N_ROWS * N_IN];
    double weighted[N_PARAMETERS], repeated[N_PARAMETERS], sample_weight[N_ROWS], cost, cost_of_rows, n, n_of_rows;
    int64_t labels[N_ROWS];
    struct small s;
    size_t rows = 0;
    begin_small(&s, dtype);
    for (size_t r = 0; r < N_ROWS; r++) {
        sample_weight[r] = r % 3 == 0 ? 2 : r % 3 == 1 ? 0 : 1;
        for (int i = 0; i < (int)sample_weight[r]; i++, rows++) {
            for (size_t k = 0; k < N_IN; k++) put(dtype, X, rows * N_IN + k, get(dtype, s.X, r * N_IN + k));
            labels[rows] = s.labels[r];
        }
    }
    sigmax_data data = labelled(&s);
    data.sample_weight = sample_weight;
    const sigmax_data copies = {.X = X, .labels = labels, .rows = rows};
    CHECK(rows == N_ROWS, "%zu rows: the means would be over different numbers", rows);
    CHECK(sigmax_cost(s.network, s.parameters, 1.0, &data, &cost, &n) == SIGMAX_OK, "cost");
    CHECK(sigmax_cost(s.network, s.parameters, 1.0, &copies, &cost_of_rows, &n_of_rows) == SIGMAX_OK, "cost");
    CHECK(fabs(cost - cost_of_rows) <= 20 * epsilon_of(dtype) * cost, "%.17g, expected %.17g", cost, cost_of_rows);
    CHECK(fabs(n - n_of_rows) < 1e-12, "%g correct, expected %g", n, n_of_rows);
    CHECK(sigmax_backprop(s.network, s.parameters, &data, &cost, activations, deltas, weighted) == SIGMAX_OK,
          "weights");
    CHECK(sigmax_backprop(s.network, s.parameters, &copies, &cost_of_rows, activations, deltas, repeated) == SIGMAX_OK,
          "copies");
    double worst = 0, largest = 0;
    for (size_t i = 0; i < N_PARAMETERS; i++) {
        largest = fmax(largest, fabs(get(dtype, repeated, i)));
        worst = fmax(worst, fabs(get(dtype, weighted, i) - get(dtype, repeated, i)));
    }
    CHECK(largest > 1e-3 && worst <= 20 * epsilon_of(dtype) * largest, "off by %g of %g", worst, largest);
    end_small(&s);
}

/* ---- refusals of sparse rows ----------------------------------------------------------------------------------- */

static void expect_bad_sparse(struct small *s, const sigmax_data *data, int expected, const char *what)
{
    const sigmax_training training = {.batch_size = 4, .learning_rate = 0.5};
    sigmax_progress progress = {0};
    double before[N_PARAMETERS];
    memcpy(before, s->parameters, sizeof before);
    const int status = sigmax_train(s->network, s->parameters, data, &training, &progress, SIZE_MAX);
    CHECK(status == expected, "%s: %s", what, sigmax_status_text(status));
    CHECK(memcmp(before, s->parameters, sizeof before) == 0 && progress.position == 0, "%s: something changed", what);
}

static void test_sparse_refusals(int dtype)
{
    struct small s;
    struct entries good, bad;
    begin_small(&s, dtype);
    thin_out(&s, &good);
    bad = good;
    const sigmax_sparse rows = {bad.row_start, bad.columns, bad.values};
    sigmax_data data = labelled(&s);
    data.X = NULL;
    data.sparse = &rows;

    static const int32_t bad_columns[] = {-1, N_IN, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < 4; i++) {
        bad.columns[good.n - 1] = bad_columns[i];
        expect_bad_sparse(&s, &data, SIGMAX_BAD_SPARSE, "column");
    }
    bad = good;
    static const int64_t bad_starts[] = {-1, INT64_MIN};
    for (size_t i = 0; i < 2; i++) {
        bad.row_start[0] = bad_starts[i];
        expect_bad_sparse(&s, &data, SIGMAX_BAD_SPARSE, "a start below 0");
    }
    bad = good;
    bad.row_start[5] = bad.row_start[4] - 1;
    expect_bad_sparse(&s, &data, SIGMAX_BAD_SPARSE, "descending starts");
    bad = good;

    sigmax_sparse incomplete = rows;
    data.sparse = &incomplete;
    incomplete.values = NULL;
    expect_bad_sparse(&s, &data, SIGMAX_BAD_ARGUMENT, "values NULL");
    incomplete = rows;
    incomplete.columns = NULL;
    expect_bad_sparse(&s, &data, SIGMAX_BAD_ARGUMENT, "columns NULL");
    incomplete = rows;
    incomplete.row_start = NULL;
    expect_bad_sparse(&s, &data, SIGMAX_BAD_ARGUMENT, "row_start NULL");
    data.sparse = &rows;
    data.X = s.X;
    expect_bad_sparse(&s, &data, SIGMAX_BAD_ARGUMENT, "X and sparse rows");
    end_small(&s);
}

/* ---- masks ----------------------------------------------------------------------------------------------------- */

static void test_masks_beside_guard_pages(void)
{
    enum { LONGEST = 300 };
    static uint8_t whole[LONGEST];
    const struct arena arena = new_arena(LONGEST);
    sigmax_dropout_mask(5, 1, 2, 3, 0.5, whole, LONGEST);
    for (size_t n = 0; n <= LONGEST; n++) {
        for (int placement = AT_END; placement <= AT_START; placement++) {
            unsigned char *const keep = place(arena, n, 1, (enum placement)placement);
            poison(arena, keep, n);
            sigmax_dropout_mask(5, 1, 2, 3, 0.5, keep, n);
            CHECK(memcmp(keep, whole, n) == 0, "%zu neurons: another mask", n);
            CHECK(neighbourhood_is_untouched(arena, keep, n), "%zu neurons: written beside the mask", n);
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < LONGEST; i++) kept += whole[i];
    CHECK(kept > LONGEST / 3 && kept < 2 * LONGEST / 3, "%zu of %d kept", kept, (int)LONGEST);
}

int main(void)
{
    for (size_t d = 0; d < 2; d++) {
        for (int way = 0; way < 8; way++) {
            for (int placement = 0; placement < N_PLACEMENTS; placement++)
                test_guarded(dtypes[d], way & 1, way >> 1 & 1, way >> 2, (enum placement)placement);
        }
        test_weights(dtypes[d]);
        test_sparse_refusals(dtypes[d]);
    }
    test_masks_beside_guard_pages();
    return CHECK_DONE();
}
