/* sigmax_train against sigmax_backprop and an update by hand, in any chunks and on any threads; divergence; refusals
   that change nothing; zero rows. */
#include <math.h>

#include "check.h"
#include "small_network.h"

static const int dtypes[] = {SIGMAX_FLOAT32, SIGMAX_FLOAT64};

static int same(double x, double y)
{
    return memcmp(&x, &y, sizeof x) == 0;
}

/* ---- an epoch, as the equations say ---------------------------------------------------------------------------- */

/* Copies the rows that `order` (or file order, where NULL) has at positions first ... first + rows - 1. */
static void gather(const struct small *s, const size_t *order, size_t first, size_t rows, struct small *batch)
{
    const size_t size = (size_t)s->dtype;
    for (size_t r = 0; r < rows; r++) {
        const size_t row = order != NULL ? order[first + r] : first + r;
        memcpy((char *)batch->X + r * N_IN * size, (const char *)s->X + row * N_IN * size, N_IN * size);
        memcpy((char *)batch->targets + r * N_CLASSES * size, (const char *)s->targets + row * N_CLASSES * size,
               N_CLASSES * size);
        batch->labels[r] = s->labels[row];
    }
}

/* One epoch of w -= rate (nabla + l2 w), with nabla from sigmax_backprop and n_correct from sigmax_cost. */
static void train_by_hand(struct small *s, const sigmax_training *training, int with_targets, sigmax_progress *progress)
{
    static struct small batch;
    static double activations[N_ROWS * N_NEURONS], deltas[N_ROWS * N_NEURONS], gradient[N_PARAMETERS];
    for (size_t first = 0; first < N_ROWS; first += training->batch_size) {
        const size_t rows = N_ROWS - first < training->batch_size ? N_ROWS - first : training->batch_size;
        gather(s, training->order, first, rows, &batch);
        const sigmax_data data = {.X = batch.X,
                                  .labels = with_targets ? NULL : batch.labels,
                                  .targets = with_targets ? batch.targets : NULL,
                                  .rows = rows};
        double cost, other_cost, n_correct;
        int status = sigmax_backprop(s->network, s->parameters, &data, &cost, activations, deltas, gradient);
        CHECK(status == SIGMAX_OK, "%s", sigmax_status_text(status));
        status = sigmax_cost(s->network, s->parameters, 1.0, &data, &other_cost, &n_correct);
        CHECK(status == SIGMAX_OK, "%s", sigmax_status_text(status));
        CHECK(fabs(cost - other_cost) <= 4 * epsilon_of(s->dtype) * cost, "%.17g by backprop, %.17g by cost", cost,
              other_cost);
        for (size_t i = 0; i < N_PARAMETERS; i++) {
            const double w = get(s->dtype, s->parameters, i), l2 = i < N_WEIGHTS ? training->l2 : 0.0;
            put(s->dtype, s->parameters, i, w - training->learning_rate * (get(s->dtype, gradient, i) + l2 * w));
        }
        progress->position += rows;
        progress->cost += cost * (double)rows;
        progress->n_correct += n_correct;
        progress->batch++;
        progress->step++;
    }
}

static void test_train_is_backprop_and_update(int dtype, size_t batch_size, int shuffled, int with_targets)
{
    struct small s, by_hand;
    begin_small(&s, dtype);
    begin_small(&by_hand, dtype);
    const sigmax_training training
        = {.order = shuffled ? s.order : NULL, .batch_size = batch_size, .learning_rate = 0.7, .l2 = 0.01};
    sigmax_progress progress = {0}, expected = {0};
    double largest = 0, furthest = 0, worst = 0;
    const sigmax_data data = with_targets ? targeted(&s) : labelled(&s);
    static struct small before;
    before = s;
    const int status = sigmax_train(s.network, s.parameters, &data, &training, &progress, SIZE_MAX);
    train_by_hand(&by_hand, &training, with_targets, &expected);
    CHECK(status == SIGMAX_OK, "%s", sigmax_status_text(status));
    CHECK(progress.position == N_ROWS && progress.batch == expected.batch && progress.n_correct == expected.n_correct,
          "position %zu, batch %zu, correct %g, expected %g", progress.position, progress.batch, progress.n_correct,
          expected.n_correct);
    CHECK(progress.step == expected.step, "step %d, expected %d", (int)progress.step, (int)expected.step);
    CHECK(fabs(progress.cost - expected.cost) <= 100 * epsilon_of(dtype) * expected.cost, "%.17g, expected %.17g",
          progress.cost, expected.cost);
    for (size_t i = 0; i < N_PARAMETERS; i++) {
        const double value = get(dtype, s.parameters, i);
        largest = fmax(largest, fabs(value));
        furthest = fmax(furthest, fabs(value - get(dtype, before.parameters, i)));
        worst = fmax(worst, fabs(value - get(dtype, by_hand.parameters, i)));
    }
    CHECK(furthest > 0.01, "hardly moved: %g", furthest);
    CHECK(worst <= 50 * epsilon_of(dtype) * largest, "off by %g eps of the largest",
          worst / epsilon_of(dtype) / largest);
    end_small(&s);
    end_small(&by_hand);
}

/* ---- chunks and threads ---------------------------------------------------------------------------------------- */

static void test_chunks(int dtype, size_t chunk, int n_threads)
{
    struct small whole, chunked;
    begin_small(&whole, dtype);
    begin_small(&chunked, dtype);
    const sigmax_training training = {.order = whole.order, .batch_size = 4, .learning_rate = 0.5, .l2 = 0.001};
    sigmax_progress expected = {0}, progress = {0};
    const sigmax_data data = labelled(&whole);
    sigmax_set_num_threads(1);
    sigmax_train(whole.network, whole.parameters, &data, &training, &expected, 100);
    sigmax_set_num_threads(n_threads);
    for (size_t calls = 0; progress.position < N_ROWS && calls < 100; calls++) {
        const int status = sigmax_train(chunked.network, chunked.parameters, &data, &training, &progress, chunk);
        CHECK(status == SIGMAX_OK, "%s", sigmax_status_text(status));
    }
    sigmax_set_num_threads(0);
    CHECK(expected.batch == 6 && progress.batch == 6, "%zu and %zu batches", expected.batch, progress.batch);
    CHECK(same(progress.cost, expected.cost) && progress.n_correct == expected.n_correct, "%.17g, expected %.17g",
          progress.cost, expected.cost);
    CHECK(memcmp(whole.parameters, chunked.parameters, sizeof whole.parameters) == 0,
          "chunks of %zu, %d threads: other bits", chunk, n_threads);
    end_small(&whole);
    end_small(&chunked);
}

/* A workspace lent to it changes nothing but where the work is done; one too small, or made for fewer threads, is left
   alone. */
static void test_lent_workspace(int dtype, int n_threads)
{
    struct small own, lent;
    begin_small(&own, dtype);
    begin_small(&lent, dtype);
    const sigmax_data data = labelled(&own);
    static double state[2][2 * N_PARAMETERS];
    memset(state, 0, sizeof state);
    sigmax_training training = {
        .batch_size = 5, .learning_rate = 0.1, .optimizer = SIGMAX_ADAM, .beta1 = 0.5, .beta2 = 0.5, .epsilon = 1e-3};
    CHECK(sigmax_train_workspace(NULL, &training, N_ROWS) == SIZE_MAX, "network NULL");
    CHECK(sigmax_train_workspace(own.network, NULL, N_ROWS) == SIZE_MAX, "training NULL");
    sigmax_set_num_threads(n_threads);
    const size_t bytes = sigmax_train_workspace(own.network, &training, N_ROWS);
    CHECK(bytes > 3 * N_PARAMETERS * (size_t)dtype && bytes < 1 << 20, "%zu bytes", bytes);
    unsigned char *const block = malloc(bytes);
    for (size_t missing = 0; missing <= 1; missing++) {
        sigmax_progress expected = {0}, progress = {0};
        memset(block, 0xaa, bytes);
        training.state = state[0];
        training.workspace = NULL;
        CHECK(sigmax_train(own.network, own.parameters, &data, &training, &expected, 100) == SIGMAX_OK, "own");
        training.state = state[1];
        training.workspace = block;
        training.workspace_bytes = bytes - missing;
        CHECK(sigmax_train(lent.network, lent.parameters, &data, &training, &progress, 100) == SIGMAX_OK, "lent");
        CHECK(same(progress.cost, expected.cost), "%.17g, expected %.17g", progress.cost, expected.cost);
        CHECK(memcmp(own.parameters, lent.parameters, sizeof own.parameters) == 0, "other bits");
        size_t written = 0;
        for (size_t i = 0; i < bytes; i++) written += block[i] != 0xaa;
        CHECK((written > 0) == (missing == 0), "%zu bytes of %zu were written, %zu missing", written, bytes, missing);
    }
    CHECK(sigmax_train_workspace(own.network, &training, 0) == SIZE_MAX, "no rows");
    CHECK(sigmax_train_workspace(own.network, &training, SIZE_MAX / 4) == SIZE_MAX, "too many rows");
    training.batch_size = 0;
    CHECK(sigmax_train_workspace(own.network, &training, N_ROWS) == SIZE_MAX, "batch of 0");
    training.batch_size = 5;
    training.optimizer = 99;
    CHECK(sigmax_train_workspace(own.network, &training, N_ROWS) == SIZE_MAX, "unknown optimiser");
    sigmax_set_num_threads(0);
    free(block);
    end_small(&own);
    end_small(&lent);
}

/* Layers wide enough for the pool, so that workers take part. */
static void test_threads_on_wide_layers(int dtype)
{
    enum { WIDE = 160, ROWS = 96, COUNT = 2 * WIDE * WIDE + 10 * WIDE + 2 * WIDE + 10 };
    const size_t sizes[] = {WIDE, WIDE, WIDE, 10};
    static double first[COUNT], parameters[COUNT], X[ROWS * WIDE];
    static int64_t labels[ROWS];
    uint64_t state = 9;
    sigmax_network *network = NULL;
    CHECK(sigmax_network_create(&network, dtype, sizes, 4) == SIGMAX_OK, "create");
    CHECK(sigmax_parameter_count(network) == COUNT, "%zu", sigmax_parameter_count(network));
    for (size_t i = 0; i < ROWS * WIDE; i++) put(dtype, X, i, next_real(&state));
    for (size_t r = 0; r < ROWS; r++) labels[r] = (int64_t)next_below(&state, 10);
    const sigmax_data data = {.X = X, .labels = labels, .rows = ROWS};
    const sigmax_training training = {.batch_size = 48, .learning_rate = 0.5};
    for (int n_threads = 1; n_threads <= 4; n_threads++) {
        sigmax_progress progress = {0};
        sigmax_set_num_threads(n_threads);
        sigmax_initialize(network, parameters, SIGMAX_GLOROT, 4);
        const int status = sigmax_train(network, parameters, &data, &training, &progress, 2);
        CHECK(status == SIGMAX_OK && progress.position == ROWS, "%s", sigmax_status_text(status));
        if (n_threads == 1) memcpy(first, parameters, sizeof first);
        CHECK(memcmp(first, parameters, sizeof first) == 0, "%d threads: other bits", n_threads);
    }
    sigmax_set_num_threads(0);
    sigmax_network_free(network);
}

/* ---- divergence ------------------------------------------------------------------------------------------------ */

static void test_divergence(int dtype, size_t offending, size_t chunk)
{
    struct small s, before;
    begin_small(&s, dtype);
    begin_small(&before, dtype);
    const sigmax_training training = {.batch_size = 4, .learning_rate = 0.5};
    sigmax_progress progress = {0}, expected = {0};
    const sigmax_data data = labelled(&s), healthy = labelled(&before);
    put(dtype, s.X, (offending * 4 + 1) * N_IN, (double)INFINITY);
    int status = SIGMAX_OK;
    if (offending > 0) {
        status = sigmax_train(before.network, before.parameters, &healthy, &training, &expected, offending);
    }
    CHECK(status == SIGMAX_OK && expected.batch == offending, "%s", sigmax_status_text(status));
    for (size_t calls = 0; status == SIGMAX_OK && calls < 100; calls++) {
        status = sigmax_train(s.network, s.parameters, &data, &training, &progress, chunk);
    }
    CHECK(status == SIGMAX_DIVERGED, "%s", sigmax_status_text(status));
    CHECK(progress.batch == offending && progress.position == 4 * offending,
          "batch %zu, position %zu, expected batch %zu", progress.batch, progress.position, offending);
    CHECK(same(progress.cost, expected.cost) && progress.n_correct == expected.n_correct, "cost %.17g, expected %.17g",
          progress.cost, expected.cost);
    CHECK(memcmp(s.parameters, before.parameters, sizeof s.parameters) == 0,
          "batch %zu, chunks of %zu: not the parameters from before the batch", offending, chunk);
    end_small(&s);
    end_small(&before);
}

/* ---- refusals, which change nothing ---------------------------------------------------------------------------- */

static void expect_refusal(struct small *s, int expected, const char *what, const sigmax_data *data,
                           const sigmax_training *training, size_t position)
{
    static struct small before;
    sigmax_progress progress = {.position = position, .cost = 1.25, .n_correct = 3, .batch = 2, .step = 9};
    const sigmax_progress kept = progress;
    before = *s;
    const int status = sigmax_train(s->network, s->parameters, data, training, &progress, SIZE_MAX);
    CHECK(status == expected, "%s: %s", what, sigmax_status_text(status));
    CHECK(memcmp(before.parameters, s->parameters, sizeof before.parameters) == 0, "%s: parameters changed", what);
    CHECK(progress.position == kept.position && same(progress.cost, kept.cost) && progress.batch == kept.batch
              && same(progress.n_correct, kept.n_correct) && progress.step == kept.step,
          "%s: progress changed", what);
}

static void test_train_refuses(int dtype)
{
    struct small s;
    begin_small(&s, dtype);
    const sigmax_data data = labelled(&s);
    const sigmax_training good = {.order = s.order, .batch_size = 4, .learning_rate = 0.5};
    static const double bad_rates[] = {0.0, -1.0, (double)INFINITY, (double)NAN};
    static const double bad_l2[] = {-1e-9, (double)INFINITY, (double)NAN};
    sigmax_training bad = good;
    bad.batch_size = 0;
    expect_refusal(&s, SIGMAX_BAD_ARGUMENT, "batch_size 0", &data, &bad, 0);
    for (size_t i = 0; i < sizeof bad_rates / sizeof bad_rates[0]; i++) {
        bad = good;
        bad.learning_rate = bad_rates[i];
        expect_refusal(&s, SIGMAX_BAD_ARGUMENT, "learning_rate", &data, &bad, 0);
    }
    for (size_t i = 0; i < sizeof bad_l2 / sizeof bad_l2[0]; i++) {
        bad = good;
        bad.l2 = bad_l2[i];
        expect_refusal(&s, SIGMAX_BAD_ARGUMENT, "l2", &data, &bad, 0);
    }
    expect_refusal(&s, SIGMAX_BAD_ARGUMENT, "position past the end", &data, &good, N_ROWS + 1);
    expect_refusal(&s, SIGMAX_OK, "nothing left of the epoch", &data, &good, N_ROWS);
    expect_refusal(&s, SIGMAX_BAD_ARGUMENT, "training NULL", &data, NULL, 0);
    CHECK(sigmax_train(s.network, s.parameters, &data, &good, NULL, 1) == SIGMAX_BAD_ARGUMENT, "progress NULL");

    static const int64_t bad_labels[] = {-1, N_CLASSES, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < 4; i++) {
        const int64_t kept = s.labels[N_ROWS - 1];
        s.labels[N_ROWS - 1] = bad_labels[i];
        expect_refusal(&s, SIGMAX_BAD_LABEL, "label", &data, &good, 0);
        s.labels[N_ROWS - 1] = kept;
    }
    static const size_t bad_rows[] = {N_ROWS, SIZE_MAX};
    for (size_t i = 0; i < 2; i++) {
        const size_t kept = s.order[N_ROWS - 1];
        s.order[N_ROWS - 1] = bad_rows[i];
        expect_refusal(&s, SIGMAX_BAD_ORDER, "order", &data, &good, 0);
        s.order[N_ROWS - 1] = kept;
    }
    end_small(&s);
}

/* Every function that takes data refuses the same data. */
static void expect_bad_data(struct small *s, int expected, const char *what, const sigmax_network *network,
                            void *parameters, const sigmax_data *data)
{
    static double activations[N_ROWS * N_NEURONS], deltas[N_ROWS * N_NEURONS], gradient[N_PARAMETERS];
    const sigmax_training training = {.batch_size = 4, .learning_rate = 0.5};
    double cost = -1, n_correct = 99;
    sigmax_progress progress = {0};
    int status = sigmax_cost(network, parameters, 1.0, data, &cost, &n_correct);
    CHECK(status == expected && cost < 0 && n_correct > 98, "cost, %s: %s", what, sigmax_status_text(status));
    put(s->dtype, gradient, 0, 7);
    status = sigmax_backprop(network, parameters, data, &cost, activations, deltas, gradient);
    CHECK(status == expected && cost < 0 && get(s->dtype, gradient, 0) > 6, "backprop, %s: %s", what,
          sigmax_status_text(status));
    status = sigmax_train(network, parameters, data, &training, &progress, 1);
    CHECK(status == expected && progress.position == 0, "train, %s: %s", what, sigmax_status_text(status));
}

static void test_bad_data(int dtype)
{
    struct small s;
    begin_small(&s, dtype);
    const sigmax_data good = labelled(&s);
    sigmax_data bad = good;
    bad.X = NULL;
    expect_bad_data(&s, SIGMAX_BAD_ARGUMENT, "X NULL", s.network, s.parameters, &bad);
    bad = good;
    bad.rows = 0;
    expect_bad_data(&s, SIGMAX_BAD_ARGUMENT, "zero rows", s.network, s.parameters, &bad);
    bad = good;
    bad.targets = s.targets;
    expect_bad_data(&s, SIGMAX_BAD_ARGUMENT, "labels and targets", s.network, s.parameters, &bad);
    bad = good;
    bad.labels = NULL;
    expect_bad_data(&s, SIGMAX_BAD_ARGUMENT, "neither labels nor targets", s.network, s.parameters, &bad);
    bad = good;
    bad.rows = SIZE_MAX / 8;
    expect_bad_data(&s, SIGMAX_TOO_LARGE, "rows whose bytes cannot be counted", s.network, s.parameters, &bad);
    expect_bad_data(&s, SIGMAX_BAD_ARGUMENT, "data NULL", s.network, s.parameters, NULL);
    expect_bad_data(&s, SIGMAX_BAD_ARGUMENT, "network NULL", NULL, s.parameters, &good);
    expect_bad_data(&s, SIGMAX_BAD_ARGUMENT, "parameters NULL", s.network, NULL, &good);
    s.labels[2] = N_CLASSES;
    expect_bad_data(&s, SIGMAX_BAD_LABEL, "label", s.network, s.parameters, &good);
    s.labels[2] = 0;

    double cost, out[N_ROWS * N_NEURONS];
    CHECK(sigmax_cost(s.network, s.parameters, 1.0, &good, NULL, NULL) == SIGMAX_OK, "both results NULL");
    CHECK(sigmax_backprop(s.network, s.parameters, &good, NULL, out, out, out) == SIGMAX_BAD_ARGUMENT, "cost");
    CHECK(sigmax_backprop(s.network, s.parameters, &good, &cost, NULL, out, out) == SIGMAX_BAD_ARGUMENT, "activations");
    CHECK(sigmax_backprop(s.network, s.parameters, &good, &cost, out, NULL, out) == SIGMAX_BAD_ARGUMENT, "deltas");
    CHECK(sigmax_backprop(s.network, s.parameters, &good, &cost, out, out, NULL) == SIGMAX_BAD_ARGUMENT, "gradient");
    end_small(&s);
}

int main(void)
{
    for (size_t d = 0; d < 2; d++) {
        for (size_t batch_size = 1; batch_size <= N_ROWS + 2; batch_size += 3) {
            for (int way = 0; way < 4; way++)
                test_train_is_backprop_and_update(dtypes[d], batch_size, way & 1, way >> 1);
        }
        for (size_t chunk = 1; chunk <= 7; chunk++) {
            for (int n_threads = 1; n_threads <= 3; n_threads++) test_chunks(dtypes[d], chunk, n_threads);
        }
        for (int n_threads = 1; n_threads <= 2; n_threads++) test_lent_workspace(dtypes[d], n_threads);
        test_threads_on_wide_layers(dtypes[d]);
        for (size_t offending = 0; offending < 6; offending++) {
            for (size_t chunk = 1; chunk <= 7; chunk += 2) test_divergence(dtypes[d], offending, chunk);
        }
        test_train_refuses(dtypes[d]);
        test_bad_data(dtypes[d]);
    }
    return CHECK_DONE();
}
