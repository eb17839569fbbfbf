/*
 * Loaded before the C library (LD_PRELOAD): fail_at(k) makes the k-th allocation of the calling thread from then on
 * fail, counted from 0; allocations_stop() ends that and returns how many there were. What other threads allocate is
 * left alone. glibc only.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t n, size_t bytes);
void *__libc_realloc(void *block, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

static __thread long calls, failing_call;
static __thread int counting;

void fail_at(long k)
{
    calls = 0;
    failing_call = k;
    counting = 1;
}

long allocations_stop(void)
{
    counting = 0;
    return calls;
}

static int fails(void)
{
    if (!counting || calls++ != failing_call) return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t bytes)
{
    return fails() ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t n, size_t bytes)
{
    return fails() ? NULL : __libc_calloc(n, bytes);
}

void *realloc(void *block, size_t bytes)
{
    return fails() ? NULL : __libc_realloc(block, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return fails() ? NULL : __libc_memalign(alignment, bytes);
}

int posix_memalign(void **block, size_t alignment, size_t bytes)
{
    if (fails()) return ENOMEM;
    *block = __libc_memalign(alignment, bytes);
    return *block == NULL ? ENOMEM : 0;
}
