/* The default number of threads: environment, affinity, quotas. */
#ifdef __linux__
#define _GNU_SOURCE /* sched_getaffinity; elsewhere such a macro would hide _SC_NPROCESSORS_ONLN */
#endif

#include "processors.h"

#include <limits.h>
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

#include "../sigmax.h"
#include "cgroups.h"
#include "environment.h"

/* ---- environment ----------------------------------------------------------------------------------------------- */

/* The number that an environment variable holds, or that its list begins with; 0 when there is none. */
static int number_of_variable(const char *name, int may_be_list)
{
    const char *text = environment_variable(name);
    if (text == NULL) return 0;
    char *end;
    long number = strtol(text, &end, 10); /* LONG_MAX when it is larger, which the limit turns into the right thing */
    if (end == text || number < 1) return 0;
    end += strspn(end, " \t\r\n");
    if (*end != '\0' && !(may_be_list && *end == ',')) return 0;
    return number < SIGMAX_MAX_THREADS ? (int)number : SIGMAX_MAX_THREADS;
}

int sigmax_default_num_threads(int *source)
{
    int number = number_of_variable("SIGMAX_NUM_THREADS", 0);
    *source = SIGMAX_THREADS_OWN_VARIABLE;
    if (number != 0) return number;
    number = number_of_variable("OMP_NUM_THREADS", 1);
    *source = SIGMAX_THREADS_OMP_VARIABLE;
    if (number != 0) return number;
    *source = SIGMAX_THREADS_MACHINE;
    return sigmax_available_processors();
}

/* ---- processors ------------------------------------------------------------------------------------------------ */

#if defined(SIGMAX_NO_THREADS)

static int processors_of_affinity(void)
{
    return 1;
}

#elif defined(_WIN32)

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
    int number = processors_of_affinity(), quota = sigmax_cgroup_processors("");
    if (number > quota) number = quota;
    return number < 1 ? 1 : number < SIGMAX_MAX_THREADS ? number : SIGMAX_MAX_THREADS;
}
