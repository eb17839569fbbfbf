/*
 * The worker pool.
 *
 * Every worker has one word that says what it is doing; all that happens between a caller and a worker is a change of
 * this word:
 *
 *     IDLE    -> POSTED    the caller offers the job
 *     POSTED  -> RUNNING   the worker accepts it
 *     POSTED  -> IDLE      the caller, out of tasks, takes the offer back: nobody ever waits for a worker to wake up
 *     RUNNING -> IDLE      the worker found no more tasks
 *     IDLE    -> ASLEEP    the worker has spun long enough; POSTED ends its sleep
 *     RUNNING -> AWAITED   the caller has spun long enough; IDLE ends its sleep
 *
 * The job may be read while RUNNING or AWAITED, and the caller stays until no worker is in these two.
 *
 * Workers are detached and live as long as the process. Their code must stay in memory: do not unload (dlclose) a
 * library that holds this file.
 */
#ifdef __linux__
#define _GNU_SOURCE /* -std=c99 hides POSIX otherwise; elsewhere it is in sight */
#endif

#include "pool.h"

#include <fenv.h>

#include "../sigmax.h"
#include "os.h"
#include "processors.h"

/* How long a thread spins before it sleeps: a few times what it costs to wake it, 4 to 9 us. */
#define SPIN_NANOSECONDS 50000u
/* After the system refused a thread, this many calls do with those that there are before the next attempt. */
#define CALLS_BETWEEN_ATTEMPTS 1000
/* Apart enough for adjacent cache lines, which processors fetch in pairs. */
#define APART 128

enum { IDLE, ASLEEP, POSTED, RUNNING, AWAITED };

struct worker {
    os_atomic state;
    size_t number; /* 1 ... ; the caller is worker 0 */
    struct os_start start;
    struct os_bed bed; /* of the worker in ASLEEP, of the caller in AWAITED */
    char apart[APART];
};

/*
 * The tasks of one thread: next ... end - 1. Whoever has done its own takes those of the others. The same tasks begin
 * with the same thread in job after job, so that the weights of a layer stay in the cache of one processor (measured).
 */
struct share {
    os_counter next;
    size_t end;
    char apart[APART];
};

struct job {
    sigmax_pool_task task;
    void *context;
    size_t n_shares;
    fenv_t environment; /* the caller's rounding and flushing: a result must not depend on who computes it */
};

static struct {
    os_atomic owner;      /* the process whose caller is using the pool; 0 when none is */
    os_atomic processors; /* how many threads can run at once; 0 before it was asked */
    os_atomic spinning;   /* whether the latest job left every thread a processor */
    char apart[APART];
    struct job job;
    /* What follows belongs to the owner. */
    long process;     /* the process that the workers live in */
    size_t n_workers; /* of workers[], those that were started */
    int attempts_off; /* calls to go before starting a thread is tried again */
    int knows_forks;
} pool;

static struct worker workers[SIGMAX_MAX_THREADS - 1];
static struct share shares[SIGMAX_MAX_THREADS]; /* by the number of the worker, the caller's first */

/* The number of sigmax_get_num_threads, and SOURCE times where it comes from: one word, so that both always belong
   together; 0 before they were determined. */
static os_atomic num_threads;
enum { SOURCE = 2 * SIGMAX_MAX_THREADS };

static OS_THREAD_LOCAL int inside_task;
static OS_THREAD_LOCAL int alone; /* of sigmax_set_alone */

/* ---- waiting --------------------------------------------------------------------------------------------------- */

/*
 * Waits a little for *word to become something else than value; returns whether it has. It yields every now and then,
 * because the system often puts a woken worker on the processor of the very thread that woke it and goes on working:
 * without that, such a caller stands still for as long as the worker spins.
 */
static int spin_while(const os_atomic *word, long value)
{
    if (!os_load(&pool.spinning)) return os_load(word) != value;
    uint64_t start = 0;
    for (;;) {
        for (int i = 0; i < 50; i++) { /* 1 to 2 us: a pause takes up to 150 cycles */
            if (os_load(word) != value) return 1;
            os_pause();
        }
        os_yield();
        uint64_t now = os_nanoseconds();
        if (start == 0)
            start = now;
        else if (now - start > SPIN_NANOSECONDS)
            return 0;
    }
}

/* Waits for *word to leave the state `from`. To sleep, it turns it into `asleep`, which the other side must answer with
   os_wake. */
static void wait_while(os_atomic *word, struct os_bed *bed, long from, long asleep)
{
    if (!spin_while(word, from) && os_compare_exchange(word, from, asleep)) os_sleep_while(bed, word, asleep);
}

/* ---- tasks ----------------------------------------------------------------------------------------------------- */

static void take_tasks(size_t worker)
{
    const struct job *job = &pool.job;
    for (size_t turn = 0; turn < job->n_shares; turn++) {
        struct share *share = &shares[(worker + turn) % job->n_shares];
        for (size_t i = os_take_number(&share->next); i < share->end; i = os_take_number(&share->next))
            job->task(job->context, i, worker);
    }
}

/* Cuts 0 ... n_tasks - 1 into n shares that differ by one task at most. */
static void share_out(size_t n_tasks, size_t n)
{
    const size_t least = n_tasks / n, larger = n_tasks % n;
    size_t begin = 0;
    for (size_t i = 0; i < n; i++) {
        shares[i].next = begin;
        begin += least + (i < larger);
        shares[i].end = begin;
    }
}

static void worker_main(void *argument)
{
    struct worker *self = argument;
    inside_task = 1;
    for (;;) {
        wait_while(&self->state, &self->bed, IDLE, ASLEEP);
        if (os_compare_exchange(&self->state, POSTED, RUNNING)) {
            fesetenv(&pool.job.environment);
            take_tasks(self->number);
            if (os_exchange(&self->state, IDLE) == AWAITED) os_wake(&self->bed);
        }
    }
}

static void run_alone(size_t n_tasks, sigmax_pool_task task, void *context)
{
    int was_inside = inside_task;
    inside_task = 1;
    for (size_t i = 0; i < n_tasks; i++) task(context, i, 0);
    inside_task = was_inside;
}

/* ---- the pool -------------------------------------------------------------------------------------------------- */

static void forget_parent(void)
{
    pool.process = 0;
    os_store(&pool.owner, 0);
}

/*
 * Makes the calling thread the owner unless another thread is; returns whether it did. An owner or workers of another
 * process were left behind by a fork. The process id shows this, but in a new namespace the child may have its parent's
 * id: therefore the handler.
 */
static int acquire_pool(void)
{
    long process = os_process_id();
    long owner = os_load(&pool.owner);
    if (owner == process || !os_compare_exchange(&pool.owner, owner, process)) return 0;
    if (pool.process != process) {
        pool.process = process;
        pool.n_workers = 0;
        pool.attempts_off = 0;
    }
    if (!pool.knows_forks) pool.knows_forks = os_on_fork(forget_parent);
    if (os_load(&pool.processors) == 0) os_store(&pool.processors, sigmax_available_processors());
    return 1;
}

static void release_pool(void)
{
    os_store(&pool.owner, 0);
}

/* Starts workers until there are n, if the system lets it; returns how many of the n there are. */
static size_t ensure_workers(size_t n)
{
    if (pool.n_workers >= n) return n;
    if (pool.attempts_off > 0) {
        pool.attempts_off--;
        return pool.n_workers;
    }
    while (pool.n_workers < n) {
        struct worker *worker = &workers[pool.n_workers];
        os_store(&worker->state, IDLE);
        worker->number = pool.n_workers + 1;
        worker->start.body = worker_main;
        worker->start.argument = worker;
        os_bed_init(&worker->bed);
        if (!os_start_thread(&worker->start)) {
            pool.attempts_off = CALLS_BETWEEN_ATTEMPTS;
            break;
        }
        pool.n_workers++;
    }
    return pool.n_workers;
}

/* Offers the job to n workers, or to fewer if the others have taken a worker's tasks by then; returns how many. */
static size_t post_job(size_t n)
{
    size_t w = 0;
    for (; w < n && os_read_counter(&shares[w + 1].next) < shares[w + 1].end; w++)
        if (os_exchange(&workers[w].state, POSTED) == ASLEEP) os_wake(&workers[w].bed);
    return w;
}

/* Takes the offer back from those of n workers who did not accept it yet, and waits for the others. */
static void finish_job(size_t n)
{
    for (size_t w = 0; w < n; w++)
        if (!os_compare_exchange(&workers[w].state, POSTED, IDLE))
            wait_while(&workers[w].state, &workers[w].bed, RUNNING, AWAITED);
}

void sigmax_pool_run(size_t n_threads, size_t n_tasks, sigmax_pool_task task, void *context)
{
    if (n_threads > SIGMAX_MAX_THREADS) n_threads = SIGMAX_MAX_THREADS;
    if (n_threads > n_tasks) n_threads = n_tasks;
    if (n_threads < 2 || inside_task || !acquire_pool()) {
        run_alone(n_tasks, task, context);
        return;
    }
    size_t n_helpers = ensure_workers(n_threads - 1);
    os_store(&pool.spinning, n_helpers < (size_t)os_load(&pool.processors));
    pool.job.task = task;
    pool.job.context = context;
    pool.job.n_shares = n_helpers + 1;
    fegetenv(&pool.job.environment);
    share_out(n_tasks, n_helpers + 1);

    size_t n_posted = post_job(n_helpers);
    inside_task = 1;
    take_tasks(0);
    inside_task = 0;
    finish_job(n_posted);
    release_pool();
}

/* ---- how many -------------------------------------------------------------------------------------------------- */

static long number_and_source(void)
{
    const long known = os_load(&num_threads);
    if (known != 0) return known;
    int source;
    const long number = sigmax_default_num_threads(&source);
    os_compare_exchange(&num_threads, 0, number + SOURCE * source); /* a number that was set meanwhile stays */
    return number + SOURCE * source;
}

int sigmax_get_num_threads(void)
{
    return (int)(number_and_source() % SOURCE);
}

size_t sigmax_pool_threads_of_this_call(void)
{
    return alone ? 1 : (size_t)sigmax_get_num_threads();
}

int sigmax_num_threads_source(void)
{
    return (int)(number_and_source() / SOURCE);
}

int sigmax_set_alone(int wanted)
{
    const int before = alone;
    alone = wanted != 0;
    return before;
}

int sigmax_set_num_threads(int n)
{
    if (n < 0) return SIGMAX_BAD_ARGUMENT;
    if (n > SIGMAX_MAX_THREADS) n = SIGMAX_MAX_THREADS;
    os_store(&num_threads, n == 0 ? 0 : n + SOURCE * SIGMAX_THREADS_SET);
    os_store(&pool.processors, 0);
    return SIGMAX_OK;
}
