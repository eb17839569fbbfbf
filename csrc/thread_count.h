/* How many threads this process should use, and how many can run at once. */
#ifndef SIGMAX_THREAD_COUNT_H
#define SIGMAX_THREAD_COUNT_H

/* Larger requests are taken for this one. */
#define SIGMAX_MAX_THREADS 1024

/*
 * The default number of threads, 1 ... SIGMAX_MAX_THREADS, determined anew by each call: the environment variable
 * SIGMAX_NUM_THREADS, else the first item of OMP_NUM_THREADS, else sigmax_available_processors(). A variable that is
 * empty or no positive integer counts as not set.
 */
int sigmax_default_num_threads(void);

/*
 * How many threads of this process can run at once, 1 ... SIGMAX_MAX_THREADS, determined anew by each call: the
 * processors in the calling thread's affinity mask (the process's on Windows, all of them on macOS), but no more than
 * the quota of its control group allows.
 */
int sigmax_available_processors(void);

/*
 * The processor time that the process's control group and its parents allow, in whole processors, rounded down but at
 * least 1; INT_MAX where nothing limits it, and on systems without control groups. Reads cpu.max of cgroup v2 and
 * cpu.cfs_quota_us, cpu.cfs_period_us of v1. root is put before every path: "" for this machine, a directory for a
 * copy of another's /proc and /sys.
 */
int sigmax_cgroup_processors(const char *root);

#endif
