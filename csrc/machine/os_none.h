/* os.h for platforms without threads; included by os.h alone, after its declarations. No thread starts, so the pool runs
   every task in the caller: nobody sleeps, and nobody has to be woken. */
#ifndef SIGMAX_OS_NONE_H
#define SIGMAX_OS_NONE_H

static uint64_t os_nanoseconds(void) /* only those who wait for a thread ask */
{
    return 0;
}

static long os_process_id(void)
{
    return 1;
}

static void os_yield(void)
{
}

static int os_on_fork(void (*child)(void)) /* a child has all that its parent has */
{
    (void)child;
    return 1;
}

struct os_bed {
    char unused;
};

static void os_bed_init(struct os_bed *bed)
{
    (void)bed;
}

static void os_sleep_while(struct os_bed *bed, const os_atomic *word, long value)
{
    (void)bed;
    (void)word;
    (void)value;
}

static void os_wake(struct os_bed *bed)
{
    (void)bed;
}

static int os_start_thread(struct os_start *start)
{
    (void)start;
    return 0;
}

#endif
