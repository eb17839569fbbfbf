/* The worker pool and its process: forks, and a system that refuses threads. */
#define _GNU_SOURCE /* rlimits, syscall */

#include "machine/pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

#include "check.h"
#include "pool_tasks.h"

#ifdef UNDER_TSAN
/* By default it ends a child that starts threads. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "die_after_fork=0";
}
#endif

/* ---- a child process whose checks count as one here ------------------------------------------------------------ */

static int leave_child(void (*body)(void))
{
    check_failed = 0;
    alarm(120); /* a child that hangs is killed by it */
    body();
    fflush(stdout);
    return check_failed != 0;
}

static int status_of(pid_t child)
{
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR);
    return status;
}

static int run_in_child(void (*body)(void))
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) _exit(leave_child(body));
    return child < 0 ? -1 : status_of(child);
}

/* ---- fork ------------------------------------------------------------------------------------------------------ */

static void use_pool(void)
{
    CHECK(threads_can_meet(3), "the child has no threads");
}

static void fork_again(void)
{
    use_pool();
    int status = run_in_child(use_pool);
    CHECK(status == 0, "grandchild: status %d", status);
}

static void test_fork_after_use(void)
{
    CHECK(threads_can_meet(3), "no threads before the fork");
    int status = run_in_child(fork_again);
    CHECK(status == 0, "child: status %d", status);
    CHECK(threads_can_meet(3), "no threads after the fork");
}

struct traffic {
    long calls, ended;
};

static void *keep_busy(void *context)
{
    struct traffic *traffic = context;
    while (!read_now(&traffic->ended)) {
        struct exchange exchange = {{1}, {0}};
        sigmax_pool_run(3, 64, double_it, &exchange);
        add_one(&traffic->calls);
    }
    return NULL;
}

static void test_fork_during_use(void)
{
    struct traffic traffic = {0, 0};
    pthread_t other;
    int error = pthread_create(&other, NULL, keep_busy, &traffic);
    CHECK(error == 0, "pthread_create: %d", error);
    if (error != 0) return;
    for (int i = 0; i < 100; i++) {
        CHECK(wait_for(&traffic.calls, 3 * i), "the other caller is stuck at %ld", read_now(&traffic.calls));
        int status = run_in_child(use_pool);
        CHECK(status == 0, "child %d: status %d", i, status);
    }
    add_one(&traffic.ended);
    pthread_join(other, NULL);
}

static void fork_from_task(void *context, size_t index, size_t worker)
{
    long *right = context;
    (void)index;
    (void)worker;
    pid_t child = fork();
    if (child == 0) _exit(7);
    if (child > 0 && status_of(child) == 7 << 8) add_one(right);
}

static void test_fork_from_task(void)
{
    long right = 0;
    fflush(stdout);
    sigmax_pool_run(3, 12, fork_from_task, &right);
    CHECK(right == 12, "%ld of 12 tasks saw their child", right);
}

/* A child made behind the C library's back runs no handlers: the number of the process must tell, both that the workers
   are not here and that nobody is using the pool. */
static void test_bare_clone(void)
{
    struct occupation occupation = {0, 0};
    pthread_t other;
    int error = pthread_create(&other, NULL, occupy_pool, &occupation);
    CHECK(error == 0, "pthread_create: %d", error);
    if (error != 0) return;
    CHECK(wait_for(&occupation.inside, 2), "the other caller did not get two threads");
    fflush(stdout);
#if defined(__linux__) && defined(__x86_64__) && !defined(UNDER_TSAN)
    long child = syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L);
    if (child == 0) _exit(leave_child(use_pool));
    int status = status_of((pid_t)child);
#else /* with handlers, and in the same moment */
    int status = run_in_child(use_pool);
#endif
    CHECK(status == 0, "child: status %d", status);
    add_one(&occupation.ended);
    pthread_join(other, NULL);
}

/* ---- a system that refuses threads ----------------------------------------------------------------------------- */

static void *do_nothing(void *argument)
{
    return argument;
}

static void live_without_threads(void)
{
    if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) { /* the limit does not bind root */
        printf("skipped: cannot become another user\n");
        return;
    }
    struct rlimit before, none;
    getrlimit(RLIMIT_NPROC, &before);
    none = before;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NPROC, &none);
    pthread_t thread;
    if (pthread_create(&thread, NULL, do_nothing, NULL) == 0) {
        pthread_join(thread, NULL);
        printf("skipped: RLIMIT_NPROC does not keep threads from starting here\n");
        return;
    }
    for (int i = 0; i < 10; i++) CHECK(runs_alone(4, 100), "call %d without threads", i);
    setrlimit(RLIMIT_NPROC, &before);
    for (int i = 0; i < 1000; i++) /* refused once, the pool waits a while before it asks again */
        sigmax_pool_run(2, 2, call_from_task, &(long){0});
    CHECK(threads_can_meet(2), "no threads after the limit was raised");
}

static void test_refused_threads(void)
{
    int status = run_in_child(live_without_threads);
    CHECK(status == 0, "child: status %d", status);
}

int main(void)
{
    test_fork_after_use();
    test_fork_during_use();
    test_fork_from_task();
    test_bare_clone();
    test_refused_threads();
    return CHECK_DONE();
}
