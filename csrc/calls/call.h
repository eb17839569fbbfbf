/* What every call on a network needs first: memory, threads, and arguments that can be trusted. */
#ifndef SIGMAX_CALL_H
#define SIGMAX_CALL_H

#include "network.h"

/* *sum += a * b; returns 0, with *sum as it was, when that does not fit size_t. */
int sigmax_add_product(size_t *sum, size_t a, size_t b);

/* The memory of one call: start is aligned to a cache line within block, which free() takes back. */
struct sigmax_workspace {
    void *block, *start;
};

/* What a workspace takes beyond its bytes, so that it can be aligned. */
enum { SIGMAX_ALIGNMENT = 64 };

/* SIGMAX_OUT_OF_MEMORY when there is not so much, SIGMAX_TOO_LARGE when bytes is SIZE_MAX: too many to count. */
int sigmax_workspace_allocate(struct sigmax_workspace *workspace, size_t bytes);

/* The same within the given_bytes bytes at `given`, with nothing to free, where they are enough. */
int sigmax_workspace_within(struct sigmax_workspace *workspace, void *given, size_t given_bytes, size_t bytes);

/* The pool as a call beginning now may use it. */
struct sigmax_pool sigmax_pool_of_this_call(void);

/* SIGMAX_OK when nothing is NULL that must not be, exactly one of X and sparse, and of labels and targets, is given,
   and the bytes of rows of input and of every activation can be counted. Labels are not looked at. */
int sigmax_check_data(const struct sigmax_network *network, const void *parameters, const struct sigmax_data *data);
int sigmax_check_rows(const struct sigmax_network *network, size_t rows);

/* Whether the labels of positions begin ... end - 1 are classes. A position names row order[i], or row i where order
   is NULL. */
int sigmax_labels_in_range(const int64_t *labels, const size_t *order, size_t begin, size_t end, size_t n_classes);

#endif
