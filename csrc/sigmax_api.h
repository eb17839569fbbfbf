/*
 * sigmax: a fully connected network with sigmoid hidden layers, a softmax output layer and the cross-entropy cost,
 * trained by the four equations of backpropagation.
 *
 * This file is the whole public contract. It holds no preprocessor directive, so that other languages can read it as
 * it stands; C and C++ programs include "sigmax.h", which adds the guards.
 *
 * A program that trains and predicts (tests/c builds and runs it as it stands here):
 *
 *     #include <stdio.h>
 *     #include <stdlib.h>
 *     #include "sigmax.h"
 *
 *     int main(void)
 *     {
 *         const size_t sizes[] = {2, 8, 2};                           // two inputs, eight sigmoids, two classes
 *         const float X[4][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};     // exclusive or
 *         const int64_t labels[4] = {0, 1, 1, 0};
 *         sigmax_network *network = NULL;
 *         int status = sigmax_network_create(&network, SIGMAX_FLOAT32, sizes, 3);
 *         if (status != SIGMAX_OK) {
 *             fprintf(stderr, "%s\n", sigmax_status_text(status));
 *             return 1;
 *         }
 *         float *parameters = malloc(sigmax_parameter_count(network) * sizeof *parameters);
 *         if (parameters == NULL) return 1;
 *         sigmax_data data = {.X = X, .labels = labels, .rows = 4};
 *         sigmax_training training = {.batch_size = 4, .learning_rate = 2.0}; // gradient descent, in this order
 *         status = sigmax_initialize(network, parameters, SIGMAX_LECUN, 1);
 *         for (int epoch = 0; status == SIGMAX_OK && epoch < 2000; epoch++) {
 *             sigmax_progress progress = {0, 0.0, 0.0, 0, 0};
 *             status = sigmax_train(network, parameters, &data, &training, &progress, 1);
 *         }
 *         int64_t predicted[4] = {0};
 *         if (status == SIGMAX_OK) status = sigmax_predict(network, parameters, X, 4, predicted);
 *         printf("%s: %d %d %d %d\n", sigmax_status_text(status), (int)predicted[0], (int)predicted[1],
 *                (int)predicted[2], (int)predicted[3]);               // 0 1 1 0
 *         free(parameters);
 *         sigmax_network_free(network);
 *         return status != SIGMAX_OK;
 *     }
 *
 * Words. Rows are examples. sizes = (n_0, ..., n_L); layer l = 1 ... L has weights W_l (n_l, n_{l-1}), where w_jk goes
 * from neuron k to neuron j, and biases b_l (n_l). Every matrix is dense, in C order. `real` stands for float or
 * double, as the network's dtype says; a `void *` that is documented as real must be aligned for it, no more.
 *
 * Status. A function that returns int returns a sigmax_status; on anything but SIGMAX_OK it has changed nothing, unless
 * its own comment says otherwise.
 *
 * Ownership. A network is a small immutable description. It owns no parameters: the caller does, and passes them to
 * each call. The library keeps no pointer after a call has returned.
 *
 * Threads. Every function may be called from any thread. Calls that share only read arguments may run at once.
 */

typedef enum sigmax_status {
    SIGMAX_OK = 0,
    SIGMAX_BAD_ARGUMENT = 1, /* an argument is NULL, outside its range, given twice, or no named constant */
    SIGMAX_BAD_SIZES = 2,    /* sizes: fewer than two, one of them 0, or the last below 2 */
    SIGMAX_TOO_LARGE = 3,    /* a byte count does not fit size_t */
    SIGMAX_OUT_OF_MEMORY = 4,
    SIGMAX_BAD_LABEL = 5,           /* a label outside 0 ... n_L - 1 */
    SIGMAX_BAD_ORDER = 6,           /* an entry of order that is no row */
    SIGMAX_BAD_INSTRUCTION_SET = 7, /* SIGMAX_ISA: unknown, not available or left out; SIGMAX_WITHOUT: the first */
    SIGMAX_DIVERGED = 8,            /* a batch made the cost or a parameter infinite or NaN */
    SIGMAX_NOT_FINITE = 9,          /* X holds an infinity or NaN */
    SIGMAX_BAD_SPARSE = 10,         /* a sparse row that starts or ends where it cannot, or a column beyond n_0 - 1 */
    SIGMAX_NOT_A_NUMBER = 11 /* an output is NaN: a parameter is not finite, or numbers are too large to add up */
} sigmax_status;

/* One English sentence for a status, never NULL; a constant. */
const char *sigmax_status_text(int status);

/* ---- the network --------------------------------------------------------------------------------------------- */

typedef enum sigmax_dtype { SIGMAX_FLOAT32 = 4, SIGMAX_FLOAT64 = 8 } sigmax_dtype; /* the size in bytes */

typedef struct sigmax_network sigmax_network;

/*
 * Makes a network of n_sizes >= 2 layers sizes (n_0, ..., n_L), each >= 1 and the last >= 2. *network is the caller's,
 * to be freed. The instruction set is chosen here: the best that the processor and the operating system can run, or
 * the one that the environment variable SIGMAX_ISA names. SIGMAX_WITHOUT, names with commas between them ("v4,v3"),
 * leaves sets out as if this machine did not have them; names of sets that this build does not have mean nothing. The
 * first set cannot be left out, and SIGMAX_ISA may name none that is: SIGMAX_BAD_INSTRUCTION_SET. Both variables are
 * read at each call that chooses.
 */
int sigmax_network_create(sigmax_network **network, int dtype, const size_t *sizes, size_t n_sizes);
void sigmax_network_free(sigmax_network *network); /* NULL is allowed */

/*
 * The parameters are one array of sigmax_parameter_count() reals: W_1, ..., W_L, then b_1, ..., b_L. The first
 * sigmax_weight_count() of them are weights. Offsets are counted in reals; layer = 1 ... L.
 */
size_t sigmax_parameter_count(const sigmax_network *network);
size_t sigmax_weight_count(const sigmax_network *network);
size_t sigmax_weight_offset(const sigmax_network *network, size_t layer);
size_t sigmax_bias_offset(const sigmax_network *network, size_t layer);

/* The instruction set that this network computes with; a constant such as "v3". */
const char *sigmax_instruction_set(const sigmax_network *network);

typedef enum sigmax_init {
    SIGMAX_LECUN = 0,  /* weights normal with variance 1/n_in, biases 0 (LeCun et al. 1998, Efficient BackProp) */
    SIGMAX_GLOROT = 1, /* weights uniform within +-sqrt(6/(n_in + n_out)), biases 0 (Glorot & Bengio 2010) */
    SIGMAX_LARGE = 2   /* weights and biases normal with variance 1 (Nielsen, chapter 1) */
} sigmax_init;

/* Fills parameters (real, sigmax_parameter_count). A seed gives the same bits on every platform. */
int sigmax_initialize(const sigmax_network *network, void *parameters, int init, uint64_t seed);

/* ---- use: X (rows, n_0) real, finite; zero rows are allowed and do nothing -------------------------------------- */

/* Rows are computed in blocks of this many, from the first row on. */
enum { SIGMAX_INFERENCE_ROWS = 96 };

/* probabilities (rows, n_L) real = softmax(z_L / temperature), a_L at a temperature of 1; temperature is finite and >
   0. Memory beyond the arguments is bounded, but for a fifth of a byte a row. After SIGMAX_NOT_FINITE and
   SIGMAX_NOT_A_NUMBER what is written there means nothing. Calls with a multiple of SIGMAX_INFERENCE_ROWS rows give
   the same bits as one call with all of them. */
int sigmax_predict_proba(const sigmax_network *network, const void *parameters, double temperature, const void *X,
                         size_t rows, void *probabilities);
/* labels (rows): the first largest output of each row. SIGMAX_NOT_FINITE and SIGMAX_NOT_A_NUMBER as above. */
int sigmax_predict(const sigmax_network *network, const void *parameters, const void *X, size_t rows, int64_t *labels);
/* activations (rows * (n_1 + ... + n_L)) real: a_1 (rows, n_1), then a_2, ..., a_L. They may be NaN: here one sees
   where it begins. */
int sigmax_activations(const sigmax_network *network, const void *parameters, const void *X, size_t rows,
                       void *activations);
/* weighted_inputs (rows * (n_1 + ... + n_L)) real: z_1 (rows, n_1), then z_2, ..., z_L, of which the activations are
   sigmoid and softmax, to the bit. They may be NaN, as activations may. Beside them a call works in the memory of one
   hidden layer's activations and of one product. */
int sigmax_weighted_inputs(const sigmax_network *network, const void *parameters, const void *X, size_t rows,
                           void *weighted_inputs);

/* ---- data with targets ------------------------------------------------------------------------------------------ */

/* Rows in compressed sparse row form: row i has values[row_start[i]] ... values[row_start[i + 1] - 1], each in its
   column, and 0 elsewhere. What one column is given more than once is added up. */
typedef struct sigmax_sparse {
    const int64_t *row_start; /* (rows + 1), >= 0, never descending */
    const int32_t *columns;   /* 0 ... n_0 - 1 */
    const void *values;       /* real */
} sigmax_sparse;

typedef struct sigmax_data {
    const void *X;               /* (rows, n_0) real, or NULL when sparse is given */
    const int64_t *labels;       /* (rows) classes 0 ... n_L - 1, or NULL when targets is given */
    const void *targets;         /* (rows, n_L) real, entries >= 0 ("soft labels"), or NULL when labels is given */
    size_t rows;                 /* >= 1 */
    const double *sample_weight; /* (rows) finite, >= 0: s, by which C_x and delta_L of a row are multiplied. NULL: 1.
                                    Weights with a mean of 1 leave costs and learning rates their meaning. Not checked:
                                    an infinity or NaN gives such a cost, and in training SIGMAX_DIVERGED. */
    const sigmax_sparse *sparse; /* instead of X, for sigmax_train alone: each batch is made dense by itself */
} sigmax_data;

/* *cost = C = (1/rows) sum_x s C_x in nats, at a temperature as above; *n_correct = the number of rows whose first
   largest output is the class of the row, its label or the first largest entry of its targets, each row counted s
   times. Either pointer may be NULL. SIGMAX_NOT_FINITE for X, SIGMAX_NOT_A_NUMBER for outputs. */
int sigmax_cost(const sigmax_network *network, const void *parameters, double temperature, const sigmax_data *data,
                double *cost, double *n_correct);

/*
 * One forward and one backward pass over all rows. activations and deltas hold rows * (n_1 + ... + n_L) reals each,
 * layer after layer: a_l (rows, n_l), delta_l (rows, n_l), one row of delta_l being the error of that example. X is
 * checked: SIGMAX_NOT_FINITE. (sigmax_train does not look: see sigmax_first_non_finite.)
 * gradient is laid out as the parameters: nabla_w_l and nabla_b_l, means over the rows (BP3, BP4). *cost = C. Rows are
 * weighted where there are weights. SIGMAX_NOT_A_NUMBER when an a_L is NaN; what is written then means nothing.
 */
int sigmax_backprop(const sigmax_network *network, const void *parameters, const sigmax_data *data, double *cost,
                    void *activations, void *deltas, void *gradient);

/* ---- training --------------------------------------------------------------------------------------------------- */

/*
 * What follows the gradient g = dC/dw of a batch, in the form of PyTorch's optimisers; t = 1, 2, ... is the update.
 *
 *     SGD        w -= rate g
 *     MOMENTUM   v = momentum v + g;                  w -= rate v
 *     NESTEROV   v = momentum v + g;                  w -= rate (g + momentum v)
 *     RMSPROP    v = rho v + (1 - rho) g^2;           w -= rate g / (sqrt(v) + epsilon)
 *     ADAM       m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
 *                w -= rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)
 *     ADAMW      w -= rate weight_decay w on weights, then as ADAM
 *
 * Before, g is clipped: times clip_norm / (|g| + 1e-6) where that is below 1, |g| being the norm over all parameters.
 * Then, on weights and never on biases, the penalty's slope is added: g += l2 w + l1 sign(w), sign(0) = 0.
 */
typedef enum sigmax_optimizer {
    SIGMAX_SGD = 0,
    SIGMAX_MOMENTUM = 1,
    SIGMAX_NESTEROV = 2,
    SIGMAX_RMSPROP = 3,
    SIGMAX_ADAM = 4,
    SIGMAX_ADAMW = 5
} sigmax_optimizer;

/* The reals of an optimiser's state, all of them 0 before the first update: none for SGD, v for the next three, and m,
   then v, for the last two, each laid out as the parameters. SIZE_MAX for an unknown one. */
size_t sigmax_state_count(const sigmax_network *network, int optimizer);

/* Numbers are finite and >= 0. What the optimiser does not use is not looked at. */
typedef struct sigmax_training {
    const size_t *order;    /* (rows) the row to take at each position of the epoch, or NULL for 0, 1, 2, ... */
    size_t batch_size;      /* >= 1; the last batch of an epoch holds what is left */
    double learning_rate;   /* > 0 */
    double l2, l1;          /* minimised is C + (l2/2) sum w^2 + l1 sum |w|, over weights */
    double clip_norm;       /* 0: no clipping */
    double dropout;         /* p < 1: the share of hidden neurons that is left out of a batch */
    double label_smoothing; /* e < 1: y becomes (1 - e) y + e/n_L sum_j y_j, in the cost too; not in n_correct */
    uint64_t seed;          /* of the dropout masks */
    int optimizer;
    double momentum;     /* < 1 */
    double beta1, beta2; /* < 1 */
    double rho;          /* < 1 */
    double epsilon;
    double weight_decay;
    void *state;            /* sigmax_state_count() reals, changed with the parameters; NULL where there are none */
    void *workspace;        /* memory that one call hands on to the next, as fresh memory costs time; not read. NULL, */
    size_t workspace_bytes; /* or fewer bytes than sigmax_train_workspace(): each call allocates its own */
} sigmax_training;

/* The bytes that sigmax_train works in, with data of so many rows and the present number of threads: among them a copy
   of parameters and state. SIZE_MAX for arguments with which sigmax_train returns an error, and where the bytes cannot
   be counted. */
size_t sigmax_train_workspace(const sigmax_network *network, const sigmax_training *training, size_t rows);

typedef struct sigmax_progress {
    size_t position;  /* positions of the epoch that are done; 0 begins an epoch, rows ends it */
    double cost;      /* sum of s C_x over them, each taken before its batch's update */
    double n_correct; /* how many of them were classified correctly, likewise, each counted s times */
    size_t batch;     /* batches done; after SIGMAX_DIVERGED the number of the offending batch, from 0 */
    uint64_t step;    /* updates done since the state was 0; it goes on from epoch to epoch */
} sigmax_progress;

/*
 * Mini-batch training from progress->position on, for n_batches batches or to the end of the epoch. The result does not
 * depend on how an epoch is divided into calls, nor on the number of threads.
 *
 * With dropout, a hidden layer's activation is a mask / (1 - p), where mask is 1 or 0 (sigmax_dropout_mask), in both
 * passes; BP2 uses the sigmoid from before the mask. Running cost and n_correct are those of the thinned network.
 *
 * SIGMAX_DIVERGED: the cost, a parameter or the state became infinite or NaN; parameters, state and progress are those
 * from before the offending batch.
 */
int sigmax_train(const sigmax_network *network, void *parameters, const sigmax_data *data,
                 const sigmax_training *training, sigmax_progress *progress, size_t n_batches);

/* keep (n) = 1 for the neurons of hidden layer `layer` >= 1 that stay, 0 for those left out, each with probability p in
   0 ... 1, for row `row` of the batch of update `step`, the first of which is 0. Every entry is a function of seed,
   step, layer, row, p and its index alone, on every platform. */
void sigmax_dropout_mask(uint64_t seed, uint64_t step, size_t layer, size_t row, double p, uint8_t *keep, size_t n);

/* order (n) = a uniformly random permutation of 0 ... n-1, a function of seed and epoch alone, on every platform. */
void sigmax_permutation(uint64_t seed, uint64_t epoch, size_t *order, size_t n);

/* ---- the equations by themselves --------------------------------------------------------------------------------- */

/* dtype says what `real` is. out may be z for exp, sigmoid, sigmoid_prime and softmax; nothing else may overlap. */

int sigmax_exp(int dtype, const void *z, void *out, size_t n);           /* e^z, as softmax and sigmoid use it */
int sigmax_sigmoid(int dtype, const void *z, void *out, size_t n);       /* 1 / (1 + e^-z) */
int sigmax_sigmoid_prime(int dtype, const void *z, void *out, size_t n); /* a (1 - a), a = sigmoid(z) */

/* z, out (rows, k): each row of out is e^(z_i) / sum_j e^(z_j). */
int sigmax_softmax(int dtype, const void *z, void *out, size_t rows, size_t k);
/* z (k), out (k, k): da_j/dz_i = a_i (1 - a_i) where j = i, and -a_j a_i elsewhere. */
int sigmax_softmax_jacobian(int dtype, const void *z, void *out, size_t k);
/* z, y (rows, k), y >= 0; cost (rows): -sum_i y_i ln softmax(z)_i, 0 where k is 0, from z, never as a logarithm of a
   rounded probability. */
int sigmax_cross_entropy(int dtype, const void *z, const void *y, double *cost, size_t rows, size_t k);
/* z, y, delta (rows, k): BP1, a_L sum_j y_j - y. */
int sigmax_output_delta(int dtype, const void *z, const void *y, void *delta, size_t rows, size_t k);
/* targets (rows, k) = (1 - e) y + (e/k) sum_j y_j: the label smoothing of sigmax_train, e in 0 ... below 1. y are the
   rows of the labels (rows), each below k, or, where labels is NULL, y (rows, k) real. SIGMAX_BAD_LABEL for another
   label; nothing is written then. */
int sigmax_smooth_labels(int dtype, const int64_t *labels, const void *y, double e, void *targets, size_t rows,
                         size_t k);

/* sum_i x_i y_i of x, y (n), 0 where n is 0, added up in an order that depends on n alone: the same bits on every
   platform, and within (n/16 + 5) 2^-53 sum_i |x_i y_i| of the sum, roughly. x may be y. */
double sigmax_dot(const double *x, const double *y, size_t n);

/* The position of the first infinity or NaN among values (n) real, or n when all are finite; 0 where values is NULL, or
   dtype no named constant. */
size_t sigmax_first_non_finite(int dtype, const void *values, size_t n);

/* ---- this build, this machine ----------------------------------------------------------------------------------- */

/* The i-th instruction set of this build, from the least to the most capable; NULL past the last. */
const char *sigmax_instruction_set_name(size_t i);
int sigmax_instruction_set_available(size_t i); /* 1 when it can be used here, else 0 */
const char *sigmax_compiler(void);              /* name and version of the compiler that made this library */

/* Runs n rounds of independent fused multiply-adds on registers in the network's instruction set; *flops = how many
   floating-point operations that was. Its caller holds the watch: flops / seconds is the peak of one core. */
int sigmax_peak(int dtype, size_t n, double *flops);

/* Threads of the calls that follow, at least 1. sigmax_set_num_threads(0) goes back to the default: what the
   environment (SIGMAX_NUM_THREADS, OMP_NUM_THREADS), affinity and quotas allow. A number above 1024 is taken as 1024, a
   negative one is SIGMAX_BAD_ARGUMENT. */
int sigmax_get_num_threads(void);
int sigmax_set_num_threads(int n);

/* With wanted != 0, calls by the calling thread use that thread alone, until it asks for 0; other threads are not
   concerned, and sigmax_get_num_threads returns what it did. For programs that share their work among threads of their
   own. Returns what held before, 0 or 1. */
int sigmax_set_alone(int wanted);

typedef enum sigmax_thread_source {
    SIGMAX_THREADS_SET = 1,          /* sigmax_set_num_threads */
    SIGMAX_THREADS_OWN_VARIABLE = 2, /* SIGMAX_NUM_THREADS, a positive integer */
    SIGMAX_THREADS_OMP_VARIABLE = 3, /* OMP_NUM_THREADS, a list that begins with a positive integer */
    SIGMAX_THREADS_MACHINE = 4       /* affinity and quotas; variables that are something else count as not set */
} sigmax_thread_source;

/* Where the number that sigmax_get_num_threads returns comes from: a sigmax_thread_source. */
int sigmax_num_threads_source(void);
