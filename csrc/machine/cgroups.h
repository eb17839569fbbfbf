/* How much processor time control groups leave this process. */
#ifndef SIGMAX_CGROUPS_H
#define SIGMAX_CGROUPS_H

/*
 * The processor time that the process's control group and its parents allow, in whole processors, rounded down but at
 * least 1; INT_MAX where nothing limits it, and on systems without control groups. Reads cpu.max of cgroup v2 and
 * cpu.cfs_quota_us, cpu.cfs_period_us of v1. root is put before every path: "" for this machine, a directory for a
 * copy of another's /proc and /sys.
 */
int sigmax_cgroup_processors(const char *root);

#endif
