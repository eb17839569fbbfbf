/* How many threads this process should use, and how many can run at once. */
#ifndef SIGMAX_PROCESSORS_H
#define SIGMAX_PROCESSORS_H

/* Larger requests are taken for this one. */
#define SIGMAX_MAX_THREADS 1024

/*
 * The default number of threads, 1 ... SIGMAX_MAX_THREADS, determined anew by each call: the environment variable
 * SIGMAX_NUM_THREADS, else the first item of OMP_NUM_THREADS, else sigmax_available_processors(). A variable that is
 * empty or no positive integer counts as not set. *source = which of the three it was, a sigmax_thread_source.
 */
int sigmax_default_num_threads(int *source);

/*
 * How many threads of this process can run at once, 1 ... SIGMAX_MAX_THREADS, determined anew by each call: the
 * processors in the calling thread's affinity mask (the process's on Windows, all of them on macOS), but no more than
 * the quota of its control group allows (cgroups.h). 1 in a build with SIGMAX_NO_THREADS.
 */
int sigmax_available_processors(void);

#endif
