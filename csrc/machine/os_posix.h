/* os.h for POSIX; included by os.h alone, after its declarations. */
#ifndef SIGMAX_OS_POSIX_H
#define SIGMAX_OS_POSIX_H

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

static uint64_t os_nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static long os_process_id(void)
{
    return (long)getpid();
}

static void os_yield(void)
{
    sched_yield();
}

static int os_on_fork(void (*child)(void))
{
    return pthread_atfork(NULL, NULL, child) == 0;
}

struct os_bed {
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

static void os_bed_init(struct os_bed *bed)
{
    pthread_mutex_init(&bed->lock, NULL);
    pthread_cond_init(&bed->changed, NULL);
}

static void os_sleep_while(struct os_bed *bed, const os_atomic *word, long value)
{
    pthread_mutex_lock(&bed->lock);
    while (os_load(word) == value) pthread_cond_wait(&bed->changed, &bed->lock);
    pthread_mutex_unlock(&bed->lock);
}

static void os_wake(struct os_bed *bed)
{
    pthread_mutex_lock(&bed->lock);
    pthread_mutex_unlock(&bed->lock);
    pthread_cond_signal(&bed->changed);
}

static void *os_thread_main(void *start)
{
    const struct os_start *s = start;
    s->body(s->argument);
    return NULL;
}

/* A new thread inherits the mask that is set here: signals belong to the program's own threads. The four that a fault
   raises in the thread itself stay open, for a crash handler to report them. */
static void block_signals(sigset_t *before)
{
    sigset_t blocked;
    sigfillset(&blocked);
    sigdelset(&blocked, SIGSEGV);
    sigdelset(&blocked, SIGBUS);
    sigdelset(&blocked, SIGFPE);
    sigdelset(&blocked, SIGILL);
    pthread_sigmask(SIG_SETMASK, &blocked, before);
}

static int os_start_thread(struct os_start *start)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) return 0;
    size_t default_bytes = OS_STACK_BYTES;
    pthread_attr_getstacksize(&attributes, &default_bytes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, OS_STACK_BYTES);

    sigset_t before;
    block_signals(&before);
    pthread_t thread;
    int error = pthread_create(&thread, &attributes, os_thread_main, start);
    if (error == EINVAL) { /* too small a stack for the thread-local variables of this program */
        pthread_attr_setstacksize(&attributes, default_bytes);
        error = pthread_create(&thread, &attributes, os_thread_main, start);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error == 0;
}

#endif
