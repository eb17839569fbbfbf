/*
 * The worker pool: POSIX threads or Win32, created on first use, never at load time. A build with SIGMAX_NO_THREADS has
 * none of either: the calling thread runs every task.
 *
 * What is computed never depends on it. The caller cuts its work into tasks by the size of the problem alone, each
 * task owns what it writes, and any number of threads, one included, runs the same tasks. Workers compute in the
 * floating-point environment (rounding, flushing of subnormals) that the caller has at the call.
 *
 * Workers last as long as the process and do not hinder its exit. A library that holds the pool must not be unloaded
 * (dlclose) once it has been used.
 */
#ifndef SIGMAX_POOL_H
#define SIGMAX_POOL_H

#include <stddef.h>

/* One task: index is 0 ... n_tasks - 1; worker is 0 ... n_threads - 1 and no two tasks that run at once have the same
   one. engine.h names the same type sigmax_task: calls/call.c assigns sigmax_pool_run to what engine.h declares, and
   the compiler reports it where the two differ. */
typedef void (*sigmax_pool_task)(void *context, size_t index, size_t worker);

/*
 * Calls task(context, i, worker) once for each i in 0 ... n_tasks - 1 on at most n_threads >= 1 threads, the calling
 * one among them, and returns when all are done. Everything that the tasks wrote is visible to the caller then.
 * Runs on fewer threads, down to the caller alone, when threads cannot be started, when another caller is using the
 * pool, and when a task itself calls here; alone, the caller is worker 0. Never fails. Tasks may not longjmp out.
 * n_threads may exceed the processors; beyond SIGMAX_MAX_THREADS (processors.h) it is taken for that.
 * After fork() the child has no pool and makes its own when it first needs one; the child of a task that forks may
 * exec or _exit, but not return from the task, since its parent's workers are not there to do the others. Workers
 * block every signal but those that a fault raises (SIGSEGV, SIGBUS, SIGFPE, SIGILL), and have stacks of 1 MiB.
 */
void sigmax_pool_run(size_t n_threads, size_t n_tasks, sigmax_pool_task task, void *context);

/* Threads that a call by the calling thread may use: sigmax_get_num_threads(), or 1 after sigmax_set_alone(1). */
size_t sigmax_pool_threads_of_this_call(void);

/* sigmax_get_num_threads, sigmax_set_num_threads, sigmax_set_alone and sigmax_num_threads_source of sigmax_api.h are
   defined in pool.c. The default is determined on first need, and anew after sigmax_set_num_threads(0); see
   processors.h. More than SIGMAX_MAX_THREADS are taken for that; a negative number is SIGMAX_BAD_ARGUMENT. */

#endif
