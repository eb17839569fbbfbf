/* os.h for Win32; included by os.h alone, after its declarations. */
#ifndef SIGMAX_OS_WIN32_H
#define SIGMAX_OS_WIN32_H

#include <windows.h>

#include <process.h>

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

#endif
