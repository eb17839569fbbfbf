/* Tasks that show on which threads the worker pool runs them. POSIX must be in sight (_GNU_SOURCE). */
#ifndef SIGMAX_POOL_TASKS_H
#define SIGMAX_POOL_TASKS_H

#include <pthread.h>
#include <time.h>

#include "machine/pool.h"

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif

#define SECONDS_TO_MEET 20

static void sleep_a_little(void)
{
    struct timespec time = {0, 50000};
    nanosleep(&time, NULL);
}

static void add_one(long *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_ACQ_REL);
}

static long read_now(const long *counter)
{
    return __atomic_load_n(counter, __ATOMIC_ACQUIRE);
}

/* Waits until *counter has reached n; returns whether it did in time. */
static int wait_for(const long *counter, long n)
{
    for (time_t end = time(NULL) + SECONDS_TO_MEET; read_now(counter) < n; sleep_a_little())
        if (time(NULL) > end) return 0;
    return 1;
}

/* ---- as many threads as asked for ------------------------------------------------------------------------------ */

struct meeting {
    long arrived, wanted, late;
};

static void meet(void *context, size_t index, size_t worker)
{
    struct meeting *meeting = context;
    (void)index;
    (void)worker;
    add_one(&meeting->arrived);
    if (!wait_for(&meeting->arrived, meeting->wanted)) add_one(&meeting->late);
}

/* n tasks that wait for each other end only if n threads run them. */
static int threads_can_meet(size_t n)
{
    struct meeting meeting = {0, (long)n, 0};
    sigmax_pool_run(n, n, meet, &meeting);
    return meeting.late == 0;
}

/* ---- where a call runs ----------------------------------------------------------------------------------------- */

struct tally {
    pthread_t thread;
    size_t next; /* plain: one thread has to do it all, in order */
    int elsewhere, disorder;
};

static void count_here(void *context, size_t index, size_t worker)
{
    struct tally *tally = context;
    tally->elsewhere |= !pthread_equal(tally->thread, pthread_self()) || worker != 0;
    tally->disorder |= index != tally->next++;
}

static int runs_alone(size_t n_threads, size_t n_tasks)
{
    struct tally tally = {pthread_self(), 0, 0, 0};
    sigmax_pool_run(n_threads, n_tasks, count_here, &tally);
    return !tally.elsewhere && !tally.disorder && tally.next == n_tasks;
}

static void call_from_task(void *context, size_t index, size_t worker) /* context: the number of failures */
{
    long *failed = context;
    (void)worker;
    if (!runs_alone(1 + index % 8, 50)) add_one(failed);
}

/* ---- a caller that keeps the pool ------------------------------------------------------------------------------ */

struct occupation {
    long inside, ended;
};

static void occupy(void *context, size_t index, size_t worker)
{
    struct occupation *occupation = context;
    (void)index;
    (void)worker;
    add_one(&occupation->inside);
    wait_for(&occupation->ended, 1);
}

static void *occupy_pool(void *occupation)
{
    sigmax_pool_run(2, 2, occupy, occupation);
    return NULL;
}

/* ---- work with a result ---------------------------------------------------------------------------------------- */

struct exchange {
    double in[64], out[64];
};

static void double_it(void *context, size_t index, size_t worker)
{
    struct exchange *exchange = context;
    (void)worker;
    exchange->out[index] = 2 * exchange->in[index];
}

#endif
