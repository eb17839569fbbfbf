/*
 * What the worker pool needs from the operating system: a clock, threads, and a place to sleep. Declared here, defined
 * in os_posix.h or os_win32.h, or in os_none.h, which has none of it, where the build defines SIGMAX_NO_THREADS. All of it
 * is static: for pool.c alone, which asks for POSIX beforehand.
 */
#ifndef SIGMAX_OS_H
#define SIGMAX_OS_H

#include <stddef.h>
#include <stdint.h>

#include "atomics.h"

/* Deep enough for any kernel; musl would give 128 KiB. */
#define OS_STACK_BYTES ((size_t)1 << 20)

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

#if defined(SIGMAX_NO_THREADS)
#include "os_none.h"
#elif defined(_WIN32)
#include "os_win32.h"
#else
#include "os_posix.h"
#endif

#endif
