/* A network 6-9-5-4 with random parameters, and 23 rows of data for it: enough for full and short batches; numbers to
   train it with. */
#ifndef SIGMAX_SMALL_NETWORK_H
#define SIGMAX_SMALL_NETWORK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reals.h"

enum {
    N_IN = 6,
    N_CLASSES = 4,
    N_WEIGHTS = 6 * 9 + 9 * 5 + 5 * 4,
    N_PARAMETERS = N_WEIGHTS + 9 + 5 + 4,
    N_NEURONS = 9 + 5 + 4,
    N_ROWS = 23
};

/* Room for reals of either precision is counted in doubles. */
struct small {
    int dtype;
    sigmax_network *network;
    double parameters[N_PARAMETERS], X[N_ROWS * N_IN], targets[N_ROWS * N_CLASSES];
    int64_t labels[N_ROWS];
    size_t order[N_ROWS];
};

static void begin_small(struct small *s, int dtype)
{
    static const size_t sizes[] = {N_IN, 9, 5, N_CLASSES};
    uint64_t state = 5;
    memset(s, 0, sizeof *s);
    s->dtype = dtype;
    if (sigmax_network_create(&s->network, dtype, sizes, 4) != SIGMAX_OK
        || sigmax_initialize(s->network, s->parameters, SIGMAX_LARGE, 11) != SIGMAX_OK) {
        printf("no network to test with\n");
        exit(1);
    }
    for (size_t i = 0; i < N_ROWS * N_IN; i++) put(dtype, s->X, i, next_real(&state));
    for (size_t r = 0; r < N_ROWS; r++) {
        double row[N_CLASSES], sum = 0;
        for (size_t j = 0; j < N_CLASSES; j++) sum += row[j] = next_real(&state) + 1.0;
        for (size_t j = 0; j < N_CLASSES; j++) put(dtype, s->targets, r * N_CLASSES + j, row[j] / sum);
        s->labels[r] = (int64_t)next_below(&state, N_CLASSES);
    }
    sigmax_permutation(3, 0, s->order, N_ROWS);
}

static void end_small(struct small *s)
{
    sigmax_network_free(s->network);
}

static sigmax_data labelled(const struct small *s)
{
    const sigmax_data data = {.X = s->X, .labels = s->labels, .rows = N_ROWS};
    return data;
}

static sigmax_data targeted(const struct small *s)
{
    const sigmax_data data = {.X = s->X, .targets = s->targets, .rows = N_ROWS};
    return data;
}

/* Every number that any optimiser looks at, clipping and penalties. epsilon is above the rounding errors of a float's
   gradient. */
static inline sigmax_training every_number(int optimizer)
{
    const sigmax_training training = {
        .batch_size = 8,
        .learning_rate = optimizer < SIGMAX_RMSPROP ? 0.25 : 0.015625,
        .l2 = 0.03125,
        .l1 = 0.0078125,
        .clip_norm = 0.125,
        .optimizer = optimizer,
        .momentum = 0.75,
        .beta1 = 0.875,
        .beta2 = 0.96875,
        .rho = 0.9375,
        .epsilon = 1e-3,
        .weight_decay = 0.25,
    };
    return training;
}

#endif
