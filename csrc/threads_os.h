/*
 * What the worker pool needs from the operating system and the compiler, once for POSIX and once for Win32: atomics,
 * a pause, a clock, threads, and a place to sleep. Included by threads.c alone, which asks for POSIX beforehand.
 */
#ifndef SIGMAX_THREADS_OS_H
#define SIGMAX_THREADS_OS_H

#include <stddef.h>
#include <stdint.h>

#ifdef _WIN32
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>

#include <process.h>
#else
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>
#endif

/* Deep enough for any kernel; musl would give 128 KiB. */
#define OS_STACK_BYTES ((size_t)1 << 20)

/* ---- atomics: what was written before a release is visible after the acquire that reads it --------------------- */

typedef volatile long os_atomic;
typedef volatile size_t os_counter;

#if defined(_MSC_VER) /* clang-cl too */
#define OS_THREAD_LOCAL __declspec(thread)
#elif defined(__GLIBC__)
/* In the memory that every thread begins with. Else glibc allocates it when a thread first looks at it, and ends the
   process when it cannot. */
#define OS_THREAD_LOCAL __thread __attribute__((tls_model("initial-exec")))
#else
#define OS_THREAD_LOCAL __thread
#endif

#if defined(_MSC_VER) && !defined(__clang__)

static long os_load(const os_atomic *word) /* acquire */
{
    return ReadAcquire(word);
}

static void os_store(os_atomic *word, long value) /* release */
{
    WriteRelease(word, value);
}

static long os_exchange(os_atomic *word, long value) /* acquire and release; returns what was there */
{
    return InterlockedExchange(word, value);
}

static int os_compare_exchange(os_atomic *word, long expected, long value) /* acquire and release; 1 when done */
{
    return InterlockedCompareExchange(word, value, expected) == expected;
}

static size_t os_take_number(os_counter *counter) /* no order; returns what was there and adds 1 */
{
#ifdef _WIN64
    return (size_t)InterlockedIncrement64((volatile LONG64 *)counter) - 1;
#else
    return (size_t)InterlockedIncrement((volatile LONG *)counter) - 1;
#endif
}

static size_t os_read_counter(const os_counter *counter)
{
    return *counter;
}

#else /* gcc and clang, MinGW and clang-cl among them */

static long os_load(const os_atomic *word) /* acquire */
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void os_store(os_atomic *word, long value) /* release */
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static long os_exchange(os_atomic *word, long value) /* acquire and release; returns what was there */
{
    return __atomic_exchange_n(word, value, __ATOMIC_ACQ_REL);
}

static int os_compare_exchange(os_atomic *word, long expected, long value) /* acquire and release; 1 when done */
{
    return __atomic_compare_exchange_n(word, &expected, value, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static size_t os_take_number(os_counter *counter) /* no order; returns what was there and adds 1 */
{
    return __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static size_t os_read_counter(const os_counter *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

#endif

/* Tells the processor that this thread spins, so that its sibling on the same core runs faster. */
static void os_pause(void)
{
#if defined(_WIN32)
    YieldProcessor();
#elif defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__has_builtin)
#if __has_builtin(__builtin_arm_yield)
    __builtin_arm_yield();
#endif
#endif
}

/* ---- what the two systems below define ------------------------------------------------------------------------- */

static uint64_t os_nanoseconds(void); /* from any origin, never backwards */
static long os_process_id(void);      /* never 0 */
static void os_yield(void);           /* lets another thread have this processor, if one is waiting for it */

/* Has child called in every child process that fork() makes; 1 when arranged. */
static int os_on_fork(void (*child)(void));

/* A place where one thread at a time sleeps for as long as *word is value. */
struct os_bed;
static void os_bed_init(struct os_bed *bed); /* also for a bed of the parent, in whatever state a fork caught it */
static void os_sleep_while(struct os_bed *bed, const os_atomic *word, long value);

/* To be called after the word was changed. It takes the lock so that the sleeper is either before its test of the word
   or asleep, and gives it back before the signal, for the woken thread wants it first of all. */
static void os_wake(struct os_bed *bed);

/* What a new thread runs. The thread reads it, so it has to stay in place. */
struct os_start {
    void (*body)(void *argument);
    void *argument;
};

/* Starts a detached thread, so that nobody waits for it at exit; 0 when the system refused one. */
static int os_start_thread(struct os_start *start);

#ifdef _WIN32

/* ---- Win32 ----------------------------------------------------------------------------------------------------- */

static uint64_t os_nanoseconds(void)
{
    LARGE_INTEGER frequency, ticks;
    QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&ticks);
    return (uint64_t)((double)ticks.QuadPart * (1e9 / (double)frequency.QuadPart));
}

static long os_process_id(void)
{
    return (long)GetCurrentProcessId();
}

static void os_yield(void)
{
    SwitchToThread();
}

static int os_on_fork(void (*child)(void)) /* there is no fork here */
{
    (void)child;
    return 1;
}

struct os_bed {
    SRWLOCK lock;
    CONDITION_VARIABLE changed;
};

static void os_bed_init(struct os_bed *bed)
{
    InitializeSRWLock(&bed->lock);
    InitializeConditionVariable(&bed->changed);
}

static void os_sleep_while(struct os_bed *bed, const os_atomic *word, long value)
{
    AcquireSRWLockExclusive(&bed->lock);
    while (os_load(word) == value) SleepConditionVariableSRW(&bed->changed, &bed->lock, INFINITE, 0);
    ReleaseSRWLockExclusive(&bed->lock);
}

static void os_wake(struct os_bed *bed)
{
    AcquireSRWLockExclusive(&bed->lock);
    ReleaseSRWLockExclusive(&bed->lock);
    WakeConditionVariable(&bed->changed);
}

static unsigned __stdcall os_thread_main(void *start)
{
    const struct os_start *s = start;
    s->body(s->argument);
    return 0;
}

static int os_start_thread(struct os_start *start)
{
    uintptr_t handle = _beginthreadex(NULL, (unsigned)OS_STACK_BYTES, os_thread_main, start,
                                      STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (handle == 0) return 0;
    CloseHandle((HANDLE)handle);
    return 1;
}

#else

/* ---- POSIX ----------------------------------------------------------------------------------------------------- */

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
#endif
