/* The default number of threads: environment, affinity, and the quotas of copied /proc and /sys trees. */
#ifdef __linux__
#define _GNU_SOURCE /* sched_setaffinity */
#else
#define _POSIX_C_SOURCE 200809L
#endif

#include "machine/processors.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#endif

#include "check.h"
#include "machine/cgroups.h"
#include "sigmax.h"

/* ---- environment ----------------------------------------------------------------------------------------------- */

static void set_variable(const char *name, const char *value)
{
    if (value == NULL)
        unsetenv(name);
    else
        setenv(name, value, 1);
}

static const char *shown(const char *value)
{
    return value == NULL ? "(not set)" : value;
}

static void test_environment(void)
{
    enum { AVAILABLE = 0 };
    static const struct {
        const char *sigmax, *omp;
        int expected, source;
    } cases[] = {{NULL, NULL, AVAILABLE, SIGMAX_THREADS_MACHINE},
                 {"3", NULL, 3, SIGMAX_THREADS_OWN_VARIABLE},
                 {"3", "5", 3, SIGMAX_THREADS_OWN_VARIABLE},
                 {NULL, "5", 5, SIGMAX_THREADS_OMP_VARIABLE},
                 {NULL, "4,2", 4, SIGMAX_THREADS_OMP_VARIABLE},
                 {NULL, "6 , 2", 6, SIGMAX_THREADS_OMP_VARIABLE},
                 {NULL, " 7 ", 7, SIGMAX_THREADS_OMP_VARIABLE},
                 {" 9\n", NULL, 9, SIGMAX_THREADS_OWN_VARIABLE},
                 {"1", NULL, 1, SIGMAX_THREADS_OWN_VARIABLE},
                 {"", "5", 5, SIGMAX_THREADS_OMP_VARIABLE},
                 {"", "", AVAILABLE, SIGMAX_THREADS_MACHINE},
                 {"zero", "5", 5, SIGMAX_THREADS_OMP_VARIABLE},
                 {"0", "5", 5, SIGMAX_THREADS_OMP_VARIABLE},
                 {"-2", "5", 5, SIGMAX_THREADS_OMP_VARIABLE},
                 {"4,2", "5", 5, SIGMAX_THREADS_OMP_VARIABLE},
                 {"3.5", "5", 5, SIGMAX_THREADS_OMP_VARIABLE},
                 {"3x", "5", 5, SIGMAX_THREADS_OMP_VARIABLE},
                 {NULL, ",4", AVAILABLE, SIGMAX_THREADS_MACHINE},
                 {NULL, "0", AVAILABLE, SIGMAX_THREADS_MACHINE},
                 {NULL, "-1", AVAILABLE, SIGMAX_THREADS_MACHINE},
                 {NULL, "4;2", AVAILABLE, SIGMAX_THREADS_MACHINE},
                 {NULL, "x", AVAILABLE, SIGMAX_THREADS_MACHINE},
                 {" ", NULL, AVAILABLE, SIGMAX_THREADS_MACHINE},
                 {"99999999999999999999", NULL, SIGMAX_MAX_THREADS, SIGMAX_THREADS_OWN_VARIABLE},
                 {"1023", NULL, 1023, SIGMAX_THREADS_OWN_VARIABLE},
                 {"1024", NULL, 1024, SIGMAX_THREADS_OWN_VARIABLE},
                 {"1025", NULL, SIGMAX_MAX_THREADS, SIGMAX_THREADS_OWN_VARIABLE}};
    int available = sigmax_available_processors();
    CHECK(available >= 1 && available <= SIGMAX_MAX_THREADS, "%d processors", available);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        set_variable("SIGMAX_NUM_THREADS", cases[i].sigmax);
        set_variable("OMP_NUM_THREADS", cases[i].omp);
        sigmax_set_num_threads(0);
        int expected = cases[i].expected == AVAILABLE ? available : cases[i].expected;
        CHECK(sigmax_get_num_threads() == expected, "%d threads, expected %d, for SIGMAX_NUM_THREADS %s, OMP %s",
              sigmax_get_num_threads(), expected, shown(cases[i].sigmax), shown(cases[i].omp));
        CHECK(sigmax_num_threads_source() == cases[i].source,
              "source %d, expected %d, for SIGMAX_NUM_THREADS %s, OMP %s", sigmax_num_threads_source(), cases[i].source,
              shown(cases[i].sigmax), shown(cases[i].omp));
    }
    for (int n = 0; n <= 2000; n += 1000) {
        CHECK(sigmax_set_num_threads(n) == SIGMAX_OK && sigmax_set_num_threads(-1) == SIGMAX_BAD_ARGUMENT, "set %d", n);
        CHECK(sigmax_num_threads_source() == (n == 0 ? SIGMAX_THREADS_OWN_VARIABLE : SIGMAX_THREADS_SET),
              "source %d of %d", sigmax_num_threads_source(), n);
        CHECK(sigmax_get_num_threads() == (n == 1000 ? n : SIGMAX_MAX_THREADS), "%d", sigmax_get_num_threads());
    }
    set_variable("OMP_NUM_THREADS", NULL);
}

static void test_determined_on_first_need(void)
{
    set_variable("SIGMAX_NUM_THREADS", "3");
    sigmax_set_num_threads(0);
    set_variable("SIGMAX_NUM_THREADS", "4");
    CHECK(sigmax_get_num_threads() == 4, "%d: determined before it was needed", sigmax_get_num_threads());
    set_variable("SIGMAX_NUM_THREADS", "5");
    CHECK(sigmax_get_num_threads() == 4, "%d: determined twice", sigmax_get_num_threads());
    sigmax_set_num_threads(0);
    CHECK(sigmax_get_num_threads() == 5, "%d: not determined anew", sigmax_get_num_threads());
    set_variable("SIGMAX_NUM_THREADS", NULL);
    sigmax_set_num_threads(0);
}

#ifdef __linux__

/* ---- affinity -------------------------------------------------------------------------------------------------- */

static void test_affinity(void)
{
    cpu_set_t before, one;
    CHECK(sched_getaffinity(0, sizeof before, &before) == 0, "errno %d", errno);
    int quota = sigmax_cgroup_processors("");
    int expected = CPU_COUNT(&before) < quota ? CPU_COUNT(&before) : quota;
    CHECK(sigmax_available_processors() == expected, "%d processors, expected %d", sigmax_available_processors(),
          expected);
    int last = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET((size_t)cpu, &before)) last = cpu;
    CPU_ZERO(&one);
    CPU_SET((size_t)last, &one);
    CHECK(sched_setaffinity(0, sizeof one, &one) == 0, "errno %d", errno);
    sigmax_set_num_threads(0);
    CHECK(sigmax_get_num_threads() == 1, "%d threads on one processor", sigmax_get_num_threads());
    sched_setaffinity(0, sizeof before, &before);
    sigmax_set_num_threads(0);
    CHECK(sigmax_get_num_threads() == expected, "%d threads, expected %d", sigmax_get_num_threads(), expected);
}

/* ---- control groups -------------------------------------------------------------------------------------------- */

static char tree[] = "/tmp/sigmax-cgroup-XXXXXX";

/* Writes tree/path and the directories that it needs. */
static void write_file(const char *path, const char *text)
{
    char full[1024];
    snprintf(full, sizeof full, "%s%s", tree, path);
    for (char *slash = strchr(full + strlen(tree) + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(full, 0700);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    CHECK(file != NULL, "%s: errno %d", full, errno);
    if (file != NULL) {
        fputs(text, file);
        fclose(file);
    }
}

static void remove_tree(void)
{
    pid_t child = fork();
    if (child == 0) {
        execlp("rm", "rm", "-rf", tree, (char *)NULL);
        _exit(127);
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK(status == 0, "rm -rf %s: status %d", tree, status);
}

static void new_tree(void)
{
    memcpy(tree + sizeof tree - 7, "XXXXXX", 6);
    CHECK(mkdtemp(tree) != NULL, "errno %d", errno);
}

/* One machine: its files, and how many processors it leaves us. */
struct machine {
    const char *what;
    int expected;
    struct {
        const char *path, *text;
    } files[7]; /* up to the first without a path */
};

#define GROUP "/proc/self/cgroup"
#define MOUNTS "/proc/self/mountinfo"
#define V2 "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define V1 "33 30 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"

static const struct machine machines[] = {
    {"no files at all", INT_MAX, {{0}}},
    {"no control group mounted", INT_MAX, {{GROUP, "0::/a\n"}, {MOUNTS, "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"}}},
    {"v2, no limit", INT_MAX, {{GROUP, "0::/a\n"}, {MOUNTS, V2}, {"/sys/fs/cgroup/a/cpu.max", "max 100000\n"}}},
    {"v2, two", 2, {{GROUP, "0::/a\n"}, {MOUNTS, V2}, {"/sys/fs/cgroup/a/cpu.max", "200000 100000\n"}}},
    {"v2, rounded down", 2, {{GROUP, "0::/a\n"}, {MOUNTS, V2}, {"/sys/fs/cgroup/a/cpu.max", "299999 100000\n"}}},
    {"v2, at least one", 1, {{GROUP, "0::/a\n"}, {MOUNTS, V2}, {"/sys/fs/cgroup/a/cpu.max", "20000 100000\n"}}},
    {"v2, the container's root", 3, {{GROUP, "0::/\n"}, {MOUNTS, V2}, {"/sys/fs/cgroup/cpu.max", "300000 100000\n"}}},
    {"v2, a group outside the namespace",
     3,
     {{GROUP, "0::/../other\n"}, {MOUNTS, V2}, {"/sys/fs/cgroup/cpu.max", "300000 100000\n"}}},
    {"v2, the grandparent's limit",
     4,
     {{GROUP, "0::/a/b/c\n"},
      {MOUNTS, V2},
      {"/sys/fs/cgroup/a/cpu.max", "400000 100000\n"},
      {"/sys/fs/cgroup/a/b/cpu.max", "max 100000\n"},
      {"/sys/fs/cgroup/a/b/c/cpu.max", "900000 100000\n"}}},
    {"v2, a neighbour's limit is not ours",
     INT_MAX,
     {{GROUP, "0::/a\n"}, {MOUNTS, V2}, {"/sys/fs/cgroup/ab/cpu.max", "200000 100000\n"}}},
    {"v2, a mount point with a blank",
     2,
     {{GROUP, "0::/a\n"},
      {MOUNTS, "30 23 0:26 / /sys/my\\040groups rw - cgroup2 none rw\n"},
      {"/sys/my groups/a/cpu.max", "200000 100000\n"}}},
    {"v2, damaged", INT_MAX, {{GROUP, "0::/a\n"}, {MOUNTS, V2}, {"/sys/fs/cgroup/a/cpu.max", "2000"}}},
    {"v2, a period of 0", INT_MAX, {{GROUP, "0::/a\n"}, {MOUNTS, V2}, {"/sys/fs/cgroup/a/cpu.max", "2000 0\n"}}},
    {"v1, no limit",
     INT_MAX,
     {{GROUP, "4:cpu,cpuacct:/a\n"},
      {MOUNTS, V1},
      {"/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "-1\n"},
      {"/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n"}}},
    {"v1, two and a half",
     2,
     {{GROUP, "5:cpuset:/b\n4:cpu,cpuacct:/a\n"},
      {MOUNTS, V1},
      {"/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "125000\n"},
      {"/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "50000\n"}}},
    {"v1, a container that sees its host's group",
     3,
     {{GROUP, "4:cpuacct,cpu:/docker/0a1b\n"},
      {MOUNTS, "33 30 0:30 /docker/0a1b /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpuacct,cpu\n"},
      {"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000\n"},
      {"/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"}}},
    {"v1, cpuset and cpuacct limit nothing",
     INT_MAX,
     {{GROUP, "5:cpuset:/a\n6:cpuacct:/a\n"},
      {MOUNTS, "33 30 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"},
      {"/sys/fs/cgroup/cpuset/a/cpu.cfs_quota_us", "100000\n"},
      {"/sys/fs/cgroup/cpuset/a/cpu.cfs_period_us", "100000\n"}}},
    {"v1 and v2 side by side",
     5,
     {{GROUP, "4:cpu,cpuacct:/a\n0::/a\n"},
      {MOUNTS, V1 "31 30 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"},
      {"/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "500000\n"},
      {"/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"},
      {"/sys/fs/cgroup/unified/a/cpu.max", "max 100000\n"}}},
    {"lines that are none", INT_MAX, {{GROUP, "\n:\n0:\n"}, {MOUNTS, "\n - \n - cgroup2\n1 2 - cgroup2 x y\n" V2}}},
    {"short lines for a group", INT_MAX, {{GROUP, "0::/a\n"}, {MOUNTS, "\n - \n - cgroup2\n1 2 - cgroup2 x y\n"}}},
};

static void test_cgroups(void)
{
    for (size_t m = 0; m < sizeof machines / sizeof machines[0]; m++) {
        const struct machine *machine = &machines[m];
        new_tree();
        for (size_t f = 0; f < sizeof machine->files / sizeof machine->files[0]; f++)
            if (machine->files[f].path != NULL) write_file(machine->files[f].path, machine->files[f].text);
        int found = sigmax_cgroup_processors(tree);
        CHECK(found == machine->expected, "%s: %d, expected %d", machine->what, found, machine->expected);
        remove_tree();
    }
}

#endif

int main(void)
{
    test_environment();
    test_determined_on_first_need();
#ifdef __linux__
    test_affinity();
    test_cgroups();
#endif
    return CHECK_DONE();
}
