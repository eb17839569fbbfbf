/* The worker pool: every task once, no two at once on one worker, and callers that meet. */
#define _GNU_SOURCE /* POSIX under -std=c99 */

#include "machine/pool.h"

#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "check.h"
#include "pool_tasks.h"
#include "sigmax.h"
#include "machine/processors.h"

#define MOST_TASKS 1000

static void test_runs_on_n_threads(void)
{
    for (size_t n = 1; n <= 16; n++) CHECK(threads_can_meet(n), "%zu threads did not run at once", n);
}

/* ---- every index once, worker numbers never shared ------------------------------------------------------------- */

struct roll {
    size_t n_threads;
    unsigned char calls[MOST_TASKS]; /* plain: a second call of an index is a race for the sanitizer to find, too */
    long busy[16];
    long shared, out_of_range;
};

static void call_roll(void *context, size_t index, size_t worker)
{
    struct roll *roll = context;
    if (worker >= roll->n_threads || index >= MOST_TASKS) {
        add_one(&roll->out_of_range);
        return;
    }
    if (__atomic_exchange_n(&roll->busy[worker], 1, __ATOMIC_ACQ_REL) != 0) add_one(&roll->shared);
    roll->calls[index]++;
    __atomic_store_n(&roll->busy[worker], 0, __ATOMIC_RELEASE);
}

static void test_every_index_once(void)
{
    static struct roll roll;
    for (size_t n_threads = 1; n_threads <= 16; n_threads++) {
        for (size_t n_tasks = 0; n_tasks <= MOST_TASKS; n_tasks += n_tasks < 40 ? 1 : 48) {
            memset(&roll, 0, sizeof roll);
            roll.n_threads = n_threads;
            sigmax_pool_run(n_threads, n_tasks, call_roll, &roll);
            size_t wrong = 0;
            for (size_t i = 0; i < MOST_TASKS; i++) wrong += roll.calls[i] != (i < n_tasks);
            CHECK(wrong == 0, "%zu threads, %zu tasks: %zu indices not called once", n_threads, n_tasks, wrong);
            CHECK(roll.shared == 0 && roll.out_of_range == 0, "%zu threads, %zu tasks: worker shared %ld, wrong %ld",
                  n_threads, n_tasks, roll.shared, roll.out_of_range);
        }
    }
}

/* ---- what tasks see, and what is seen of them ------------------------------------------------------------------ */

static void test_results_are_visible(void)
{
    struct exchange exchange;
    long wrong = 0;
    for (int round = 0; round < 5000; round++) {
        for (int i = 0; i < 64; i++) exchange.in[i] = round + i;
        sigmax_pool_run(2 + (size_t)round % 2, 64, double_it, &exchange);
        for (int i = 0; i < 64; i++) wrong += exchange.out[i] < 2 * (round + i) || exchange.out[i] > 2 * (round + i);
    }
    CHECK(wrong == 0, "%ld results not seen", wrong);
}

/* What each of four threads found out about itself. */
struct portrait {
    struct meeting meeting;
    int rounding[4], blocks_interrupt[4], blocks_fault[4];
    long sum_of_stack[4];
};

#ifdef UNDER_TSAN
#define STACK_USED 200 /* KiB; the sanitizer needs most of the stack for itself */
#else
#define STACK_USED 700
#endif

static void use_stack(long *sum)
{
    volatile char room[STACK_USED * 1024];
    for (size_t i = 0; i < sizeof room; i += 1024) room[i] = 1;
    for (size_t i = 0; i < sizeof room; i += 1024) *sum += room[i];
}

static void draw_portrait(void *context, size_t index, size_t worker)
{
    struct portrait *portrait = context;
    meet(&portrait->meeting, index, worker); /* so that each thread takes one */
    sigset_t blocked;
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    portrait->blocks_interrupt[worker] = sigismember(&blocked, SIGINT) && sigismember(&blocked, SIGTERM)
                                         && sigismember(&blocked, SIGALRM) && sigismember(&blocked, SIGUSR1);
    portrait->blocks_fault[worker] = sigismember(&blocked, SIGSEGV) || sigismember(&blocked, SIGFPE);
    portrait->rounding[worker] = fegetround();
    use_stack(&portrait->sum_of_stack[worker]);
}

static void test_state_of_workers(void)
{
    const int modes[] = {FE_UPWARD, FE_TONEAREST};
    for (int m = 0; m < 2; m++) {
        struct portrait portrait;
        memset(&portrait, 0, sizeof portrait);
        portrait.meeting.wanted = 4;
        fesetround(modes[m]);
        sigmax_pool_run(4, 4, draw_portrait, &portrait);
        fesetround(FE_TONEAREST);
        CHECK(portrait.meeting.late == 0, "four threads did not meet");
        for (int w = 0; w < 4; w++) {
            CHECK(portrait.rounding[w] == modes[m], "worker %d rounds as %d, its caller as %d", w, portrait.rounding[w],
                  modes[m]);
            CHECK(portrait.blocks_interrupt[w] == (w > 0), "worker %d: SIGINT blocked is %d", w,
                  portrait.blocks_interrupt[w]);
            CHECK(!portrait.blocks_fault[w], "worker %d blocks SIGSEGV or SIGFPE", w);
            CHECK(portrait.sum_of_stack[w] == STACK_USED, "worker %d: its stack held %ld", w, portrait.sum_of_stack[w]);
        }
    }
}

/* ---- nested, and two callers ----------------------------------------------------------------------------------- */

static void test_nested_calls_run_alone(void)
{
    for (size_t n = 1; n <= 4; n++) {
        long failed = 0;
        sigmax_pool_run(n, 200, call_from_task, &failed);
        CHECK(failed == 0, "%zu threads: %ld nested calls did not run alone", n, failed);
    }
    CHECK(threads_can_meet(4), "no threads after nested calls");
}

static void test_second_caller_runs_alone(void)
{
    struct occupation occupation = {0, 0};
    pthread_t other;
    int error = pthread_create(&other, NULL, occupy_pool, &occupation);
    CHECK(error == 0, "pthread_create: %d", error);
    if (error != 0) return;
    CHECK(wait_for(&occupation.inside, 2), "the other caller did not get two threads");
    CHECK(runs_alone(4, 100), "a caller shared the busy pool");
    add_one(&occupation.ended);
    pthread_join(other, NULL);
    CHECK(threads_can_meet(4), "no threads after the pool was busy");
}

static void *call_often(void *context)
{
    struct exchange exchange;
    long *wrong = context;
    for (int round = 0; round < 2000; round++) {
        for (int i = 0; i < 64; i++) exchange.in[i] = round + i;
        sigmax_pool_run(3, 64, double_it, &exchange);
        for (int i = 0; i < 64; i++) *wrong += exchange.out[i] < 2 * (round + i) || exchange.out[i] > 2 * (round + i);
    }
    return NULL;
}

static void test_callers_at_once(void)
{
    pthread_t threads[3];
    long wrong[3] = {0, 0, 0};
    int started = 0;
    while (started < 3 && pthread_create(&threads[started], NULL, call_often, &wrong[started]) == 0) started++;
    for (int t = 0; t < started; t++) pthread_join(threads[t], NULL);
    CHECK(started == 3, "%d of 3 callers started", started);
    CHECK(wrong[0] + wrong[1] + wrong[2] == 0, "wrong results: %ld %ld %ld", wrong[0], wrong[1], wrong[2]);
}

/* ---- set and get ----------------------------------------------------------------------------------------------- */

static void *threads_of_another(void *number)
{
    *(size_t *)number = sigmax_pool_threads_of_this_call();
    return NULL;
}

static void test_alone(void)
{
    sigmax_set_num_threads(7);
    CHECK(sigmax_set_alone(1) == 0, "this thread was alone before");
    CHECK(sigmax_pool_threads_of_this_call() == 1, "%zu threads alone", sigmax_pool_threads_of_this_call());
    /* the number of the process, so that saving and restoring it changes nothing for others */
    CHECK(sigmax_get_num_threads() == 7, "%d instead of 7 in a thread that is alone", sigmax_get_num_threads());
    CHECK(sigmax_num_threads_source() == SIGMAX_THREADS_SET, "%d", sigmax_num_threads_source());
    pthread_t other;
    size_t number = 0;
    if (pthread_create(&other, NULL, threads_of_another, &number) == 0) pthread_join(other, NULL);
    CHECK(number == 7, "%zu threads of another thread", number);
    CHECK(sigmax_set_alone(5) == 1 && sigmax_pool_threads_of_this_call() == 1, "it is no longer alone");
    CHECK(sigmax_set_alone(0) == 1 && sigmax_pool_threads_of_this_call() == 7, "it is still alone");
    sigmax_set_num_threads(0);
}

static void test_set_num_threads(void)
{
    CHECK(sigmax_set_num_threads(7) == SIGMAX_OK, "7 was refused");
    CHECK(sigmax_get_num_threads() == 7, "%d instead of 7", sigmax_get_num_threads());
    CHECK(sigmax_set_num_threads(-1) == SIGMAX_BAD_ARGUMENT, "-1 was accepted");
    CHECK(sigmax_get_num_threads() == 7, "%d instead of 7 after -1", sigmax_get_num_threads());
    CHECK(sigmax_set_num_threads(1000000) == SIGMAX_OK, "1000000 was refused");
    CHECK(sigmax_get_num_threads() == SIGMAX_MAX_THREADS, "%d", sigmax_get_num_threads());
    CHECK(sigmax_set_num_threads(0) == SIGMAX_OK, "0 was refused");
    int source;
    CHECK(sigmax_get_num_threads() == sigmax_default_num_threads(&source), "%d", sigmax_get_num_threads());
    CHECK(sigmax_num_threads_source() == source, "%d", sigmax_num_threads_source());
}

int main(void)
{
    test_runs_on_n_threads();
    test_every_index_once();
    test_results_are_visible();
    test_state_of_workers();
    test_nested_calls_run_alone();
    test_second_caller_runs_alone();
    test_callers_at_once();
    test_alone();
    test_set_num_threads();
    return CHECK_DONE();
}
