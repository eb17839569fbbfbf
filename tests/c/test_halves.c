/* The two halves of an update by themselves, on every instruction set: gradient_sums beside single rows and beside
   training, update beside training. */
#define _GNU_SOURCE /* setenv, MAP_ANONYMOUS */

#include <math.h>
#include <string.h>

#include "calls/network.h"
#include "engines.h"
#include "guarded.h"
#include "machine/pool.h"
#include "small_network.h"

/* The engine's rows per pass. */
enum { PASS = 512, POSITION = 3, ROWS = 17, BATCH = 16 };

struct arrays {
    double gradient[N_PARAMETERS];
    struct sigmax_sums sums;
};

static void begin_sums(struct arrays *a)
{
    memset(a, 0, sizeof *a);
    a->sums.gradient = a->gradient;
}

/* gradient_sums in a workspace between guard pages, on n_threads threads. */
static void add_sums(const sigmax_network *network, const void *parameters, const sigmax_data *data,
                     const sigmax_training *training, struct sigmax_block block, struct sigmax_sums *sums,
                     size_t n_threads)
{
    const struct sigmax_pool pool = {n_threads, sigmax_pool_run};
    const size_t bytes = network->engine->gradient_workspace(&network->shape, block.rows, n_threads);
    static struct arena arena;
    if (arena.begin == NULL) arena = new_arena(1 << 22);
    unsigned char *const workspace = place(arena, bytes, 1, AT_END);
    poison(arena, workspace, bytes);
    network->engine->gradient_sums(&network->shape, parameters, data, training, block, sums, workspace, &pool);
    CHECK(neighbourhood_is_untouched(arena, workspace, bytes), "%zu bytes of workspace are not enough", bytes);
}

static void fill_weights(double *weights)
{
    uint64_t state = 8;
    for (size_t r = 0; r < N_ROWS; r++) weights[r] = r % 5 == 2 ? 0 : next_real(&state) + 1.5;
}

/* ---- beside single rows ---------------------------------------------------------------------------------------- */

/* y of a row (N_CLASSES), smoothed by e. */
static void smoothed(const struct small *s, int by_label, size_t row, double e, double *y)
{
    double sum = 0;
    for (size_t j = 0; j < N_CLASSES; j++) {
        y[j] = by_label ? (size_t)s->labels[row] == j : get(s->dtype, s->targets, row * N_CLASSES + j);
        sum += y[j];
    }
    for (size_t j = 0; j < N_CLASSES; j++) y[j] = (1 - e) * y[j] + e / N_CLASSES * sum;
}

static void test_single_rows(int dtype, int by_label, double smoothing, int weighted)
{
    static double activations[N_NEURONS], deltas[N_NEURONS], gradient[N_PARAMETERS], expected[N_PARAMETERS];
    double weights[N_ROWS], cost = 0, weight = 0, n_correct = 0, most = 0, worst = 0;
    static struct arrays a;
    struct small s;
    begin_small(&s, dtype);
    fill_weights(weights);
    memset(expected, 0, sizeof expected);
    for (size_t i = POSITION; i < POSITION + ROWS; i++) {
        const size_t row = s.order[i];
        const double one = weighted ? weights[row] : 1;
        const char *const X = (const char *)s.X + row * N_IN * (size_t)dtype;
        const char *const targets = (const char *)s.targets + row * N_CLASSES * (size_t)dtype;
        double y[N_CLASSES], y_real[N_CLASSES], of_row, correct;
        smoothed(&s, by_label, row, smoothing, y);
        for (size_t j = 0; j < N_CLASSES; j++) put(dtype, y_real, j, y[j]);
        const sigmax_data alone = {.X = X, .targets = y_real, .rows = 1};
        CHECK(sigmax_backprop(s.network, s.parameters, &alone, &of_row, activations, deltas, gradient) == SIGMAX_OK,
              "backprop");
        const sigmax_data seen = by_label ? (sigmax_data){.X = X, .labels = s.labels + row, .rows = 1}
                                          : (sigmax_data){.X = X, .targets = targets, .rows = 1};
        CHECK(sigmax_cost(s.network, s.parameters, 1, &seen, NULL, &correct) == SIGMAX_OK, "cost");
        for (size_t p = 0; p < N_PARAMETERS; p++) expected[p] += one * get(dtype, gradient, p);
        cost += one * of_row;
        n_correct += one * correct;
        weight += one;
    }
    sigmax_data data = by_label ? labelled(&s) : targeted(&s);
    if (weighted) data.sample_weight = weights;
    const sigmax_training training = {.order = s.order, .label_smoothing = smoothing, .batch_size = 1};
    const struct sigmax_block block = {.position = POSITION, .rows = ROWS};
    begin_sums(&a);
    add_sums(s.network, s.parameters, &data, &training, block, &a.sums, 1);
    for (size_t p = 0; p < N_PARAMETERS; p++) {
        most = fmax(most, fabs(expected[p]));
        worst = fmax(worst, fabs(a.gradient[p] - expected[p]));
    }
    CHECK(most > 0.5, "a gradient of %g at most would test nothing", most);
    CHECK(worst <= 20 * epsilon_of(dtype) * most, "%s f%d, labels %d, smoothing %g, weights %d: off by %g of %g",
          s.network->engine->instruction_set, 8 * dtype, by_label, smoothing, weighted, worst, most);
    CHECK(fabs(a.sums.cost - cost) <= 20 * epsilon_of(dtype) * cost, "cost %.17g, expected %.17g", a.sums.cost, cost);
    CHECK(fabs(a.sums.weight - weight) <= 1e-14 * weight, "weight %.17g, expected %.17g", a.sums.weight, weight);
    CHECK(fabs(a.sums.n_correct - n_correct) <= 1e-14 * ROWS, "%g correct, expected %g", a.sums.n_correct, n_correct);

    add_sums(s.network, s.parameters, &data, &training, block, &a.sums, 1);
    CHECK(fabs(a.sums.weight - 2 * weight) <= 1e-13 * weight, "sums are added to: %.17g", a.sums.weight);
    end_small(&s);
}

/* ---- beside training ------------------------------------------------------------------------------------------- */

/* With momentum 0, v is the mean gradient of the batch; divided by a power of two nothing is rounded. */
static void test_training(int dtype, double dropout, int sparse)
{
    static double v[N_PARAMETERS], trained[N_PARAMETERS];
    static int64_t row_start[N_ROWS + 1];
    static int32_t columns[N_ROWS * N_IN];
    double weights[N_ROWS];
    static struct arrays a;
    struct small s;
    begin_small(&s, dtype);
    fill_weights(weights);
    memset(v, 0, sizeof v);
    memcpy(trained, s.parameters, sizeof trained);
    for (size_t r = 0; r <= N_ROWS; r++) row_start[r] = (int64_t)(r * N_IN);
    for (size_t i = 0; i < N_ROWS * N_IN; i++) columns[i] = (int32_t)(i % N_IN);
    const sigmax_sparse rows = {row_start, columns, s.X};
    sigmax_data data = labelled(&s);
    data.sample_weight = weights;
    if (sparse) {
        data.X = NULL;
        data.sparse = &rows;
    }
    const sigmax_training training = {
        .order = s.order,
        .batch_size = BATCH,
        .learning_rate = 0.5,
        .dropout = dropout,
        .label_smoothing = 0.125,
        .seed = 77,
        .optimizer = SIGMAX_MOMENTUM,
        .state = v,
    };
    sigmax_progress progress = {.step = 5};
    CHECK(sigmax_train(s.network, trained, &data, &training, &progress, 1) == SIGMAX_OK, "train");
    const struct sigmax_block block = {.rows = BATCH, .step = 5};
    begin_sums(&a);
    add_sums(s.network, s.parameters, &data, &training, block, &a.sums, 1);
    size_t others = 0;
    double most = 0;
    for (size_t p = 0; p < N_PARAMETERS; p++) {
        others += a.gradient[p] != BATCH * get(dtype, v, p);
        most = fmax(most, fabs(a.gradient[p]));
    }
    CHECK(most > 0.5, "a gradient of %g at most would test nothing", most);
    CHECK(others == 0, "%s f%d, dropout %g: %zu sums are not those of training", s.network->engine->instruction_set,
          8 * dtype, dropout, others);
    CHECK(a.sums.cost == progress.cost && a.sums.n_correct == progress.n_correct, "cost %.17g, expected %.17g",
          a.sums.cost, progress.cost);

    /* The batch in two blocks: the masks of the second begin at its own row. */
    static struct arrays parts, wrong;
    const size_t first = 7;
    const struct sigmax_block one = {.rows = first, .step = 5};
    const struct sigmax_block two = {.position = first, .rows = BATCH - first, .batch_row = first, .step = 5};
    const struct sigmax_block bad = {.position = first, .rows = BATCH - first, .batch_row = 0, .step = 5};
    begin_sums(&parts);
    begin_sums(&wrong);
    add_sums(s.network, s.parameters, &data, &training, one, &parts.sums, 1);
    memcpy(wrong.gradient, parts.gradient, sizeof wrong.gradient);
    add_sums(s.network, s.parameters, &data, &training, two, &parts.sums, 1);
    add_sums(s.network, s.parameters, &data, &training, bad, &wrong.sums, 1);
    double apart = 0, far = 0;
    for (size_t p = 0; p < N_PARAMETERS; p++) {
        apart = fmax(apart, fabs(parts.gradient[p] - a.gradient[p]));
        far = fmax(far, fabs(wrong.gradient[p] - a.gradient[p]));
    }
    CHECK(apart <= 20 * epsilon_of(dtype) * most, "dropout %g: two blocks are off by %g of %g", dropout, apart, most);
    CHECK((far > 1e-3 * most) == (dropout > 0), "dropout %g: other masks change %g of %g", dropout, far, most);
    end_small(&s);
}

/* ---- many rows ------------------------------------------------------------------------------------------------- */

/* More rows than a pass has, and layers wide enough for the pool: bounded memory, the same bits on any threads, and the
   sums of the passes. */
static void test_many_rows(int dtype)
{
    enum { N = 100, MANY = 2 * PASS + 77, COUNT = N * N + 10 * N + N + 10 };
    static double parameters[COUNT], X[MANY * N], sums[3][COUNT];
    static int64_t labels[MANY];
    const size_t sizes[] = {N, N, 10};
    uint64_t state = 4;
    sigmax_network *network;
    CHECK(sigmax_network_create(&network, dtype, sizes, 3) == SIGMAX_OK, "create");
    CHECK(sigmax_initialize(network, parameters, SIGMAX_LECUN, 3) == SIGMAX_OK, "initialize");
    for (size_t i = 0; i < MANY * N; i++) put(dtype, X, i, next_real(&state));
    for (size_t r = 0; r < MANY; r++) labels[r] = (int64_t)next_below(&state, 10);
    const sigmax_data data = {.X = X, .labels = labels, .rows = MANY};
    const sigmax_training training = {.batch_size = 1, .dropout = 0.25, .seed = 6};
    const struct sigmax_engine *const engine = network->engine;
    const size_t bytes = engine->gradient_workspace(&network->shape, MANY, 3);
    CHECK(bytes == engine->gradient_workspace(&network->shape, PASS, 3), "%zu bytes for many rows", bytes);
    CHECK(bytes > engine->gradient_workspace(&network->shape, PASS / 2, 3), "%zu bytes for few rows", bytes);
    CHECK(engine->gradient_workspace(&network->shape, SIZE_MAX, 3) == bytes, "rows without number");

    struct sigmax_sums whole[3] = {{.gradient = sums[0]}, {.gradient = sums[1]}, {.gradient = sums[2]}};
    memset(sums, 0, sizeof sums);
    const struct sigmax_block all = {.rows = MANY};
    add_sums(network, parameters, &data, &training, all, &whole[0], 1);
    add_sums(network, parameters, &data, &training, all, &whole[1], 3);
    for (size_t first = 0; first < MANY; first += PASS) {
        const size_t rows = MANY - first < PASS ? MANY - first : PASS;
        const struct sigmax_block pass = {.position = first, .rows = rows, .batch_row = first};
        add_sums(network, parameters, &data, &training, pass, &whole[2], 1);
    }
    for (size_t i = 1; i < 3; i++) {
        CHECK(memcmp(sums[0], sums[i], sizeof sums[0]) == 0, "f%d: other bits (%zu)", 8 * dtype, i);
        CHECK(whole[0].cost == whole[i].cost && whole[i].weight == MANY && whole[0].n_correct == whole[i].n_correct,
              "cost %.17g, expected %.17g, weight %g", whole[i].cost, whole[0].cost, whole[i].weight);
    }
    sigmax_network_free(network);
}

/* ---- the update ------------------------------------------------------------------------------------------------ */

/* sigmax_train, and by hand: sigmax_backprop, whose gradient is training's, and update. To the bit. */
static void test_update(int dtype, int optimizer)
{
    static double activations[N_ROWS * N_NEURONS], deltas[N_ROWS * N_NEURONS], gradient[N_PARAMETERS];
    double trained[N_PARAMETERS], states[2][2 * N_PARAMETERS] = {{0}}, workspace[64], cost;
    const struct sigmax_pool pool = {1, sigmax_pool_run};
    struct small s;
    begin_small(&s, dtype);
    const struct sigmax_engine *const engine = s.network->engine;
    const sigmax_data data = labelled(&s);
    sigmax_training training = every_number(optimizer);
    training.batch_size = N_ROWS;
    memcpy(trained, s.parameters, sizeof trained);
    CHECK(engine->update_workspace(&s.network->shape) <= sizeof workspace, "workspace");
    for (uint64_t step = 0; step < 3; step++) {
        sigmax_progress progress = {.step = step};
        training.state = states[0];
        CHECK(sigmax_train(s.network, trained, &data, &training, &progress, 1) == SIGMAX_OK, "train");
        const int status = sigmax_backprop(s.network, s.parameters, &data, &cost, activations, deltas, gradient);
        CHECK(status == SIGMAX_OK && cost == progress.cost / N_ROWS, "cost %.17g, expected %.17g", cost,
              progress.cost / N_ROWS);
        training.state = states[1];
        engine->update(&s.network->shape, &training, step + 1, gradient, s.parameters, workspace, &pool);
        CHECK(memcmp(trained, s.parameters, N_PARAMETERS * (size_t)dtype) == 0
                  && memcmp(states[0], states[1], sizeof states[0]) == 0,
              "%s f%d, optimiser %d, step %d: other bits than training", engine->instruction_set, 8 * dtype, optimizer,
              (int)step);
    }
    end_small(&s);
}

/* Plain gradient descent, which training does within BP3 and BP4: the same update but for rounding errors. */
static void test_plain_update(int dtype, double l2)
{
    static double activations[N_ROWS * N_NEURONS], deltas[N_ROWS * N_NEURONS], gradient[N_PARAMETERS];
    double trained[N_PARAMETERS], workspace[64], cost, largest = 0, moved = 0, worst = 0;
    const struct sigmax_pool pool = {1, sigmax_pool_run};
    const sigmax_training training = {.batch_size = N_ROWS, .learning_rate = 8, .l2 = l2, .optimizer = SIGMAX_SGD};
    sigmax_progress progress = {0};
    struct small s;
    begin_small(&s, dtype);
    const struct sigmax_engine *const engine = s.network->engine;
    const sigmax_data data = labelled(&s);
    memcpy(trained, s.parameters, sizeof trained);
    CHECK(sigmax_train(s.network, trained, &data, &training, &progress, 1) == SIGMAX_OK, "train");
    CHECK(sigmax_backprop(s.network, s.parameters, &data, &cost, activations, deltas, gradient) == SIGMAX_OK,
          "backprop");
    CHECK(engine->update_workspace(&s.network->shape) <= sizeof workspace, "workspace");
    for (size_t p = 0; p < N_PARAMETERS; p++) {
        const double w = get(dtype, s.parameters, p);
        largest = fmax(largest, fabs(w));
        moved = fmax(moved, fabs(get(dtype, trained, p) - w));
    }
    engine->update(&s.network->shape, &training, 1, gradient, s.parameters, workspace, &pool);
    for (size_t p = 0; p < N_PARAMETERS; p++) {
        worst = fmax(worst, fabs(get(dtype, trained, p) - get(dtype, s.parameters, p)));
    }
    CHECK(moved > 0.25 * largest, "a change of %g in parameters of %g at most would test little", moved, largest);
    CHECK(worst <= 4 * epsilon_of(dtype) * (largest + moved), "%s f%d, l2 %g: off by %g of a change of %g",
          engine->instruction_set, 8 * dtype, l2, worst, moved);
    end_small(&s);
}

int main(void)
{
    find_tables();
    for (size_t t = 0; t < n_tables; t++) {
        const int dtype = tables[t].dtype;
        setenv("SIGMAX_ISA", tables[t].engine->instruction_set, 1);
        for (int i = 0; i < 8; i++) test_single_rows(dtype, i & 1, i & 2 ? 0.125 : 0, i & 4);
        for (int i = 0; i < 4; i++) test_training(dtype, i & 1 ? 0.25 : 0, i & 2);
        test_many_rows(dtype);
        for (int optimizer = SIGMAX_SGD; optimizer <= SIGMAX_ADAMW; optimizer++) test_update(dtype, optimizer);
        test_plain_update(dtype, 0);
        test_plain_update(dtype, 0.03125);
    }
    return CHECK_DONE();
}
