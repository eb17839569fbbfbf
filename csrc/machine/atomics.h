/*
 * Atomic words and counters, thread-local variables and a pause, as gcc, clang and MSVC spell them: for pool.c alone.
 * What was written before a release is visible after the acquire that reads it.
 */
#ifndef SIGMAX_ATOMICS_H
#define SIGMAX_ATOMICS_H

#include <limits.h> /* defines __GLIBC__, as every header of glibc does; stddef.h is the compiler's */
#include <stddef.h>

#ifdef _WIN32
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>
#endif

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

#endif
