/* The quotas of control groups, as /proc/self/mountinfo, /proc/self/cgroup and the files of the groups state them. */
#ifdef __linux__
#define _GNU_SOURCE /* getline */
#endif

#include "cgroups.h"

#include <limits.h>

#ifdef __linux__

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int at_most(int number, int limit)
{
    return number < limit ? number : limit;
}

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
