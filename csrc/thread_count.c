/* The default number of threads: environment, affinity, quotas. */
#ifdef __linux__
#define _GNU_SOURCE /* sched_getaffinity, getline; elsewhere such a macro would hide _SC_NPROCESSORS_ONLN */
#endif

#include "thread_count.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>
#else
#include <unistd.h>
#endif
#ifdef __linux__
#include <errno.h>
#include <sched.h>
#endif

static int at_most(int number, int limit)
{
    return number < limit ? number : limit;
}

/* ---- environment ----------------------------------------------------------------------------------------------- */

/* The number that an environment variable holds, or that its list begins with; 0 when there is none. */
static int number_of_variable(const char *name, int may_be_list)
{
    const char *text = getenv(name);
    if (text == NULL) return 0;
    char *end;
    long number = strtol(text, &end, 10); /* LONG_MAX when it is larger, which the limit turns into the right thing */
    if (end == text || number < 1) return 0;
    end += strspn(end, " \t\r\n");
    if (*end != '\0' && !(may_be_list && *end == ',')) return 0;
    return number < SIGMAX_MAX_THREADS ? (int)number : SIGMAX_MAX_THREADS;
}

int sigmax_default_num_threads(void)
{
    int number = number_of_variable("SIGMAX_NUM_THREADS", 0);
    if (number == 0) number = number_of_variable("OMP_NUM_THREADS", 1);
    return number != 0 ? number : sigmax_available_processors();
}

/* ---- processors ------------------------------------------------------------------------------------------------ */

#if defined(_WIN32)

static int processors_of_affinity(void)
{
    DWORD_PTR process = 0, machine = 0;
    int number = 0;
    if (GetProcessAffinityMask(GetCurrentProcess(), &process, &machine))
        for (; process != 0; process &= process - 1) number++;
    /* The mask is 0 when the process spans several groups of processors. */
    return number > 0 ? number : (int)GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
}

#else

static int processors_online(void)
{
    long number = sysconf(_SC_NPROCESSORS_ONLN);
    return number < 1 ? 1 : number > INT_MAX ? INT_MAX : (int)number;
}

#ifdef __linux__

static int processors_of_affinity(void)
{
    /* EINVAL says that the kernel's mask is longer than ours. */
    for (int room = 1024; room <= 1 << 20; room *= 2) {
        cpu_set_t *mask = CPU_ALLOC((size_t)room);
        if (mask == NULL) break;
        size_t bytes = CPU_ALLOC_SIZE((size_t)room);
        CPU_ZERO_S(bytes, mask);
        int failed = sched_getaffinity(0, bytes, mask);
        int retry = failed && errno == EINVAL;
        int number = failed ? 0 : CPU_COUNT_S(bytes, mask);
        CPU_FREE(mask);
        if (number > 0) return number;
        if (!retry) break;
    }
    return processors_online();
}

#else

static int processors_of_affinity(void)
{
    return processors_online();
}

#endif
#endif

int sigmax_available_processors(void)
{
    int number = at_most(processors_of_affinity(), sigmax_cgroup_processors(""));
    return at_most(number < 1 ? 1 : number, SIGMAX_MAX_THREADS);
}

/* ---- control groups -------------------------------------------------------------------------------------------- */

#ifdef __linux__

#define PATH_ROOM 4096 /* Linux accepts no longer path */

enum { CGROUP_V1 = 1, CGROUP_V2 = 2 };

/* quota / period in whole processors; INT_MAX for the values that mean "no limit". */
static int whole_processors(long long quota, long long period)
{
    if (quota <= 0 || period <= 0) return INT_MAX;
    long long number = quota / period;
    return number < 1 ? 1 : number > INT_MAX ? INT_MAX : (int)number;
}

/* Reads up to two numbers from directory/name; returns how many there were. The word "max" is none. */
static int read_numbers(const char *directory, const char *name, long long *first, long long *second)
{
    char path[PATH_ROOM];
    int length = snprintf(path, sizeof path, "%s/%s", directory, name);
    if (length < 0 || (size_t)length >= sizeof path) return 0;
    FILE *file = fopen(path, "re");
    if (file == NULL) return 0;
    int found = fscanf(file, "%lld %lld", first, second);
    fclose(file);
    return found < 0 ? 0 : found;
}

static int limit_of_directory(const char *directory, int version)
{
    long long quota = 0, period = 0, unused = 0;
    int known;
    if (version == CGROUP_V2)
        known = read_numbers(directory, "cpu.max", &quota, &period) == 2;
    else
        known = read_numbers(directory, "cpu.cfs_quota_us", &quota, &unused) >= 1
                && read_numbers(directory, "cpu.cfs_period_us", &period, &unused) >= 1;
    return known ? whole_processors(quota, period) : INT_MAX;
}

/* The least limit of mount_point/group and of the directories above it, mount_point the last. */
static int limit_of_branch(const char *mount_point, const char *group, int version)
{
    char directory[PATH_ROOM];
    int length = snprintf(directory, sizeof directory, "%s%s", mount_point, group);
    if (length < 0 || (size_t)length >= sizeof directory) return INT_MAX;
    size_t top = strlen(mount_point);
    int limit = limit_of_directory(directory, version);
    while (strlen(directory) > top) {
        *strrchr(directory, '/') = '\0'; /* group begins with a slash, so there is one at top or behind it */
        limit = at_most(limit, limit_of_directory(directory, version));
    }
    return limit;
}

/* Whether a list such as "rw,cpu,cpuacct" has this item. */
static int list_has(const char *list, const char *item)
{
    size_t length = strlen(item);
    for (const char *p = list; p != NULL; p = strchr(p, ',')) {
        p += *p == ',';
        if (strncmp(p, item, length) == 0 && (p[length] == ',' || p[length] == '\0')) return 1;
    }
    return 0;
}

/* mountinfo writes blanks and backslashes as three octal digits, "\040". In place. */
static void decode_octal(char *text)
{
    char *out = text;
    for (const char *p = text; *p != '\0'; out++) {
        if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' && p[3] >= '0' && p[3] <= '7') {
            *out = (char)((p[1] - '0') * 64 + (p[2] - '0') * 8 + (p[3] - '0'));
            p += 4;
        } else {
            *out = *p++;
        }
    }
    *out = '\0';
}

/* The n-th (from 0) of the fields that single blanks divide; NULL past the last. Ends the field with '\0'. */
static char *take_field(char *line, int n)
{
    for (; n > 0 && line != NULL; n--) {
        line = strchr(line, ' ');
        if (line != NULL) line++;
    }
    if (line != NULL) line[strcspn(line, " \n")] = '\0';
    return line;
}

/*
 * One line of mountinfo: "36 35 98:0 /root /mount/point options [more ...] - type source super,options". When it mounts
 * the hierarchy that is looked for, the limit of the process's group in it; else INT_MAX.
 */
static int limit_of_mount(const char *root, char *line, const char *group, int version)
{
    char *tail = strstr(line, " - ");
    if (tail == NULL) return INT_MAX;
    *tail = '\0';
    tail += 3;
    char *options = take_field(tail, 2);
    const char *type = take_field(tail, 0);
    if (options == NULL || strcmp(type, version == CGROUP_V2 ? "cgroup2" : "cgroup") != 0
        || (version == CGROUP_V1 && !list_has(options, "cpu")))
        return INT_MAX;
    char *mount_point = take_field(line, 4);
    char *mount_root = take_field(line, 3); /* after the later field: each ends the line where it ends */
    if (mount_point == NULL || mount_root == NULL) return INT_MAX;
    decode_octal(mount_point);
    decode_octal(mount_root);

    /* The mount shows the hierarchy from mount_root down. A group that is not in there, or above it ("/.."), has its
       limit at the mount point: that is how containers are set up. */
    size_t shared = strcmp(mount_root, "/") == 0 ? 0 : strlen(mount_root);
    const char *below = "";
    if (strncmp(group, mount_root, shared) == 0 && group[shared] == '/') below = group + shared;
    if (strcmp(below, "/") == 0 || strncmp(below, "/..", 3) == 0) below = "";

    char place[PATH_ROOM];
    int length = snprintf(place, sizeof place, "%s%s", root, mount_point);
    return length < 0 || (size_t)length >= sizeof place ? INT_MAX : limit_of_branch(place, below, version);
}

static FILE *open_below(const char *root, const char *name)
{
    char path[PATH_ROOM];
    int length = snprintf(path, sizeof path, "%s%s", root, name);
    return length < 0 || (size_t)length >= sizeof path ? NULL : fopen(path, "re");
}

static int limit_of_group(const char *root, const char *group, int version)
{
    FILE *mounts = open_below(root, "/proc/self/mountinfo");
    if (mounts == NULL) return INT_MAX;
    char *line = NULL;
    size_t room = 0;
    int limit = INT_MAX;
    while (getline(&line, &room, mounts) >= 0) limit = at_most(limit, limit_of_mount(root, line, group, version));
    free(line);
    fclose(mounts);
    return limit;
}

/* A line of /proc/self/cgroup is "number:controllers:/group"; v2 has number 0 and no controllers. */
int sigmax_cgroup_processors(const char *root)
{
    FILE *groups = open_below(root, "/proc/self/cgroup");
    if (groups == NULL) return INT_MAX;
    char *line = NULL;
    size_t room = 0;
    int limit = INT_MAX;
    while (getline(&line, &room, groups) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers == NULL ? NULL : strchr(controllers + 1, ':');
        if (group == NULL) continue;
        *group++ = '\0';
        controllers++;
        if (*controllers == '\0')
            limit = at_most(limit, limit_of_group(root, group, CGROUP_V2));
        else if (list_has(controllers, "cpu"))
            limit = at_most(limit, limit_of_group(root, group, CGROUP_V1));
    }
    free(line);
    fclose(groups);
    return limit;
}

#else

int sigmax_cgroup_processors(const char *root)
{
    (void)root;
    return INT_MAX;
}

#endif
